package slash_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog/dialogtest"
)

func TestHooks(t *testing.T) {
	w := newWorld(t)
	if said := w.run(dialogtest.New(t), "/hooks"); said != "No hook is configured: hooks is empty in the settings." {
		t.Error(said)
	}
	path := filepath.Join(w.home, ".config", "ml-intern", "cli_agent_config.json")
	settings := `{"model_name":"sim/scripted","hooks":{"PreToolUse":[{"matcher":"bash","command":"sh no_pip.sh"}],"Stop":[{"command":"make\u001b[31m test","async":true}]}}`
	if err := os.WriteFile(path, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	w.app = w.open()
	said := w.run(dialogtest.New(t), "/hooks")
	for _, part := range []string{"PreToolUse bash  sh no_pip.sh", "Stop", "(nobody waits for it)", "ml-intern hooks test EVENT"} {
		if !strings.Contains(said, part) {
			t.Errorf("%q is missing:\n%s", part, said)
		}
	}
	if strings.Contains(said, "\x1b") {
		t.Errorf("%q steers the terminal", said)
	}
}

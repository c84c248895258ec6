package command_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The conversation begins with the question where a folder brings something
// along; a line that is no answer is asked about again, and the answer holds for
// the session that opens behind it.
func TestTrustQuestion(t *testing.T) {
	t.Parallel()
	person, program := terminal(t)
	w, dir := newWorld(t, ""), t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, ".ml-intern"), 0o700); err != nil {
		t.Fatal(err)
	}
	const settings = `{"save_sessions": false, "hooks": {"SessionStart": [{"command": "touch began"}]}}`
	if err := os.WriteFile(filepath.Join(dir, ".ml-intern", "config.json"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "--plain", "-m", "replay/demo")
	cmd.Dir, cmd.Env = dir, append(w.environment(t.TempDir()), asProgram+"=1", "TERM=xterm")
	shown := onTerminal(t, cmd, person, program)
	says := func(text string) {
		if _, err := person.WriteString(text + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	sees := func(text string) {
		eventually(t, text, func() bool { return strings.Contains(shown.String(), text) })
	}
	sees("runs at SessionStart: touch began")
	says("train the model")
	eventually(t, "the question again", func() bool { return strings.Count(shown.String(), "Trust it?") == 2 })
	if _, err := os.Stat(filepath.Join(dir, "began")); err == nil {
		t.Error("the hook ran before the answer")
	}
	says("yes")
	sees("is trusted")
	eventually(t, "the hook", func() bool { _, err := os.Stat(filepath.Join(dir, "began")); return err == nil })
	says("/quit")
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, shown)
	}
}

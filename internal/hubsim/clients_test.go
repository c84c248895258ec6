package hubsim_test

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
)

// Acceptance check 40, Python: what the official client does, it does here too.
// HUBSIM_PYTHON names an interpreter that has huggingface_hub.
func TestCheck40_PythonClient(t *testing.T) {
	python := cmp.Or(os.Getenv("HUBSIM_PYTHON"), "python3")
	version, err := exec.Command(python, "-c", "import huggingface_hub; print(huggingface_hub.__version__)").Output()
	if err != nil {
		t.Skipf("%s has no huggingface_hub (set HUBSIM_PYTHON to one that has): %v", python, err)
	}
	t.Logf("huggingface_hub %s", version)
	foreign(t, 47, python, "clients.py")
}

// Acceptance check 40, JavaScript. HUBSIM_NODE_PATH is a node_modules folder
// that has @huggingface/hub.
func TestCheck40_JavaScriptClient(t *testing.T) {
	modules := os.Getenv("HUBSIM_NODE_PATH")
	if _, err := os.Stat(filepath.Join(modules, "@huggingface", "hub")); modules == "" || err != nil {
		t.Skip("set HUBSIM_NODE_PATH to a node_modules folder that has @huggingface/hub")
	}
	foreign(t, 21, "node", "clients.mjs")
}

// foreign runs a program that prints a line for each of its checks.
func foreign(t *testing.T, checks int, program, script string) {
	t.Helper()
	h := hubsimtest.Start(t, hubsim.Options{Exec: hubsim.Local, Control: true, Clock: clock.Options{Scale: 1}})
	cmd := exec.CommandContext(t.Context(), program, filepath.Join("testdata", script))
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HF_ENDPOINT=" + h.URL(), "HF_TOKEN=" + bob, "HF_HUB_DISABLE_XET=1", "HF_HUB_DISABLE_TELEMETRY=1",
		"HF_HUB_DISABLE_PROGRESS_BARS=1", "HF_HOME=" + t.TempDir(), "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir(),
		"PYTHONDONTWRITEBYTECODE=1", "NODE_PATH=" + os.Getenv("HUBSIM_NODE_PATH"),
	}
	out, err := cmd.CombinedOutput()
	passed := 0
	for line := range strings.Lines(string(out)) {
		switch {
		case strings.HasPrefix(line, "ok "):
			passed++
		case strings.HasPrefix(line, "FAIL "):
			t.Error(strings.TrimSpace(line))
		}
	}
	if err != nil || passed != checks {
		t.Errorf("%d of %d passed, %v\n%s", passed, checks, err, out)
	}
}

package hubsim_test

import (
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
	python := os.Getenv("HUBSIM_PYTHON")
	if python == "" {
		python = "python3"
	}
	version, err := exec.Command(python, "-c", "import huggingface_hub; print(huggingface_hub.__version__)").Output()
	if err != nil {
		t.Skipf("%s has no huggingface_hub (set HUBSIM_PYTHON to one that has): %v", python, err)
	}
	t.Logf("huggingface_hub %s", version)
	h := hubsimtest.Start(t, hubsim.Options{Exec: hubsim.Local, Control: true, Clock: clock.Options{Scale: 1}})
	cmd := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "clients.py"))
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HF_ENDPOINT=" + h.URL(), "HF_TOKEN=" + bob, "HF_HUB_DISABLE_XET=1", "HF_HUB_DISABLE_TELEMETRY=1",
		"HF_HUB_DISABLE_PROGRESS_BARS=1", "HF_HOME=" + t.TempDir(), "HOME=" + t.TempDir(), "PYTHONDONTWRITEBYTECODE=1",
	}
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "FAIL ") {
			t.Error(strings.TrimSpace(line))
		}
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

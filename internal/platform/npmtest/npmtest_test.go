package npmtest_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/platform/npmtest"
)

func TestNode(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), npmtest.Node(t, 22), "--print", "1+1").CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "2" {
		t.Fatalf("%v: %s", err, out)
	}
}

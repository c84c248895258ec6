package local_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/local"
	"github.com/ml-intern/ml-intern/internal/domain/workspace/workspacetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	workspacetest.Run(t, func(t *testing.T) workspacetest.Place {
		dir, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		here, err := local.New(local.Options{
			Dir: dir, Environ: []string{"PATH=" + os.Getenv("PATH")},
			SpillDir: func(session string) string { return filepath.Join(dir+"-spill", session) },
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := here.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		return workspacetest.Place{Workspace: here, Dir: dir}
	})
}

func TestOptionsAreChecked(t *testing.T) {
	abs := t.TempDir()
	spill := func(string) string { return abs }
	for _, o := range []local.Options{
		{}, {Dir: "rel"}, {Dir: abs, Root: "rel"}, {Dir: abs, Confine: "maybe"}, {Dir: abs, Extra: []string{"rel"}}, {Dir: abs},
	} {
		if o.Dir != abs || o.Root != "" || o.Confine != "" || o.Extra != nil {
			o.SpillDir = spill
		}
		if _, err := local.New(o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

func TestInterpreterOfTheWorkspace(t *testing.T) {
	root := t.TempDir()
	own := filepath.Join(root, ".venv", "bin", "python")
	if runtime.GOOS == "windows" {
		own = filepath.Join(root, ".venv", "Scripts", "python.exe")
	}
	if got := local.Interpreter(root); got == own {
		t.Errorf("interpreter %q does not exist", got)
	}
	if err := os.MkdirAll(filepath.Dir(own), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(own, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := local.Interpreter(root); got != own {
		t.Errorf("interpreter %q, want %q", got, own)
	}
}

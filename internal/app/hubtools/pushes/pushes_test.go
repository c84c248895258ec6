package pushes_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/local"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/app/hubtools/pushes"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/tools/shell"
)

// client is a package huggingface_hub that does nothing.
const client = `class HfApi:
    def create_repo(self, repo_id, *, repo_type=None):
        return repo_id
    def create_commit(self, repo_id, operations, *, repo_type=None, create_pr=None): pass
    def upload_file(self, *, repo_id, repo_type=None): pass
    def upload_folder(self, *, repo_id, repo_type=None): pass
`

// bench is the real bash with ears.
type bench struct {
	*testing.T
	dir, spill string

	mu   sync.Mutex
	told []string
}

func (b *bench) made(_ context.Context, r repo.Ref) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told = append(b.told, r.String())
}

func (b *bench) listener() *pushes.Listener {
	b.Helper()
	here, err := local.New(local.Options{
		Dir: b.dir, Root: b.dir, SpillDir: func(string) string { return b.spill },
		Environ: pushes.Environ([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.dir, "PYTHONPATH=" + filepath.Join(b.dir, "old"), "ML_INTERN_ARTIFACTS=/elsewhere"}, b.spill),
	})
	if err != nil {
		b.Fatal(err)
	}
	s, err := shell.New(shell.Options{Workspace: here.Open, Dir: b.dir, Close: here.Close})
	if err != nil {
		b.Fatal(err)
	}
	bash, _ := s.Tools()
	return pushes.Listen(bash, b.spill, b.made)
}

func (b *bench) run(l *pushes.Listener, command string) string {
	b.Helper()
	args, err := json.Marshal(map[string]string{"command": command})
	if err != nil {
		b.Fatal(err)
	}
	r, err := l.Run(b.Context(), &tooltest.Env{}, args)
	if err != nil || !r.OK {
		b.Errorf("%s: %+v, %v", command, r, err)
	}
	return r.Output
}

// What a command's Python code pushes is told, once, also over a restart; what
// stood in PYTHONPATH still counts.
func TestCommandsAreHeard(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("there is no python3")
	}
	b := &bench{T: t, dir: t.TempDir(), spill: filepath.Join(t.TempDir(), "spill")}
	for name, text := range map[string]string{
		"old/huggingface_hub/__init__.py": "from .hf_api import HfApi\n", "old/huggingface_hub/hf_api.py": client,
		"push.py": "import sys\nfrom huggingface_hub import HfApi\nHfApi().create_repo(sys.argv[1])\nHfApi().upload_file(repo_id='bob/d', repo_type='dataset')\nprint('pushed')\n",
	} {
		name = filepath.Join(b.dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l := b.listener()
	if out := b.run(l, "python3 push.py bob/one"); !strings.Contains(out, "pushed") || strings.Contains(out, "artifact") {
		t.Errorf("%q", out)
	}
	b.run(l, "echo nothing; printf 'junk\\n::ml-intern-artifact::{\"type\":\"model\",\"id\":\"../x\"}\\n' >> \"$ML_INTERN_ARTIFACTS\"")
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := b.listener()
	b.run(again, "python3 push.py bob/two")
	if err := again.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"model bob/one", "dataset bob/d", "model bob/two", "dataset bob/d"}; !slices.Equal(b.told, want) {
		t.Errorf("told %q, want %q", b.told, want)
	}
}

// A file that is no file, or much too long, does no harm.
func TestHostileFile(t *testing.T) {
	b := &bench{T: t, dir: t.TempDir(), spill: filepath.Join(t.TempDir(), "spill")}
	l := b.listener()
	b.run(l, `head -c 1000000 /dev/zero | tr '\0' x > "$ML_INTERN_ARTIFACTS"`)
	b.run(l, `printf '\n::ml-intern-artifact::{"type":"model","id":"bob/late"}\n' >> "$ML_INTERN_ARTIFACTS"`)
	for range 5 {
		b.run(l, "true")
	}
	b.run(l, `rm "$ML_INTERN_ARTIFACTS"; ln -s /dev/zero "$ML_INTERN_ARTIFACTS"`)
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"model bob/late"}; !slices.Equal(b.told, want) {
		t.Errorf("told %q, want %q", b.told, want)
	}
}

package hands_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox"
)

// backend chooses what sandboxes run on.
func backend(name string) func(*setup) {
	return func(s *setup) { s.settings["sandbox_backend"] = []string{name} }
}

// The whole way: a sandbox is made, bash, read, write and edit work in it, and
// it goes.
func TestSandbox(t *testing.T) {
	for _, kind := range []string{"space", "jobs"} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, backend(kind))
			h := w.hands()
			if r, _ := w.run(h.Bash, `{"command":"true"}`); r.OK || !strings.Contains(r.Output, "sandbox_create") {
				t.Errorf("without a sandbox: %+v", r)
			}
			text := w.good(h.Create, `{}`)
			for _, want := range []string{"Sandbox created: ", "Hardware: cpu-basic", "Visibility: private"} {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not in %s", want, text)
				}
			}
			if text := w.good(h.Bash, `{"command":"echo hello; echo $HF_TOKEN | head -c 6; env | grep -c SANDBOX_API || true"}`); !strings.HasPrefix(text, "hello\nhf_bob0") {
				t.Errorf("%q", text)
			}
			w.good(h.Write, `{"path":"/app/src/a.py","content":"x = 1\n"}`)
			w.good(h.Edit, `{"path":"src/a.py","old_str":"x = 1","new_str":"x = 2"}`)
			if text := w.good(h.Read, `{"path":"/app/src/a.py"}`); !strings.Contains(text, "x = 2") {
				t.Errorf("%q", text)
			}
			if text := w.good(h.Bash, `{"command":"cat a.py","work_dir":"/app/src"}`); !strings.Contains(text, "x = 2") {
				t.Errorf("%q", text)
			}
			if r, _ := w.run(h.Bash, `{"command":"echo out; exit 3"}`); r.OK || r.Output != "out\n\nERROR: Exit code 3" {
				t.Errorf("%+v", r)
			}
			if r, _ := w.run(h.Bash, `{"command":"exit 3"}`); r.OK || r.Output != "ERROR: Exit code 3" {
				t.Errorf("%+v", r)
			}
			if text := w.good(h.Create, `{}`); !strings.HasPrefix(text, "Sandbox already active: ") {
				t.Errorf("%q", text)
			}
			rec := w.records()[0]
			if info, err := os.Stat(filepath.Join(w.dir(), sandbox.FileName)); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v %v", info, err)
			}
			w.noSecrets(rec.Token, text)
			for _, r := range w.hub.Requests() {
				w.noSecrets(rec.Token, r.Path, r.Query)
			}
			if text := w.good(h.Delete, `{}`); !strings.HasPrefix(text, "Sandbox deleted: ") {
				t.Errorf("%q", text)
			}
			if left := w.left("bob"); len(left) != 0 {
				t.Errorf("left: %v", left)
			}
			if r, _ := w.run(h.Bash, `{"command":"true"}`); r.OK {
				t.Errorf("after its end: %+v", r)
			}
		})
	}
}

//go:build linux

package endtoend_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Another program drives a session line by line, in a language of its own.
func TestStreamInput(t *testing.T) {
	script, err := filepath.Abs(filepath.Join("testdata", "drive.py"))
	if err != nil {
		t.Fatal(err)
	}
	s := mustSite(t)
	if out := s.driven(t, script, binary); !strings.HasSuffix(out, "done\n") {
		t.Fatal(out)
	}
}

// The example of the documentation does and prints what stands there.
func TestStreamExample(t *testing.T) {
	page, err := os.ReadFile("../../../docs/editors.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("(?s)```python\n(.*?)```\n+```text\n(.*?)```").FindSubmatch(page)
	if shown == nil {
		t.Fatal("there is no example")
	}
	s := mustSite(t)
	s.write(t, "example.py", string(shown[1]))
	s.write(t, "train.py", "lr = 0.1\n")
	s.env = append(s.env, "PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"))
	if out := s.driven(t, "example.py"); out != string(shown[2]) {
		t.Errorf("it prints\n%s", out)
	}
	if raw, err := os.ReadFile(filepath.Join(s.dir, "train.py")); err != nil || string(raw) != "lr = 0.01\n" {
		t.Errorf("%q %v", raw, err)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "../build/x")); err != nil {
		t.Error(err)
	}
}

// driven runs a Python program beside a scripted model and returns what it
// prints.
func (s *site) driven(t *testing.T, args ...string) string {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not there")
	}
	models := newDesk()
	defer models.server.Close()
	s.edited(t, models)
	cmd := exec.Command(python, args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	timer := time.AfterFunc(2*runLimit, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out.Bytes(), errs.Bytes())
	}
	return out.String()
}

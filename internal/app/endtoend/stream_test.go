//go:build linux

package endtoend_test

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Another program drives a session line by line, in a language of its own.
func TestStreamInput(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not there")
	}
	s, models := mustSite(t), newDesk()
	defer models.server.Close()
	s.edited(t, models)
	script, err := filepath.Abs(filepath.Join("testdata", "drive.py"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, script, binary)
	cmd.Dir, cmd.Env = s.dir, s.env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	timer := time.AfterFunc(2*runLimit, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	if err := cmd.Run(); err != nil || !bytes.HasSuffix(out.Bytes(), []byte("done\n")) {
		t.Fatalf("%v\n%s", err, out.Bytes())
	}
}

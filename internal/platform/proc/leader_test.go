//go:build unix

package proc_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

// A detached process leads a group of its own; it is known as long as it runs,
// and nobody else is taken for it.
func TestDetachedLeads(t *testing.T) {
	cmd := exec.Command("/bin/sh", "-c", "echo ready; read line")
	proc.Detach(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	g, err := proc.ParseGroup(proc.Named(cmd.Process.Pid).String())
	if err != nil {
		t.Fatal(err)
	}
	if !g.Leads() || !g.Alive() {
		t.Error("a running process does not lead")
	}
	other := g
	other.Start = "12-34"
	if g.Start != "" && other.Leads() {
		t.Error("another process was taken for it")
	}
	_ = in.Close()
	_ = cmd.Wait()
	if g.Leads() {
		t.Error("a process that has ended leads")
	}
	if self := proc.Self(); self.ID != os.Getpid() || !self.Leads() {
		t.Errorf("this process is %v", self)
	}
	if (proc.Group{}).Leads() {
		t.Error("nobody leads")
	}
}

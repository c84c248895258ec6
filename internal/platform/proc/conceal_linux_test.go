package proc_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

// concealed is the environment that makes the test binary the process to look
// at: it conceals itself (or not), says so, and waits for its input to end.
const concealed = "ML_INTERN_TEST_CONCEAL"

func beConcealed() (done bool) {
	mode := os.Getenv(concealed)
	if mode == "" {
		return false
	}
	if mode == "yes" {
		if err := proc.Conceal(); err != nil {
			fmt.Println(err)
			return true
		}
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return true
}

// nobody is an ordinary user to be when the test runs as root, who may look
// everywhere.
func nobody() *syscall.SysProcAttr {
	if os.Getuid() != 0 {
		return nil
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
}

func TestConcealHidesTheEnvironmentFromCommands(t *testing.T) {
	dir, err := os.MkdirTemp("", "conceal")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	self := filepath.Join(dir, "self")
	data, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(self, data, 0o755); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[string]bool{"yes": false, "no": true} {
		target := exec.Command(self)
		target.Dir, target.SysProcAttr = "/", nobody()
		target.Env = []string{concealed + "=" + mode, "PLANTED=find-me-if-you-can"}
		in, _ := target.StdinPipe()
		out, _ := target.StdoutPipe()
		if err := target.Start(); err != nil {
			t.Fatal(err)
		}
		line, _ := bufio.NewReader(out).ReadString('\n')
		if strings.TrimSpace(line) != "ready" {
			t.Fatalf("the process says %q", line)
		}
		look := exec.Command("cat", fmt.Sprintf("/proc/%d/environ", target.Process.Pid))
		look.Dir, look.SysProcAttr = "/", nobody()
		seen, _ := look.CombinedOutput()
		if got := strings.Contains(string(seen), "find-me-if-you-can"); got != want {
			t.Errorf("concealed=%s: another process of the user sees the environment: %v, want %v", mode, got, want)
		}
		in.Close()
		if err := target.Wait(); err != nil {
			t.Error(err)
		}
	}
}

package audits_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// On a terminal the report stands alone at the end, beneath a line that was
// drawn while it was made; Ctrl-C ends it.
func TestOnATerminal(t *testing.T) {
	dir := t.TempDir()
	var rows strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&rows, "{\"text\":\"a%d b%d c%d d%d e%d f%d\"}\n", i, i, i, i, i, i)
	}
	path := filepath.Join(dir, "rows.jsonl")
	if err := os.WriteFile(path, []byte(rows.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, interrupt := range map[string]bool{"to its end": false, "given up": true} {
		t.Run(name, func(t *testing.T) {
			person, program := terminal(t)
			cmd := exec.Command(os.Args[0], "audit", path)
			cmd.Env = []string{asProgram + "=1", "HOME=" + dir, "PATH=" + os.Getenv("PATH")}
			cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = cmd.Process.Kill() })
			_ = program.Close()
			var shown bytes.Buffer
			part := make([]byte, 4096)
			for {
				n, err := person.Read(part)
				shown.Write(part[:n])
				if interrupt && strings.Contains(shown.String(), "reading rows") {
					interrupt = false
					_, _ = io.WriteString(person, "\x03")
				}
				if err != nil { // the program has closed it
					break
				}
			}
			_ = cmd.Wait()
			code := cmd.ProcessState.ExitCode()
			text := strings.ReplaceAll(shown.String(), "\r\n", "\n")
			if !strings.Contains(text, "\rreading rows") || !strings.Contains(text, "[") {
				t.Errorf("no progress in %q", text)
			}
			if name == "given up" {
				if code == 0 || strings.Contains(text, "# Audit of") {
					t.Errorf("exit code %d: %q", code, text)
				}
				return
			}
			_, report, _ := strings.Cut(text, "# Audit of "+path)
			if code != 0 || !strings.Contains(report, "sample: 20,000 of 20,000 rows") || strings.ContainsAny(report, "\r\x1b") {
				t.Errorf("exit code %d: %q", code, text)
			}
		})
	}
}

// terminal is a pseudo-terminal: the person's end and the program's.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("there are no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { _ = person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return person, program
}

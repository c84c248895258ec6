package command_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal opens a pseudo-terminal: the person's end and the program's.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("there are no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { person.Close() })
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
	t.Cleanup(func() { program.Close() })
	return person, program
}

// screen collects what a terminal shows.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// onTerminal starts a command that the terminal belongs to; what it shows is
// collected until the terminal is closed.
func onTerminal(t *testing.T, cmd *exec.Cmd, person, program *os.File) *screen {
	t.Helper()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	shown := &screen{}
	go copyTo(shown, person)
	return shown
}

// Acceptance check 10: what is pasted is not shown, and Ctrl-C leaves with the
// terminal as it was.
func TestCheck10_HiddenPaste(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		typed string
		code  int
	}{
		"a token": {goodToken + "\r", 0},
		"Ctrl-C":  {"hf_abandoned\x03", 130},
		"Ctrl-D":  {"\x04", 130},
	} {
		t.Run(name, func(t *testing.T) {
			person, program := terminal(t)
			w := newWorld(t, "")
			cmd := exec.Command(os.Args[0], "login")
			cmd.Env = append(w.environment(t.TempDir()), asProgram+"=1")
			shown := onTerminal(t, cmd, person, program)
			eventually(t, "the echo is off", func() bool {
				state, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
				return err == nil && state.Lflag&unix.ECHO == 0 && strings.Contains(shown.String(), "not shown")
			})
			if _, err := person.WriteString(c.typed); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			state, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
			if err != nil || state.Lflag&unix.ECHO == 0 {
				t.Errorf("the terminal no longer echoes (%v)", err)
			}
			if strings.Contains(shown.String(), "hf_") {
				t.Errorf("the token was shown: %q", shown)
			}
		})
	}
}

func copyTo(to *screen, from *os.File) {
	buf := make([]byte, 1024)
	for {
		n, err := from.Read(buf)
		if _, _ = to.Write(buf[:n]); err != nil {
			return
		}
	}
}

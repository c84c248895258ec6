package screentest

import (
	"errors"
	"image/color"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
)

// patience bounds every wait for something to appear. It is long because
// machines that test are busy.
const patience = 30 * time.Second

// Terminal is a program in a pseudo-terminal.
type Terminal struct {
	*Screen
	t    testing.TB
	cmd  *exec.Cmd
	file *os.File
	wait sync.WaitGroup
	// silent: the program gets no answers.
	silent bool
	// ended is closed when the program has ended; err is how. read is closed
	// when all that it has written stands on the screen.
	ended, read chan struct{}
	err         error
}

// Kind says what a terminal is like. The zero Kind is dark and answers questions.
type Kind struct {
	// Light has a white background.
	Light bool
	// Silent answers no question.
	Silent bool
}

// Start runs cmd in a pseudo-terminal of the given size. The program is killed
// at the end of the test.
func Start(t testing.TB, cmd *exec.Cmd, columns, rows int) *Terminal {
	t.Helper()
	return Kind{}.Start(t, cmd, columns, rows)
}

// Start runs cmd in a terminal of this kind.
func (k Kind) Start(t testing.TB, cmd *exec.Cmd, columns, rows int) *Terminal {
	t.Helper()
	file, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: uint16(columns), Rows: uint16(rows)})
	if err != nil {
		t.Fatalf("start %s in a pseudo-terminal: %v", cmd.Path, err)
	}
	x := &Terminal{Screen: NewScreen(columns, rows), t: t, cmd: cmd, file: file, silent: k.Silent, ended: make(chan struct{}), read: make(chan struct{})}
	x.term.SetDefaultBackgroundColor(color.Black)
	if k.Light {
		x.term.SetDefaultBackgroundColor(color.White)
	}
	x.wait.Go(func() {
		_, _ = io.Copy(x.Screen, file) // ends with the program
		close(x.read)
	})
	x.wait.Go(x.answer)
	x.wait.Go(func() {
		x.err = cmd.Wait()
		close(x.ended)
	})
	t.Cleanup(x.close)
	return x
}

// answer gives the program what a terminal answers to its questions.
func (x *Terminal) answer() {
	buf := make([]byte, 4096)
	for {
		n, err := x.term.Read(buf)
		if n > 0 && !x.silent {
			if _, err := x.file.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (x *Terminal) close() {
	_ = x.cmd.Process.Kill()
	<-x.ended
	_ = x.file.Close()
	// Closing the emulator while its answers are read would be a race inside of
	// it: the pipe of the answers ends first.
	if answers, ok := x.term.InputPipe().(io.Closer); ok {
		_ = answers.Close()
	}
	x.wait.Wait()
	_ = x.term.Close()
}

// PID is the program's process.
func (x *Terminal) PID() int { return x.cmd.Process.Pid }

// Type sends text as a person types it.
func (x *Terminal) Type(text string) {
	x.t.Helper()
	if _, err := io.WriteString(x.file, text); err != nil {
		x.t.Fatalf("type %q: %v\n%s", text, err, x.Text())
	}
}

// Paste sends text as one bracketed paste.
func (x *Terminal) Paste(text string) { x.Type("\x1b[200~" + text + "\x1b[201~") }

// keys are the bytes of keys with a name.
func keys() map[string]string {
	return map[string]string{
		"enter": "\r", "esc": "\x1b", "tab": "\t", "shift+tab": "\x1b[Z", "backspace": "\x7f", "delete": "\x1b[3~",
		"up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D", "home": "\x1b[H", "end": "\x1b[F",
		"pgup": "\x1b[5~", "pgdown": "\x1b[6~", "space": " ", "alt+enter": "\x1b\r",
		// Unlike esc, escape cannot be taken for the beginning of what follows.
		"escape": "\x1b[27u", "shift+enter": "\x1b[13;2u", "ctrl+enter": "\x1b[13;5u", "focus": "\x1b[I", "blur": "\x1b[O",
	}
}

// Press sends keys by name: enter, esc, up, ctrl+c, alt+b, shift+tab, a …
func (x *Terminal) Press(names ...string) {
	x.t.Helper()
	for _, name := range names {
		switch code, ok := keys()[name]; {
		case ok:
			x.Type(code)
		case strings.HasPrefix(name, "ctrl+") && len(name) == 6:
			x.Type(string(name[5] & 0x1f))
		case strings.HasPrefix(name, "alt+") && len(name) == 5:
			x.Type("\x1b" + name[4:])
		case len([]rune(name)) == 1:
			x.Type(name)
		default:
			x.t.Fatalf("there is no key %q", name)
		}
	}
}

// Resize changes the size of the terminal.
func (x *Terminal) Resize(columns, rows int) {
	x.t.Helper()
	x.Screen.Resize(columns, rows)
	if err := pty.Setsize(x.file, &pty.Winsize{Cols: uint16(columns), Rows: uint16(rows)}); err != nil {
		x.t.Fatalf("resize: %v", err)
	}
}

// Until waits until seen accepts the screen, and fails with what stands there.
func (x *Terminal) Until(what string, seen func(screen string) bool) {
	x.t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		changed := x.change()
		if seen(x.Text()) {
			return
		}
		select {
		case <-changed:
		case <-x.ended:
			x.drain()
			if !seen(x.Text()) {
				x.t.Fatalf("the program ended (%v) before %s:\n%s", x.err, what, x.Text())
			}
			return
		case <-limit.C:
			x.t.Fatalf("waited %s for %s; the screen is\n%s", patience, what, x.Text())
		}
	}
}

// See waits until every text stands on the screen.
func (x *Terminal) See(texts ...string) {
	x.t.Helper()
	x.Until("the text "+strings.Join(texts, " and "), func(screen string) bool {
		for _, text := range texts {
			if !strings.Contains(screen, text) {
				return false
			}
		}
		return true
	})
}

// SeeAll waits until every text stands on the screen or in its scrollback.
func (x *Terminal) SeeAll(texts ...string) {
	x.t.Helper()
	x.Until("the text "+strings.Join(texts, " and "), func(string) bool {
		all := x.All()
		for _, text := range texts {
			if !strings.Contains(all, text) {
				return false
			}
		}
		return true
	})
}

// Gone waits until a text does not stand on the screen any more.
func (x *Terminal) Gone(text string) {
	x.t.Helper()
	x.Until("the end of the text "+text, func(screen string) bool { return !strings.Contains(screen, text) })
}

// Running reports whether the program has not ended.
func (x *Terminal) Running() bool {
	select {
	case <-x.ended:
		return false
	default:
		return true
	}
}

// Exit waits for the end of the program and returns its exit code.
func (x *Terminal) Exit() int {
	x.t.Helper()
	select {
	case <-x.ended:
	case <-time.After(patience):
		x.t.Fatalf("the program did not end; the screen is\n%s", x.Text())
	}
	x.drain()
	var exit *exec.ExitError
	if errors.As(x.err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

// drain waits until what an ended program has written stands on the screen. A
// child that it left may hold the terminal open, so it does not wait for long.
func (x *Terminal) drain() {
	select {
	case <-x.read:
	case <-time.After(time.Second):
	}
}

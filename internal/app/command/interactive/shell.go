package interactive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// shellWait is how long a command of the person's own may take, shellMost how
// much of its output is kept, in bytes.
const (
	shellWait = 2 * time.Minute
	shellMost = 30_000
)

// kept takes the first and the last part of what a command prints.
type kept struct {
	mu   sync.Mutex
	head []byte
	tail []byte
	lost int
}

func (k *kept) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := len(p)
	if room := shellMost/2 - len(k.head); room > 0 {
		take := min(room, len(p))
		k.head, p = append(k.head, p[:take]...), p[take:]
	}
	k.tail = append(k.tail, p...)
	if over := len(k.tail) - shellMost/2; over > 0 {
		k.lost += over
		k.tail = append([]byte(nil), k.tail[over:]...)
	}
	return n, nil
}

func (k *kept) Close() error { return nil }

func (k *kept) text() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	middle := ""
	if k.lost > 0 {
		middle = fmt.Sprintf("\n… %d bytes left out …\n", k.lost)
	}
	return plain.String(string(k.head) + middle + string(k.tail))
}

// shell runs a command the person has typed, with the person's own environment,
// and returns what it printed and how it ended. It has no terminal.
func shell(dir string, environ []string, scrub func(string) string) func(ctx context.Context, command string) (string, error) {
	return func(ctx context.Context, command string) (string, error) {
		path, args, err := shellArgs(command)
		if err != nil {
			return "", err
		}
		out := &kept{}
		p, err := proc.Start(proc.Command{Path: path, Args: args, Dir: dir, Env: environ, Output: out})
		if err != nil {
			return "", fmt.Errorf("run the command: %w", err)
		}
		limit := time.NewTimer(shellWait)
		defer limit.Stop()
		note := ""
		select {
		case <-p.Settled():
		case <-ctx.Done():
			<-p.Stop()
			note = "[interrupted]"
		case <-limit.C:
			<-p.Stop()
			note = fmt.Sprintf("[ended after %s; long work belongs to the agent or to another terminal]", shellWait)
		}
		p.Wait()
		exit := p.Exit()
		text := strings.TrimRight(scrub(out.text()), "\n")
		if note == "" && !exit.OK() {
			note = fmt.Sprintf("[exit code %d]", exit.Code)
		}
		return strings.TrimSpace(text + "\n" + note), nil
	}
}

func shellArgs(command string) (path string, args []string, err error) {
	if runtime.GOOS == "windows" {
		path, err = exec.LookPath("powershell.exe")
		return path, []string{"-NoProfile", "-Command", command}, err
	}
	for _, name := range []string{"bash", "sh"} {
		if path, err = exec.LookPath(name); err == nil {
			return path, []string{"-c", command}, nil
		}
	}
	return "", nil, errors.New("there is no shell: neither bash nor sh is on the PATH")
}

// editor is the person's editor: VISUAL, EDITOR, or the first of the usual
// ones.
func editor(env func(string) string) func(path string) ([]string, error) {
	return func(path string) ([]string, error) {
		for _, name := range []string{"VISUAL", "EDITOR"} {
			if words := strings.Fields(env(name)); len(words) > 0 {
				if _, err := exec.LookPath(words[0]); err != nil {
					return nil, fmt.Errorf("%s names %s, which cannot be run: %w", name, words[0], err)
				}
				return append(words, path), nil
			}
		}
		usual := []string{"nano", "vim", "vi"}
		if runtime.GOOS == "windows" {
			usual = []string{"notepad.exe"}
		}
		for _, name := range usual {
			if _, err := exec.LookPath(name); err == nil {
				return []string{name, path}, nil
			}
		}
		return nil, errors.New("there is no editor: set VISUAL or EDITOR")
	}
}

// remember adds a line to the project's instructions.
func remember(path string) func(ctx context.Context, text string) (string, error) {
	return func(_ context.Context, text string) (string, error) {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return "", fmt.Errorf("remember: %w", err)
		}
		_, err = f.WriteString("\n- " + strings.Join(strings.Fields(text), " ") + "\n")
		return path, errors.Join(err, f.Close())
	}
}

// errands are the commands that have keys of their own.
func (r *run) errands() []dialog.Command {
	run := shell(r.app.Loaded.Dir, r.environ(), r.app.Scrub)
	keep := remember(filepath.Join(r.app.Loaded.Workspace, "AGENTS.md"))
	return []dialog.Command{
		{Name: dialog.Shell, Hidden: true, Run: func(ctx context.Context, talk dialog.Talk, command string) error {
			output, err := run(ctx, command)
			if err != nil {
				return err
			}
			talk.Print("$ " + command + "\n" + output)
			talk.Bring("I ran this command myself:\n$ " + command + "\n" + output)
			return nil
		}},
		{Name: dialog.Remember, Hidden: true, Run: func(ctx context.Context, talk dialog.Talk, text string) error {
			where, err := keep(ctx, text)
			if err == nil {
				talk.Print("Remembered in " + where)
			}
			return err
		}},
	}
}

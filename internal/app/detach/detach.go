// Package detach runs sessions in processes of their own, which no terminal can
// end: it starts such a host, keeps the list of those that run, and is the host
// itself. How a session is shown is not its concern.
package detach

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

// Word is the hidden command that makes a process the host of a session.
const Word = "session-host"

// Request is which session a host opens, and how. It travels over a pipe: what
// it holds is in no list of processes.
type Request struct {
	Session app.SessionRequest `json:"session"`
	// Settings are those of the command line, by key.
	Settings map[string][]string `json:"settings,omitempty"`
	Trust    bool                `json:"trust,omitempty"`
	NoStream bool                `json:"no_stream,omitempty"`
	// Unattended says that nobody watches from the start: mode and cap are those
	// of a headless run, and the session does not end with a terminal.
	Unattended bool `json:"unattended,omitempty"`
	// Headless says that whoever started it is a program: nobody can answer. Like
	// a terminal, it takes the session with it when it goes, or not, as
	// detach_on_hangup says.
	Headless bool `json:"headless,omitempty"`
	// Input is the first message; it is on disk when the host has started.
	Input *event.UserInput `json:"input,omitempty"`
	// Timeout ends the session; 0 is none. Idle is how long it stays with nothing
	// to do and nobody there; 0 is IdleTimeout.
	Timeout time.Duration `json:"timeout,omitempty"`
	Idle    time.Duration `json:"idle,omitempty"`
}

// Started is a host that is ready to be attached to.
type Started struct {
	Socket    string `json:"socket"`
	SessionID string `json:"session_id"`
	PID       int    `json:"pid"`
	// Warnings are lines a person should see.
	Warnings []string `json:"warnings,omitempty"`
}

// answer is the one line that a host writes.
type answer struct {
	Started
	Error string `json:"error,omitempty"`
	Code  int    `json:"code,omitempty"`
}

// FailedError says why a host did not start, in the words of the run that it
// would have been.
type FailedError struct {
	Text string
	Code int // exit code
}

func (e *FailedError) Error() string { return e.Text }

// Command is what a host is started with.
type Command struct {
	// Executable is this program; empty for the one that runs.
	Executable string
	Environ    []string // nil is the process's
	Dir        string   // where the session works
	// Log is the file for what only an operator should see.
	Log string
}

// Start starts a host and returns when its session can be attached to. The host
// outlives this process and its terminal. Until it is ready it ends with ctx.
func Start(ctx context.Context, c Command, r Request) (Started, error) {
	raw, err := event.Encode(r)
	if err != nil {
		return Started{}, err
	}
	if c.Executable == "" {
		if c.Executable, err = os.Executable(); err != nil {
			return Started{}, fmt.Errorf("find this program: %w", err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(c.Log), 0o700); err != nil {
		return Started{}, err
	}
	log, err := os.OpenFile(c.Log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return Started{}, err
	}
	defer log.Close()
	cmd := exec.Command(c.Executable, Word)
	cmd.Env, cmd.Dir, cmd.Stdin, cmd.Stderr = c.Environ, c.Dir, nil, log
	proc.Detach(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		return Started{}, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return Started{}, err
	}
	if err := cmd.Start(); err != nil {
		return Started{}, fmt.Errorf("start the session's process: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	_, _ = in.Write(raw) // one that has died says so below
	_ = in.Close()
	got, err := readAnswer(out)
	if !stop() {
		err = ctx.Err()
	}
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("the session's process ended before it was ready: %s says why", c.Log)
		}
		return Started{}, err
	}
	if got.Error != "" {
		_ = cmd.Wait()
		return Started{}, &FailedError{got.Error, got.Code}
	}
	_ = out.Close()
	return got.Started, cmd.Process.Release()
}

// answerLimit bounds the line of a host, in bytes.
const answerLimit = 1 << 20

func readAnswer(r io.Reader) (answer, error) {
	line, err := bufio.NewReader(io.LimitReader(r, answerLimit)).ReadBytes('\n')
	if len(bytes.TrimSpace(line)) == 0 && err != nil {
		return answer{}, io.EOF
	}
	var got answer
	if err := json.Unmarshal(line, &got); err != nil {
		return answer{}, fmt.Errorf("the session's process says something else than it should: %w", err)
	}
	return got, nil
}

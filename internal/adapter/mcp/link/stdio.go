package link

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
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

const (
	// leaveTime is how long a program may take to end when its input has ended;
	// then its group is ended.
	leaveTime = 500 * time.Millisecond
	// writeTime is how long a program may leave its input unread.
	writeTime = 20 * time.Second
	// Of what a program says about itself, lines up to sayBytes are told, and the
	// last sayLast of them are the reason of its end.
	sayBytes = 1000
	sayLast  = 5
)

// Command is a program that is a server.
type Command struct {
	Argv []string
	Dir  string
	Env  []string // its whole environment
	// Say is told the lines of its standard error, and those of its standard
	// output that are no messages; nil drops them.
	Say func(line string)
}

// Process is a server that was started. It is a transport for one connection.
type Process struct {
	cmd   *exec.Cmd
	group proc.Group
	say   func(string)
	in    *os.File
	meter *meter

	frames  chan json.RawMessage
	work    sync.WaitGroup // readers, and what ends the program
	reading sync.WaitGroup // the readers alone
	ctx     context.Context
	cancel  context.CancelCauseFunc // stops the readers
	exited  chan struct{}
	drained chan struct{} // nothing comes any more
	closing sync.Once
	writing sync.Mutex

	mu     sync.Mutex
	queue  []json.RawMessage
	last   []string // of its standard error
	broken error    // why nothing more comes
}

// StartError is a program that could not be started: another try ends the same way.
type StartError struct{ Err error }

func (e *StartError) Error() string { return "start the server: " + e.Err.Error() }
func (e *StartError) Unwrap() error { return e.Err }

// Start starts a server. Close ends it. The error is a [StartError].
func Start(c Command) (*Process, error) {
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		return nil, &StartError{errors.New("there is no command")}
	}
	path, err := look(c.Argv[0], c.Dir, c.Env)
	if err != nil {
		return nil, &StartError{err}
	}
	p := &Process{say: c.Say, meter: newMeter(), frames: make(chan json.RawMessage), exited: make(chan struct{}), drained: make(chan struct{})}
	if p.say == nil {
		p.say = func(string) {}
	}
	p.ctx, p.cancel = context.WithCancelCause(context.Background())
	p.cmd = &exec.Cmd{Path: path, Args: c.Argv, Dir: c.Dir, Env: append(c.Env[:len(c.Env):len(c.Env)], "PWD="+c.Dir)}
	proc.Detach(p.cmd)
	if err := p.start(); err != nil {
		p.cancel(err)
		return nil, &StartError{err}
	}
	return p, nil
}

// start starts the program with three pipes.
func (p *Process) start() error {
	var pipes [6]*os.File // input, output, error: for reading, for writing
	shut := func(which ...int) {
		for _, i := range which {
			if pipes[i] != nil {
				_ = pipes[i].Close()
			}
		}
	}
	for i := 0; i < len(pipes); i += 2 {
		r, w, err := os.Pipe()
		if err != nil {
			shut(0, 1, 2, 3, 4, 5)
			return err
		}
		pipes[i], pipes[i+1] = r, w
	}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = pipes[0], pipes[3], pipes[5]
	err := p.cmd.Start()
	shut(0, 3, 5)
	if err != nil {
		shut(1, 2, 4)
		return err
	}
	p.in, p.group = pipes[1], proc.GroupOf(p.cmd.Process.Pid)
	p.reading.Go(func() { p.read(pipes[2]) })
	p.reading.Go(func() { p.listen(pipes[4]) })
	p.work.Go(func() {
		defer close(p.exited)
		_ = p.cmd.Wait() // how it ended is in its state
	})
	p.work.Go(func() { // a descendant may hold the pipes when the program is gone
		<-p.exited
		late := time.AfterFunc(leaveTime, func() { shut(2, 4) })
		defer late.Stop()
		p.reading.Wait()
		p.end(p.obituary())
		close(p.drained)
	})
	return nil
}

// look finds a program as its own environment would.
func look(name, dir string, env []string) (string, error) {
	if strings.ContainsRune(name, '/') || runtime.GOOS == "windows" {
		if !filepath.IsAbs(name) && strings.ContainsRune(name, '/') {
			name = filepath.Join(dir, name)
		}
		return exec.LookPath(name)
	}
	var list string
	for _, v := range env {
		if value, ok := strings.CutPrefix(v, "PATH="); ok {
			list = value
		}
	}
	for _, at := range filepath.SplitList(list) {
		if !filepath.IsAbs(at) {
			continue
		}
		if path, err := exec.LookPath(filepath.Join(at, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no program %s on the PATH; install it, or give its whole path", name)
}

// read takes messages, one a line. What is no message is what the program says.
func (p *Process) read(out *os.File) {
	defer out.Close()
	in := bufio.NewReaderSize(out, 64<<10)
	for {
		line, err := p.line(in)
		if err != nil {
			p.end(err)
			if !errors.Is(err, io.EOF) {
				p.kill()
			}
			return
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if (line[0] != '{' && line[0] != '[') || !json.Valid(line) {
			p.tell(string(line[:min(len(line), sayBytes)]))
			continue
		}
		select {
		case p.frames <- line:
		case <-p.ctx.Done():
			return
		}
	}
}

// line reads a line of at most [MaxMessage] bytes.
func (p *Process) line(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		whole := 0
		if err == nil {
			whole = 1
		}
		if late := p.meter.take(p.ctx, whole, len(part)); late != nil {
			return nil, late
		}
		switch {
		case len(line) > MaxMessage:
			return nil, ErrTooLarge
		case err == nil:
			return line, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case len(line) > 0 && errors.Is(err, io.EOF):
			return line, nil
		case errors.Is(err, os.ErrClosed):
			return nil, io.EOF
		default:
			return nil, err
		}
	}
}

// listen takes what the program says about itself.
func (p *Process) listen(out *os.File) {
	defer out.Close()
	in := bufio.NewReaderSize(out, 16<<10)
	for {
		line, err := in.ReadSlice('\n')
		if text := strings.TrimSpace(string(line[:min(len(line), sayBytes)])); text != "" {
			p.tell(text)
		}
		if p.meter.take(p.ctx, 1, len(line)) != nil || err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			_, _ = io.Copy(io.Discard, out) // who writes there must not wait
			return
		}
	}
}

// tell passes on a line of the program's own.
func (p *Process) tell(line string) {
	p.mu.Lock()
	p.last = append(p.last, line)
	if len(p.last) > sayLast {
		p.last = p.last[1:]
	}
	p.mu.Unlock()
	p.say(line)
}

// end notes why nothing more comes; the first reason counts, but the end of the
// stream says less than that of the program.
func (p *Process) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken == nil || errors.Is(p.broken, io.EOF) {
		p.broken = err
	}
}

func (p *Process) why() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.broken
}

// obituary says how the program has ended and what it said last.
func (p *Process) obituary() error {
	p.mu.Lock()
	last := strings.Join(p.last, " | ")
	p.mu.Unlock()
	text := "the server has ended (" + p.cmd.ProcessState.String() + ")"
	if last != "" {
		text += ": " + last
	}
	return &EndedError{Text: text}
}

// EndedError says that the program of a server has ended.
type EndedError struct{ Text string }

func (e *EndedError) Error() string { return e.Text }

// Connect makes the process the transport of a connection.
func (p *Process) Connect(context.Context) (mcp.Connection, error) { return (*pipe)(p), nil }

// pipe is the process as a connection.
type pipe Process

// Read gives the next message.
func (c *pipe) Read(ctx context.Context) (jsonrpc.Message, error) {
	p := (*Process)(c)
	for {
		p.mu.Lock()
		if len(p.queue) > 0 {
			next := p.queue[0]
			p.queue = p.queue[1:]
			p.mu.Unlock()
			return decode(next)
		}
		p.mu.Unlock()
		select {
		case <-p.drained:
			return nil, p.why()
		case frame := <-p.frames:
			if frame[0] != '[' {
				return decode(frame)
			}
			// Older revisions allow several messages in one frame.
			var batch []json.RawMessage
			if err := json.Unmarshal(frame, &batch); err != nil {
				return nil, err
			}
			p.mu.Lock()
			p.queue = append(p.queue, batch...)
			p.mu.Unlock()
		case <-p.ctx.Done():
			return nil, context.Cause(p.ctx)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func decode(frame []byte) (jsonrpc.Message, error) {
	m, err := jsonrpc.DecodeMessage(frame)
	if err != nil {
		return nil, fmt.Errorf("the server sent what is no message of the protocol: %w", err)
	}
	return m, nil
}

// Write sends a message. A program that does not read its input is lost.
func (c *pipe) Write(_ context.Context, m jsonrpc.Message) error {
	raw, err := jsonrpc.EncodeMessage(m)
	if err != nil {
		return err
	}
	p := (*Process)(c)
	p.writing.Lock()
	defer p.writing.Unlock()
	_ = p.in.SetWriteDeadline(time.Now().Add(writeTime)) // where there are none it waits
	if _, err = p.in.Write(append(raw, '\n')); err == nil {
		return nil
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.end(fmt.Errorf("the server has not read its input for %s", writeTime))
		p.kill() // half a message stands there: nothing can follow it
	}
	soon := time.NewTimer(leaveTime)
	defer soon.Stop()
	select {
	case <-p.drained: // its end says more
		return p.why()
	case <-soon.C:
		return fmt.Errorf("write to the server: %w", err)
	}
}

// Close asks the program to end and sees to it; Wait waits for that.
func (c *pipe) Close() error {
	(*Process)(c).close()
	return nil
}

// SessionID is empty: the process is the session.
func (c *pipe) SessionID() string { return "" }

func (p *Process) close() {
	p.closing.Do(func() {
		p.cancel(io.EOF) // nothing more is read
		_ = p.in.Close()
		p.work.Go(func() {
			late := time.NewTimer(leaveTime)
			defer late.Stop()
			select {
			case <-p.exited:
			case <-late.C:
			}
			p.group.Kill() // whatever it has left behind, too
		})
	})
}

// kill ends the program at once.
func (p *Process) kill() { p.group.Signal(true) }

// Close ends the program and waits for its end.
func (p *Process) Close() {
	p.close()
	p.work.Wait()
	p.reading.Wait()
}

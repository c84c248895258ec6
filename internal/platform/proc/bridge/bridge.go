// Package bridge joins the network of a command that has only a loopback of its
// own with that of the machine, port by port: the command reaches a few of the
// machine's local ports, and the machine a few of the command's. It knows
// neither how the command is cut off nor what is spoken.
package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Command is the hidden first argument that makes a program the inner end of a
// bridge; see [Inside].
const Command = "__bridge_exec"

const (
	// poll is how often a port of the command that is not open yet is tried.
	poll = 20 * time.Millisecond
	// cannotRun is what shells return for a program that does not start.
	cannotRun = 126
)

// plan is what both ends know. Sockets of the file system are the piers: they
// are seen from both networks.
type plan struct {
	Dir string `json:"dir"`
	Out []int  `json:"out"` // the machine's ports, which the command reaches
	In  []int  `json:"in"`  // the command's ports, which the machine reaches
}

func (p plan) out(port int) string { return filepath.Join(p.Dir, "o"+strconv.Itoa(port)) }
func (p plan) in(port int) string  { return filepath.Join(p.Dir, "i"+strconv.Itoa(port)) }

// Bridge is the outer end.
type Bridge struct {
	plan plan
	span *span
}

// Open builds the outer end: the command will reach the machine's local ports
// out, and the machine the command's ports in, under the same numbers; an inner
// port is open on the machine as soon as the command listens on it.
func Open(out, in []int) (*Bridge, error) {
	dir, err := os.MkdirTemp("", "br-") // short: paths of sockets have at most 107 bytes
	if err != nil {
		return nil, fmt.Errorf("open a bridge: %w", err)
	}
	b := &Bridge{plan: plan{dir, out, in}, span: newSpan()}
	for _, port := range out {
		l, err := net.Listen("unix", b.plan.out(port))
		if err != nil {
			b.Close()
			return nil, fmt.Errorf("open a bridge to port %d: %w", port, err)
		}
		b.span.serve(l, "tcp", local(port))
	}
	for _, port := range in {
		b.span.await(func() bool {
			_, err := os.Stat(b.plan.in(port))
			return err == nil
		}, func() {
			if l, err := net.Listen("tcp", local(port)); err == nil {
				b.span.serve(l, "unix", b.plan.in(port))
			}
		})
	}
	return b, nil
}

func local(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// Dir is where the sockets are: the command must be able to write there.
func (b *Bridge) Dir() string { return b.plan.Dir }

// Args are the arguments that let a program whose main calls Inside run the
// command argv, its path absolute, at the inner end.
func (b *Bridge) Args(argv []string) []string {
	raw, _ := json.Marshal(b.plan) // a text and numbers always encode
	return append([]string{Command, string(raw)}, argv...)
}

// Close ends all connections.
func (b *Bridge) Close() {
	b.span.close()
	_ = os.RemoveAll(b.plan.Dir)
}

// Inside runs the command that Args described, in a process that has no network
// but a loopback, and returns its exit code. args begin behind [Command].
func Inside(args []string) int {
	if err := inside(args); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
				return 128 + int(status.Signal())
			}
			return exit.ExitCode()
		}
		fmt.Fprintln(os.Stderr, "bridge:", err)
		return cannotRun
	}
	return 0
}

func inside(args []string) error {
	if len(args) < 2 {
		return errors.New("a plan and a command are needed")
	}
	var p plan
	if err := json.Unmarshal([]byte(args[0]), &p); err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	// The command is asked to end by its group's signal; this end stays until
	// it has.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM, syscall.SIGINT)
	s := newSpan()
	defer s.close()
	for _, port := range p.Out {
		l, err := net.Listen("tcp", local(port))
		if err != nil {
			return fmt.Errorf("open port %d: %w", port, err)
		}
		s.serve(l, "unix", p.out(port))
	}
	for _, port := range p.In {
		s.await(func() bool {
			conn, err := net.Dial("tcp", local(port))
			if err == nil {
				_ = conn.Close()
			}
			return err == nil
		}, func() {
			if l, err := net.Listen("unix", p.in(port)); err == nil {
				s.serve(l, "tcp", local(port))
			}
		})
	}
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

// span is the listeners and connections of one end.
type span struct {
	ctx  context.Context
	stop context.CancelFunc
	wait sync.WaitGroup
}

func newSpan() *span {
	ctx, stop := context.WithCancel(context.Background())
	return &span{ctx: ctx, stop: stop}
}

// close ends everything and waits for it.
func (s *span) close() {
	s.stop()
	s.wait.Wait()
}

// await calls then as soon as ready says so.
func (s *span) await(ready func() bool, then func()) {
	s.wait.Go(func() {
		tick := time.NewTicker(poll)
		defer tick.Stop()
		for !ready() {
			select {
			case <-tick.C:
			case <-s.ctx.Done():
				return
			}
		}
		then()
	})
}

// serve joins every connection l accepts with a new one to address.
func (s *span) serve(l net.Listener, network, address string) {
	unhook := context.AfterFunc(s.ctx, func() { _ = l.Close() })
	s.wait.Go(func() {
		defer unhook()
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.wait.Go(func() { s.join(conn, network, address) })
		}
	})
}

// join carries bytes both ways until both sides have said all.
func (s *span) join(a net.Conn, network, address string) {
	defer a.Close()
	var d net.Dialer
	b, err := d.DialContext(s.ctx, network, address)
	if err != nil {
		return
	}
	defer b.Close()
	unhook := context.AfterFunc(s.ctx, func() {
		_ = a.Close()
		_ = b.Close()
	})
	defer unhook()
	var both sync.WaitGroup
	carry := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		if half, ok := to.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	}
	both.Go(func() { carry(a, b) })
	both.Go(func() { carry(b, a) })
	both.Wait()
}

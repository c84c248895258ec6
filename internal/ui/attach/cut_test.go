package attach_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
)

// cutter stands between a client and its host. It cuts each connection that
// brings events after a number of bytes, as long as there are numbers.
type cutter struct {
	l      net.Listener
	target string
	wait   sync.WaitGroup

	mu    sync.Mutex
	sizes []int
	cuts  int
	conns []net.Conn
}

func newCutter(t *testing.T, target string, sizes []int) *cutter {
	l, err := attach.Listen(filepath.Join(shortDir(t), "c.sock"))
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{l: l, target: target, sizes: sizes}
	c.wait.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.wait.Go(func() { c.join(conn) })
		}
	})
	return c
}

func (c *cutter) close() {
	_ = c.l.Close()
	c.mu.Lock()
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.mu.Unlock()
	c.wait.Wait()
}

func (c *cutter) join(conn net.Conn) {
	far, err := net.Dial("unix", c.target)
	if err != nil {
		_ = conn.Close()
		return
	}
	c.mu.Lock()
	c.conns = append(c.conns, conn, far)
	c.mu.Unlock()
	in := bufio.NewReader(conn)
	hello, _ := in.ReadString('\n')
	_, _ = io.WriteString(far, hello)
	c.wait.Go(func() {
		_, _ = io.Copy(far, in)
		_ = far.Close()
	})
	var from io.Reader = far
	if strings.Contains(hello, `"follower"`) {
		from = io.LimitReader(far, int64(c.next()))
	}
	_, _ = io.Copy(conn, from)
	_ = conn.Close()
	_ = far.Close()
}

// next is after how many bytes the next connection is cut.
func (c *cutter) next() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sizes) == 0 {
		return 1 << 30
	}
	n := c.sizes[0]
	c.sizes = c.sizes[1:]
	c.cuts++
	return n
}

func (c *cutter) made() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cuts
}

// However often the connection that brings the events is cut, and wherever, its
// reader sees each event once and in order; it gives up only when several
// connections in a row have brought nothing.
func TestCutConnections(t *testing.T) {
	s := serve(t)
	const n = 60
	for i := range n {
		s.say(event.AssistantChunk{Content: strings.Repeat("word ", i%17)})
	}
	rapid.Check(t, func(rt *rapid.T) {
		sizes := rapid.SliceOfN(rapid.IntRange(0, 6000), 0, 10).Draw(rt, "sizes")
		c := newCutter(t, s.path, sizes)
		defer c.close()
		client, err := attach.Dial(t.Context(), c.l.Addr().String(), version)
		if err != nil {
			rt.Fatal(err)
		}
		defer client.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		after := int64(rapid.IntRange(0, n-1).Draw(rt, "after"))
		last := after
		for ev, err := range client.Follow(ctx, after) {
			if err != nil {
				if cuts := c.made(); cuts < 4 {
					rt.Fatalf("given up after %d cuts: %v", cuts, err)
				}
				return
			}
			if ev.Seq != last+1 {
				rt.Fatalf("event %d came after %d", ev.Seq, last)
			}
			if last = ev.Seq; last == n {
				return
			}
		}
		rt.Fatalf("the events end with %d: %v", last, ctx.Err())
	})
}

// A connection that is cut while a text is on its way says that nobody knows
// what became of it.
func TestCutWhileSubmitting(t *testing.T) {
	s := serve(t)
	s.hold = make(chan struct{})
	c := newCutter(t, s.path, nil)
	client := dial(t, c.l.Addr().String())
	failed := make(chan error)
	go func() {
		failed <- client.Submit(context.Background(), event.Submission{Operation: event.UserInput{Text: "x"}})
	}()
	s.expect(t, left{1, false})
	c.close()
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "lost") {
		t.Errorf("%v", err)
	}
	close(s.hold)
	s.expect(t, left{0, true})
}

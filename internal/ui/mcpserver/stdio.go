package mcpserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const (
	// lingering is how long answers may be behind the end of the input: whoever
	// pipes messages in still gets them. A client that leaves ends the program by
	// a signal after a few seconds.
	lingering = 30 * time.Second
	// lookEvery is how often is looked meanwhile whether anybody reads.
	lookEvery = 100 * time.Millisecond
)

// Serve serves one client on a pair of streams until in ends or ctx is done.
// Nothing but messages goes to out.
func (s *Server) Serve(ctx context.Context, in io.ReadCloser, out io.Writer) error {
	stop := context.AfterFunc(ctx, func() { s.end(ErrStopped) })
	defer stop()
	err := s.sdk.Run(ctx, streams{in, out})
	if err == nil || ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("serve MCP: %w", err)
}

// streams are how one client is reached.
type streams struct {
	in  io.ReadCloser
	out io.Writer
}

// Connect begins the connection.
func (s streams) Connect(ctx context.Context) (mcp.Connection, error) {
	lines, err := (&mcp.IOTransport{Reader: s.in, Writer: open{s.out}, MaxLineLength: messageLimit}).Connect(ctx)
	if err != nil {
		return nil, err
	}
	file, _ := s.out.(*os.File)
	return &connection{Connection: lines, file: file, closed: make(chan struct{}), changed: make(chan struct{}, 1)}, nil
}

// open is a writer that stays open: it is not ours.
type open struct{ io.Writer }

func (open) Close() error { return nil }

// connection is one client's. The library gives up everything at the end of the
// input; here the end comes when all that was asked is answered.
type connection struct {
	mcp.Connection
	file    *os.File // what is written to; nil where it is no file
	once    sync.Once
	closed  chan struct{}
	changed chan struct{} // holds a token when an answer was written

	mu      sync.Mutex // guards pending
	pending int        // requests without an answer
}

// Read returns the next message.
func (c *connection) Read(ctx context.Context) (jsonrpc.Message, error) {
	m, err := c.Connection.Read(ctx)
	if r, ok := m.(*jsonrpc.Request); ok && r.IsCall() {
		c.count(1)
	}
	if errors.Is(err, io.EOF) {
		c.linger(ctx)
	}
	return m, err
}

// Write writes a message.
func (c *connection) Write(ctx context.Context, m jsonrpc.Message) error {
	err := c.Connection.Write(ctx, m)
	if _, ok := m.(*jsonrpc.Response); ok {
		c.count(-1)
	}
	return err
}

// Close ends the connection.
func (c *connection) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Connection.Close()
}

func (c *connection) count(n int) {
	c.mu.Lock()
	c.pending += n
	c.mu.Unlock()
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

func (c *connection) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pending <= 0
}

// linger waits until everything is answered, or nobody reads answers any more.
func (c *connection) linger(ctx context.Context) {
	late := time.NewTimer(lingering)
	defer late.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for !c.idle() && !(c.file != nil && unread(c.file)) {
		select {
		case <-c.changed:
		case <-look.C:
		case <-late.C:
			return
		case <-c.closed:
			return
		case <-ctx.Done():
			return
		}
	}
}

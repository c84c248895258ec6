package attach

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

var errNotDetachable = errors.New("this session is kept in memory and ends with this terminal: it cannot go on alone")

// Client is an attached session in another process. It is a Session.
type Client struct {
	path, version string
	link          *link
	position      position
	tells         bool // the host wants to know what is seen
	reader        sync.WaitGroup
	done          chan struct{} // closed when the connection is

	mu      sync.Mutex // guards what follows
	nextID  int64
	waiting map[int64]chan error
	left    bool // by Detach, Quit or Close
	over    bool // the host has said that the session has ended
	cut     bool // nothing is answered any more
	follows map[*link]bool
	err     error
}

// Dial attaches to the session that is served at path, as a terminal: somebody
// may sit there and answer. Version is that of this program.
func Dial(ctx context.Context, path, version string) (*Client, error) {
	return dial(ctx, path, version, terminal)
}

// Watch attaches like Dial, but does not count as a terminal: the session may
// end while only watchers are there.
func Watch(ctx context.Context, path, version string) (*Client, error) {
	return dial(ctx, path, version, watcher)
}

func dial(ctx context.Context, path, version string, as role) (*Client, error) {
	l, w, err := greet(ctx, path, hello{Version: version, Role: as})
	if err != nil {
		return nil, err
	}
	c := &Client{path: path, version: version, link: l, tells: w.Seen && as == terminal, done: make(chan struct{}), waiting: map[int64]chan error{}, follows: map[*link]bool{}}
	c.position.info = w.Info
	c.reader.Go(c.read)
	return c, nil
}

// greet opens a connection and exchanges greetings.
func greet(ctx context.Context, path string, h hello) (*link, *welcome, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, nil, fmt.Errorf("reach the session: %w", err)
	}
	l := newLink(conn)
	_ = conn.SetDeadline(time.Now().Add(greetingWait))
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	w, err := l.exchange(h)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	_ = conn.SetDeadline(time.Time{})
	return l, w, nil
}

func (l *link) exchange(h hello) (*welcome, error) {
	h.Protocol = protocol
	if err := l.send(request{Hello: &h}); err != nil {
		return nil, fmt.Errorf("greet the session: %w", err)
	}
	var answer reply
	if err := l.receive(lineLimit, &answer); err != nil {
		return nil, fmt.Errorf("greet the session: %w", err)
	}
	switch {
	case answer.Error != "":
		return nil, errors.New(answer.Error)
	case answer.Welcome == nil:
		return nil, errors.New("greet the session: what answers at its socket is something else")
	case answer.Welcome.Protocol != protocol:
		return nil, versionError(answer.Welcome.Version, answer.Welcome.Protocol, h.Version, h.Protocol)
	}
	return answer.Welcome, nil
}

// versionError says that two programs do not understand each other.
func versionError(host string, hostProtocol int, client string, clientProtocol int) error {
	return fmt.Errorf("the session runs in ml-intern %s (protocol %d), this is ml-intern %s (protocol %d): they do not understand each other; "+
		"attach with that version, or stop the session (ml-intern stop) and go on with --resume", host, hostProtocol, client, clientProtocol)
}

// read takes the host's answers until the connection ends.
func (c *Client) read() {
	defer close(c.done)
	for {
		var r reply
		err := c.link.receive(lineLimit, &r)
		switch {
		case err != nil:
			c.lost(err)
			return
		case r.Ended != nil:
			c.end(r.Ended)
		default:
			c.answer(r)
		}
	}
}

func (c *Client) answer(r reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if wait := c.waiting[r.ID]; wait != nil {
		delete(c.waiting, r.ID)
		var err error
		if r.Error != "" {
			err = errors.New(r.Error)
		}
		wait <- err // there is room for it
	}
}

// end notes that the session has ended; the connection ends next.
func (c *Client) end(e *ended) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	if e.Error != "" {
		c.err = errors.New(e.Error)
	}
}

// lost notes the end of the connection and tells everyone who waits.
func (c *Client) lost(err error) {
	info := c.Info()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over && !c.left {
		why := ""
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			why = " (" + err.Error() + ")"
		}
		c.err = fmt.Errorf("the connection to session %s was lost%s: its process %d has ended or does not answer any more; what it has told is saved, and ml-intern --resume %s goes on",
			info.SessionID, why, info.PID, info.SessionID)
	}
	c.cut = true
	for id, wait := range c.waiting {
		delete(c.waiting, id)
		wait <- c.gone()
	}
}

// gone is what is said to whoever asks too late. It is called with the lock.
func (c *Client) gone() error {
	switch {
	case c.err != nil:
		return c.err
	case c.over:
		return fmt.Errorf("session %s has ended", c.Info().SessionID)
	}
	return ErrLeft
}

// ask sends a request and waits for its answer.
func (c *Client) ask(ctx context.Context, r request) error {
	wait := make(chan error, 1)
	if err := c.expect(&r, wait); err != nil {
		return err
	}
	if err := c.link.send(r); err != nil {
		c.forget(r.ID)
		var tooLong *lengthError
		if errors.As(err, &tooLong) {
			return err
		}
		return c.why(ctx, fmt.Errorf("%w: %w", errCut, err))
	}
	select {
	case err := <-wait:
		return err
	case <-ctx.Done():
		c.forget(r.ID)
		return ctx.Err()
	}
}

// expect numbers a request whose answer is waited for.
func (c *Client) expect(r *request, wait chan error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return c.gone()
	}
	c.nextID++
	r.ID = c.nextID
	c.waiting[r.ID] = wait
	return nil
}

func (c *Client) forget(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
}

// Submit hands over an operation and waits until the host has taken it: input
// is on disk when it returns nil.
func (c *Client) Submit(ctx context.Context, sub event.Submission) error {
	return c.ask(ctx, request{Submit: &sub})
}

// Interrupt ends the running turn. A lost connection is told by Err.
func (c *Client) Interrupt() { _ = c.link.send(request{Interrupt: true}) }

// Seen tells who looks.
func (c *Client) Seen(chapter int, seq int64, watched bool) {
	if c.tells {
		_ = c.link.send(request{Seen: &seen{chapter, seq, watched}})
	}
}

// Info describes the session that Follow reads.
func (c *Client) Info() Info { return c.position.at() }

// Done is closed when the connection has ended.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err is why the session ended, or that the connection was lost.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Detach leaves the session, which goes on.
func (c *Client) Detach() error {
	if !c.leave() {
		return nil
	}
	err := c.link.send(request{Detach: true})
	c.hangUp()
	return err
}

// Close leaves without a word.
func (c *Client) Close() error {
	if c.leave() {
		c.hangUp()
	}
	return nil
}

// Quit ends the session and waits for its end.
func (c *Client) Quit(ctx context.Context) error {
	if c.isOver() {
		_ = c.Close()
		return c.Err()
	}
	failed := make(chan error, 1)
	go func() { failed <- c.ask(ctx, request{Quit: true}) }()
	var err error
	select {
	case <-c.done:
		<-failed // the end of the connection is its answer
	case err = <-failed:
		if err == nil {
			select {
			case <-c.done:
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
	}
	over := c.isOver()
	if c.leave() {
		c.hangUp()
	}
	if over {
		return c.Err()
	}
	return errors.Join(err, c.Err())
}

func (c *Client) isOver() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over
}

// leave reports whether the caller is the first to leave.
func (c *Client) leave() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := !c.left
	c.left = true
	return first
}

// hangUp ends the connections and waits for the reader.
func (c *Client) hangUp() {
	_ = c.link.conn.Close()
	c.mu.Lock()
	for l := range c.follows {
		_ = l.conn.Close()
	}
	c.mu.Unlock()
	c.reader.Wait()
}

// keep notes a connection that brings events, unless the client has left.
func (c *Client) keep(l *link) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.left {
		c.follows[l] = true
	}
	return !c.left
}

func (c *Client) drop(l *link) {
	_ = l.conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.follows, l)
}

// reconnects is how often in a row a follower's connection is opened again
// while the session itself is reachable.
const reconnects = 3

// Follow yields the events of the session that Info names, over a connection of
// its own: a slow reader holds up nothing but that. The number is all it needs
// to go on over a new connection.
func (c *Client) Follow(ctx context.Context, after int64) iter.Seq2[event.Event, error] {
	chapter := c.Info().Chapter
	return func(yield func(event.Event, error) bool) {
		for failures := 0; ; {
			before := after
			next, err := c.follow(ctx, chapter, &after, yield)
			if after > before {
				failures = 0
			}
			failures++
			switch {
			case err == nil:
				if next != nil {
					c.position.turn(*next)
				}
				return
			case errors.Is(err, errEnough) || ctx.Err() != nil || c.hasLeft():
				return
			case failures > reconnects || !errors.Is(err, errCut):
				yield(event.Event{}, c.why(ctx, err))
				return
			}
		}
	}
}

// lostWait is how long the end of the connection may come behind that of the
// events.
const lostWait = 300 * time.Millisecond

// why says why events end with err: because the session has, or the connection.
func (c *Client) why(ctx context.Context, err error) error {
	late := time.NewTimer(lostWait)
	defer late.Stop()
	select {
	case <-c.done:
	case <-ctx.Done():
	case <-late.C:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut && errors.Is(err, errCut) {
		return c.gone()
	}
	return err
}

func (c *Client) hasLeft() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left
}

var (
	// errEnough says that the reader wants no more.
	errEnough = errors.New("enough")
	// errCut says that a connection ended before it should.
	errCut = errors.New("the connection to the session was cut")
)

// follow reads events over one connection. It returns nil when they have ended,
// with the session in which they go on, if they do.
func (c *Client) follow(ctx context.Context, chapter int, after *int64, yield func(event.Event, error) bool) (*Info, error) {
	l, _, err := greet(ctx, c.path, hello{Version: c.version, Role: follower, Chapter: chapter, After: *after})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errCut, err)
	}
	defer c.drop(l)
	if !c.keep(l) {
		return nil, ErrLeft
	}
	stop := context.AfterFunc(ctx, func() { _ = l.conn.Close() })
	defer stop()
	for {
		ev, r, err := l.next()
		switch {
		case err != nil:
			return nil, fmt.Errorf("%w: %w", errCut, err)
		case r != nil && r.Error != "":
			return nil, errors.New(r.Error)
		case r != nil && r.End != nil:
			return r.End.Next, nil
		case r != nil:
			continue
		case ev.Seq != *after+1:
			return nil, fmt.Errorf("event %d of the session came after %d", ev.Seq, *after)
		}
		*after = ev.Seq
		c.position.saw(chapter, ev)
		if !yield(ev, nil) {
			return nil, errEnough
		}
	}
}

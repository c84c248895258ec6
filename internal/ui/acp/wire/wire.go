// Package wire is JSON-RPC 2.0 with one frame a line, as editors speak it: calls
// and notifications in both directions over one pair of streams. It bounds what
// it reads and answers whatever is no frame. It knows no method and no session.
package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

const (
	// FrameLimit is the longest frame that is read, in bytes: a message may carry
	// pictures.
	FrameLimit = 64 << 20
	// atOnce is how many calls of the other side are worked on at the same time.
	atOnce = 256
)

// Handler does what the other side asks for. Its methods are called one after
// the other, in the order of the frames.
type Handler interface {
	// Call takes a call in order; the work that is left runs beside all other and
	// makes the answer.
	Call(method string, params json.RawMessage) Work
	// Notify takes a notification.
	Notify(method string, params json.RawMessage)
}

// Work makes the answer to a call. Its context ends when the other side gives
// the call up, or is gone. An *Error is answered as it is.
type Work func(ctx context.Context) (Answer, error)

// Answer is what a call is answered with.
type Answer struct {
	Result any
	// Sent is called when the answer has been written; nil for nothing.
	Sent func()
}

// Conn is a connection. Serve reads it; Notify and Call may be called from any
// goroutine.
type Conn struct {
	in      io.Reader
	handler Handler
	debug   func(text string)
	work    sync.WaitGroup

	writing sync.Mutex // held while a frame is written
	out     io.Writer

	mu      sync.Mutex // guards what follows
	lastID  int64
	waiting map[string]chan reply              // our calls, by id
	running map[string]context.CancelCauseFunc // theirs, by id
	ended   bool                               // they are not heard any more
	broken  error                              // why nothing can be written any more
	fail    context.CancelCauseFunc            // ends Serve
}

// New returns a connection that is read by Serve. Debug receives what only an
// operator should see.
func New(in io.Reader, out io.Writer, debug func(text string)) *Conn {
	return &Conn{
		in: in, out: out, debug: debug, waiting: map[string]chan reply{}, running: map[string]context.CancelCauseFunc{},
		fail: func(error) {},
	}
}

// ErrGone is why a call of ours gets no answer: the other side is not there any
// more.
var ErrGone = errors.New("the other side of the connection is gone")

// ErrGivenUp is why the work on a call ends: the other side does not want its
// answer any more.
var ErrGivenUp = errors.New("the call was given up")

// Serve reads frames until the other side ends them, the connection breaks or
// ctx is done, and returns when all work on calls is done: it is told to end, and
// each call that came is still answered where that can be written. The end of
// the frames is no error. A reader that cannot be interrupted is left to the end of the
// process.
func (c *Conn) Serve(ctx context.Context, h Handler) error {
	ctx, cancel := context.WithCancelCause(ctx)
	c.mu.Lock()
	c.handler, c.fail = h, cancel
	broken := c.broken
	c.mu.Unlock()
	if broken != nil { // nobody could be told so yet
		cancel(broken)
	}
	lines := make(chan line)
	go read(ctx, c.in, lines)
	err := c.take(ctx, lines)
	cancel(ErrGone)
	c.hangUp()
	c.work.Wait()
	return err
}

func (c *Conn) take(ctx context.Context, lines <-chan line) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case l := <-lines:
			switch {
			case l.err == io.EOF:
				return nil
			case l.err == errLong:
				c.refuse(nullID, Invalid, "the frame is longer than "+strconv.Itoa(FrameLimit>>20)+" MiB")
			case l.err != nil:
				return fmt.Errorf("read a frame: %w", l.err)
			case len(bytes.TrimSpace(l.text)) > 0:
				c.frame(ctx, l.text)
			}
		}
	}
}

// hangUp tells all who wait for an answer that none comes. From here on only
// answers are written: the other side may have closed but one direction.
func (c *Conn) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, wait := range c.waiting {
		delete(c.waiting, id)
		wait <- reply{err: ErrGone} // there is room for it
	}
	c.ended = true
}

// gone is why nothing new can be said to the other side; nil while it can. The
// caller holds mu.
func (c *Conn) gone() error {
	if c.broken == nil && c.ended {
		return ErrGone
	}
	return c.broken
}

// frame takes one frame.
func (c *Conn) frame(ctx context.Context, text []byte) {
	f, bad := parse(text)
	switch {
	case bad != nil:
		c.refuse(f.id, bad.Code, bad.Message)
	case f.method == "":
		c.answered(f)
	case f.id == "" && f.method == giveUp:
		c.giveUp(f.params)
	case f.id == "":
		c.handler.Notify(f.method, f.params)
	default:
		c.call(ctx, f)
	}
}

// giveUp is the notification that an answer is not wanted any more; it goes in
// both directions.
const giveUp = "$/cancel_request"

func (c *Conn) giveUp(params json.RawMessage) {
	var in struct {
		ID json.RawMessage `json:"requestId"`
	}
	if json.Unmarshal(params, &in) != nil {
		return // a notification has no answer
	}
	id, ok := readID(in.ID)
	c.mu.Lock()
	cancel := c.running[id]
	c.mu.Unlock()
	if ok && cancel != nil {
		cancel(ErrGivenUp)
	}
}

// call begins the work on a call of the other side.
func (c *Conn) call(ctx context.Context, f frame) {
	ctx, cancel := context.WithCancelCause(ctx)
	c.mu.Lock()
	_, twice := c.running[f.id]
	full := len(c.running) >= atOnce
	if !twice && !full {
		c.running[f.id] = cancel
	}
	c.mu.Unlock()
	if twice || full {
		cancel(nil)
		why := "a call with this id is being worked on"
		if full {
			why = "more than " + strconv.Itoa(atOnce) + " calls at once"
		}
		c.refuse(f.id, Invalid, why)
		return
	}
	work := guarded(func() Work { return c.handler.Call(f.method, f.params) })
	c.work.Go(func() {
		answer, err := c.run(ctx, work)
		c.mu.Lock()
		delete(c.running, f.id)
		c.mu.Unlock()
		cancel(nil)
		c.reply(f.id, answer, err)
	})
}

// run does the work on a call; a panic is its error.
func (c *Conn) run(ctx context.Context, work Work) (answer Answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			c.debug(fmt.Sprintf("a call failed inside: %v", p))
			err = &Error{Code: Internal, Message: "the call failed inside"}
		}
	}()
	return work(ctx)
}

// guarded is the work that a handler returns; a panic of it becomes work that
// fails.
func guarded(begin func() Work) (work Work) {
	defer func() {
		if p := recover(); p != nil {
			work = func(context.Context) (Answer, error) { panic(p) }
		}
	}()
	return begin()
}

// reply writes the answer to a call.
func (c *Conn) reply(id string, a Answer, err error) {
	if err != nil {
		var known *Error
		if !errors.As(err, &known) {
			known = &Error{Code: Internal, Message: err.Error()}
			if errors.Is(err, context.Canceled) || errors.Is(err, ErrGivenUp) {
				known.Code = GivenUp
			}
		}
		c.sent(c.write(failure{Version: version, ID: json.RawMessage(id), Error: known}))
		return
	}
	if a.Result == nil {
		a.Result = struct{}{}
	}
	if err := c.write(success{Version: version, ID: json.RawMessage(id), Result: a.Result}); err != nil {
		c.sent(err)
		return
	}
	if a.Sent != nil {
		a.Sent()
	}
}

func (c *Conn) refuse(id string, code int, message string) {
	if id == "" {
		id = nullID
	}
	c.sent(c.write(failure{Version: version, ID: json.RawMessage(id), Error: &Error{Code: code, Message: message}}))
}

func (c *Conn) sent(err error) {
	if err != nil {
		c.debug("write a frame: " + err.Error())
	}
}

// Notify sends a notification.
func (c *Conn) Notify(method string, params any) error {
	c.mu.Lock()
	gone := c.gone()
	c.mu.Unlock()
	if gone != nil {
		return gone
	}
	return c.write(message{Version: version, Method: method, Params: params})
}

// Call asks the other side and decodes its answer into result; nil drops it.
// When ctx ends first the other side is told that the answer is not wanted.
func (c *Conn) Call(ctx context.Context, method string, params, result any) error {
	wait := make(chan reply, 1)
	c.mu.Lock()
	if gone := c.gone(); gone != nil {
		c.mu.Unlock()
		return gone
	}
	c.lastID++
	id := strconv.FormatInt(c.lastID, 10)
	c.waiting[id] = wait
	c.mu.Unlock()
	if err := c.write(message{Version: version, ID: json.RawMessage(id), Method: method, Params: params}); err != nil {
		c.forget(id)
		return err
	}
	select {
	case r := <-wait:
		if r.err != nil || result == nil {
			return r.err
		}
		if err := json.Unmarshal(r.result, result); err != nil {
			return fmt.Errorf("read the answer to %s: %w", method, err)
		}
		return nil
	case <-ctx.Done():
		c.forget(id)
		c.sent(c.Notify(giveUp, struct {
			ID json.RawMessage `json:"requestId"`
		}{json.RawMessage(id)}))
		return ctx.Err()
	}
}

func (c *Conn) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
}

// reply is the answer to a call of ours.
type reply struct {
	result json.RawMessage
	err    error
}

// answered hands an answer to who waits for it; one that nobody waits for is
// dropped.
func (c *Conn) answered(f frame) {
	c.mu.Lock()
	wait := c.waiting[f.id]
	delete(c.waiting, f.id)
	c.mu.Unlock()
	if wait == nil {
		c.debug("an answer to no call")
		return
	}
	r := reply{result: f.result}
	if f.failed != nil {
		r.err = f.failed
	}
	wait <- r // there is room for it
}

// write writes one frame. After a failure nothing more is written, and Serve
// ends.
func (c *Conn) write(v any) error {
	raw, err := event.Encode(v)
	if err != nil {
		return fmt.Errorf("encode a frame: %w", err)
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	err = c.broken
	c.mu.Unlock()
	if err != nil {
		return err
	}
	if _, err := c.out.Write(append(raw, '\n')); err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.broken = fmt.Errorf("write a frame: %w", err)
		c.fail(c.broken)
		return c.broken
	}
	return nil
}

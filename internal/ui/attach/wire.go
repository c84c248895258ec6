package attach

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// protocol is the version of what goes over the wire. It changes when an older
// side could misunderstand the newer one.
const protocol = 1

// Limits of a line, in bytes: a greeting is short, an operation may carry
// images and an event a whole history.
const (
	lineLimit     = 64 << 20
	greetingLimit = 64 << 10
)

// greetingWait is how long the first line of a connection may take to come.
const greetingWait = 10 * time.Second

// role says what a connection is for.
type role string

const (
	terminal role = "terminal" // a person may sit there: the session does not end for want of one
	watcher  role = "watcher"  // the same without a person
	follower role = "follower" // reads the events of one chapter
)

// request is one line of a client.
type request struct {
	ID        int64             `json:"id,omitempty"` // of what is answered
	Hello     *hello            `json:"hello,omitempty"`
	Submit    *event.Submission `json:"submit,omitempty"`
	Interrupt bool              `json:"interrupt,omitempty"`
	Seen      *seen             `json:"seen,omitempty"`
	Detach    bool              `json:"detach,omitempty"`
	Quit      bool              `json:"quit,omitempty"`
}

// hello is the first line of a connection. Chapter and After are a follower's.
type hello struct {
	Protocol int    `json:"protocol"`
	Version  string `json:"version"`
	Role     role   `json:"role"`
	Chapter  int    `json:"chapter,omitempty"`
	After    int64  `json:"after,omitempty"`
}

// seen tells what a terminal shows, and whether somebody looks at it. It is not
// answered.
type seen struct {
	Chapter int   `json:"chapter"`
	Seq     int64 `json:"seq"`
	Watched bool  `json:"watched"`
}

// reply is one line of a host. To a follower events go as they are.
type reply struct {
	ID      int64    `json:"id,omitempty"` // of the request that this answers
	Error   string   `json:"error,omitempty"`
	Welcome *welcome `json:"welcome,omitempty"`
	End     *end     `json:"end,omitempty"`
	Ended   *ended   `json:"ended,omitempty"`
}

// eventMark is how the line of an event begins, and no reply.
const eventMark = `{"seq":`

// welcome answers a hello.
type welcome struct {
	Protocol int    `json:"protocol"`
	Version  string `json:"version"`
	Info     Info   `json:"info"`
	// Seen says that the host wants to know what is seen.
	Seen bool `json:"seen,omitempty"`
}

// end is the last line for a follower. Next is where the conversation goes on,
// nil when it does not.
type end struct {
	Next *Info `json:"next,omitempty"`
}

// ended is the last line of a host that has ended.
type ended struct {
	Error string `json:"error,omitempty"`
}

// link is one connection, read by one goroutine and written by any.
type link struct {
	conn net.Conn
	in   *bufio.Reader

	mu sync.Mutex // lines are written whole
}

func newLink(conn net.Conn) *link {
	return &link{conn: conn, in: bufio.NewReaderSize(conn, 32<<10)}
}

// send writes one line.
func (l *link) send(v any) error {
	line, err := event.Encode(v)
	if err != nil {
		return err
	}
	if len(line) > lineLimit {
		return &lengthError{len(line)}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err = l.conn.Write(append(line, '\n'))
	return err
}

// receive reads one line into v.
func (l *link) receive(limit int, v any) error {
	line, err := readLine(l.in, limit)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(line, v); err != nil {
		return &nonsenseError{err}
	}
	return nil
}

// lengthError is what is too much for one line.
type lengthError struct{ bytes int }

func (e *lengthError) Error() string {
	return fmt.Sprintf("%d bytes are more than the %d MiB that go to a session at once", e.bytes, lineLimit>>20)
}

// next reads the next line of a follower's connection: an event, or a reply.
func (l *link) next() (ev event.Event, r *reply, err error) {
	line, err := readLine(l.in, lineLimit)
	if err != nil {
		return ev, nil, err
	}
	if bytes.HasPrefix(line, []byte(eventMark)) {
		if err = ev.UnmarshalJSON(line); err == nil {
			return ev, nil, nil
		}
	} else if err = json.Unmarshal(line, &r); err == nil && r != nil {
		return ev, r, nil
	}
	return ev, nil, &nonsenseError{err}
}

// nonsenseError is a line that is not what is spoken here.
type nonsenseError struct{ err error }

func (e *nonsenseError) Error() string {
	return fmt.Sprintf("this is not a line of this protocol: %v", e.err)
}
func (e *nonsenseError) Unwrap() error { return e.err }

var errLong = errors.New("the line is longer than allowed")

// readLine returns the next line without its end. A line that has none is cut
// off: io.ErrUnexpectedEOF. One above the limit is a nonsenseError, of which no
// more than the limit and a buffer are held.
func readLine(in *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(bytes.TrimSuffix(part, []byte("\n"))) > limit {
			return nil, &nonsenseError{errLong}
		}
		line = append(line, part...)
		switch {
		case err == nil:
			return line[:len(line)-1], nil
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, io.ErrUnexpectedEOF
		}
		return nil, err
	}
}

package fault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// errCut is what a route's write meets after the answer was cut.
var errCut = errors.New("the answer was cut by a fault")

// mangler spoils an answer while it is written.
type mangler struct {
	http.ResponseWriter
	d      Do
	ctx    context.Context
	cancel context.CancelFunc
	head   bool // a HEAD request: no body to spoil

	started bool
	stream  bool  // an event stream with a fault of its own
	base    int64 // offset in the object of the first byte of the body
	sent    int64 // bytes of the body so far
	stalled bool
	over    bool // nothing more goes out
	cutting bool // and the connection ends

	block  []byte // event not complete yet
	events int
}

// Unwrap lets http.ResponseController reach the connection.
func (m *mangler) Unwrap() http.ResponseWriter { return m.ResponseWriter }

// Flush sends what was written.
func (m *mangler) Flush() {
	if m.over {
		return
	}
	if !m.started {
		m.WriteHeader(http.StatusOK)
	}
	_ = http.NewResponseController(m.ResponseWriter).Flush()
}

func (m *mangler) WriteHeader(status int) {
	if m.started {
		return
	}
	m.started = true
	h := m.Header()
	if m.d.ETagMissing {
		h.Del("ETag")
	}
	var from, to int64
	var size string
	if n, _ := fmt.Sscanf(h.Get("Content-Range"), "bytes %d-%d/%s", &from, &to, &size); n == 3 {
		m.base = from
		if m.d.WrongRange {
			h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%s", from+1, to+1, size))
		}
	}
	if m.d.Truncate != nil {
		if n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64); err == nil {
			h.Set("Content-Length", strconv.FormatInt(min(n, max(*m.d.Truncate, 0)), 10))
		}
	}
	m.stream = bytes.HasPrefix([]byte(h.Get("Content-Type")), []byte("text/event-stream")) &&
		(m.d.SSECloseAfter != nil || m.d.SSEStall != nil || m.d.SSEGarbage != nil)
	m.ResponseWriter.WriteHeader(status)
	if m.stream {
		m.afterEvent()
	}
}

func (m *mangler) Write(p []byte) (int, error) {
	if !m.started {
		m.WriteHeader(http.StatusOK)
	}
	switch {
	case m.cutting:
		return 0, errCut
	case m.over || m.head:
		return len(p), nil
	case m.stream:
		return m.writeEvents(p)
	}
	return m.writeBody(p)
}

// writeBody sends bytes up to the next place where something happens.
func (m *mangler) writeBody(p []byte) (int, error) {
	done := 0
	for len(p) > 0 {
		chunk := p
		if at := m.place(); at >= 0 && m.sent+int64(len(p)) > at {
			chunk = p[:max(at-m.sent, 0)]
		}
		if len(chunk) > 0 {
			n, err := m.ResponseWriter.Write(m.corrupted(chunk))
			m.sent += int64(n)
			done += n
			if err != nil {
				return done, err
			}
			p = p[len(chunk):]
			continue
		}
		if !m.happen() {
			if m.cutting {
				return done, errCut
			}
			return done + len(p), nil // swallowed
		}
	}
	return done, nil
}

// place is the count of bytes at which something happens next, -1 for never.
func (m *mangler) place() int64 {
	at := int64(-1)
	for _, p := range []*int64{m.stallPlace(), m.d.DropAfterBytes, m.d.Truncate} {
		if p != nil && (at < 0 || *p < at) {
			at = max(*p, 0)
		}
	}
	return at
}

func (m *mangler) stallPlace() *int64 {
	switch {
	case m.stalled || m.d.StallMs <= 0:
		return nil
	case m.d.StallAfterBytes == nil:
		return new(int64)
	}
	return m.d.StallAfterBytes
}

// happen does what is due at this place; false ends the body.
func (m *mangler) happen() bool {
	if p := m.stallPlace(); p != nil && *p <= m.sent {
		m.stalled = true
		m.Flush()
		return sleep(m.ctx, m.d.StallMs)
	}
	m.over = true
	if m.d.DropAfterBytes != nil && *m.d.DropAfterBytes <= m.sent {
		m.cutting = true
		m.cancel()
	}
	return false
}

// corrupted flips the byte of the object that is to be wrong, if it is in p.
func (m *mangler) corrupted(p []byte) []byte {
	if m.d.CorruptByteAt == nil {
		return p
	}
	i := *m.d.CorruptByteAt - m.base - m.sent
	if i < 0 || i >= int64(len(p)) {
		return p
	}
	p = bytes.Clone(p)
	p[i] ^= 0xff
	return p
}

// writeEvents sends whole events and counts those with data.
func (m *mangler) writeEvents(p []byte) (int, error) {
	m.block = append(m.block, p...)
	for !m.over {
		end := bytes.Index(m.block, []byte("\n\n"))
		if end < 0 {
			return len(p), nil
		}
		event := m.block[:end+2]
		if _, err := m.ResponseWriter.Write(event); err != nil {
			return 0, err
		}
		data := bytes.HasPrefix(event, []byte("data:")) || bytes.Contains(event, []byte("\ndata:"))
		m.block = m.block[end+2:]
		if data {
			m.events++
			m.afterEvent()
		}
	}
	if m.cutting {
		return 0, errCut
	}
	return len(p), nil
}

// afterEvent does what is due after so many events.
func (m *mangler) afterEvent() {
	at := func(n *int) bool { return n != nil && *n == m.events }
	if at(m.d.SSEGarbage) {
		_, _ = m.ResponseWriter.Write([]byte("data: {this is not JSON\n\n"))
	}
	if at(m.d.SSECloseAfter) || at(m.d.SSEStall) {
		m.Flush()
		m.over = true
		if m.cutting = at(m.d.SSECloseAfter); m.cutting {
			m.cancel()
		}
	}
}

// finish ends the answer after the route has returned.
func (m *mangler) finish() {
	switch {
	case m.cutting:
		m.end()
	case m.stream && m.over: // silence, also when the route has no more to say
		<-m.ctx.Done()
	case len(m.block) > 0:
		_, _ = m.ResponseWriter.Write(m.block)
	case !m.started:
		m.WriteHeader(http.StatusOK)
	}
}

// end sends what was written of an answer and closes the connection.
func (m *mangler) end() {
	rc := http.NewResponseController(m.ResponseWriter)
	if m.started {
		_ = rc.Flush()
	}
	conn, _, err := rc.Hijack()
	switch {
	case err != nil:
		panic(http.ErrAbortHandler)
	case m.d.Reset:
		settle(conn)
		reset(conn)
	default:
		_ = conn.Close()
	}
}

// cut resets the connection of a request that gets no answer.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	reset(conn)
}

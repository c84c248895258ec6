package toolserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/remote/wire"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
)

const (
	// keptReplays and keptFor bound the remembered answers.
	keptReplays = 256
	keptFor     = 10 * time.Minute
)

// replays remembers what was answered to which request, so that a client that
// did not get its answer can have it without doing the thing twice.
type replays struct {
	mu      sync.Mutex
	entries map[string]*replay
	ended   []*replay // the oldest first
}

// replay is one request and what came of it: a command, or, when done is
// closed, an answer.
type replay struct {
	id, what string
	done     chan struct{}
	at       time.Time // of the end

	answer *recorder
	run    *run
}

func newReplays() *replays { return &replays{entries: map[string]*replay{}} }

// errUnknown is the answer to who wants a replay of what never came.
func errUnknown(id string) error {
	return &workspace.Fault{Kind: workspace.Unknown, Reason: fmt.Sprintf("request %q is not known", id)}
}

// claim returns the entry of a request, and whether the caller is the first and
// does what it asks for. Only says that nothing new is to be done.
func (r *replays) claim(id, what string, only bool) (entry *replay, first bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expire()
	if e := r.entries[id]; e != nil {
		if e.what != what {
			return nil, false, &workspace.Fault{Kind: workspace.Invalid, Reason: fmt.Sprintf("request id %q was used for %s", id, e.what)}
		}
		return e, false, nil
	}
	if only {
		return nil, false, errUnknown(id)
	}
	e := &replay{id: id, what: what, done: make(chan struct{}), run: newRun()}
	r.entries[id] = e
	return e, true, nil
}

// finish keeps e for later questions.
func (r *replays) finish(e *replay) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.at = time.Now()
	r.ended = append(r.ended, e)
	close(e.done)
	r.expire()
}

// forget drops a request that was not done; who waits for it is told so.
func (r *replays) forget(e *replay) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.entries, e.id)
	close(e.done)
}

// expire drops what is too old or too much. The caller holds the lock.
func (r *replays) expire() {
	for len(r.ended) > 0 && (len(r.ended) > keptReplays || time.Since(r.ended[0].at) > keptFor) {
		delete(r.entries, r.ended[0].id)
		r.ended[0] = nil
		r.ended = r.ended[1:]
	}
}

// requestID is the id of a request; empty when it has none.
func requestID(r *http.Request) (string, error) {
	id := r.Header.Get(wire.RequestID)
	if id == "" {
		return "", nil
	}
	return id, wire.CheckID(wire.RequestID, id)
}

// once does what a request asks for unless one of the same id did, or does so
// right now: then both get the one answer. A request whose body did not arrive
// whole has done nothing and is not remembered.
func (s *Server) once(do http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, err := requestID(r)
		if err != nil {
			fail(w, err)
			return
		}
		if id == "" {
			do(w, r)
			return
		}
		e, first, err := s.replays.claim(id, r.Method+" "+r.URL.Path, r.Header.Get(wire.Replay) == "only")
		if err != nil {
			fail(w, err)
			return
		}
		if first {
			s.record(e, do, r, http.NewResponseController(w))
		}
		select {
		case <-e.done:
		case <-r.Context().Done():
			return
		}
		if e.answer == nil {
			fail(w, errUnknown(id))
			return
		}
		e.answer.play(w)
	}
}

// record does the thing to its end, whatever becomes of the connection.
func (s *Server) record(e *replay, do http.HandlerFunc, r *http.Request, control *http.ResponseController) {
	body := &watched{ReadCloser: r.Body, control: control}
	answer := &recorder{head: http.Header{}, status: http.StatusOK}
	over := false
	defer func() { // a handler that panics has done nothing to remember
		if !over {
			s.replays.forget(e)
		}
	}()
	r = r.WithContext(s.life)
	r.Body = body
	do(answer, r)
	over = true
	if body.broken {
		s.replays.forget(e)
		return
	}
	e.answer = answer
	s.replays.finish(e)
}

// watched is a body that must go on arriving and remembers whether it broke
// off.
type watched struct {
	io.ReadCloser
	control *http.ResponseController
	broken  bool
}

func (b *watched) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(stuck)) // not every connection has one
	n, err := b.ReadCloser.Read(p)
	var large *http.MaxBytesError
	if err != nil && !errors.Is(err, io.EOF) && !errors.As(err, &large) {
		b.broken = true
	}
	return n, err
}

// recorder keeps an answer.
type recorder struct {
	head   http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.head }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }

// play gives the answer to w.
func (r *recorder) play(w http.ResponseWriter) {
	for name, values := range r.head {
		w.Header()[name] = values
	}
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body.Bytes()) // the client has gone; it may ask again
}

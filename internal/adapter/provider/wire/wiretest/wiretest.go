// Package wiretest serves answers to provider clients in tests, whole or in
// small pieces, and reads the recorded answers that lie outside the
// repository. It knows no provider.
package wiretest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
)

// Server answers every request with the next of Replies, the last one again
// and again. It is an [http.RoundTripper].
type Server struct {
	Replies []Reply
	// Piece is how many bytes one read returns at most, 0 for no limit.
	Piece int

	mu       sync.Mutex
	requests []Request
}

// Reply is an answer.
type Reply struct {
	Status int // 0 is 200
	Header map[string]string
	Body   string
	// Reader is the body instead, when it is not nil.
	Reader io.ReadCloser
}

// Request is what a client sent.
type Request struct {
	Method, URL string
	Header      http.Header
	Body        []byte
}

// Client returns a client that talks to s.
func (s *Server) Client() *http.Client { return &http.Client{Transport: s} }

// Requests returns what was sent so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// RoundTrip records the request and returns the next reply.
func (s *Server) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	reply := s.Replies[min(len(s.requests), len(s.Replies)-1)]
	s.requests = append(s.requests, Request{
		Method: req.Method, URL: req.URL.String(), Header: req.Header.Clone(), Body: body,
	})
	h := http.Header{}
	for k, v := range reply.Header {
		h.Set(k, v)
	}
	resp := &http.Response{StatusCode: max(reply.Status, http.StatusOK), Header: h, Request: req, Body: reply.Reader}
	if resp.Body == nil {
		resp.Body = io.NopCloser(Pieces(strings.NewReader(reply.Body), s.Piece))
	}
	return resp, nil
}

// Pieces reads r in pieces of at most n bytes; 0 is no limit.
func Pieces(r io.Reader, n int) io.Reader {
	if n <= 0 {
		return r
	}
	return pieces{r, n}
}

type pieces struct {
	r io.Reader
	n int
}

func (p pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(p.n, len(b))]) }

// Answer is a stream as it was received.
type Answer struct {
	Chunks         []llm.Chunk
	Text, Thinking string
	Begun          llm.Begun
	Done           *llm.Done
	Err            error
}

// Collect reads a whole stream and fails the test when it breaks the rules of
// streams: an error or Done is last, deltas are not empty, and the deltas are
// the text of the message.
func Collect(t testing.TB, stream func(func(llm.Chunk, error) bool)) Answer {
	t.Helper()
	var a Answer
	for c, err := range stream {
		if a.Done != nil || a.Err != nil {
			t.Fatalf("the stream goes on after its end with %#v, %v", c, err)
		}
		if err != nil {
			a.Err = err
			continue
		}
		a.Chunks = append(a.Chunks, c)
		switch c := c.(type) {
		case llm.Begun:
			a.Begun = c
		case llm.Text:
			if c.Delta == "" {
				t.Error("empty text delta")
			}
			a.Text += c.Delta
		case llm.Thinking:
			if c.Delta == "" {
				t.Error("empty thinking delta")
			}
			a.Thinking += c.Delta
		case llm.Done:
			a.Done = &c
		}
	}
	if a.Done == nil && a.Err == nil {
		t.Fatal("the stream ended without Done and without an error")
	}
	if a.Done != nil && a.Done.Message.Text != a.Text {
		t.Errorf("message text %q, streamed %q", a.Done.Message.Text, a.Text)
	}
	return a
}

// Fixture is an entry of the recorded answers' list.
type Fixture struct {
	File string `json:"file"`
	API  string `json:"api"`
	Mode string `json:"mode"` // "stream", "json", "error" or "request"
	HTTP struct {
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers"`
	} `json:"http"`
	Expect json.RawMessage `json:"expect"`
	Body   []byte          `json:"-"`
}

// Fixtures returns the recorded answers for which keep is true. Where the
// recordings are absent the test is skipped, except under CI.
func Fixtures(t testing.TB, keep func(Fixture) bool) []Fixture {
	t.Helper()
	dir := fixturetest.Dir(t, "llm")
	list, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all, kept []Fixture
	if err := json.Unmarshal(list, &all); err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if !keep(f) {
			continue
		}
		if f.Body, err = os.ReadFile(filepath.Join(dir, filepath.FromSlash(f.File))); err != nil {
			t.Fatal(err)
		}
		kept = append(kept, f)
	}
	if len(kept) == 0 {
		t.Fatal("no recorded answer was kept")
	}
	return kept
}

// Serve is a server that answers with f.
func (f Fixture) Serve(piece int) *Server {
	return &Server{Piece: piece, Replies: []Reply{{
		Status: f.HTTP.Status, Header: f.HTTP.Headers, Body: string(bytes.Clone(f.Body)),
	}}}
}

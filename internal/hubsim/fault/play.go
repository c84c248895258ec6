package fault

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Trace is which faults a request met, for its log.
type Trace struct{ Names []string }

type traceKey struct{}

// Watch returns ctx with a place where the middleware notes what it plays.
func Watch(ctx context.Context) (context.Context, *Trace) {
	t := &Trace{}
	return context.WithValue(ctx, traceKey{}, t), t
}

// Names are the keys of the faults that are set, sorted.
func (d Do) Names() []string {
	raw, _ := json.Marshal(d) // numbers and texts only
	var keys map[string]any
	_ = json.Unmarshal(raw, &keys)
	names := make([]string, 0, len(keys))
	for key := range keys {
		names = append(names, key)
	}
	slices.Sort(names)
	return names
}

// Middleware plays the faults of one of the two hosts around next.
func (s *Set) Middleware(host string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if what := s.gone(host, r); what != "" {
			note(r.Context(), what)
			refuseGone(w, what)
			return
		}
		d, ok := s.pick(host, r)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		note(r.Context(), d.Names()...)
		s.play(host, d, w, r, next)
	})
}

func note(ctx context.Context, names ...string) {
	if t, ok := ctx.Value(traceKey{}).(*Trace); ok {
		t.Names = append(t.Names, names...)
	}
}

// play brings d about, in the order of a request's life.
func (s *Set) play(host string, d Do, w http.ResponseWriter, r *http.Request, next http.Handler) {
	ctx, cancel := context.WithCancel(With(r.Context(), d))
	defer cancel()
	r = r.WithContext(ctx)
	if d.LatencyMs > 0 && !sleep(ctx, d.LatencyMs) {
		return
	}
	if (d.ExpireToken || d.RevokeToken) && s.o.EndToken != nil {
		s.o.EndToken(r, d.RevokeToken)
	}
	if d.ExpireSignedURLs && host == CDN {
		s.expire(r)
	}
	switch {
	case d.Refuse || d.DNSFail:
		cut(w)
	case d.ApplyThenFail.On:
		s.prepare(d, r)
		next.ServeHTTP(newRecorder(), r)
		if code := d.ApplyThenFail.Number; code > 0 || d.Status > 0 {
			reply(w, max(code, d.Status), d)
			return
		}
		cut(w)
	case d.Status > 0:
		reply(w, d.Status, d)
	case d.CompleteFails:
		reply(w, http.StatusInternalServerError, Do{Body: json.RawMessage(`{"error":"The upload could not be completed"}`)})
	case d.LosePart > 0:
		losePart(w, r)
	case d.ExpireSignedURLs && host == CDN && d.DropAfterBytes == nil:
		refuseGone(w, "expireSignedUrls")
	case d.HideForMs > 0 || d.ReorderPages || d.ForeignLink.On || d.EmptyPage:
		s.prepare(d, r)
		rec := newRecorder()
		next.ServeHTTP(rec, r)
		s.remember(d, rec)
		s.page(d, rec, r)
		rec.send(w)
	default:
		s.prepare(d, r)
		m := &mangler{ResponseWriter: w, d: d, ctx: ctx, cancel: cancel, head: r.Method == http.MethodHead}
		next.ServeHTTP(m, r)
		m.finish()
	}
}

// prepare does what has to be so before the route sees the request.
func (s *Set) prepare(d Do, r *http.Request) {
	if d.IgnoreRange {
		r.Header.Del("Range")
	}
	if d.HeadMoves.On && s.o.MoveHead != nil {
		path := d.HeadMoves.Text
		if path == "" {
			path = "moved-meanwhile.txt"
		}
		s.o.MoveHead(r, path)
	}
}

// sleep waits on the wire's time; false means the client has gone.
func sleep(ctx context.Context, ms int64) bool {
	t := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// reply answers with a rule's own status, headers and body.
func reply(w http.ResponseWriter, status int, d Do) {
	body, kind := []byte(d.Body), "application/json; charset=utf-8"
	var text string
	if json.Unmarshal(d.Body, &text) == nil {
		body, kind = []byte(text), "text/plain; charset=utf-8"
		switch {
		case json.Valid(body) && bytes.HasPrefix(body, []byte("{")):
			kind = "application/json; charset=utf-8"
		case strings.HasPrefix(text, "<"):
			kind = "text/html; charset=utf-8"
		}
	}
	if len(body) > 0 {
		w.Header().Set("Content-Type", kind)
	}
	if status == http.StatusTooManyRequests && d.Headers["RateLimit"] == "" {
		w.Header().Del("RateLimit") // the content network's own limit says nothing of ours
		w.Header().Del("RateLimit-Policy")
	}
	for key, value := range d.Headers {
		w.Header().Set(key, value)
	}
	if w.Header().Get("Content-Length") == "" {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// losePart acknowledges a part that nobody keeps.
func losePart(w http.ResponseWriter, r *http.Request) {
	sum := md5.New() // what an ETag is; no protection
	if _, err := io.Copy(sum, r.Body); err != nil {
		return
	}
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum.Sum(nil))+`"`)
	w.WriteHeader(http.StatusOK)
}

// expire notes that a signed address is no longer good.
func (s *Set) expire(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expired[r.URL.RequestURI()] = true
}

// gone reports whether a request is for something hidden or expired, and by
// which fault.
func (s *Set) gone(host string, r *http.Request) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.expired) > 0 {
		path := r.URL.Path
		switch {
		case host == CDN && s.expired[r.URL.RequestURI()]:
			return "expireSignedUrls"
		case host == Hub && (strings.Contains(path, "/resolve/") || strings.HasSuffix(path, "/objects/batch")):
			clear(s.expired) // a new address is being asked for
		}
	}
	if len(s.hidden) == 0 || host != Hub {
		return ""
	}
	path, now := strings.ToLower(r.URL.Path)+"/", s.o.Now()
	for name, until := range s.hidden {
		if !now.Before(until) {
			delete(s.hidden, name)
			continue
		}
		if strings.Contains(path, "/"+name+"/") || strings.Contains(path, "/"+name+".git/") {
			if strings.Contains(path, "/jobs/") {
				return "hideForMs (job)"
			}
			return "hideForMs"
		}
	}
	return ""
}

// refuseGone answers for what is hidden or expired.
func refuseGone(w http.ResponseWriter, what string) {
	status, kind, body := http.StatusNotFound, "application/json; charset=utf-8", `{"error":"Repository not found"}`
	switch what {
	case "expireSignedUrls":
		status, kind = http.StatusForbidden, "application/xml"
		body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>`
	case "hideForMs (job)":
		body = `{"error":"Job not found"}`
	default:
		w.Header().Set("X-Error-Code", "RepoNotFound")
		w.Header().Set("X-Error-Message", "Repository not found")
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

package fault

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// recorder keeps an answer until it is decided what becomes of it.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newRecorder() *recorder { return &recorder{header: http.Header{}} }

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}

// Flush does nothing: nothing is sent before the end.
func (r *recorder) Flush() {}

func (r *recorder) send(w http.ResponseWriter) {
	maps.Copy(w.Header(), r.header)
	if w.Header().Get("Content-Length") != "" && r.body.Len() > 0 {
		w.Header().Set("Content-Length", strconv.Itoa(r.body.Len()))
	}
	r.WriteHeader(http.StatusOK)
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body.Bytes())
}

// remember hides what an answer says was created.
func (s *Set) remember(d Do, rec *recorder) {
	if d.HideForMs <= 0 || rec.status >= http.StatusMultipleChoices {
		return
	}
	var made struct{ ID, Name, URL string }
	if json.Unmarshal(rec.body.Bytes(), &made) != nil {
		return
	}
	names := []string{made.ID}
	if strings.Contains(made.Name, "/") {
		names = append(names, made.Name)
	}
	if u, err := url.Parse(made.URL); err == nil {
		names = append(names, strings.TrimPrefix(strings.TrimPrefix(strings.Trim(u.Path, "/"), "datasets/"), "spaces/"))
	}
	until := s.o.Now().Add(time.Duration(d.HideForMs) * time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		if name != "" {
			s.hidden[strings.ToLower(name)] = until
		}
	}
}

// nextLink is the address of the next page in a Link header.
var nextLink = regexp.MustCompile(`<([^>]*)>;\s*rel="next"`)

// page turns, empties or misdirects a page whose body is a JSON array.
func (s *Set) page(d Do, rec *recorder, r *http.Request) {
	var items []json.RawMessage
	if rec.status >= http.StatusMultipleChoices || json.Unmarshal(rec.body.Bytes(), &items) != nil {
		return
	}
	here := "http://" + r.Host + r.URL.RequestURI()
	if d.ReorderPages {
		slices.Reverse(items)
		rec.set(items)
	}
	if d.EmptyPage {
		rec.set([]json.RawMessage{})
		rec.header.Set("Link", "<"+here+`>; rel="next"`)
	}
	if d.ForeignLink.On {
		origin := d.ForeignLink.Text
		if origin == "" && s.o.Foreign != nil {
			origin = s.o.Foreign()
		}
		if m := nextLink.FindStringSubmatch(rec.header.Get("Link")); m != nil {
			here = m[1]
		}
		if u, err := url.Parse(here); err == nil {
			rec.header.Set("Link", "<"+origin+u.RequestURI()+`>; rel="next"`)
		}
	}
}

func (r *recorder) set(items []json.RawMessage) {
	raw, err := json.Marshal(items)
	if err != nil {
		return // cannot be: the items were just read
	}
	r.body.Reset()
	r.body.Write(raw)
}

// Package slack takes messages as Slack's API does and keeps them, so that a
// test or a user can read what was sent. It delivers nothing.
package slack

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
)

// maxText is how long a message may be, in characters; longer ones are cut.
const maxText = 40_000

// maxUpload is how large a file may be, in bytes.
const maxUpload = 16 << 20

// Message is what was posted: the members of the request's body as they came.
type Message struct {
	TS      string         `json:"ts"`
	Channel string         `json:"channel"`
	Text    string         `json:"text"`
	Body    map[string]any `json:"body"`
}

// File is what was uploaded.
type File struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Title    string `json:"title,omitempty"`
	Channel  string `json:"channel,omitempty"`
	Data     []byte `json:"data"`
	Complete bool   `json:"complete"`
}

// Slack is the service. It is safe for concurrent use.
type Slack struct {
	clock *clock.Clock

	mu       sync.Mutex
	messages []Message
	files    []File
	limited  int // requests still to be refused
	after    int // seconds their answers name
	refusal  string
}

// New returns the service.
func New(c *clock.Clock) *Slack { return &Slack{clock: c} }

// Messages lists what was posted, oldest first.
func (s *Slack) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// Files lists what was uploaded, oldest first.
func (s *Slack) Files() []File {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.files)
}

// Limit answers the next n requests with 429 and a Retry-After of seconds.
func (s *Slack) Limit(n, seconds int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limited, s.after = n, seconds
}

// Refuse answers every post with the given error, such as not_in_channel; an
// empty one ends that.
func (s *Slack) Refuse(code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusal = code
}

// Pages adds the service below /slack.
func (s *Slack) Pages(mux *http.ServeMux) {
	for _, route := range []struct {
		pattern string
		h       func(args map[string]any, w http.ResponseWriter, r *http.Request) (map[string]any, string)
	}{
		{"/slack/auth.test", s.authTest},
		{"/slack/chat.postMessage", s.post},
		{"/slack/files.getUploadURLExternal", s.uploadURL},
		{"/slack/files.completeUploadExternal", s.complete},
	} {
		mux.Handle(route.pattern, s.method(route.h))
	}
	mux.HandleFunc("POST /slack/upload/{id}", s.upload)
	mux.HandleFunc("GET /slack/__messages", func(w http.ResponseWriter, _ *http.Request) {
		answer.JSON(w, http.StatusOK, append([]Message{}, s.Messages()...))
	})
	mux.HandleFunc("/slack/{method}", func(w http.ResponseWriter, r *http.Request) {
		answer.JSON(w, http.StatusOK, map[string]any{"ok": false, "error": "unknown_method", "req_method": r.PathValue("method")})
	})
}

// method wraps what all methods share: the rate limit, the token, the
// arguments and the form of answers.
func (s *Slack) method(h func(map[string]any, http.ResponseWriter, *http.Request) (map[string]any, string)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if after, limited := s.takeLimit(); limited {
			w.Header().Set("Retry-After", strconv.Itoa(after))
			answer.JSON(w, http.StatusTooManyRequests, map[string]any{"ok": false, "error": "ratelimited"})
			return
		}
		args, err := arguments(r)
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if v, ok := args["token"].(string); token == "" && ok {
			token = v
		}
		out, code := map[string]any(nil), ""
		switch {
		case err != nil:
			code = "invalid_json"
		case token == "":
			code = "not_authed"
		case strings.Contains(token, "invalid"):
			code = "invalid_auth"
		default:
			delete(args, "token")
			out, code = h(args, w, r)
		}
		if code != "" {
			answer.JSON(w, http.StatusOK, map[string]any{"ok": false, "error": code})
			return
		}
		out["ok"] = true
		answer.JSON(w, http.StatusOK, out)
	})
}

func (s *Slack) takeLimit() (after int, limited bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.limited == 0 {
		return 0, false
	}
	s.limited--
	return s.after, true
}

// arguments reads a JSON body, a form or the query.
func arguments(r *http.Request) (map[string]any, error) {
	args := map[string]any{}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/json" {
		err := json.NewDecoder(io.LimitReader(r.Body, maxUpload)).Decode(&args)
		if err == io.EOF {
			err = nil
		}
		return args, err
	}
	if err := r.ParseForm(); err != nil {
		return nil, fmt.Errorf("read form: %w", err)
	}
	for k, vs := range r.Form {
		args[k] = vs[0]
	}
	return args, nil
}

func text(args map[string]any, key string) string {
	v, _ := args[key].(string)
	return v
}

func (s *Slack) authTest(map[string]any, http.ResponseWriter, *http.Request) (map[string]any, string) {
	return map[string]any{
		"url": "https://acme.slack.com/", "team": "Acme", "user": "ml-intern", "team_id": "T0ACME", "user_id": "U0INTERN", "bot_id": "B0INTERN",
	}, ""
}

func (s *Slack) post(args map[string]any, _ http.ResponseWriter, _ *http.Request) (map[string]any, string) {
	channel, body := text(args, "channel"), text(args, "text")
	s.mu.Lock()
	refusal := s.refusal
	s.mu.Unlock()
	switch {
	case refusal != "":
		return nil, refusal
	case channel == "":
		return nil, "channel_not_found"
	case body == "" && args["blocks"] == nil && args["attachments"] == nil:
		return nil, "no_text"
	}
	out := map[string]any{"channel": channel}
	if runes := []rune(body); len(runes) > maxText {
		body = string(runes[:maxText])
		out["response_metadata"] = map[string]any{"warnings": []string{"message_truncated"}}
		out["warning"] = "message_truncated"
	}
	at := s.clock.Stamp()
	m := Message{TS: fmt.Sprintf("%d.%06d", at.Unix(), at.Nanosecond()/1000), Channel: channel, Text: body, Body: args}
	s.mu.Lock()
	s.messages = append(s.messages, m)
	s.mu.Unlock()
	out["ts"] = m.TS
	out["message"] = map[string]any{"type": "message", "text": body, "ts": m.TS, "bot_id": "B0INTERN", "user": "U0INTERN", "team": "T0ACME"}
	return out, ""
}

func (s *Slack) uploadURL(args map[string]any, _ http.ResponseWriter, r *http.Request) (map[string]any, string) {
	if text(args, "filename") == "" || fmt.Sprint(args["length"]) == "" {
		return nil, "invalid_arguments"
	}
	f := File{ID: "F" + strings.ToUpper(s.clock.ID()[16:]), Name: text(args, "filename")}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files = append(s.files, f)
	return map[string]any{"upload_url": answer.Base(r) + "/slack/upload/" + f.ID, "file_id": f.ID}, ""
}

// change applies f to a file and reports whether there is one.
func (s *Slack) change(id string, f func(*File)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.files {
		if s.files[i].ID == id {
			f(&s.files[i])
			return true
		}
	}
	return false
}

func (s *Slack) upload(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxUpload))
	if err != nil || !s.change(r.PathValue("id"), func(f *File) { f.Data = data }) {
		http.Error(w, "no such upload", http.StatusNotFound)
		return
	}
	_, _ = fmt.Fprintf(w, "OK - %d", len(data))
}

func (s *Slack) complete(args map[string]any, _ http.ResponseWriter, _ *http.Request) (map[string]any, string) {
	var list []map[string]any
	raw, err := json.Marshal(args["files"])
	if inText, ok := args["files"].(string); ok {
		raw, err = []byte(inText), nil
	}
	if err != nil || json.Unmarshal(raw, &list) != nil || len(list) == 0 {
		return nil, "invalid_arguments"
	}
	files := []map[string]any{}
	for _, item := range list {
		id, title := text(item, "id"), text(item, "title")
		ok := s.change(id, func(f *File) { f.Complete, f.Title, f.Channel = true, title, text(args, "channel_id") })
		if !ok {
			return nil, "file_not_found"
		}
		files = append(files, map[string]any{"id": id, "title": title})
	}
	return map[string]any{"files": files}, ""
}

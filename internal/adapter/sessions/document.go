package sessions

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/usage"
)

// Document is a session as one JSON object, in the shape of the Python
// original with a few keys added. It is derived: the journal is the truth
// where there is one.
type Document struct {
	SessionID  string
	UserID     *string
	HFUsername *string
	StartTime  string // RFC 3339
	EndTime    string // of the save; empty while not saved
	Model      string
	Messages   []llm.Message
	Events     []event.Event
	Tools      []json.RawMessage // OpenAI function specs

	// Ours.
	Cwd        string
	GitBranch  string
	Title      string
	AppVersion string

	// Plan is the plan in force where it is known (PlanKnown).
	Plan      []event.PlanItem
	PlanKnown bool
	// CostUSD is what the file said it had cost.
	CostUSD float64
	// Dropped counts entries of messages that were not valid.
	Dropped int
	// index holds the place of each message in the file when some were dropped.
	index []int
}

// About is what a document says of a session and its events do not.
type About struct {
	UserID, HFUsername                *string
	Cwd, GitBranch, Title, AppVersion string
	Tools                             []json.RawMessage
	// Model is used while no turn has named one.
	Model string
}

// Build makes the document of a session from its state and its events, of
// which it leaves out those that the messages repeat.
func Build(s *history.State, events []event.Event, about About) Document {
	d := Document{
		SessionID: s.SessionID, UserID: about.UserID, HFUsername: about.HFUsername, StartTime: s.Started,
		Model: s.Model, Messages: s.Messages, Tools: about.Tools, Cwd: s.Cwd,
		GitBranch: about.GitBranch, Title: about.Title, AppVersion: about.AppVersion, Plan: s.Plan, PlanKnown: true,
	}
	if d.Model == "" {
		d.Model = about.Model
	}
	if about.Cwd != "" {
		d.Cwd = about.Cwd
	}
	if d.Title == "" {
		d.Title = preview(d.Messages)
	}
	for _, ev := range events {
		if !ev.Type.Bulk() {
			d.Events = append(d.Events, ev)
		}
	}
	return d
}

// ToolSpec returns the saved form of a tool.
func ToolSpec(spec llm.ToolSpec) (json.RawMessage, error) {
	type function struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Parameters  json.RawMessage `json:"parameters,omitempty"`
	}
	raw, err := event.Encode(struct {
		Type     string   `json:"type"`
		Function function `json:"function"`
	}{"function", function{spec.Name, spec.Description, spec.Parameters}})
	if err != nil {
		return nil, fmt.Errorf("encode tool %s: %w", spec.Name, err)
	}
	return raw, nil
}

// localTime is how the original notes the time of a save: local, no zone.
const localTime = "2006-01-02T15:04:05.000000"

// Save writes the document to path, which is always a whole file: a temporary
// one takes its place. Folder and file are for their owner alone.
func (d Document) Save(path string, now time.Time) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("save session: %w", err)
	}
	tmp := path + ".tmp"
	out, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("save session: %w", err)
	}
	err = errors.Join(d.Write(out, now), out.Close())
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return fmt.Errorf("save session to %s: %w", path, errors.Join(err, os.Remove(tmp)))
	}
	return nil
}

// Write writes the document as indented JSON in ASCII. It is encoded piece by
// piece, so that a long session needs little memory.
func (d Document) Write(w io.Writer, now time.Time) error {
	sums := usage.Metrics(d.SessionID, d.Events)
	saved := now.Local().Format(localTime)
	out := &writer{w: bufio.NewWriter(w)}
	out.member("session_id", d.SessionID)
	out.member("user_id", d.UserID)
	out.member("hf_username", d.HFUsername)
	out.member("session_start_time", d.StartTime)
	out.member("session_end_time", saved)
	out.member("model_name", d.Model)
	out.member("total_cost_usd", sums.App.InferenceUSD)
	if sums.CostIncomplete {
		out.member("cost_incomplete", true)
	}
	out.member("usage_metrics", sums)
	out.member("cwd", d.Cwd)
	out.member("git_branch", orNull(d.GitBranch))
	out.member("title", d.Title)
	out.member("app_version", d.AppVersion)
	out.list("messages", len(d.Messages), func(i int) any { return savedMessage(d.Messages[i]) })
	out.list("events", len(d.Events), func(i int) any { return newSavedEvent(d.Events[i]) })
	out.list("tools", len(d.Tools), func(i int) any { return d.Tools[i] })
	out.member("upload_status", "pending")
	out.member("upload_url", nil)
	out.member("last_save_time", saved)
	return out.end()
}

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// savedMessage keeps the null fields that readers of the original's files see.
type savedMessage llm.Message

func (m savedMessage) MarshalJSON() ([]byte, error) {
	raw, err := llm.Message(m).MarshalJSON()
	if err != nil || m.Role == llm.ToolRole {
		return raw, err
	}
	raw = bytes.TrimSuffix(raw, []byte("}"))
	if len(m.ToolCalls) == 0 {
		raw = append(raw, `,"tool_calls":null`...)
	}
	if _, ok := m.Extra["function_call"]; !ok {
		raw = append(raw, `,"function_call":null`...)
	}
	return append(raw, '}'), nil
}

type savedEvent struct {
	Timestamp *string         `json:"timestamp"`
	Type      event.Type      `json:"event_type"`
	Data      json.RawMessage `json:"data"`
}

func newSavedEvent(ev event.Event) savedEvent {
	out := savedEvent{Type: ev.Type, Data: ev.Data}
	if !ev.Time.IsZero() {
		out.Timestamp = orNull(ev.Time.UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	if len(out.Data) == 0 {
		out.Data = json.RawMessage("{}")
	}
	return out
}

// writer writes one JSON object member by member; the first error stays.
type writer struct {
	w      *bufio.Writer
	begun  bool
	indent bytes.Buffer
	ascii  []byte
	err    error
}

func (o *writer) text(s string) {
	if o.err == nil {
		_, o.err = o.w.WriteString(s)
	}
}

func (o *writer) name(name string) {
	if o.begun {
		o.text(",\n")
	} else {
		o.text("{\n")
		o.begun = true
	}
	o.text(`  "` + name + `": `)
}

func (o *writer) member(name string, v any) {
	o.name(name)
	o.value(v, "  ")
}

func (o *writer) list(name string, n int, item func(int) any) {
	o.name(name)
	if n == 0 {
		o.text("[]")
		return
	}
	for i := range n {
		o.text(map[bool]string{true: "[\n    ", false: ",\n    "}[i == 0])
		o.value(item(i), "    ")
	}
	o.text("\n  ]")
}

func (o *writer) value(v any, prefix string) {
	if o.err != nil {
		return
	}
	raw, err := event.Encode(v)
	if err != nil {
		o.err = fmt.Errorf("encode session: %w", err)
		return
	}
	o.indent.Reset()
	if o.err = json.Indent(&o.indent, raw, prefix, "  "); o.err != nil {
		return
	}
	o.ascii = appendASCII(o.ascii[:0], o.indent.Bytes())
	_, o.err = o.w.Write(o.ascii)
}

func (o *writer) end() error {
	o.text("\n}\n")
	if o.err != nil {
		return o.err
	}
	return o.w.Flush()
}

// appendASCII escapes what is not ASCII; in JSON that is only found in strings.
func appendASCII(dst, src []byte) []byte {
	for len(src) > 0 {
		if src[0] < utf8.RuneSelf {
			dst = append(dst, src[0])
			src = src[1:]
			continue
		}
		r, n := utf8.DecodeRune(src)
		src = src[n:]
		if hi, lo := utf16.EncodeRune(r); hi != utf8.RuneError {
			dst = fmt.Appendf(dst, `\u%04x\u%04x`, hi, lo)
		} else {
			dst = fmt.Appendf(dst, `\u%04x`, r)
		}
	}
	return dst
}

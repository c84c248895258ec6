package document

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
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/usage"
)

// localTime is how the original notes the time of a save: local, no zone.
const localTime = "2006-01-02T15:04:05.000000"

// Save writes the document to path, which is always a whole file: a temporary
// one takes its place. Folder and file are for their owner alone.
func (d Document) Save(path string, now time.Time) error {
	return save(path, func(w io.Writer) error { return d.Write(w, now) })
}

func save(path string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("save session: %w", err)
	}
	tmp := path + ".tmp"
	out, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("save session: %w", err)
	}
	err = errors.Join(write(out), out.Close())
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
	out := &writer{w: bufio.NewWriter(w)}
	return d.write(out, now, usage.Metrics(d.SessionID, d.Events), func() {
		list(out, "messages", d.Messages, AppendMessage)
		list(out, "events", d.Events, AppendEvent)
	})
}

// Encoded stands for the Messages and Events of a document whose bytes are at
// hand: items as AppendMessage and AppendEvent make them, one behind the other.
type Encoded struct {
	Messages, Events Items
	Usage            usage.Summary
}

// Items are the bytes of a list.
type Items interface {
	// Len is 0 for a list without items.
	Len() int64
	// WriteTo writes them without the comma before the first.
	io.WriterTo
}

// SaveEncoded is Save with parts in the place of Messages and Events.
func (d Document) SaveEncoded(path string, now time.Time, parts Encoded) error {
	return save(path, func(w io.Writer) error {
		out := &writer{w: bufio.NewWriter(w)}
		return d.write(out, now, parts.Usage, func() {
			out.items("messages", parts.Messages)
			out.items("events", parts.Events)
		})
	})
}

// write writes the members in their order; lists writes the two long ones.
func (d Document) write(out *writer, now time.Time, sums usage.Summary, lists func()) error {
	saved := now.Local().Format(localTime)
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
	lists()
	list(out, "tools", d.Tools, appendItem)
	d.Uploads.members(out)
	out.member("last_save_time", saved)
	return out.end()
}

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// MessageJSON returns a message as a document holds it, on one line. It keeps
// the null fields that readers of the original's files see.
func MessageJSON(m llm.Message) ([]byte, error) {
	raw, err := m.MarshalJSON()
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

// AppendMessage appends a message to dst as an item of a document's list.
func AppendMessage(dst []byte, m llm.Message) ([]byte, error) {
	raw, err := MessageJSON(m)
	if err != nil {
		return dst, fmt.Errorf("encode session: %w", err)
	}
	return AppendItem(dst, raw)
}

// AppendEvent appends an event to dst as an item of a document's list.
func AppendEvent(dst []byte, ev event.Event) ([]byte, error) {
	raw, err := EventJSON(ev)
	if err != nil {
		return dst, fmt.Errorf("encode session: %w", err)
	}
	return AppendItem(dst, raw)
}

// EventJSON returns an event as a document holds it, on one line.
func EventJSON(ev event.Event) ([]byte, error) {
	kind, err := event.Encode(ev.Type)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, 0, len(ev.Data)+128)
	raw = append(raw, `{"timestamp":`...)
	if ev.Time.IsZero() {
		raw = append(raw, "null"...)
	} else {
		raw = ev.Time.UTC().AppendFormat(raw, `"2006-01-02T15:04:05.000Z"`)
	}
	raw = append(append(raw, `,"event_type":`...), kind...)
	raw = append(raw, `,"data":`...)
	if len(ev.Data) == 0 {
		raw = append(raw, "{}"...)
	}
	return append(append(raw, ev.Data...), '}'), nil
}

// itemIndent is what stands before each line of a list's item.
const itemIndent = "    "

// AppendItem appends JSON to dst as an item of a list: behind a comma, on a
// line of its own, indented and in ASCII.
func AppendItem(dst, raw []byte) ([]byte, error) {
	var lines bytes.Buffer
	lines.Grow(len(raw) + len(raw)/4)
	if err := json.Indent(&lines, raw, itemIndent, "  "); err != nil {
		return dst, fmt.Errorf("encode session: %w", err)
	}
	dst = append(dst, ",\n"+itemIndent...)
	return appendASCII(dst, lines.Bytes()), nil
}

func appendItem(dst []byte, raw json.RawMessage) ([]byte, error) { return AppendItem(dst, raw) }

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

// list writes an array whose items add encodes.
func list[T any](o *writer, name string, items []T, add func([]byte, T) ([]byte, error)) {
	o.name(name)
	o.text("[")
	for i, item := range items {
		if o.err != nil {
			return
		}
		if o.ascii, o.err = add(o.ascii[:0], item); o.err != nil {
			return
		}
		from := 0
		if i == 0 {
			from = len(",")
		}
		_, o.err = o.w.Write(o.ascii[from:])
	}
	o.close(len(items) == 0)
}

// items writes an array of encoded items.
func (o *writer) items(name string, items Items) {
	o.name(name)
	o.text("[")
	if o.err == nil {
		_, o.err = items.WriteTo(o.w)
	}
	o.close(items.Len() == 0)
}

func (o *writer) close(empty bool) {
	if !empty {
		o.text("\n  ")
	}
	o.text("]")
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
		n := 0
		for n < len(src) && src[n] < utf8.RuneSelf {
			n++
		}
		dst, src = append(dst, src[:n]...), src[n:]
		if len(src) == 0 {
			break
		}
		r, size := utf8.DecodeRune(src)
		src = src[size:]
		if hi, lo := utf16.EncodeRune(r); hi != utf8.RuneError {
			dst = fmt.Appendf(dst, `\u%04x\u%04x`, hi, lo)
		} else {
			dst = fmt.Appendf(dst, `\u%04x`, r)
		}
	}
	return dst
}

package document

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Read reads a saved session, ours or the original's. Only messages
// must be there, as an array; entries that are no messages are dropped and
// counted, and everything else may be missing or odd.
func Read(path string) (Document, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > mostBytes {
		return Document{}, fmt.Errorf("read session %s: it has more than %d MB", path, mostBytes>>20)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return Document{}, fmt.Errorf("read session: %w", err)
	}
	d, err := Parse(raw)
	if err != nil {
		return Document{}, fmt.Errorf("read session %s: %w", path, err)
	}
	return d, nil
}

// mostBytes bounds a file: a session of 20,000 events has some tens of megabytes.
const mostBytes = 256 << 20

// Parse reads a session JSON as [Read] reads a file.
func Parse(raw []byte) (Document, error) {
	var in map[string]json.RawMessage
	if err := json.Unmarshal(raw, &in); err != nil {
		if err = json.Unmarshal(Finite(raw), &in); err != nil {
			return Document{}, fmt.Errorf("it is no JSON object: %w", err)
		}
	}
	var messages []json.RawMessage
	if json.Unmarshal(in["messages"], &messages) != nil || messages == nil {
		return Document{}, fmt.Errorf("its messages are no array")
	}
	d := Document{
		SessionID: text(in["session_id"]), UserID: textOrNil(in["user_id"]), HFUsername: textOrNil(in["hf_username"]),
		StartTime: text(in["session_start_time"]), EndTime: text(in["session_end_time"]), Model: text(in["model_name"]),
		Cwd: text(in["cwd"]), GitBranch: text(in["git_branch"]), Title: text(in["title"]), AppVersion: text(in["app_version"]),
		Events: readEvents(text(in["session_id"]), in["events"]),
	}
	_ = json.Unmarshal(in["tools"], &d.Tools)            // no array: no tools
	_ = json.Unmarshal(in["total_cost_usd"], &d.CostUSD) // no number: unknown
	_ = json.Unmarshal(in["cost_incomplete"], &d.CostIncomplete)
	for i, one := range messages {
		var m llm.Message
		if string(one) == "null" || m.UnmarshalJSON(verbatim(one)) != nil {
			d.Dropped++
			continue
		}
		d.Messages = append(d.Messages, m)
		d.index = append(d.index, i)
	}
	return d, nil
}

// verbatim undoes the indentation and the escaping of a saved message, so that
// what a provider wants back verbatim is what it was before the save.
func verbatim(raw []byte) []byte {
	var buf bytes.Buffer
	if json.Compact(&buf, raw) != nil {
		return raw
	}
	in := buf.Bytes()
	out := make([]byte, 0, len(in))
	for len(in) > 0 {
		if in[0] != '\\' || len(in) < 2 {
			out, in = append(out, in[0]), in[1:]
			continue
		}
		r := escaped(in)
		n := 6
		if utf16.IsSurrogate(r) {
			r = utf16.DecodeRune(r, escaped(in[n:]))
			n = 12
		}
		if r < utf8.RuneSelf || r == utf8.RuneError { // another escape, or half of a pair
			out, in = append(out, in[:2]...), in[2:]
			continue
		}
		out, in = utf8.AppendRune(out, r), in[n:]
	}
	return out
}

// escaped returns the value of the \uXXXX that in begins with, or 0.
func escaped(in []byte) rune {
	if len(in) < 6 || in[0] != '\\' || in[1] != 'u' {
		return 0
	}
	n, err := strconv.ParseUint(string(in[2:6]), 16, 32)
	if err != nil {
		return 0
	}
	return rune(n)
}

func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s) // anything else counts as missing
	return s
}

func textOrNil(raw json.RawMessage) *string {
	return orNull(text(raw))
}

func readEvents(session string, raw json.RawMessage) []event.Event {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	var out []event.Event
	for _, one := range list {
		var in struct {
			Timestamp json.RawMessage `json:"timestamp"`
			Type      event.Type      `json:"event_type"`
			Data      json.RawMessage `json:"data"`
		}
		if json.Unmarshal(one, &in) != nil || in.Type == "" {
			continue
		}
		if len(in.Data) == 0 || string(in.Data) == "null" {
			in.Data = json.RawMessage("{}")
		}
		at, _ := readTime(text(in.Timestamp)) // unknown stays zero
		out = append(out, event.Event{Seq: int64(len(out) + 1), Time: at, SessionID: session, Type: in.Type, Data: in.Data})
	}
	return out
}

// readTime reads a time with a zone or, as the original writes some, without
// one: then it is local.
func readTime(s string) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t.UTC(), true
	}
	t, err := time.ParseInLocation("2006-01-02T15:04:05", s, time.Local)
	return t.UTC(), err == nil
}

// Finite puts null in the place of NaN, Infinity and -Infinity, which Python
// writes and JSON does not know.
func Finite(raw []byte) []byte {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		if raw[i] == '"' {
			end := stringEnd(raw, i)
			out = append(out, raw[i:end]...)
			i = end
			continue
		}
		if word := notFinite(raw[i:]); word != "" {
			out = append(out, "null"...)
			i += len(word)
			continue
		}
		out = append(out, raw[i])
		i++
	}
	return out
}

// stringEnd returns the offset behind the JSON string that begins at i.
func stringEnd(raw []byte, i int) int {
	for i++; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(raw)
}

func notFinite(raw []byte) string {
	for _, word := range []string{"NaN", "Infinity", "-Infinity"} {
		if bytes.HasPrefix(raw, []byte(word)) {
			return word
		}
	}
	return ""
}

package source

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/lab/trajectory"
)

// mostBytes bounds the file of one session, which is read as a whole.
const mostBytes = 256 << 20

// errNoSession says that a file is none.
var errNoSession = errors.New("it is no session file, row, journal or trace")

// File reads the session of one file in any of its forms: a session JSON, a row of a
// data set, an exported journal, or a trace in the form of Claude Code or of the Hub.
func File(path string) (*trajectory.Session, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	raw, err := io.ReadAll(io.LimitReader(in, mostBytes+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > mostBytes {
		return nil, fmt.Errorf("it has more than %d MB", mostBytes>>20)
	}
	return Parse(raw)
}

// Parse reads the contents of such a file. Of rows the first counts.
func Parse(raw []byte) (*trajectory.Session, error) {
	raw = bytes.TrimLeft(bytes.TrimPrefix(raw, []byte("\ufeff")), " \r\n\t")
	first, _, _ := bytes.Cut(raw, []byte("\n"))
	var head struct {
		Type      any             `json:"type"`
		Seq       any             `json:"seq"`
		EventType any             `json:"event_type"`
		Messages  json.RawMessage `json:"messages"`
	}
	if json.Unmarshal(document.Finite(first), &head) != nil { // an object on several lines, or none
		return Row(raw)
	}
	kind, _ := head.Type.(string)
	switch {
	case head.Messages != nil:
		return Row(first)
	case head.EventType != nil && head.Seq != nil:
		return journal(raw)
	case kind != "":
		return trace(raw)
	}
	return Row(first)
}

// Row reads a session that is one JSON object: a session JSON, or a row of a data set
// whose lists are JSON in texts. What is missing or of another kind counts as empty.
func Row(raw []byte) (*trajectory.Session, error) {
	in, err := object(raw)
	if err != nil {
		return nil, err
	}
	if in["messages"] == nil && in["events"] == nil {
		return nil, errNoSession
	}
	s := &trajectory.Session{
		ID: text(in["session_id"]), User: text(in["user_id"]), Model: text(in["model_name"]),
		Start: text(in["session_start_time"]), End: text(in["session_end_time"]),
		Messages: objects(in["messages"]), Tools: objects(in["tools"]),
	}
	if usage := inside(in["usage_metrics"]); bytes.HasPrefix(bytes.TrimSpace(usage), []byte("{")) && json.Valid(usage) {
		s.Usage = usage
	}
	for _, raw := range objects(in["events"]) {
		if ev, ok := readEvent(raw, s.ID); ok {
			s.Events = append(s.Events, ev)
		}
	}
	return s, nil
}

// object cuts a JSON object into its members. Numbers that Python writes and JSON does
// not know are null.
func object(raw []byte) (in map[string]json.RawMessage, err error) {
	if json.Unmarshal(raw, &in) == nil && in != nil {
		return in, nil
	}
	if err = json.Unmarshal(document.Finite(raw), &in); err != nil || in == nil {
		return nil, errNoSession
	}
	return in, nil
}

// objects is the list that a column holds, as JSON or as JSON in a text, without what
// is no object.
func objects(column json.RawMessage) []json.RawMessage {
	var all []json.RawMessage
	raw := inside(column)
	if json.Unmarshal(raw, &all) != nil && json.Unmarshal(document.Finite(raw), &all) != nil {
		return nil
	}
	var out []json.RawMessage
	for _, one := range all {
		if one = bytes.TrimSpace(one); len(one) > 0 && one[0] == '{' {
			out = append(out, one)
		}
	}
	return out
}

// inside is the JSON in a text, and anything else as it is.
func inside(column json.RawMessage) json.RawMessage {
	if in := text(column); in != "" {
		return json.RawMessage(in)
	}
	return column
}

func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s) // anything else counts as missing
	return s
}

func readEvent(raw json.RawMessage, session string) (event.Event, bool) {
	var in struct {
		Timestamp json.RawMessage `json:"timestamp"`
		Type      json.RawMessage `json:"event_type"`
		Data      json.RawMessage `json:"data"`
	}
	if json.Unmarshal(raw, &in) != nil || text(in.Type) == "" {
		return event.Event{}, false
	}
	if len(in.Data) == 0 || string(in.Data) == "null" {
		in.Data = json.RawMessage("{}")
	}
	return event.Event{
		Time: trajectory.Time(text(in.Timestamp)), SessionID: session, Type: event.Type(text(in.Type)), Data: in.Data,
	}, true
}

// journal reads an exported journal.
func journal(raw []byte) (*trajectory.Session, error) {
	var events []event.Event
	in := bufio.NewReader(bytes.NewReader(raw))
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			var ev event.Event
			if bad := ev.UnmarshalJSON(line); bad != nil {
				if err != nil { // the last line, torn
					break
				}
				return nil, fmt.Errorf("line %d is no event: %w", n, bad)
			}
			events = append(events, ev)
		}
		if err != nil {
			break
		}
	}
	if len(events) == 0 {
		return nil, errNoSession
	}
	return ofEvents(events)
}

// ofEvents is the session of a journal.
func ofEvents(events []event.Event) (*trajectory.Session, error) {
	state, err := history.Load(events)
	if err != nil {
		return nil, err
	}
	s := &trajectory.Session{ID: state.SessionID, Model: state.Model, Start: state.Started}
	if !state.Time.IsZero() {
		s.End = state.Time.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	for _, m := range state.Messages {
		raw, err := document.MessageJSON(m)
		if err != nil {
			return nil, fmt.Errorf("encode a message: %w", err)
		}
		s.Messages = append(s.Messages, raw)
	}
	for _, ev := range events {
		if ev.Type != event.TypeAssistantChunk && ev.Type != event.TypeReasoningChunk {
			s.Events = append(s.Events, ev)
		}
	}
	return s, nil
}

// began finds the beginning of a session without reading all of its file: the text of
// session_start_time before the long lists, or the first time of a trace. It is empty
// where that is not found.
func began(path string) string {
	in, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer in.Close()
	dec := json.NewDecoder(io.LimitReader(in, headBytes))
	if token, err := dec.Token(); err != nil || token != json.Delim('{') {
		return ""
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return ""
		}
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			return ""
		}
		if key == "session_start_time" || key == "timestamp" {
			if at := text(value); at != "" && !strings.HasPrefix(at, "{") {
				return at
			}
		}
	}
	return ""
}

// headBytes is how far into a file its beginning is looked for.
const headBytes = 1 << 20

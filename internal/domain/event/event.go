package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Event is one numbered entry of a session's journal.
type Event struct {
	// Seq counts from 1 within a session, without gaps.
	Seq int64
	// Time is kept to the millisecond, in UTC.
	Time      time.Time
	SessionID string
	// TurnID is "turn_<n>", n from 1; empty outside a turn.
	TurnID string
	Type   Type
	// Data is always a JSON object; Decode turns it into the type's struct.
	Data json.RawMessage
}

// timeLayout is RFC 3339 with milliseconds, always in UTC.
const timeLayout = "2006-01-02T15:04:05.000Z"

// New returns an unnumbered event that carries p.
func New(sessionID, turnID string, at time.Time, p Payload) (Event, error) {
	data, err := Encode(p)
	if err != nil {
		return Event{}, fmt.Errorf("encode %s event: %w", p.Type(), err)
	}
	return Event{
		Time: at.UTC().Truncate(time.Millisecond), SessionID: sessionID, TurnID: turnID,
		Type: p.Type(), Data: data,
	}, nil
}

// Encode is the one way a value becomes JSON here: compact, without escaping
// <, > and &.
func Encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// AppendJSON appends the envelope to dst. withType puts "type":"event" in
// front, as stream-json wants it.
func (e Event) AppendJSON(dst []byte, withType bool) []byte {
	dst = append(dst, '{')
	if withType {
		dst = append(dst, `"type":"event",`...)
	}
	dst = append(dst, `"seq":`...)
	dst = strconv.AppendInt(dst, e.Seq, 10)
	dst = append(dst, `,"timestamp":"`...)
	dst = e.Time.UTC().AppendFormat(dst, timeLayout)
	dst = append(dst, `","session_id":`...)
	dst = strconv.AppendQuote(dst, e.SessionID)
	if e.TurnID != "" {
		dst = append(dst, `,"turn_id":`...)
		dst = strconv.AppendQuote(dst, e.TurnID)
	}
	dst = append(dst, `,"event_type":`...)
	dst = strconv.AppendQuote(dst, string(e.Type))
	dst = append(dst, `,"data":`...)
	if len(e.Data) == 0 {
		dst = append(dst, "{}"...)
	} else {
		dst = append(dst, e.Data...)
	}
	return append(dst, '}')
}

// MarshalJSON writes the envelope.
func (e Event) MarshalJSON() ([]byte, error) { return e.AppendJSON(nil, false), nil }

// UnmarshalJSON reads the envelope. Unknown event types are kept: a newer
// program's journal stays readable.
func (e *Event) UnmarshalJSON(data []byte) error {
	var in struct {
		Seq       int64           `json:"seq"`
		Timestamp time.Time       `json:"timestamp"`
		SessionID string          `json:"session_id"`
		TurnID    string          `json:"turn_id"`
		Type      Type            `json:"event_type"`
		Data      json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("decode event: %w", err)
	}
	if in.Type == "" {
		return fmt.Errorf("decode event: event_type is missing")
	}
	if len(in.Data) == 0 || string(in.Data) == "null" {
		in.Data = json.RawMessage("{}")
	}
	*e = Event{in.Seq, in.Timestamp.UTC(), in.SessionID, in.TurnID, in.Type, in.Data}
	return nil
}

// Decode reads e's data into the struct of its type.
func Decode[P Payload](e Event) (P, error) {
	var p P
	if p.Type() != e.Type {
		return p, fmt.Errorf("decode event %d: it is %s, not %s", e.Seq, e.Type, p.Type())
	}
	if err := json.Unmarshal(e.Data, &p); err != nil {
		return p, fmt.Errorf("decode %s event %d: %w", e.Type, e.Seq, err)
	}
	return p, nil
}

// AgentID returns the "agent_id" of an event that belongs to a sub-agent, or
// the empty string: rebuilding the main history skips those that have one.
func (e Event) AgentID() string {
	if !bytes.Contains(e.Data, []byte(`"agent_id"`)) {
		return ""
	}
	var in struct {
		AgentID string `json:"agent_id"`
	}
	_ = json.Unmarshal(e.Data, &in) // data that is no such object has no agent
	return in.AgentID
}

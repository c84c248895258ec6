// Package row knows a session as one row of a telemetry data set, in the shape of
// the Python original: a few plain columns, the long lists as JSON in a string,
// and the sums of what the session has used. It neither sends rows anywhere nor
// removes secrets.
package row

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/usage"
)

// Row is one session. Messages, Events, Tools and UsageMetrics hold JSON.
type Row struct {
	SessionID    string   `json:"session_id"`
	UserID       *string  `json:"user_id"`
	StartTime    string   `json:"session_start_time"`
	EndTime      string   `json:"session_end_time"`
	Model        string   `json:"model_name"`
	TotalCostUSD *float64 `json:"total_cost_usd"`
	Messages     string   `json:"messages"`
	Events       string   `json:"events"`
	Tools        string   `json:"tools"`
	UsageMetrics string   `json:"usage_metrics"`
	usage.Scalars
}

// empty is a list without items.
const empty = "[]"

// New makes the whole row of a session.
func New(d document.Document) (Row, error) {
	sums := usage.Metrics(d.SessionID, d.Events)
	r := Row{
		SessionID: d.SessionID, UserID: d.UserID, StartTime: d.StartTime, EndTime: d.EndTime, Model: d.Model,
		TotalCostUSD: &sums.App.InferenceUSD, Scalars: sums.Scalars(),
	}
	if r.UserID == nil {
		r.UserID = d.HFUsername
	}
	if n := len(d.Events); r.EndTime == "" && n > 0 && !d.Events[n-1].Time.IsZero() {
		r.EndTime = d.Events[n-1].Time.UTC().Format(time.RFC3339Nano)
	}
	var err error
	if r.Messages, err = list(d.Messages, document.MessageJSON); err != nil {
		return Row{}, fmt.Errorf("make a row of session %s: %w", d.SessionID, err)
	}
	if r.Events, err = list(d.Events, document.EventJSON); err != nil {
		return Row{}, fmt.Errorf("make a row of session %s: %w", d.SessionID, err)
	}
	if r.Tools, err = list(d.Tools, func(raw json.RawMessage) ([]byte, error) { return raw, nil }); err != nil {
		return Row{}, fmt.Errorf("make a row of session %s: %w", d.SessionID, err)
	}
	metrics, err := event.Encode(sums)
	r.UsageMetrics = string(metrics)
	return r, err
}

// list is a JSON array on one line.
func list[T any](items []T, encode func(T) ([]byte, error)) (string, error) {
	var out bytes.Buffer
	out.WriteByte('[')
	for i, item := range items {
		raw, err := encode(item)
		if err != nil {
			return "", err
		}
		if i > 0 {
			out.WriteByte(',')
		}
		if err := json.Compact(&out, raw); err != nil {
			return "", err
		}
	}
	out.WriteByte(']')
	return out.String(), nil
}

// Counters is the row without anything that was said or done: numbers, times,
// the names of models, and user in the place of the user's name.
func (r Row) Counters(user string) Row {
	r.UserID = &user
	r.Messages, r.Events, r.Tools = empty, empty, empty
	return r
}

// Line is the row as one line of JSON, with its newline.
func (r Row) Line() ([]byte, error) {
	raw, err := event.Encode(r)
	if err != nil {
		return nil, fmt.Errorf("encode the row of session %s: %w", r.SessionID, err)
	}
	return append(raw, '\n'), nil
}

// Document reads the row of a session, ours or the original's, as a session
// with its sums. Columns that are not what they should be count as empty, and
// sums that are missing are made anew from the events.
func Document(line []byte) (document.Document, usage.Summary, error) {
	var in map[string]json.RawMessage
	if err := json.Unmarshal(line, &in); err != nil {
		return document.Document{}, usage.Summary{}, fmt.Errorf("read the row of a session: it is no JSON object: %w", err)
	}
	for _, column := range []string{"messages", "events", "tools"} {
		in[column] = lists(in[column])
	}
	raw, err := json.Marshal(in)
	if err != nil {
		return document.Document{}, usage.Summary{}, fmt.Errorf("read the row of a session: %w", err)
	}
	d, err := document.Parse(raw)
	if err != nil {
		return document.Document{}, usage.Summary{}, fmt.Errorf("read the row of a session: %w", err)
	}
	sums, ok := usage.Parse(inside(in["usage_metrics"]))
	if !ok {
		sums = usage.Metrics(d.SessionID, d.Events)
	}
	return d, sums, nil
}

// lists is the array that a column holds, as text or as it is.
func lists(column json.RawMessage) json.RawMessage {
	var items []json.RawMessage
	if raw := inside(column); json.Unmarshal(raw, &items) == nil && items != nil {
		return raw
	}
	return json.RawMessage(empty)
}

// inside is the JSON in a text, and anything else as it is.
func inside(column json.RawMessage) json.RawMessage {
	var text string
	if json.Unmarshal(column, &text) == nil {
		return json.RawMessage(text)
	}
	return column
}

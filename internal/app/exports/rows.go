package exports

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/row"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/transcript"
	"github.com/ml-intern/ml-intern/internal/app/exports/source"
	"github.com/ml-intern/ml-intern/internal/app/exports/target"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/usage"
	"github.com/ml-intern/ml-intern/internal/lab/trajectory"
	"github.com/ml-intern/ml-intern/internal/platform/redact"
	"github.com/ml-intern/ml-intern/internal/sink/trace"
)

// Rows says which sessions become rows of telemetry.
type Rows struct {
	// From and To bound the days on which the sessions began; zero is no bound.
	From, To time.Time
	// Counters, where it is set, is how shared telemetry renders a session of a user:
	// rows are then what it would send, and sessions it would not send are left out.
	Counters func(user string) trace.Render
}

// Sessions writes a file of one row a session.
func (r Rows) Sessions(ctx context.Context, o Options) (Summary, error) {
	e := begin(o)
	err := e.sessions(ctx, source.Wanted{From: r.From, To: r.To}, func(found source.Found) error {
		if found.ID == "" {
			e.sum.LeftOut++
			return nil
		}
		line, err := r.line(ctx, found.Session, e.Scrubber)
		if err == nil && line != nil {
			line, err = e.clean(found.Session, line)
		}
		switch {
		case err != nil:
			return e.unfit(found, err)
		case line == nil:
			e.sum.LeftOut++
			return nil
		}
		name := fileName(found.ID)
		return e.put(ctx, target.File{Path: "sessions/" + found.Day + "/" + name + ".jsonl", Data: line, Message: "Add session " + name})
	})
	return e.sum, err
}

// line is the row of a session, nil for one that is left out. The sums that came with it
// count where they are sound.
func (r Rows) line(ctx context.Context, s *trajectory.Session, scrubber *redact.Scrubber) ([]byte, error) {
	d := documentOf(s)
	if r.Counters != nil {
		if !transcript.Of(d).Answered() {
			return nil, nil
		}
		content, err := r.Counters(s.User)(ctx, d, scrubber)
		return content.Bytes, err
	}
	out, err := row.New(d)
	if err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	if sums, ok := usage.Parse(s.Usage); ok && json.Compact(&compact, s.Usage) == nil {
		out.UsageMetrics, out.Scalars = compact.String(), sums.Scalars()
	}
	return out.Line()
}

// documentOf is a session with the events that files keep.
func documentOf(s *trajectory.Session) document.Document {
	d := document.Document{SessionID: s.ID, StartTime: s.Start, EndTime: s.End, Model: s.Model, Tools: s.Tools}
	if s.User != "" {
		d.UserID = &s.User
	}
	for _, raw := range s.Messages {
		var m llm.Message
		if m.UnmarshalJSON(raw) == nil {
			d.Messages = append(d.Messages, m)
		}
	}
	for _, ev := range s.Events {
		if !ev.Type.Bulk() {
			d.Events = append(d.Events, ev)
		}
	}
	return d
}

package sessions

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/claude"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/codex"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/foreign"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
)

// Read reads a session file of any kind: a session JSON of ours or of the
// Python original, a journal, or a file of Claude Code or Codex.
func Read(path string) (document.Document, error) {
	in, err := os.Open(path)
	if err != nil {
		return document.Document{}, fmt.Errorf("read session: %w", err)
	}
	defer in.Close()
	read, err := reader(in)
	if err == nil && read == nil {
		return document.Read(path)
	}
	var d document.Document
	if err == nil {
		_, err = in.Seek(0, io.SeekStart)
	}
	if err == nil {
		d, err = read(in)
	}
	if err != nil {
		return document.Document{}, fmt.Errorf("read session %s: %w", path, err)
	}
	return d, nil
}

// headLines is how many lines are looked at to tell whose file it is.
const headLines = 200

// reader tells by its first lines who has written a file; nil for one that is
// no list of rows.
func reader(in io.Reader) (func(io.Reader) (document.Document, error), error) {
	bad, n := 0, 0
	for raw, err := range foreign.Lines(in, &bad) {
		if errors.Is(err, foreign.ErrTooLarge) {
			return nil, err
		}
		if n++; err != nil || n > headLines {
			break
		}
		var row struct {
			Type      *string         `json:"type"`
			EventType string          `json:"event_type"`
			Seq       int64           `json:"seq"`
			Messages  json.RawMessage `json:"messages"`
			ID        string          `json:"id"`
			Timestamp string          `json:"timestamp"`
		}
		if json.Unmarshal(raw, &row) != nil {
			continue
		}
		switch {
		case row.Messages != nil:
			return nil, nil
		case row.EventType != "" && row.Seq == 1 && n == 1 && bad == 0:
			return readJournal, nil
		case row.Type == nil && n == 1 && row.ID != "" && row.Timestamp != "":
			return codex.Read, nil // the first versions
		case row.Type != nil && codex.Is(*row.Type):
			return codex.Read, nil
		case row.Type != nil && claude.Is(*row.Type):
			return claude.Read, nil
		}
	}
	return nil, nil
}

// readJournal reads the journal of a session that was exported. Of its
// settings and rules nothing is taken over.
func readJournal(in io.Reader) (document.Document, error) {
	var events []event.Event
	bad, n := 0, int64(0)
	for raw, err := range foreign.Lines(in, &bad) {
		if err != nil {
			return document.Document{}, err
		}
		var ev event.Event
		n++
		if err := ev.UnmarshalJSON(raw); err != nil || ev.Seq != n || bad > 0 || ev.SessionID != sessionOf(events, ev) {
			return document.Document{}, fmt.Errorf("line %d is no event of this journal", n)
		}
		events = append(events, ev)
	}
	s, err := history.Load(events)
	if err != nil {
		return document.Document{}, err
	}
	d := document.Build(s, events, document.About{})
	d.Unowned = true
	if spent, complete := s.Spent(); len(s.Spend) > 0 {
		usd := float64(spent) / 1e6
		d.CostUSD, d.CostIncomplete = &usd, !complete
	}
	return d, nil
}

// sessionOf is the session that the events belong to.
func sessionOf(events []event.Event, ev event.Event) string {
	if len(events) == 0 {
		return ev.SessionID
	}
	return events[0].SessionID
}

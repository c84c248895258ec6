// Package ledger reads what the sessions on this machine have spent, from the
// spend events in their journals. It asks nobody, and writes nothing.
package ledger

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Session is the ledger of one session.
type Session struct {
	ID      string
	Updated time.Time // when its journal was last written
	// Entries are the newest of each id, by id.
	Entries []event.Spend
}

// Sum is an amount in millionths of a dollar. Unknown counts entries without
// one.
type Sum struct {
	Settled  int64 `json:"settled_micro_usd"`
	Reserved int64 `json:"reserved_micro_usd"`
	Unknown  int   `json:"unknown"`
}

// Add takes an entry.
func (s *Sum) Add(e event.Spend) {
	switch {
	case e.State == event.SpendReleased:
	case e.MicroUSD == nil:
		s.Unknown++
	case e.State == event.SpendReserved:
		s.Reserved += max(0, *e.MicroUSD)
	default:
		s.Settled += max(0, *e.MicroUSD)
	}
}

// ByKind sums the entries of sessions.
func ByKind(sessions []Session) map[event.SpendKind]*Sum {
	out := map[event.SpendKind]*Sum{}
	for _, s := range sessions {
		for _, e := range s.Entries {
			if out[e.Kind] == nil {
				out[e.Kind] = &Sum{}
			}
			out[e.Kind].Add(e)
		}
	}
	return out
}

// lineLimit bounds a line that is looked at, in bytes; spend events are short.
const lineLimit = 64 << 10

// Read reads the journal of a session. A torn last line does not count.
func Read(id, path string) (Session, error) {
	file, err := os.Open(path)
	if err != nil {
		return Session{}, fmt.Errorf("read the ledger of session %s: %w", id, err)
	}
	defer file.Close()
	s := Session{ID: id}
	if info, err := file.Stat(); err == nil {
		s.Updated = info.ModTime()
	}
	newest := map[string]event.Spend{}
	err = Events(file, []event.Type{event.TypeSpend}, func(ev event.Event) {
		if e, err := event.Decode[event.Spend](ev); err == nil && e.ID != "" {
			newest[e.ID] = e
		}
	})
	if err != nil {
		return Session{}, fmt.Errorf("read the ledger of session %s: %w", id, err)
	}
	for _, e := range newest {
		s.Entries = append(s.Entries, e)
	}
	slices.SortFunc(s.Entries, func(a, b event.Spend) int { return strings.Compare(a.ID, b.ID) })
	return s, nil
}

// Events hands on the events of some types in a journal, but for very long ones
// and a torn last line.
func Events(r io.Reader, types []event.Type, take func(event.Event)) error {
	marks := make([][]byte, len(types))
	for i, t := range types {
		marks[i] = []byte(`"` + string(t) + `"`)
	}
	return lines(r, func(line []byte) {
		var ev event.Event
		if slices.ContainsFunc(marks, func(mark []byte) bool { return bytes.Contains(line, mark) }) &&
			ev.UnmarshalJSON(line) == nil && slices.Contains(types, ev.Type) {
			take(ev)
		}
	})
}

// lines hands whole lines on; the longest ones are skipped without being held.
func lines(r io.Reader, take func(line []byte)) error {
	in := bufio.NewReaderSize(r, lineLimit)
	for skip := false; ; {
		line, err := in.ReadSlice('\n')
		switch {
		case err == nil && !skip:
			take(bytes.TrimSpace(line))
		case err == nil:
			skip = false
		case errors.Is(err, bufio.ErrBufferFull):
			skip = true
		case errors.Is(err, io.EOF):
			return nil
		default:
			return err
		}
	}
}

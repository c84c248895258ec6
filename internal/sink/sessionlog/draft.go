package sessionlog

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/usage"
)

// draft is the file in the making. Each message and each event is encoded once,
// when it comes, so that a save only puts bytes together. Of the messages the
// state keeps no text.
type draft struct {
	state    history.State
	meter    usage.Meter
	messages pile    // encoded; also those that are no longer in force
	order    []piece // the messages in force, one a message of the state
	events   pile    // encoded
}

// piece is where a message lies in the pile.
type piece struct {
	from int64
	size int64 // 0 for a message that could not be encoded
	sum  digest
}

// digest tells a message by what it says.
type digest [16]byte

func newDraft(dir string) draft {
	return draft{messages: pile{dir: dir}, events: pile{dir: dir}}
}

// take folds an event and encodes what it brings; changed is false for one
// that leaves no trace in the file. Errors leave out what they name.
func (d *draft) take(ev event.Event) (changed bool, err error) {
	var errs []error
	if err := d.state.Apply(ev); err != nil {
		errs = append(errs, err)
	}
	switch edit := d.state.Edit; {
	case edit.Added:
		errs = append(errs, d.insert(edit.At))
	case edit.Replaced:
		errs = append(errs, d.replace())
	}
	if !ev.Type.Bulk() {
		d.meter.Add(ev)
		d.events.tail, err = document.AppendEvent(d.events.tail, ev)
		errs = append(errs, err)
	}
	changed = !ev.Type.Bulk() || ev.Type == event.TypeHistoryMessage || ev.Type == event.TypeHistoryRewritten
	return changed, errors.Join(append(errs, d.settle())...)
}

// settle puts aside what is much; before a person has said something nothing
// may be on disk.
func (d *draft) settle() error {
	var errs []error
	for _, p := range []*pile{&d.messages, &d.events} {
		if p.full() && d.state.Spoken() {
			errs = append(errs, p.store())
		}
	}
	return errors.Join(errs...)
}

// insert encodes the message that the state has put at an index.
func (d *draft) insert(at int) error {
	m := d.state.Messages[at]
	p, err := d.encode(m, nil)
	d.order = slices.Insert(d.order, at, p)
	d.state.Shed(at)
	return err
}

// replace takes in a rewritten history: messages that were there before keep
// their bytes.
func (d *draft) replace() error {
	known := make(map[digest]piece, len(d.order))
	for _, p := range d.order {
		known[p.sum] = p
	}
	d.order = make([]piece, len(d.state.Messages))
	var errs []error
	for i, m := range d.state.Messages {
		var err error
		d.order[i], err = d.encode(m, known)
		errs = append(errs, err)
		d.state.Shed(i)
	}
	return errors.Join(errs...)
}

// encode adds a message to the pile unless it is among those known.
func (d *draft) encode(m llm.Message, known map[digest]piece) (piece, error) {
	raw, err := document.MessageJSON(m)
	if err != nil {
		return piece{}, fmt.Errorf("encode message: %w", err)
	}
	full := sha256.Sum256(raw)
	p := piece{from: d.messages.len(), sum: digest(full[:])}
	if old, ok := known[p.sum]; ok && old.size > 0 {
		return old, nil
	}
	d.messages.tail, err = document.AppendItem(d.messages.tail, raw)
	p.size = d.messages.len() - p.from
	return p, err
}

// save writes the file.
func (d *draft) save(path, session string, about document.About, uploads document.Uploads, now time.Time) error {
	doc := document.Build(&d.state, nil, about)
	doc.SessionID, doc.Uploads = session, uploads
	return doc.SaveEncoded(path, now, document.Encoded{
		Messages: inOrder{d}, Events: allEvents{d}, Usage: d.meter.Summary(session),
	})
}

func (d *draft) size() int64 { return d.messages.len() + d.events.len() }

func (d *draft) close() error { return errors.Join(d.messages.close(), d.events.close()) }

// allEvents are the events as a document's list.
type allEvents struct{ d *draft }

// Len returns the length in bytes.
func (a allEvents) Len() int64 { return a.d.events.len() }

// WriteTo writes the events without the comma before the first.
func (a allEvents) WriteTo(w io.Writer) (int64, error) {
	if a.Len() == 0 {
		return 0, nil
	}
	return a.Len() - 1, a.d.events.copy(w, 1, a.Len())
}

// inOrder are the messages in force as a document's list.
type inOrder struct{ d *draft }

// Len returns the length in bytes.
func (o inOrder) Len() (n int64) {
	for _, p := range o.d.order {
		n += p.size
	}
	return n
}

// WriteTo writes the messages without the comma before the first; those that
// lie side by side go at once.
func (o inOrder) WriteTo(w io.Writer) (n int64, err error) {
	var from, to int64
	first := true
	flush := func() {
		if first && to > from {
			first = false
			from++ // the comma
		}
		if err == nil && to > from {
			err = o.d.messages.copy(w, from, to)
			n += to - from
		}
	}
	for _, p := range o.d.order {
		if p.size == 0 {
			continue
		}
		if p.from != to {
			flush()
			from = p.from
		}
		to = p.from + p.size
	}
	flush()
	return n, err
}

// Package waiting keeps what a person has said that no turn has begun with yet. It
// knows neither turns nor how anything is drawn.
package waiting

import (
	"slices"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
)

// limit is the most characters that are kept of a text.
const limit = 64 << 10

// Texts are the texts, in the order they came. The zero value is empty.
type Texts struct{ list []event.InputAccepted }

// Add takes a text and returns it as it is kept: bounded, of pictures the kind.
func (t *Texts) Add(in event.InputAccepted) event.InputAccepted {
	in.Images = slices.Clone(in.Images)
	for i := range in.Images {
		in.Images[i].Data = ""
	}
	in.Text, in.Shown = excerpt.Head(in.Text, limit), excerpt.Head(in.Shown, limit)
	t.list = append(t.list, in)
	return in
}

// Take gives out the text of a submission, which waits no longer.
func (t *Texts) Take(id string) (in event.InputAccepted, ok bool) {
	return t.take(func(in event.InputAccepted) bool { return id != "" && in.SubmissionID == id })
}

// Join gives out a text that wanted to join the running turn.
func (t *Texts) Join(text string) (in event.InputAccepted, ok bool) {
	text = excerpt.Head(text, limit)
	return t.take(func(in event.InputAccepted) bool { return in.Steer && in.Text == text })
}

func (t *Texts) take(fits func(event.InputAccepted) bool) (in event.InputAccepted, ok bool) {
	i := slices.IndexFunc(t.list, fits)
	if i < 0 {
		return in, false
	}
	in = t.list[i]
	t.list = slices.Delete(slices.Clone(t.list), i, i+1)
	return in, true
}

// Len is how many there are.
func (t *Texts) Len() int { return len(t.list) }

// All lists them: first what joins the running turn.
func (t *Texts) All() []event.InputAccepted {
	all := slices.Clone(t.list)
	slices.SortStableFunc(all, func(a, b event.InputAccepted) int {
		switch {
		case a.Steer == b.Steer:
			return 0
		case a.Steer:
			return -1
		}
		return 1
	})
	return all
}

// Typed is what the person typed.
func Typed(in event.InputAccepted) string {
	if in.Shown != "" {
		return in.Shown
	}
	return in.Text
}

// Note says what a text waits for.
func Note(in event.InputAccepted) string {
	if in.Steer {
		return "joins"
	}
	return "queued"
}

// Package complete says what a text that is being typed may become: names and
// arguments of slash commands, paths, and whatever else is given as a Source.
// It ranks what matches. It draws nothing and keeps no goroutine.
package complete

import (
	"context"
	"strings"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// Source looks at the line in front of the cursor and says whether something at
// its end is of its kind. It is called at every key and only looks; start says
// that the line is the first of the text.
type Source func(line string, start bool) (Request, bool)

// Request is something that can be completed.
type Request struct {
	// Part is the end of the line that a chosen option replaces, Query what
	// options are ranked by.
	Part, Query string
	// Auto opens the menu without being asked for.
	Auto bool
	// Fold says that capitals make no difference to what is typed.
	Fold bool
	// Free says that what is typed may well be something that is no option:
	// Enter then takes an option only after it was chosen with the arrow keys.
	Free bool
	// Quick says that Options answers at once and may be called while the
	// screen waits.
	Quick bool
	// Options lists what there is. It may take its time, runs beside the
	// screen, and returns soon after ctx is done. It need not narrow the list.
	Options func(ctx context.Context) []dialog.Option
	// Later takes the place of what Options of a Quick request has listed as soon
	// as it returns, as Options of others does; nil where nothing is to come.
	Later func(ctx context.Context) []dialog.Option
	// Insert is the text that a chosen option puts in the place of Part; more
	// says that it can be completed further at once. Nil puts the option's
	// value and a blank.
	Insert func(o dialog.Option) (text string, more bool)
}

// Text is what choosing o puts in the place of r.Part.
func (r Request) Text(o dialog.Option) (text string, more bool) {
	if r.Insert == nil {
		return o.Value + " ", false
	}
	return r.Insert(o)
}

// Done reports whether what is typed is o already.
func (r Request) Done(o dialog.Option) bool {
	text, _ := r.Text(o)
	text, part := strings.TrimSpace(text), strings.TrimSpace(r.Part)
	return text == part || r.Fold && strings.EqualFold(text, part)
}

// First asks the sources in their order.
func First(sources []Source, line string, start bool) (Request, bool) {
	for _, source := range sources {
		if r, ok := source(line, start); ok {
			return r, true
		}
	}
	return Request{}, false
}

// Mention is how a path is written into a message. One with blanks stands in
// quotes.
func Mention(path string) string {
	if strings.ContainsAny(path, " \t") {
		return `@"` + path + `"`
	}
	return "@" + path
}

// Package source is where exports find sessions: on this machine, in a folder of
// files, in a store of another installation, in a data set on the Hub. Each yields them
// one at a time, so that any number of them needs little memory, and passes over what it
// cannot read. What becomes of them is not its business.
//
// A further place, a database for one, is one file with a type that is a [Source].
package source

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/ml-intern/ml-intern/internal/lab/trajectory"
)

// Source is a place with sessions.
type Source interface {
	// Sessions yields those that are wanted, those of the newest day first, and within
	// a day in the order of their ids. An error of the type [*BadError] is about one
	// session, and others follow; any other ends it.
	Sessions(ctx context.Context, want Wanted) iter.Seq2[Found, error]
	// String names the place for people.
	String() string
}

// Wanted says which sessions are wanted.
type Wanted struct {
	// From and To bound a time, To not included; zero is no bound.
	From, To time.Time
	// Active wants sessions that may have gone on in that time, rather than those that
	// began in it. More may come than have.
	Active bool
}

// Found is a session.
type Found struct {
	*trajectory.Session
	// Day is the UTC day under which the session is kept, as in 2026-01-31, or "unknown".
	Day string
}

// BadError says that one session could not be read.
type BadError struct {
	Name string // of the file or the session
	Err  error
}

func (e *BadError) Error() string { return fmt.Sprintf("read session %s: %v", e.Name, e.Err) }

// Unwrap returns why.
func (e *BadError) Unwrap() error { return e.Err }

// days reports whether a day is wanted. Sessions are kept under the day of their
// beginning: those of the day before may go on.
func (w Wanted) days(day string) bool {
	if day == unknownDay {
		return w.Active || w.From.IsZero() && w.To.IsZero()
	}
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return false
	}
	from := w.From
	if w.Active {
		from = from.Add(-24 * time.Hour)
	}
	return (w.From.IsZero() || at.Add(24*time.Hour).After(from)) && (w.To.IsZero() || at.Before(w.To))
}

// unknownDay stands for the day of sessions of which nobody knows when they began; it
// comes behind all others.
const unknownDay = "0001-01-01"

// dayOf is the day under which a session is kept that lies under none.
func dayOf(s *trajectory.Session) string {
	if day := s.Day(); day != "" {
		return day
	}
	return unknownDay
}

// Package saved is what the program does with the sessions on this machine
// beside going on with them: it names them, brings files of other programs in
// and copies them. It knows neither commands nor screens.
package saved

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/google/uuid"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/discover"
	"github.com/ml-intern/ml-intern/internal/adapter/store"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
)

// Options of the saved sessions.
type Options struct {
	Store *store.Store
	// Dirs hold session files, Cache what is remembered of all sessions.
	Dirs  []string
	Cache string
	// Model is as for [sessions.Options].
	Model func(saved string) (id string, ok bool)
	// Elsewhere is where other programs keep their sessions.
	Elsewhere discover.Places
	// User is who is logged in, nil for nobody.
	User func(ctx context.Context) *string
	// Scrub removes secrets from what is written.
	Scrub func(raw []byte) ([]byte, error)
}

// Sessions are the sessions on this machine.
type Sessions struct {
	*sessions.Library
	opts Options
}

// New returns the sessions on this machine.
func New(o Options) (*Sessions, error) {
	lib, err := sessions.New(sessions.Options{
		Journals: o.Store, Dirs: o.Dirs, Model: o.Model, Index: filepath.Join(o.Cache, "sessions.json"),
	})
	return &Sessions{lib, o}, err
}

// FileError says that a session is only a file, which nothing may be added to.
type FileError struct{ Path string }

func (e *FileError) Error() string {
	return fmt.Sprintf("%s is only a file: bring it in first with ml-intern sessions import %s", e.Path, e.Path)
}

// ErrNoTitle says that a title is empty.
var ErrNoTitle = errors.New("a title has at least one character")

// Rename gives a session that nobody works on a title, which it returns as it
// is kept: on one line, and not too long. The error is a *store.HeldError where
// somebody works on it, a *FileError where there is no journal.
func (s *Sessions) Rename(ctx context.Context, e sessions.Entry, title string) (string, error) {
	if !e.Journal {
		return "", &FileError{e.Path}
	}
	if title = history.Cut(history.Line(title), history.MaxTitle); title == "" {
		return "", ErrNoTitle
	}
	err := s.append(ctx, e.SessionID, event.Renamed{Title: title, By: "user"})
	return title, err
}

// append writes to the journal of a session that nobody works on, and lets it
// go again.
func (s *Sessions) append(ctx context.Context, id string, ps ...event.Payload) error {
	j, err := journal.Open(ctx, journal.Options{Store: s.opts.Store, SessionID: id, Scrub: s.opts.Scrub})
	if err != nil {
		return err
	}
	_, err = j.Append(ctx, "", ps...)
	j.Close()
	return errors.Join(err, s.opts.Store.Release(id))
}

// Fork makes a copy of a session as it is now, also of one that is running, and
// returns the id of the copy.
func (s *Sessions) Fork(ctx context.Context, e sessions.Entry) (string, error) {
	in, err := s.Library.Import(ctx, e, nil, true)
	if err != nil {
		return "", err
	}
	return s.begin(ctx, in)
}

// begin writes the journal of an imported session and returns its id. The
// system prompt comes with its first turn.
func (s *Sessions) begin(ctx context.Context, in sessions.Import) (string, error) {
	id := in.SessionID
	if id == "" {
		id = uuid.NewString()
	}
	err := s.append(ctx, id, append(in.Payloads(), in.Complete(in.Model))...)
	if err != nil {
		return "", fmt.Errorf("bring in %s: %w", in.Path, err)
	}
	return id, nil
}

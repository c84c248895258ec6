package saved

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/discover"
)

// Imported is a file that was brought in, or was here already.
type Imported struct {
	Path      string `json:"path"`
	SessionID string `json:"session_id"`
	Title     string `json:"title"`
	// Program is whose file it is; empty for ours and the original's.
	Program  string `json:"program,omitempty"`
	Messages int    `json:"messages"`
	// Dropped counts messages or lines that were not valid, Notes tell what else
	// was left out.
	Dropped int      `json:"dropped,omitempty"`
	Notes   []string `json:"notes,omitempty"`
	// Here says that the session was here before; nothing was done.
	Here bool `json:"here,omitempty"`
	// Forked says that it goes on under an id of its own.
	Forked bool `json:"forked,omitempty"`
}

// Import makes a session of a file: a session JSON, an exported journal, or a
// file of Claude Code or Codex. The file stays as it is. With fork there is a
// copy even if the session is here already.
func (s *Sessions) Import(ctx context.Context, path string, fork bool) (Imported, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Imported{}, err
	}
	e, err := s.ByPath(ctx, path)
	if err != nil {
		return Imported{}, err
	}
	if e.Journal && !fork {
		return Imported{Path: path, SessionID: e.SessionID, Title: e.Title, Messages: e.Messages, Here: true}, nil
	}
	if e.Journal { // the copy is one of the file
		e = sessions.Entry{Path: path, Cwd: e.Cwd}
	}
	in, err := s.Library.Import(ctx, e, s.opts.User(ctx), fork)
	if err != nil {
		return Imported{}, err
	}
	title, err := s.shown(in.Name())
	if err != nil {
		return Imported{}, err
	}
	out := Imported{
		Path: path, Title: title, Program: in.Program, Messages: len(in.Messages), Dropped: in.Dropped, Notes: in.Notes, Forked: in.Forked,
	}
	out.SessionID, err = s.begin(ctx, in)
	return out, err
}

// shown is a title from a file of another program as it may stand on a screen:
// without the secrets that were typed there.
func (s *Sessions) shown(title string) (string, error) {
	raw, err := json.Marshal(title)
	if err != nil {
		return "", err
	}
	if raw, err = s.opts.Scrub(raw); err != nil {
		return "", err
	}
	err = json.Unmarshal(raw, &title)
	return title, err
}

// Found is a file of another program; Here says that it was brought in before.
type Found struct {
	discover.Found
	Here bool `json:"here"`
}

// Elsewhere lists the files of other programs that were changed last, at most
// limit of them (0 is all), and says how many there are.
func (s *Sessions) Elsewhere(ctx context.Context, limit int) (found []Found, all int, err error) {
	files, all, err := discover.Find(ctx, s.opts.Elsewhere, limit)
	if err != nil {
		return nil, 0, err
	}
	ids, err := s.opts.Store.Sessions()
	if err != nil {
		return nil, 0, err
	}
	for _, f := range files {
		if f.Title, err = s.shown(f.Title); err != nil {
			return nil, 0, err
		}
		found = append(found, Found{f, slices.Contains(ids, f.SessionID)})
	}
	return found, all, nil
}

// Several brings in files, one after the other, and goes on where one fails.
func (s *Sessions) Several(ctx context.Context, paths []string, fork bool) (done []Imported, err error) {
	var errs []error
	for _, path := range paths {
		if err := ctx.Err(); err != nil {
			return done, errors.Join(append(errs, err)...)
		}
		one, err := s.Import(ctx, path, fork)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		done = append(done, one)
	}
	return done, errors.Join(errs...)
}

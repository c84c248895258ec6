package saved

import (
	"context"
	"errors"
	"fmt"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
)

// Request is which session to go on with.
type Request struct {
	// Ref is an id, the beginning of one, a number of the list, or a path; empty
	// is the newest session of the folder Dir.
	Ref string
	Dir string
	// Inside says that it is asked from inside a session: no flag is to blame.
	Inside bool
}

// RequestError says that a request names no session, or none that is one.
type RequestError struct{ Err error }

func (e *RequestError) Error() string { return e.Err.Error() }
func (e *RequestError) Unwrap() error { return e.Err }

// Find returns the session that a request names.
func (s *Sessions) Find(ctx context.Context, r Request) (sessions.Entry, error) {
	var entry sessions.Entry
	var err error
	if r.Ref == "" {
		entry, err = s.Newest(ctx, r.Dir)
	} else {
		entry, err = s.Resolve(ctx, r.Ref)
	}
	var missing *sessions.NotFoundError
	switch {
	case errors.As(err, &missing) && r.Ref == "":
		return entry, &RequestError{fmt.Errorf("--continue: there is no session of %s yet (ml-intern sessions list --all shows those of other folders)", r.Dir)}
	case err != nil && r.Inside:
		return entry, err
	case errors.As(err, &missing):
		return entry, &RequestError{fmt.Errorf("--resume: %w (ml-intern sessions list shows them)", err)}
	case err != nil && r.Ref != "":
		return entry, &RequestError{fmt.Errorf("--resume %s: %w", r.Ref, err)}
	case err != nil:
		return entry, err
	case entry.Problem != "":
		return entry, fmt.Errorf("session %s cannot be opened: %s", entry.SessionID, entry.Problem)
	}
	return entry, nil
}

package app

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/ml-intern/ml-intern/internal/adapter/store"
	"github.com/ml-intern/ml-intern/internal/app/changes"
	"github.com/ml-intern/ml-intern/internal/app/live"
	"github.com/ml-intern/ml-intern/internal/app/saved"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
)

// chapter takes a session for writing and folds what its journal holds. What a
// copy or an import brings is written first; the end of that is the agent's to
// tell where a session runs already.
func (s *Session) chapter(ctx context.Context, found located, running bool) (*live.Chapter, error) {
	a := s.app
	j, err := a.openJournal(ctx, found.id)
	if err != nil {
		return nil, err
	}
	c := &live.Chapter{ID: found.id, Journal: j, After: j.LastSeq(), Release: func() error { return a.release(found.id) }}
	if a.memory == nil {
		if points := changes.Remembered(a.Loaded, found.id, !a.unattended, a.warn, a.Debug); points != nil {
			c.Checkpoints = points
		}
	}
	if found.imported != nil {
		err = s.restore(ctx, c, found, running)
	}
	if err == nil {
		c.State, err = a.fold(ctx, found)
	}
	if err != nil {
		return nil, errors.Join(err, a.giveUp(ctx, found))
	}
	return c, nil
}

// restore writes the first events of an imported session.
func (s *Session) restore(ctx context.Context, c *live.Chapter, found located, running bool) error {
	opening, done, err := s.app.restored(found.imported, s.Tools)
	if err != nil {
		return err
	}
	c.Complete = &done
	if !running {
		opening = append(opening, done)
	}
	if _, err := c.Journal.Append(ctx, "", opening...); err != nil {
		return fmt.Errorf("write the restored session: %w", err)
	}
	return nil
}

// fold reads what a session's journal says.
func (a *App) fold(ctx context.Context, found located) (*history.State, error) {
	events, err := a.events().Read(ctx, found.id, 0, 0)
	if err != nil {
		return nil, fmt.Errorf("read session %s: %w", found.id, err)
	}
	state, err := history.Load(events)
	if err != nil {
		return nil, fmt.Errorf("read session %s: %w", found.id, err)
	}
	if found.imported != nil { // the system prompt was made a moment ago
		state.Version, state.Runtime = Version(), a.Config().ToolRuntime
	}
	return state, nil
}

// another opens the session that a running one goes over to: the one that ref
// names, or a new one.
func (s *Session) another(ctx context.Context, ref, current string) (*live.Chapter, error) {
	a := s.app
	found, err := a.locate(ctx, SessionRequest{Resume: ref, inside: true})
	if err != nil {
		return nil, err
	}
	if found.id == current {
		return nil, fmt.Errorf("session %s is the one that is open", current)
	}
	c, err := s.chapter(ctx, found, true)
	if err != nil || ref == "" {
		return c, err
	}
	if found.imported == nil {
		done := live.Reopened(found.path, c.State)
		c.Complete = &done
	}
	c.Later = saved.Remarks(c.State, a.Loaded.Dir)
	// A model that cannot be reached from here stays as it was saved.
	if saved := c.Complete.ModelName; saved != "" {
		if _, err := a.Models.Resolve(ctx, saved); err != nil {
			c.Complete.InvalidSavedModel = &saved
		}
	}
	if c.Complete.ModelName == "" || c.Complete.InvalidSavedModel != nil {
		c.Complete.ModelName = s.Settings().Model
	}
	return c, nil
}

// saved is the journal of a session in which something was said.
func (a *App) saved(id string) string {
	path := a.transcript(id)
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// transcript is where the journal of a session lies, empty where none is kept.
func (a *App) transcript(id string) string {
	path, err := a.store.JournalPath(id)
	if err != nil || a.memory != nil {
		return ""
	}
	return path
}

// giveUp releases a session that could not be opened; a copy that was begun
// for it goes.
func (a *App) giveUp(ctx context.Context, found located) error {
	err := a.release(found.id)
	if found.imported != nil && a.memory == nil {
		err = errors.Join(err, a.store.Remove(ctx, found.id))
	}
	return err
}

// openJournal takes a session for writing.
func (a *App) openJournal(ctx context.Context, id string) (*journal.Journal, error) {
	j, err := journal.Open(ctx, journal.Options{Store: a.events(), SessionID: id, Scrub: a.scrub})
	var held *store.HeldError
	if errors.As(err, &held) {
		return nil, &UsageError{Err: fmt.Errorf("session %s is in use by process %d", held.SessionID, held.PID)}
	}
	if err != nil {
		return nil, fmt.Errorf("open session %s: %w", id, err)
	}
	return j, nil
}

package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
	"github.com/ml-intern/ml-intern/internal/app/saved"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// located is the session a request means.
type located struct {
	id string
	// path is the journal of a session that goes on in place; empty for a new
	// one.
	path string
	// imported is what a copied or imported session begins with; nil for none.
	imported *sessions.Import
}

// locate finds the session of a request, or makes an id for a new one.
func (a *App) locate(ctx context.Context, req SessionRequest) (located, error) {
	if req.ID != "" {
		if err := a.checkID(req.ID); err != nil {
			return located{}, err
		}
	}
	if !req.Continue && req.Resume == "" {
		return located{id: newOr(req.ID)}, nil
	}
	lib, err := a.Library()
	if err != nil {
		return located{}, err
	}
	entry, err := lib.Find(ctx, saved.Request{Ref: req.Resume, Dir: a.Loaded.Dir, Inside: req.inside})
	var wrong *saved.RequestError
	if errors.As(err, &wrong) {
		err = &UsageError{Err: err}
	}
	if err != nil {
		return located{}, err
	}
	// A journal whose conversation went on elsewhere is closed: only a copy
	// can go on from it.
	fork := req.Fork || entry.Journal && entry.Next != ""
	if entry.Journal && !fork {
		return located{id: entry.SessionID, path: entry.Path}, nil
	}
	return a.bringIn(ctx, lib, entry, req.ID, fork)
}

// checkID judges the id a person chose for a new session.
func (a *App) checkID(id string) error {
	parsed, err := uuid.Parse(id)
	if err != nil || parsed.String() != id {
		return &UsageError{Err: fmt.Errorf("--session-id %q is not a UUID such as %s", id, "3f2b8c1e-5d0a-4c7e-9a61-0d4e8f7b2a95")}
	}
	ids, err := a.store.Sessions()
	if err != nil {
		return err
	}
	if slices.Contains(ids, id) {
		return &UsageError{Err: fmt.Errorf("--session-id %s is in use: go on with that session with --resume %s", id, id)}
	}
	return nil
}

func newOr(id string) string {
	if id != "" {
		return id
	}
	return newID()
}

// bringIn makes a copy of a session, or a session file, the beginning of a new
// journal.
func (a *App) bringIn(ctx context.Context, lib *saved.Sessions, entry sessions.Entry, id string, fork bool) (located, error) {
	in, err := lib.Library.Import(ctx, entry, a.user(ctx, true), fork)
	if err != nil {
		return located{}, &UsageError{Err: err}
	}
	if in.SessionID == "" {
		in.SessionID = newOr(id)
	}
	return located{id: in.SessionID, imported: &in}, nil
}

// restored are the first events of an imported session, and the one behind
// them that ends the resume: the system prompt is this program's, the model the
// saved one unless another was chosen.
func (a *App) restored(in *sessions.Import, tools []string) ([]event.Payload, event.ResumeComplete, error) {
	set := a.settings(&history.State{Model: in.Model})
	system, err := a.systemPrompt(tools, set, policy.Mode(a.Config().ApprovalMode(a.unattended)))
	if err != nil {
		return nil, event.ResumeComplete{}, err
	}
	return in.Payloads(llm.Message{Role: llm.System, Text: system}), in.Complete(set.Model), nil
}

package commit

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit/content"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit/state"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// Want is what a path shall hold. It can be kept and looked for later.
type Want = state.Want

// at is a repository to look at.
func (a *API) at(t Target) state.Repo { return state.Repo{Conn: a.conn, Type: t.Type, ID: t.Repo} }

// wantOf is what a path shall hold once content is there.
func wantOf(ctx context.Context, path string, c *content.Content) (Want, error) {
	w := Want{Path: path, SHA256: c.SHA256()}
	if c.Size() > regularLimit {
		return w, nil
	}
	git, err := c.Git(ctx)
	w.Git = git
	return w, err
}

// Holding is how far a branch is from what is wanted.
type Holding struct {
	Head    string   // the commit looked at
	All     bool     // everything is as wanted
	Differs []string // the paths that are not
}

// Held looks whether a branch holds what is wanted: whether a commit whose
// outcome nobody knows has been made.
func (a *API) Held(ctx context.Context, t Target, wants []Want) (Holding, error) {
	t, err := t.filled()
	if err != nil {
		return Holding{}, err
	}
	head, err := a.at(t).Head(ctx, t.Revision)
	if err != nil {
		return Holding{}, err
	}
	h := Holding{Head: head}
	h.Differs, err = a.at(t).Differs(ctx, head, wants)
	h.All = len(h.Differs) == 0
	return h, err
}

// PullHolding looks for the newest pull request with a number above after that
// holds what is wanted, and tells its number and commit; 0 is none. It looks at
// the newest page of pull requests.
func (a *API) PullHolding(ctx context.Context, t Target, wants []Want, after int) (num int, oid string, err error) {
	if t, err = t.filled(); err != nil {
		return 0, "", err
	}
	at := a.at(t)
	pulls, err := at.Pulls(ctx)
	for _, p := range pulls {
		if p.Num <= after {
			continue
		}
		ref := "refs/pr/" + strconv.Itoa(p.Num)
		differ, err := at.Differs(ctx, ref, wants)
		if errors.Is(err, wire.RevisionNotFound) {
			continue // its branch was deleted
		}
		if err != nil {
			return 0, "", err
		}
		if len(differ) == 0 {
			oid, err := at.Head(ctx, ref)
			return p.Num, oid, err
		}
	}
	return 0, "", err
}

// Intend tells what the paths of operations will hold once they are committed.
// It reads every file for that; [Request].Before tells the same on the way.
func (a *API) Intend(ctx context.Context, t Target, ops []Operation) ([]Want, error) {
	t, err := t.filled()
	if err != nil {
		return nil, err
	}
	if err := checkAll(ops); err != nil {
		return nil, err
	}
	var wants []Want
	for _, op := range ops {
		w := Want{Path: op.place()}
		switch op := op.(type) {
		case Add:
			c, err := load(ctx, op)
			if err != nil {
				return nil, err
			}
			if w, err = wantOf(ctx, op.Path, c); err != nil {
				return nil, err
			}
		case Copy:
			e, err := a.source(ctx, t, op, t.Revision)
			if err != nil {
				return nil, err
			}
			w = copied(op.Path, e)
		case Delete:
			w.Gone = true
			if op.Folder && slices.ContainsFunc(ops, func(o Operation) bool { return o != op && below(o.place(), op.place()) }) {
				continue // what is written below it says more
			}
		}
		wants = append(wants, w)
	}
	return wants, nil
}

// copied is what a path shall hold once an entry has been copied to it.
func copied(path string, e *state.Entry) Want {
	if e.LFS != nil {
		return Want{Path: path, SHA256: e.LFS.OID}
	}
	return Want{Path: path, Git: e.OID}
}

// source finds the file that a copy reads.
func (a *API) source(ctx context.Context, t Target, c Copy, rev string) (*state.Entry, error) {
	if c.Revision != "" {
		rev = c.Revision
	}
	found, err := a.at(t).Entries(ctx, rev, []string{c.From})
	if err != nil {
		return nil, err
	}
	e := found[c.From]
	if e == nil || e.Type != "file" {
		return nil, &wire.Error{
			Kind: wire.EntryNotFound, Op: "copy " + c.From + " in " + t.Repo,
			Message: "there is no file of that name at " + rev,
		}
	}
	return e, nil
}

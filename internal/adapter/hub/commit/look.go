package commit

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit/content"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// Entry is what a revision holds at a path.
type Entry struct {
	Type string `json:"type"` // "file" or "directory"
	Path string `json:"path"`
	OID  string `json:"oid"` // git's hash
	Size int64  `json:"size"`
	LFS  *struct {
		OID  string `json:"oid"` // SHA-256
		Size int64  `json:"size"`
	} `json:"lfs,omitempty"`
}

// same reports whether two revisions hold the same at a path; nil is nothing.
func (e *Entry) same(other *Entry) bool {
	if e == nil || other == nil {
		return e == other
	}
	if e.LFS != nil && other.LFS != nil {
		return e.LFS.OID == other.LFS.OID
	}
	return e.Type == other.Type && e.OID == other.OID && (e.LFS == nil) == (other.LFS == nil)
}

// Want is what a path shall hold. It can be kept and looked for later.
type Want struct {
	Path string `json:"path"`
	// Git and SHA256 are the content's hashes; either is enough where the
	// other is not known.
	Git    string `json:"git,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	// Gone says that nothing shall be there.
	Gone bool `json:"gone,omitempty"`
}

// held reports whether an entry is what is wanted.
func (w Want) held(e *Entry) bool {
	switch {
	case w.Gone || e == nil:
		return w.Gone && e == nil
	case e.Type != "file":
		return false
	case e.LFS != nil:
		return e.LFS.OID == w.SHA256
	}
	return e.OID == w.Git
}

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
	head, err := a.head(ctx, t, t.Revision)
	if err != nil {
		return Holding{}, err
	}
	h := Holding{Head: head}
	h.Differs, err = a.differs(ctx, t, head, wants)
	h.All = len(h.Differs) == 0
	return h, err
}

// Intend tells what the paths of operations will hold once they are committed,
// to be kept before the commit and looked for after it.
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
func copied(path string, e *Entry) Want {
	if e.LFS != nil {
		return Want{Path: path, SHA256: e.LFS.OID}
	}
	return Want{Path: path, Git: e.OID}
}

// source finds the file that a copy reads.
func (a *API) source(ctx context.Context, t Target, c Copy, rev string) (*Entry, error) {
	if c.Revision != "" {
		rev = c.Revision
	}
	found, err := a.entries(ctx, t, rev, []string{c.From})
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

// head is the commit a revision stands for.
func (a *API) head(ctx context.Context, t Target, rev string) (string, error) {
	var out struct {
		SHA string `json:"sha"`
	}
	op := "look at " + rev + " of " + t.Repo
	_, err := a.conn.JSON(ctx, wire.Request{
		Op: op, Path: t.Type.API(t.Repo, "revision", rev), Query: url.Values{"expand": {"sha"}},
	}, &out)
	if err == nil && out.SHA == "" {
		err = &wire.Error{Kind: wire.Unexpected, Op: op, Message: "the answer names no commit"}
	}
	return out.SHA, err
}

// entriesAtOnce is how many paths one request asks about; the Hub takes 2000.
const entriesAtOnce = 1000

// entries tells what a revision holds at paths; nothing where it is absent.
func (a *API) entries(ctx context.Context, t Target, rev string, paths []string) (map[string]*Entry, error) {
	found := make(map[string]*Entry, len(paths))
	for group := range slices.Chunk(paths, entriesAtOnce) {
		var out []*Entry
		_, err := a.conn.JSON(ctx, wire.Request{
			Op: "look at files of " + t.Repo, Method: http.MethodPost, Reads: true,
			Path: t.Type.API(t.Repo, "paths-info", rev), JSON: map[string]any{"paths": group, "expand": false},
		}, &out)
		if err != nil {
			return nil, err
		}
		for _, e := range out {
			if e != nil {
				found[e.Path] = e
			}
		}
	}
	return found, nil
}

// differs lists the paths that are not as wanted.
func (a *API) differs(ctx context.Context, t Target, rev string, wants []Want) ([]string, error) {
	paths := make([]string, 0, len(wants))
	for _, w := range wants {
		paths = append(paths, w.Path)
	}
	found, err := a.entries(ctx, t, rev, paths)
	if err != nil {
		return nil, err
	}
	var differ []string
	for _, w := range wants {
		if !w.held(found[w.Path]) {
			differ = append(differ, w.Path)
		}
	}
	return differ, nil
}

const (
	// historyPages of historyPage commits each are searched for a commit made
	// on top of a known one.
	historyPages = 4
	historyPage  = 50
)

// child finds the commit made directly on top of base in the history of a
// revision; "" when there is none, or too much came after it.
func (a *API) child(ctx context.Context, t Target, rev, base string) (string, error) {
	newer := ""
	for p := range historyPages {
		var page []struct {
			ID string `json:"id"`
		}
		_, err := a.conn.JSON(ctx, wire.Request{
			Op: "look at the history of " + t.Repo, Path: t.Type.API(t.Repo, "commits", rev),
			Query: url.Values{"p": {strconv.Itoa(p)}, "limit": {strconv.Itoa(historyPage)}},
		}, &page)
		if err != nil {
			return "", err
		}
		for _, c := range page {
			if c.ID == base {
				return newer, nil
			}
			newer = c.ID
		}
		if len(page) == 0 {
			break
		}
	}
	return "", nil
}

// pull is a pull request, as far as it is looked at.
type pull struct {
	Num           int  `json:"num"`
	IsPullRequest bool `json:"isPullRequest"`
}

// pulls lists the newest pull requests. Where discussions are switched off
// there are none.
func (a *API) pulls(ctx context.Context, t Target) ([]pull, error) {
	var out struct {
		Discussions []pull `json:"discussions"`
	}
	_, err := a.conn.JSON(ctx, wire.Request{
		Op: "look at the pull requests of " + t.Repo, Path: t.Type.API(t.Repo, "discussions"),
		Query: url.Values{"p": {"0"}, "type": {"pull_request"}, "status": {"all"}},
	}, &out)
	if errors.Is(err, wire.Forbidden) {
		return nil, nil
	}
	return slices.DeleteFunc(out.Discussions, func(p pull) bool { return !p.IsPullRequest }), err
}

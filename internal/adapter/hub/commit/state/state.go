// Package state looks at what a repository holds: the head of a branch, what
// lies at paths, what came after a commit, which pull requests there are. It
// changes nothing and knows no plan.
package state

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// Repo is a repository to look at.
type Repo struct {
	Conn *wire.Conn
	Type wire.RepoType
	ID   string
}

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

// Same reports whether two revisions hold the same at a path; nil is nothing.
func (e *Entry) Same(other *Entry) bool {
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

// Held reports whether an entry is what is wanted.
func (w Want) Held(e *Entry) bool {
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

// Head is the commit a revision stands for.
func (r Repo) Head(ctx context.Context, rev string) (string, error) {
	var out struct {
		SHA string `json:"sha"`
	}
	op := "look at " + rev + " of " + r.ID
	_, err := r.Conn.JSON(ctx, wire.Request{
		Op: op, Path: r.Type.API(r.ID, "revision", rev), Query: url.Values{"expand": {"sha"}},
	}, &out)
	if err == nil && out.SHA == "" {
		err = &wire.Error{Kind: wire.Unexpected, Op: op, Message: "the answer names no commit"}
	}
	return out.SHA, err
}

// entriesAtOnce is how many paths one request asks about; the Hub takes 2000.
const entriesAtOnce = 1000

// Entries tells what a revision holds at paths; nothing where it is absent.
func (r Repo) Entries(ctx context.Context, rev string, paths []string) (map[string]*Entry, error) {
	found := make(map[string]*Entry, len(paths))
	for group := range slices.Chunk(paths, entriesAtOnce) {
		var out []*Entry
		_, err := r.Conn.JSON(ctx, wire.Request{
			Op: "look at files of " + r.ID, Method: http.MethodPost, Reads: true,
			Path: r.Type.API(r.ID, "paths-info", rev), JSON: map[string]any{"paths": group, "expand": false},
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

// Differs lists the paths that are not as wanted.
func (r Repo) Differs(ctx context.Context, rev string, wants []Want) ([]string, error) {
	paths := make([]string, 0, len(wants))
	for _, w := range wants {
		paths = append(paths, w.Path)
	}
	found, err := r.Entries(ctx, rev, paths)
	if err != nil {
		return nil, err
	}
	var differ []string
	for _, w := range wants {
		if !w.Held(found[w.Path]) {
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

// Child finds the commit made directly on top of base in the history of a
// revision; "" when there is none, or too much came after it.
func (r Repo) Child(ctx context.Context, rev, base string) (string, error) {
	newer := ""
	for p := range historyPages {
		var page []struct {
			ID string `json:"id"`
		}
		_, err := r.Conn.JSON(ctx, wire.Request{
			Op: "look at the history of " + r.ID, Path: r.Type.API(r.ID, "commits", rev),
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

// Pull is a pull request, as far as it is looked at.
type Pull struct {
	Num           int  `json:"num"`
	IsPullRequest bool `json:"isPullRequest"`
}

// Pulls lists the newest pull requests. Where discussions are switched off
// there are none.
func (r Repo) Pulls(ctx context.Context) ([]Pull, error) {
	var out struct {
		Discussions []Pull `json:"discussions"`
	}
	_, err := r.Conn.JSON(ctx, wire.Request{
		Op: "look at the pull requests of " + r.ID, Path: r.Type.API(r.ID, "discussions"),
		Query: url.Values{"p": {"0"}, "type": {"pull_request"}, "status": {"all"}},
	}, &out)
	if errors.Is(err, wire.Forbidden) {
		return nil, nil
	}
	return slices.DeleteFunc(out.Discussions, func(p Pull) bool { return !p.IsPullRequest }), err
}

package download

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// SnapshotOptions choose files of a snapshot by patterns, in which * stands
// for any text, / included, and ? for one character. A pattern that ends in /
// means all below.
type SnapshotOptions struct {
	Allow  []string // empty means all
	Ignore []string
}

// entry is a file of a tree.
type entry struct {
	Type string `json:"type"`
	Path string `json:"path"`
	OID  string `json:"oid"`
	Size int64  `json:"size"`
	LFS  *struct {
		OID  string `json:"oid"`
		Size int64  `json:"size"`
	} `json:"lfs"`
}

// Snapshot brings the files of one state into the cache and returns the folder
// they are in and how many they are. The tree is asked for once; the files are
// then fetched as that commit has them.
func (a *API) Snapshot(ctx context.Context, s Source, o SnapshotOptions) (dir string, files int, err error) {
	op := "download " + s.String()
	if err := s.check(); err != nil {
		return "", 0, err
	}
	if a.cache.root == "" {
		return "", 0, fmt.Errorf("%s: %w", op, errNoCache)
	}
	commit, err := a.head(ctx, s)
	var wanted []entry
	if err == nil {
		_ = a.cache.note(s, commit) // the answer counts, not the memory of it
		wanted, err = a.tree(ctx, s, commit, o)
	}
	if err != nil {
		if dir := a.kept(s, err); dir != "" {
			return dir, -1, nil
		}
		return "", 0, err
	}
	return a.cache.in(s, "snapshots", commit), len(wanted), a.all(ctx, s, commit, wanted)
}

// kept is the folder that the cache has, if the Hub could not be asked.
func (a *API) kept(s Source, err error) string {
	switch wire.KindOf(err) {
	case wire.Offline, wire.Unreachable, wire.Server:
		dir := a.cache.in(s, "snapshots", a.cache.commit(s))
		if info, err := os.Stat(dir); err == nil && info.IsDir() && a.cache.commit(s) != "" {
			return dir
		}
	}
	return ""
}

// head is the commit that a revision stands for.
func (a *API) head(ctx context.Context, s Source) (string, error) {
	op := "look up " + s.Revision + " of " + s.String()
	if wire.CheckHash("revision", s.Revision, 40) == nil {
		return s.Revision, nil
	}
	var in struct {
		SHA string `json:"sha"`
	}
	_, err := a.c.JSON(ctx, wire.Request{
		Op: op, Path: s.Type.API(s.ID, "revision", s.Revision), Query: url.Values{"expand": {"sha"}},
	}, &in)
	if err == nil && wire.CheckHash("commit", in.SHA, 40) != nil {
		err = &wire.Error{Kind: wire.Unexpected, Op: op, Status: http.StatusOK, Message: "the answer names no commit"}
	}
	return in.SHA, err
}

// tree lists the wanted files of a commit.
func (a *API) tree(ctx context.Context, s Source, commit string, o SnapshotOptions) ([]entry, error) {
	var wanted []entry
	for e, err := range wire.Pages[entry](ctx, a.c, wire.Request{
		Op: "list the files of " + s.String(), Path: s.Type.API(s.ID, "tree", commit),
		Query: url.Values{"recursive": {"true"}, "expand": {"false"}},
	}) {
		if err != nil {
			return nil, err
		}
		if e.Type != "file" || !o.wants(e.Path) {
			continue
		}
		if err := checkPath(e.Path); err != nil {
			return nil, err
		}
		wanted = append(wanted, e)
	}
	return wanted, nil
}

// all fetches files, several at once; the first failure stops the rest.
func (a *API) all(ctx context.Context, s Source, commit string, wanted []entry) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	queue := make(chan entry)
	var workers sync.WaitGroup
	for range min(a.o.Connections, len(wanted)) {
		workers.Go(func() {
			for e := range queue {
				if ctx.Err() != nil {
					continue
				}
				if err := a.one(ctx, s, commit, e); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, e := range wanted {
		queue <- e
	}
	close(queue)
	workers.Wait()
	return context.Cause(ctx)
}

func (a *API) one(ctx context.Context, s Source, commit string, e entry) error {
	m := Meta{Commit: commit, ETag: e.OID, Size: e.Size}
	if e.LFS != nil {
		m.ETag, m.Size = e.LFS.OID, e.LFS.Size
	}
	op := "download " + e.Path + " of " + s.String()
	if m.Size < 0 || wire.CheckHash("oid", m.ETag, 40) != nil && wire.CheckHash("oid", m.ETag, 64) != nil {
		return &wire.Error{Kind: wire.Unexpected, Op: op, Message: "the tree names no usable hash"}
	}
	_, err := a.into(ctx, op, s, e.Path, m)
	return err
}

func (o SnapshotOptions) wants(path string) bool {
	for _, p := range o.Ignore {
		if match(p, path) {
			return false
		}
	}
	for _, p := range o.Allow {
		if match(p, path) {
			return true
		}
	}
	return len(o.Allow) == 0
}

// match reports whether a path follows a pattern.
func match(pattern, path string) bool {
	if strings.HasSuffix(pattern, "/") {
		pattern += "*"
	}
	p, t := []rune(pattern), []rune(path)
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(t) {
		switch {
		case i < len(p) && (p[i] == '?' || p[i] == t[j]) && p[i] != '*':
			i++
			j++
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}

// NoCache reports whether an error says that files of this Hub are not cached.
func NoCache(err error) bool { return errors.Is(err, errNoCache) }

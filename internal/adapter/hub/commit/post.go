package commit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit/lfs"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit/lines"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

const (
	// maxMoves is how often a commit is made again because the branch moved
	// on, maxRepeats how often because it was not made at all.
	maxMoves   = 3
	maxRepeats = 3
	// answerTime bounds the wait for the Hub to make the commit.
	answerTime = 5 * time.Minute
	// lastLook bounds the look at the branch after the caller has given up.
	lastLook = 10 * time.Second
)

// upload brings large files into their store.
func (c *change) upload(ctx context.Context) error {
	var objects []lfs.Object
	var total int64
	for _, a := range c.adds {
		if a.large && !a.drop {
			objects = append(objects, lfs.Object{Path: a.path, OID: a.content.SHA256(), Size: a.content.Size(), Source: a.content})
			total += a.content.Size()
		}
	}
	if len(objects) == 0 {
		return nil
	}
	t := c.request.Target
	ref := t.Revision
	if c.request.CreatePR {
		ref = "" // its branch is made by the commit
	}
	var done atomic.Int64
	store, err := lfs.New(lfs.Options{
		Conn: c.api.conn, Repo: t.Type.Page(t.Repo), Ref: ref, Streams: c.api.opts.Streams,
		Sent: func(path string, n int64) {
			c.report(Progress{Stage: "upload", Path: path, Done: done.Add(n), Total: total})
		},
	})
	if err != nil {
		return err
	}
	err = store.Upload(ctx, objects)
	c.result.Uploaded = done.Load()
	return err
}

// body puts the commit into lines: what is removed first, since later lines
// win.
func (c *change) body() (*lines.Body, error) {
	b := &lines.Body{}
	header := map[string]any{"summary": c.request.Summary, "description": c.request.Description, "parentCommit": c.base}
	if err := b.Add("header", header); err != nil {
		return nil, err
	}
	for _, d := range c.deletes {
		key := "deletedFile"
		if d.Folder {
			key = "deletedFolder"
		}
		if err := b.Add(key, map[string]string{"path": d.place()}); err != nil {
			return nil, err
		}
	}
	for _, l := range c.links {
		if !l.drop {
			if err := large(b, l.path, l.oid, l.size); err != nil {
				return nil, err
			}
		}
	}
	for _, a := range c.adds {
		var err error
		switch {
		case a.drop:
		case a.large:
			err = large(b, a.path, a.content.SHA256(), a.content.Size())
		default:
			err = b.AddFile(a.path, a.content)
		}
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

func large(b *lines.Body, path, oid string, size int64) error {
	return b.Add("lfsFile", map[string]any{"path": path, "algo": "sha256", "oid": oid, "size": size})
}

// post makes the commit, once.
func (c *change) post(ctx context.Context) error {
	unknown := false // a try went out of which nobody knows what became
	moves, repeats := 0, 0
	for !c.empty() {
		err := c.send(ctx)
		if err == nil || !wire.Ambiguous(err) && !errors.Is(err, wire.HeadMoved) {
			return err
		}
		unknown = unknown || wire.Ambiguous(err)
		head, found, lookErr := c.look(ctx, unknown)
		switch {
		case found:
			return nil
		case lookErr != nil || ctx.Err() != nil:
			return errors.Join(err, lookErr)
		case head == c.base:
			if repeats++; repeats > maxRepeats {
				return err
			}
			if err := c.api.conn.Wait(ctx, time.Second<<(repeats-1), "the commit to "+c.request.Repo+" was not made, trying again"); err != nil {
				return err
			}
		default:
			if moves++; moves > maxMoves {
				return fmt.Errorf("%s moves on faster than a commit can be made: %w", c.request.Revision, err)
			}
			if err := c.move(ctx, head); err != nil {
				return err
			}
			c.base, unknown = head, false // what went out before cannot be made any more
		}
	}
	return nil
}

// send sends the commit.
func (c *change) send(ctx context.Context) error {
	b, err := c.body()
	if err != nil {
		return err
	}
	t := c.request.Target
	op := "commit to " + t.Repo
	var out answer
	_, err = c.api.conn.JSON(ctx, wire.Request{
		Op: op, Method: http.MethodPost, Path: t.Type.API(t.Repo, "commit", t.Revision), Query: c.query(),
		Type: "application/x-ndjson", Retry: wire.CertainlyNotApplied, FirstByte: answerTime,
		Body: func() (io.Reader, int64, error) {
			return &shown{ReadCloser: b.Open(ctx), total: b.Size(), report: c.report}, b.Size(), nil
		},
	}, &out)
	if err == nil {
		return out.into(&c.result, op)
	}
	var e *wire.Error
	if errors.As(err, &e) && e.Kind == wire.Invalid && e.Err != nil { // a file could not be read
		return e.Err
	}
	return err
}

// shown reports what is read.
type shown struct {
	io.ReadCloser
	done, total int64
	report      func(Progress)
}

// Read reads and reports.
func (s *shown) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	s.done += int64(n)
	s.report(Progress{Stage: "commit", Done: s.done, Total: s.total})
	return n, err
}

// look finds the head of the branch and, if a try is unknown, whether it was
// made. Its caller may have given up already; the truth is worth a moment.
func (c *change) look(ctx context.Context, unknown bool) (head string, found bool, err error) {
	if ctx.Err() != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastLook)
		defer cancel()
		ctx = last
	}
	if unknown && c.request.CreatePR {
		if found, err := c.pull(ctx); found || err != nil {
			return "", found, err
		}
	}
	t := c.request.Target
	head, err = c.api.at(t).Head(ctx, t.Revision)
	if err != nil || head == c.base || !unknown || c.request.CreatePR {
		return head, false, err
	}
	made, err := c.api.at(t).Child(ctx, t.Revision, c.base)
	if err != nil {
		return head, false, err
	}
	if made == "" {
		made = head
	}
	found, err = c.holds(ctx, made)
	if found {
		c.result.OID, c.result.Found = made, true
	}
	return head, found, err
}

func (c *change) holds(ctx context.Context, rev string) (bool, error) {
	differ, err := c.api.at(c.request.Target).Differs(ctx, rev, c.wants)
	return err == nil && len(differ) == 0, err
}

// pull looks for our pull request among those opened since we began.
func (c *change) pull(ctx context.Context) (bool, error) {
	num, oid, err := c.api.PullHolding(ctx, c.request.Target, c.wants, c.lastPR)
	if err == nil && num > 0 {
		c.result.OID, c.result.PullRequest, c.result.Found = oid, num, true
	}
	return num > 0, err
}

// move takes the commit to a newer state of the branch, if nothing that it
// touches or depends on has changed there. What is as wanted already is left
// out.
func (c *change) move(ctx context.Context, head string) error {
	wanted := map[string]Want{}
	paths := slices.Clone(c.reads)
	for _, w := range c.wants {
		wanted[w.Path] = w
		paths = append(paths, w.Path)
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	t := c.request.Target
	is, err := c.api.at(t).Entries(ctx, head, paths)
	if err != nil {
		return err
	}
	was, err := c.api.at(t).Entries(ctx, c.base, paths)
	rewritten := errors.Is(err, wire.RevisionNotFound) // the history is another
	if err != nil && !rewritten {
		return err
	}
	conflict := &Conflict{Repo: t.Repo, Revision: t.Revision, Base: c.base, Head: head}
	for _, path := range paths {
		w, ours := wanted[path]
		switch {
		case ours && w.Held(is[path]) && !slices.Contains(c.reads, path):
			if was[path] != nil || is[path] != nil {
				c.leave(path)
			}
		case rewritten || !was[path].Same(is[path]):
			conflict.Paths = append(conflict.Paths, path)
		}
	}
	if len(conflict.Paths) > 0 {
		return conflict
	}
	return nil
}

// leave drops what is to be done for a path.
func (c *change) leave(path string) {
	c.deletes = slices.DeleteFunc(c.deletes, func(d Delete) bool { return d.place() == path })
	drop := func(dropped *bool) {
		if !*dropped {
			*dropped = true
			c.result.Same = append(c.result.Same, path)
		}
	}
	for _, a := range c.adds {
		if a.path == path {
			drop(&a.drop)
		}
	}
	for _, l := range c.links {
		if l.path == path {
			drop(&l.drop)
		}
	}
}

package repo

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aymanbagabas/go-udiff"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/git"
)

// trees are the states a merge is made of.
type trees struct{ base, ours, theirs string }

func (r *Repo) trees(into, from string) (t trees, err error) {
	base, err := r.objects.Base(into, from)
	if err != nil {
		return t, err
	}
	t.base = git.EmptyTree
	if base != "" {
		if t.base, err = r.Tree(base); err != nil {
			return t, err
		}
	}
	if t.ours, err = r.Tree(into); err != nil {
		return t, err
	}
	t.theirs, err = r.Tree(from)
	return t, err
}

// Conflicts lists the paths that both commits changed, differently, since they
// parted.
func (r *Repo) Conflicts(into, from string) ([]string, error) {
	t, err := r.trees(into, from)
	if err != nil {
		return nil, err
	}
	_, conflicts, err := r.objects.Merge(t.base, t.ours, t.theirs)
	if errors.Is(err, git.ErrConflict) {
		return []string{err.Error()}, nil
	}
	return conflicts, err
}

// Merge joins the commit from into a branch, given by its full name, with a
// commit that has both as parents, and tells who listens.
func (r *Repo) Merge(ref, from, title, by string) (Commit, error) {
	c, err := r.merge(ref, from, title, by)
	if err != nil {
		return Commit{}, err
	}
	for _, f := range r.store.called().commit {
		f(r, ref, c.OID)
	}
	return c, nil
}

func (r *Repo) merge(ref, from, title, by string) (Commit, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	head, ok := r.refs.Names[ref]
	if !ok {
		return Commit{}, badRevision(ref)
	}
	t, err := r.trees(head, from)
	if err != nil {
		return Commit{}, err
	}
	tree, conflicts, err := r.objects.Merge(t.base, t.ours, t.theirs)
	if len(conflicts) > 0 || errors.Is(err, git.ErrConflict) {
		return Commit{}, answer.Refuse(http.StatusConflict, "This branch has conflicts that must be resolved: "+strings.Join(conflicts, ", "))
	} else if err != nil {
		return Commit{}, err
	}
	oid, err := r.objects.PutCommit(git.Commit{
		Tree: tree, Parents: []string{head, from}, Author: by, Email: email(by),
		When: r.store.o.Clock.Now().Truncate(time.Second), Message: title,
	})
	if err != nil {
		return Commit{}, err
	}
	c, err := r.objects.Commit(oid)
	if err != nil {
		return Commit{}, err
	}
	r.land(ref, public(c), by)
	return public(c), nil
}

// MergeBase is the newest commit two histories share, empty when there is none.
func (r *Repo) MergeBase(a, b string) (string, error) { return r.objects.Base(a, b) }

// ChangedPaths lists the files that differ between two commits.
func (r *Repo) ChangedPaths(a, b string) ([]string, error) {
	all, err := r.changed(a, b)
	paths := make([]string, len(all))
	for i, c := range all {
		paths[i] = c.Path
	}
	return paths, err
}

func (r *Repo) changed(a, b string) ([]git.Changed, error) {
	old, err := r.Tree(a)
	if err != nil {
		return nil, err
	}
	now, err := r.Tree(b)
	if err != nil {
		return nil, err
	}
	return r.objects.Diff(old, now)
}

// maxDiff is the size in bytes of files whose lines are compared.
const maxDiff = 1 << 20

// Compare is the difference between two commits as text, as git writes it.
func (r *Repo) Compare(a, b string) (string, error) {
	all, err := r.changed(a, b)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, c := range all {
		if err := r.compareFile(&out, c); err != nil {
			return "", err
		}
	}
	return out.String(), nil
}

const noObject = "0000000000000000000000000000000000000000"

func (r *Repo) compareFile(out *strings.Builder, c git.Changed) error {
	fmt.Fprintf(out, "diff --git a/%s b/%s\n", c.Path, c.Path)
	from, to := "a/"+c.Path, "b/"+c.Path
	oldID, newID := noObject, noObject
	var old, now []byte
	var err error
	if c.Old == nil {
		from = "/dev/null"
		fmt.Fprintf(out, "new file mode %s\n", c.New.Mode)
	} else if oldID = c.Old.OID; true {
		if old, err = r.objects.Blob(oldID); err != nil {
			return err
		}
	}
	if c.New == nil {
		to = "/dev/null"
		fmt.Fprintf(out, "deleted file mode %s\n", c.Old.Mode)
	} else if newID = c.New.OID; true {
		if now, err = r.objects.Blob(newID); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "index %s..%s\n", oldID, newID)
	if binary(old) || binary(now) {
		fmt.Fprintf(out, "Binary files %s and %s differ\n", from, to)
		return nil
	}
	out.WriteString(udiff.Unified(from, to, string(old), string(now)))
	return nil
}

func binary(body []byte) bool { return len(body) > maxDiff || bytes.IndexByte(body, 0) >= 0 }

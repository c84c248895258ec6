package history

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

func (h *History) trees(into, from string) (t trees, err error) {
	base, err := h.objects.Base(into, from)
	if err != nil {
		return t, err
	}
	t.base = git.EmptyTree
	if base != "" {
		if t.base, err = h.Tree(base); err != nil {
			return t, err
		}
	}
	if t.ours, err = h.Tree(into); err != nil {
		return t, err
	}
	t.theirs, err = h.Tree(from)
	return t, err
}

// Conflicts lists the paths that both commits changed, differently, since they
// parted.
func (h *History) Conflicts(into, from string) ([]string, error) {
	t, err := h.trees(into, from)
	if err != nil {
		return nil, err
	}
	_, conflicts, err := h.objects.Merge(t.base, t.ours, t.theirs)
	if errors.Is(err, git.ErrConflict) {
		return []string{err.Error()}, nil
	}
	return conflicts, err
}

// Join joins the commit from into a branch, given by its full name, with a
// commit that has both as parents.
func (h *History) Join(ref, from, title, by string) (Commit, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	head, ok := h.refs.Names[ref]
	if !ok {
		return Commit{}, NoRevision(ref)
	}
	t, err := h.trees(head, from)
	if err != nil {
		return Commit{}, err
	}
	tree, conflicts, err := h.objects.Merge(t.base, t.ours, t.theirs)
	if len(conflicts) > 0 || errors.Is(err, git.ErrConflict) {
		return Commit{}, answer.Refuse(http.StatusConflict, "This branch has conflicts that must be resolved: "+strings.Join(conflicts, ", "))
	} else if err != nil {
		return Commit{}, err
	}
	oid, err := h.objects.PutCommit(git.Commit{
		Tree: tree, Parents: []string{head, from}, Author: by, Email: email(by),
		When: h.o.Clock.Now().Truncate(time.Second), Message: title,
	})
	if err != nil {
		return Commit{}, err
	}
	c, err := h.objects.Commit(oid)
	if err != nil {
		return Commit{}, err
	}
	h.land(ref, public(c), by)
	return public(c), nil
}

// MergeBase is the newest commit two histories share, empty when there is none.
func (h *History) MergeBase(a, b string) (string, error) { return h.objects.Base(a, b) }

// ChangedPaths lists the files that differ between two commits.
func (h *History) ChangedPaths(a, b string) ([]string, error) {
	all, err := h.changed(a, b)
	paths := make([]string, len(all))
	for i, c := range all {
		paths[i] = c.Path
	}
	return paths, err
}

func (h *History) changed(a, b string) ([]git.Changed, error) {
	old, err := h.Tree(a)
	if err != nil {
		return nil, err
	}
	now, err := h.Tree(b)
	if err != nil {
		return nil, err
	}
	return h.objects.Diff(old, now)
}

// maxDiff is the size in bytes of files whose lines are compared.
const maxDiff = 1 << 20

// Compare is the difference between two commits as text, as git writes it.
func (h *History) Compare(a, b string) (string, error) {
	all, err := h.changed(a, b)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, c := range all {
		if err := h.compareFile(&out, c); err != nil {
			return "", err
		}
	}
	return out.String(), nil
}

const noObject = "0000000000000000000000000000000000000000"

func (h *History) compareFile(out *strings.Builder, c git.Changed) error {
	fmt.Fprintf(out, "diff --git a/%s b/%s\n", c.Path, c.Path)
	from, to := "a/"+c.Path, "b/"+c.Path
	oldID, newID := noObject, noObject
	var old, now []byte
	var err error
	if c.Old == nil {
		from = "/dev/null"
		fmt.Fprintf(out, "new file mode %s\n", c.New.Mode)
	} else if oldID = c.Old.OID; true {
		if old, err = h.objects.Blob(oldID); err != nil {
			return err
		}
	}
	if c.New == nil {
		to = "/dev/null"
		fmt.Fprintf(out, "deleted file mode %s\n", c.Old.Mode)
	} else if newID = c.New.OID; true {
		if now, err = h.objects.Blob(newID); err != nil {
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

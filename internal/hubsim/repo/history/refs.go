package history

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/git"
)

// taken is the refusal for a name in use.
func taken(ref string) error {
	return answer.Refuse(http.StatusConflict, "Reference "+ref+" already exists")
}

// BranchSpec is a branch to make.
type BranchSpec struct {
	Name      string
	Start     string // revision; default main
	Empty     bool   // begin without files and history
	Overwrite bool
	By        string
}

// CreateBranch makes a branch.
func (h *History) CreateBranch(b BranchSpec) error {
	if err := git.CheckName(b.Name); err != nil {
		return answer.Refuse(http.StatusBadRequest, err.Error())
	}
	ref := git.Heads + b.Name
	start := b.Start
	if start == "" {
		start = "main"
	}
	oid, err := h.Resolve(start)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, there := h.refs.Names[ref]; there && !b.Overwrite {
		return taken(ref)
	}
	if err := h.fits(ref); err != nil {
		return err
	}
	if b.Empty {
		c, err := h.build(CommitSpec{Ref: ref, Title: "initial commit", Author: b.By, root: true}, "")
		if err != nil {
			return err
		}
		oid = c.OID
	}
	h.refs.Set(ref, oid, b.By, h.o.Clock.Stamp())
	return nil
}

// fits refuses a name that is a folder of another name, as git does. The caller
// holds the lock.
func (h *History) fits(ref string) error {
	for other := range h.refs.Names {
		if strings.HasPrefix(other, ref+"/") || strings.HasPrefix(ref, other+"/") {
			return answer.Refuse(http.StatusConflict, fmt.Sprintf("Reference %s cannot exist beside another one whose name starts with it", ref))
		}
	}
	return nil
}

// CreateTag names a commit.
func (h *History) CreateTag(name, rev, by string) error {
	if err := git.CheckName(name); err != nil {
		return answer.Refuse(http.StatusBadRequest, err.Error())
	}
	oid, err := h.Resolve(rev)
	if err != nil {
		return err
	}
	ref := git.Tags + name
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, there := h.refs.Names[ref]; there {
		return taken(ref)
	}
	if err := h.fits(ref); err != nil {
		return err
	}
	h.refs.Set(ref, oid, by, h.o.Clock.Stamp())
	return nil
}

// DeleteRef removes a branch, a tag or the ref of a pull request by its full
// name.
func (h *History) DeleteRef(ref, by string) error {
	if ref == git.Main {
		return answer.Refuse(http.StatusForbidden, "Cannot delete "+ref)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, there := h.refs.Names[ref]; !there {
		return NoRevision(strings.TrimPrefix(strings.TrimPrefix(ref, git.Heads), git.Tags))
	}
	h.refs.Set(ref, "", by, h.o.Clock.Stamp())
	return nil
}

// SetRef points a full name to a commit of this repository: the branch of a
// draft pull request, a converted data set.
func (h *History) SetRef(ref, oid, by string) error {
	if _, err := h.objects.Commit(oid); err != nil || !strings.HasPrefix(ref, "refs/") {
		return NoRevision(oid)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refs.Set(ref, oid, by, h.o.Clock.Stamp())
	if git.IsPull(ref) && h.pullers[ref] == "" {
		h.pullers[ref] = by
	}
	return nil
}

// RefLog is the history of the refs, oldest first.
func (h *History) RefLog() []git.Move {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]git.Move(nil), h.refs.Log...)
}

// Squash replaces the history of a branch by one commit with its files.
func (h *History) Squash(rev, message, by string) (Commit, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	ref, ok := h.refs.Find(rev)
	if !ok || !strings.HasPrefix(ref, git.Heads) {
		return Commit{}, NoRevision(rev)
	}
	head, err := h.objects.Commit(h.refs.Names[ref])
	if err != nil {
		return Commit{}, err
	}
	if message == "" {
		message = "Super-squash branch '" + strings.TrimPrefix(ref, git.Heads) + "' using huggingface_hub"
	}
	at := h.o.Clock.Stamp()
	oid, err := h.objects.PutCommit(git.Commit{
		Tree: head.Tree, Author: by, Email: email(by), When: at, Message: message,
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

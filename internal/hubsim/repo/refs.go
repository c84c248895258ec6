package repo

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
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
func (r *Repo) CreateBranch(b BranchSpec) error {
	if err := git.CheckName(b.Name); err != nil {
		return answer.Refuse(http.StatusBadRequest, err.Error())
	}
	ref := git.Heads + b.Name
	start := b.Start
	if start == "" {
		start = "main"
	}
	oid, err := r.Resolve(start)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, there := r.refs.Names[ref]; there && !b.Overwrite {
		return taken(ref)
	}
	if err := r.fits(ref); err != nil {
		return err
	}
	if b.Empty {
		c, err := r.build(CommitSpec{Ref: ref, Title: "initial commit", Author: b.By, root: true}, "")
		if err != nil {
			return err
		}
		oid = c.OID
	}
	r.refs.Set(ref, oid, b.By, r.store.o.Clock.Stamp())
	return nil
}

// fits refuses a name that is a folder of another name, as git does. The caller
// holds the lock.
func (r *Repo) fits(ref string) error {
	for other := range r.refs.Names {
		if strings.HasPrefix(other, ref+"/") || strings.HasPrefix(ref, other+"/") {
			return answer.Refuse(http.StatusConflict, fmt.Sprintf("Reference %s cannot exist beside another one whose name starts with it", ref))
		}
	}
	return nil
}

// CreateTag names a commit.
func (r *Repo) CreateTag(name, rev, by string) error {
	if err := git.CheckName(name); err != nil {
		return answer.Refuse(http.StatusBadRequest, err.Error())
	}
	oid, err := r.Resolve(rev)
	if err != nil {
		return err
	}
	ref := git.Tags + name
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, there := r.refs.Names[ref]; there {
		return taken(ref)
	}
	if err := r.fits(ref); err != nil {
		return err
	}
	r.refs.Set(ref, oid, by, r.store.o.Clock.Stamp())
	return nil
}

// DeleteRef removes a branch, a tag or the ref of a pull request by its full
// name.
func (r *Repo) DeleteRef(ref, by string) error {
	if ref == git.Main {
		return answer.Refuse(http.StatusForbidden, "Cannot delete "+ref)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, there := r.refs.Names[ref]; !there {
		return badRevision(strings.TrimPrefix(strings.TrimPrefix(ref, git.Heads), git.Tags))
	}
	r.refs.Set(ref, "", by, r.store.o.Clock.Stamp())
	return nil
}

// SetRef points a full name to a commit of this repository: the branch of a
// draft pull request, a converted data set.
func (r *Repo) SetRef(ref, oid, by string) error {
	if _, err := r.objects.Commit(oid); err != nil || !strings.HasPrefix(ref, "refs/") {
		return badRevision(oid)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refs.Set(ref, oid, by, r.store.o.Clock.Stamp())
	if IsPull(ref) && r.pullers[ref] == "" {
		r.pullers[ref] = by
	}
	return nil
}

// RefLog is the history of the refs, oldest first.
func (r *Repo) RefLog() []git.Move {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]git.Move(nil), r.refs.Log...)
}

// Squash replaces the history of a branch by one commit with its files.
func (r *Repo) Squash(rev, message, by string) (Commit, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ref, ok := r.refs.Find(rev)
	if !ok || !strings.HasPrefix(ref, git.Heads) {
		return Commit{}, badRevision(rev)
	}
	head, err := r.objects.Commit(r.refs.Names[ref])
	if err != nil {
		return Commit{}, err
	}
	if message == "" {
		message = "Super-squash branch '" + strings.TrimPrefix(ref, git.Heads) + "' using huggingface_hub"
	}
	at := r.store.o.Clock.Stamp()
	oid, err := r.objects.PutCommit(git.Commit{
		Tree: head.Tree, Author: by, Email: email(by), When: at, Message: message,
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

func email(user string) string { return user + "@users.noreply.huggingface.co" }

// DeleteLFS removes large files from the repository for good; with rewrite also
// the pointers to them, from all commits. Contents that other repositories name
// stay stored.
func (r *Repo) DeleteLFS(sums []string, rewrite bool, by string) error {
	r.mu.Lock()
	for _, sha := range sums {
		if r.lfs[sha].Filename == "" {
			r.mu.Unlock()
			return answer.NotFound(answer.EntryNotFound, "LFS file "+sha+" does not exist")
		}
	}
	err := r.forget(sums, rewrite, by)
	r.mu.Unlock()
	if err != nil {
		return err
	}
	for _, sha := range sums {
		if r.store.unnamed(sha) {
			if err := r.store.o.Content.Delete(sha); err != nil {
				return err
			}
		}
	}
	return nil
}

// forget is the part of DeleteLFS under the lock.
func (r *Repo) forget(sums []string, rewrite bool, by string) error {
	if rewrite {
		names := slices.Sorted(maps.Keys(r.refs.Names))
		heads := make([]string, len(names))
		for i, ref := range names {
			heads[i] = r.refs.Names[ref]
		}
		renamed, err := r.objects.Without(sums, heads...)
		if err != nil {
			return err
		}
		at := r.store.o.Clock.Stamp()
		for i, ref := range names {
			if to, ok := renamed[heads[i]]; ok {
				r.refs.Set(ref, to, by, at)
			}
		}
	}
	for _, sha := range sums {
		delete(r.lfs, sha)
	}
	return nil
}

// unnamed reports whether no repository names a content.
func (s *Store) unnamed(sha string) bool {
	for _, t := range Types() {
		for _, r := range s.All(t) {
			r.mu.Lock()
			_, named := r.lfs[sha]
			r.mu.Unlock()
			if named {
				return false
			}
		}
	}
	return true
}

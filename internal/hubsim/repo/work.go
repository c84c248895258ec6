package repo

import (
	"context"
	"fmt"

	"github.com/ml-intern/ml-intern/internal/hubsim/git"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo/history"
)

// The words of a repository's history.
type (
	// Op is what a change does to a path.
	Op = history.Op
	// Change is one operation of a commit.
	Change = history.Change
	// CommitSpec is a commit to make.
	CommitSpec = history.CommitSpec
	// Commit is a state of the files.
	Commit = history.Commit
	// NamedCommit is a ref and where it points.
	NamedCommit = history.NamedCommit
	// BranchSpec is a branch to make.
	BranchSpec = history.BranchSpec
	// File is a file of a commit.
	File = history.File
	// Entry is a file or a folder.
	Entry = history.Entry
	// LFS is the content of a file that git keeps a pointer to.
	LFS = history.LFS
	// LFSFile is a large file that was committed once.
	LFSFile = history.LFSFile
)

// Operations; history tells more.
const (
	Put          = history.Put
	PutAuto      = history.PutAuto
	DeleteFile   = history.DeleteFile
	DeleteFolder = history.DeleteFolder
	DeleteEntry  = history.DeleteEntry
)

// NoEntry is the answer for a path a commit does not have.
func NoEntry(oid string) error { return history.NoEntry(oid) }

// IsLFS decides whether a file goes up as LFS file.
func IsLFS(rules git.Attributes, path string, size int64, sample []byte) bool {
	return history.IsLFS(rules, path, size, sample)
}

// Commit adds a commit to a branch or a pull request and tells who listens.
// Nothing is applied when it fails.
func (r *Repo) Commit(_ context.Context, spec CommitSpec) (Commit, error) {
	c, ref, err := r.Add(spec)
	if err != nil {
		return Commit{}, err
	}
	r.tell(ref, c.OID)
	return c, nil
}

// tell calls who listens to commits.
func (r *Repo) tell(ref, oid string) {
	for _, f := range r.store.called().commit {
		f(r, ref, oid)
	}
}

// Merge joins the commit from into a branch, given by its full name, with a
// commit that has both as parents, and tells who listens.
func (r *Repo) Merge(_ context.Context, ref, from, title, by string) (Commit, error) {
	c, err := r.Join(ref, from, title, by)
	if err != nil {
		return Commit{}, err
	}
	r.tell(ref, c.OID)
	return c, nil
}

// PullRequest is a pull request that comes with a commit.
type PullRequest struct {
	Title, Description, Author string
	Base                       string // full name of the branch
	Commit                     Commit
}

// CommitPullRequest makes a commit on spec.Ref that becomes a pull request
// instead of moving the branch, and returns its number.
func (r *Repo) CommitPullRequest(ctx context.Context, spec CommitSpec) (Commit, int, error) {
	c, base, num, err := r.Propose(spec)
	if err != nil {
		return Commit{}, 0, err
	}
	if pull := r.store.called().pull; pull != nil {
		pr := PullRequest{Title: spec.Title, Description: spec.Description, Author: spec.Author, Base: base, Commit: c}
		if num, err = pull(ctx, r, pr); err != nil {
			return Commit{}, 0, err
		}
	}
	ref := fmt.Sprintf("%s%d", git.Pulls, num)
	if err := r.SetRef(ref, c.OID, spec.Author); err != nil {
		return Commit{}, 0, err
	}
	r.tell(ref, c.OID)
	return c, num, nil
}

// DeleteLFS removes large files from the repository for good; with rewrite also
// the pointers to them, from all commits. Contents that other repositories name
// stay stored.
func (r *Repo) DeleteLFS(sums []string, rewrite bool, by string) error {
	if err := r.ForgetLFS(sums, rewrite, by); err != nil {
		return err
	}
	for _, sha := range sums {
		if r.store.named(sha) {
			continue
		}
		if err := r.store.o.Content.Delete(sha); err != nil {
			return err
		}
	}
	return nil
}

// named reports whether a repository names a content.
func (s *Store) named(sha string) bool {
	for _, t := range Types() {
		for _, r := range s.All(t) {
			if r.NamesLFS(sha) {
				return true
			}
		}
	}
	return false
}

package repo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/git"
)

// Op is what a change does to a path.
type Op int

// Operations. Later changes of a commit win over earlier ones.
const (
	// Put writes a file: LFS names a stored content, else Content is the text
	// git keeps.
	Put Op = iota
	// PutAuto writes Content the way an upload would: as LFS file where the
	// repository's attributes, its bytes or its size say so.
	PutAuto
	// DeleteFile, DeleteFolder and DeleteEntry remove what is there.
	DeleteFile
	DeleteFolder
	DeleteEntry
)

// Change is one operation of a commit.
type Change struct {
	Op      Op
	Path    string
	Content []byte
	LFS     *LFS
}

// CommitSpec is a commit to make.
type CommitSpec struct {
	Ref         string // branch or full name; default main
	Title       string
	Description string
	Author      string
	// Parent is the commit the change was made for, at least 7 digits of its
	// name; another head refuses it. Empty is any.
	Parent  string
	Changes []Change
	// Merged are further parents.
	Merged []string
	// Trusted lets LFS files name any stored content.
	Trusted bool

	root bool   // the first commit of a ref
	base string // commit to build on instead of the ref's head
}

// Commit is a state of the files.
type Commit struct {
	OID     string
	Title   string
	Message string // without the title
	Author  string
	Date    time.Time
	Parents []string
}

func public(c *git.Commit) Commit {
	return Commit{OID: c.OID, Title: c.Title(), Message: c.Body(), Author: c.Author, Date: c.When, Parents: c.Parents}
}

// errStale says that the branch has another head than the change was made for.
func errStale() error {
	return answer.Refuse(http.StatusPreconditionFailed, "The branch was updated since you opened this page. Please refresh and try again.")
}

// Commit adds a commit to a branch or a pull request and tells who listens.
// Nothing is applied when it fails.
func (r *Repo) Commit(_ context.Context, spec CommitSpec) (Commit, error) {
	ref, err := r.refFor(spec.Ref)
	if err != nil {
		return Commit{}, err
	}
	spec.Ref = ref
	c, err := r.commit(spec)
	if err != nil {
		return Commit{}, err
	}
	for _, f := range r.store.called().commit {
		f(r, ref, c.OID)
	}
	return c, nil
}

// refFor finds the branch or pull request a commit goes to.
func (r *Repo) refFor(name string) (string, error) {
	if name == "" {
		name = "main"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	ref, ok := r.refs.Find(name)
	if !ok || strings.HasPrefix(ref, git.Tags) {
		return "", badRevision(name)
	}
	return ref, nil
}

func badRevision(rev string) error {
	return answer.NotFound(answer.RevisionNotFound, "Invalid rev id: "+rev)
}

// commit makes the commit and moves the ref, as one step.
func (r *Repo) commit(spec CommitSpec) (Commit, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	head := r.refs.Names[spec.Ref]
	if head == "" && !spec.root {
		return Commit{}, badRevision(spec.Ref)
	}
	c, err := r.build(spec, head)
	if err != nil {
		return Commit{}, err
	}
	r.land(spec.Ref, c, spec.Author)
	return c, nil
}

// land points a ref to a commit. The caller holds the lock.
func (r *Repo) land(ref string, c Commit, by string) {
	at := r.store.o.Clock.Stamp()
	r.refs.Set(ref, c.OID, by, at)
	if ref == git.Main {
		r.modified = at
	}
}

// build writes the objects of a commit on head; an empty one is the beginning.
// The caller holds the lock.
func (r *Repo) build(spec CommitSpec, head string) (Commit, error) {
	if spec.Parent != "" && (len(spec.Parent) < 7 || !strings.HasPrefix(head, spec.Parent)) {
		return Commit{}, errStale()
	}
	st := &stage{repo: r, base: git.EmptyTree, edits: map[string]*git.Entry{}, trusted: spec.Trusted || spec.root, lfs: map[string]lfsRecord{}}
	parents := spec.Merged
	if head != "" {
		c, err := r.objects.Commit(head)
		if err != nil {
			return Commit{}, err
		}
		st.base = c.Tree
		parents = append([]string{head}, spec.Merged...)
	}
	for _, change := range spec.Changes {
		if err := st.apply(change); err != nil {
			return Commit{}, err
		}
	}
	tree, err := r.objects.Edit(st.base, st.edits)
	if errors.Is(err, git.ErrConflict) {
		return Commit{}, answer.Refuse(http.StatusBadRequest, err.Error())
	} else if err != nil {
		return Commit{}, err
	}
	message := strings.TrimSpace(spec.Title)
	if d := strings.Trim(spec.Description, "\n"); d != "" {
		message += "\n\n" + d
	}
	when := r.store.o.Clock.Now().Truncate(time.Second)
	oid, err := r.objects.PutCommit(git.Commit{
		Tree: tree, Parents: parents, Author: spec.Author, Email: email(spec.Author),
		When: when, Message: message,
	})
	if err != nil {
		return Commit{}, err
	}
	for sha, rec := range st.lfs {
		rec.Ref, rec.PushedAt = spec.Ref, r.store.o.Clock.Now()
		if old, ok := r.lfs[sha]; !ok || old.Filename == "" {
			r.lfs[sha] = rec
		}
	}
	c, err := r.objects.Commit(oid)
	if err != nil {
		return Commit{}, err
	}
	return public(c), nil
}

// stage collects the changes of a commit over the tree it starts from.
type stage struct {
	repo    *Repo
	base    string
	edits   map[string]*git.Entry // nil: removed
	trusted bool
	lfs     map[string]lfsRecord
}

func (s *stage) apply(c Change) error {
	path := c.Path
	if c.Op == DeleteFolder || c.Op == DeleteEntry {
		path = strings.TrimSuffix(path, "/")
	}
	if err := git.CheckPath(path); err != nil {
		return answer.Refuse(http.StatusUnprocessableEntity, err.Error())
	}
	switch c.Op {
	case Put:
		return s.put(path, c)
	case PutAuto:
		c, err := s.choose(path, c)
		if err != nil {
			return err
		}
		return s.put(path, c)
	}
	return s.remove(path, c.Op)
}

// put writes a file or the pointer to one.
func (s *stage) put(path string, c Change) error {
	body := c.Content
	if c.LFS != nil {
		size, stored := s.repo.store.o.Content.Size(c.LFS.SHA256)
		_, known := s.repo.lfs[c.LFS.SHA256]
		if !stored || !known && !s.trusted {
			return answer.Refuse(http.StatusBadRequest, fmt.Sprintf("LFS pointer of %q points to a file that does not exist: %s", path, c.LFS.SHA256))
		}
		if c.LFS.Size > 0 && c.LFS.Size != size {
			return answer.Refuse(http.StatusBadRequest, fmt.Sprintf("LFS file %q has %d bytes, not %d", path, size, c.LFS.Size))
		}
		body = git.Pointer{SHA256: c.LFS.SHA256, Size: size}.Bytes()
		s.lfs[c.LFS.SHA256] = lfsRecord{Size: size, Filename: path}
	}
	oid, err := s.repo.objects.PutBlob(body)
	if err != nil {
		return err
	}
	mode := git.FileMode
	if old, err := s.repo.objects.Lookup(s.base, path); err == nil && !old.Dir() {
		mode = old.Mode
	}
	s.edits[path] = &git.Entry{Mode: mode, OID: oid}
	return nil
}

// choose puts the content into the LFS store where an upload would.
func (s *stage) choose(path string, c Change) (Change, error) {
	rules := git.ParseAttributes([]byte(s.text(attributesFile)))
	if !IsLFS(rules, path, int64(len(c.Content)), c.Content[:min(len(c.Content), 512)]) {
		return c, nil
	}
	sha, size, err := s.repo.store.o.Content.Put(bytes.NewReader(c.Content))
	if err != nil {
		return c, err
	}
	if _, ok := s.repo.lfs[sha]; !ok {
		s.repo.lfs[sha] = lfsRecord{Size: size}
	}
	c.LFS = &LFS{SHA256: sha, Size: size}
	return c, nil
}

// text reads a file as the changes so far leave it, empty when there is none.
func (s *stage) text(path string) string {
	e, edited := s.edits[path]
	if !edited {
		if old, err := s.repo.objects.Lookup(s.base, path); err == nil {
			e = &old
		}
	}
	if e == nil {
		return ""
	}
	body, err := s.repo.objects.Blob(e.OID)
	if err != nil {
		return "" // a folder has that name
	}
	return string(body)
}

// remove takes a file, or a folder with everything below it, away.
func (s *stage) remove(path string, op Op) error {
	found := false
	e, edited := s.edits[path]
	old, err := s.repo.objects.Lookup(s.base, path)
	if op != DeleteFolder && (edited && e != nil || !edited && err == nil && !old.Dir()) {
		s.edits[path] = nil
		found = true
	}
	if op != DeleteFile && !found {
		for p, e := range s.edits {
			if strings.HasPrefix(p, path+"/") && e != nil {
				s.edits[p] = nil
				found = true
			}
		}
		if err == nil && old.Dir() {
			if err := s.repo.objects.Walk(old.OID, path+"/", func(p string, e git.Entry) bool {
				if _, edited := s.edits[p]; !edited && !e.Dir() {
					s.edits[p] = nil
					found = true
				}
				return true
			}); err != nil {
				return err
			}
		}
	}
	if !found {
		what := "file"
		if op == DeleteFolder {
			what = "folder"
		}
		return answer.NotFound(answer.EntryNotFound, "A "+what+" with this name doesn't exist")
	}
	return nil
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
	ref, err := r.refFor(spec.Ref)
	if err != nil || !strings.HasPrefix(ref, git.Heads) {
		return Commit{}, 0, badRevision(spec.Ref)
	}
	spec.Ref = ref
	r.mu.Lock()
	c, err := r.build(spec, r.refs.Names[ref])
	next := len(r.refs.List(git.Pulls)) + 1
	r.mu.Unlock()
	if err != nil {
		return Commit{}, 0, err
	}
	called := r.store.called()
	if called.pull != nil {
		pr := PullRequest{Title: spec.Title, Description: spec.Description, Author: spec.Author, Base: ref, Commit: c}
		if next, err = called.pull(ctx, r, pr); err != nil {
			return Commit{}, 0, err
		}
	}
	pull := fmt.Sprintf("%s%d", git.Pulls, next)
	r.mu.Lock()
	r.land(pull, c, spec.Author)
	r.pullers[pull] = spec.Author
	r.mu.Unlock()
	for _, f := range called.commit {
		f(r, pull, c.OID)
	}
	return c, next, nil
}

// Puller is the author of a pull request that came with a commit, by the full
// name of its ref: he may add to it.
func (r *Repo) Puller(ref string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pullers[ref]
}

// ExpectLFS notes that a content of this repository is on its way; a commit may
// name it once it is stored.
func (r *Repo) ExpectLFS(sha string, size int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.lfs[sha]; !ok {
		r.lfs[sha] = lfsRecord{Size: size}
	}
}

// HasLFS reports whether this repository may name a stored content.
func (r *Repo) HasLFS(sha string) bool {
	r.mu.Lock()
	_, ok := r.lfs[sha]
	r.mu.Unlock()
	return ok && r.store.o.Content.Has(sha)
}

// LFSFile is a large file that was committed once.
type LFSFile struct {
	SHA256   string
	Filename string
	Ref      string
	Size     int64
	PushedAt time.Time
}

// LFSFiles lists the large files of all commits, by sha256.
func (r *Repo) LFSFiles() []LFSFile {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []LFSFile
	for _, sha := range slices.Sorted(maps.Keys(r.lfs)) {
		if rec := r.lfs[sha]; rec.Filename != "" {
			all = append(all, LFSFile{SHA256: sha, Filename: rec.Filename, Ref: rec.Ref, Size: rec.Size, PushedAt: rec.PushedAt})
		}
	}
	return all
}

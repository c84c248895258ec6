package history

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
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

	root bool // the first commit of a ref
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

// Add adds a commit to a branch or a pull request. Nothing is applied when it
// fails.
func (h *History) Add(spec CommitSpec) (c Commit, ref string, err error) {
	if ref, err = h.refFor(spec.Ref); err != nil {
		return Commit{}, "", err
	}
	spec.Ref = ref
	c, err = h.commit(spec)
	return c, ref, err
}

// Begin makes the first commit, on main.
func (h *History) Begin(spec CommitSpec) (Commit, error) {
	spec.Ref, spec.root = git.Main, true
	return h.commit(spec)
}

// refFor finds the branch or pull request a commit goes to.
func (h *History) refFor(name string) (string, error) {
	if name == "" {
		name = "main"
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	ref, ok := h.refs.Find(name)
	if !ok || strings.HasPrefix(ref, git.Tags) {
		return "", NoRevision(name)
	}
	return ref, nil
}

// NoRevision is the answer for a revision that does not exist.
func NoRevision(rev string) error {
	return answer.NotFound(answer.RevisionNotFound, "Invalid rev id: "+rev)
}

// commit makes the commit and moves the ref, as one step.
func (h *History) commit(spec CommitSpec) (Commit, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	head := h.refs.Names[spec.Ref]
	if head == "" && !spec.root {
		return Commit{}, NoRevision(spec.Ref)
	}
	c, err := h.build(spec, head)
	if err != nil {
		return Commit{}, err
	}
	h.land(spec.Ref, c, spec.Author)
	return c, nil
}

// land points a ref to a commit. The caller holds the lock.
func (h *History) land(ref string, c Commit, by string) {
	at := h.o.Clock.Stamp()
	h.refs.Set(ref, c.OID, by, at)
	if ref == git.Main {
		h.modified = at
	}
}

// build writes the objects of a commit on head; an empty one is the beginning.
// The caller holds the lock.
func (h *History) build(spec CommitSpec, head string) (Commit, error) {
	if spec.Parent != "" && (len(spec.Parent) < 7 || !strings.HasPrefix(head, spec.Parent)) {
		return Commit{}, errStale()
	}
	st := &stage{history: h, base: git.EmptyTree, edits: map[string]*git.Entry{}, trusted: spec.Trusted || spec.root, lfs: map[string]LFSRecord{}}
	parents := spec.Merged
	if head != "" {
		c, err := h.objects.Commit(head)
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
	tree, err := h.objects.Edit(st.base, st.edits)
	if errors.Is(err, git.ErrConflict) {
		return Commit{}, answer.Refuse(http.StatusBadRequest, err.Error())
	} else if err != nil {
		return Commit{}, err
	}
	message := strings.TrimSpace(spec.Title)
	if d := strings.Trim(spec.Description, "\n"); d != "" {
		message += "\n\n" + d
	}
	when := h.o.Clock.Now().Truncate(time.Second)
	oid, err := h.objects.PutCommit(git.Commit{
		Tree: tree, Parents: parents, Author: spec.Author, Email: email(spec.Author),
		When: when, Message: message,
	})
	if err != nil {
		return Commit{}, err
	}
	for sha, rec := range st.lfs {
		rec.Ref, rec.PushedAt = spec.Ref, h.o.Clock.Now()
		if old, ok := h.lfs[sha]; !ok || old.Filename == "" {
			h.lfs[sha] = rec
		}
	}
	c, err := h.objects.Commit(oid)
	if err != nil {
		return Commit{}, err
	}
	return public(c), nil
}

// stage collects the changes of a commit over the tree it starts from.
type stage struct {
	history *History
	base    string
	edits   map[string]*git.Entry // nil: removed
	trusted bool
	lfs     map[string]LFSRecord
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
		size, stored := s.history.o.Content.Size(c.LFS.SHA256)
		_, known := s.history.lfs[c.LFS.SHA256]
		if !stored || !known && !s.trusted {
			return answer.Refuse(http.StatusBadRequest, fmt.Sprintf("LFS pointer of %q points to a file that does not exist: %s", path, c.LFS.SHA256))
		}
		if c.LFS.Size > 0 && c.LFS.Size != size {
			return answer.Refuse(http.StatusBadRequest, fmt.Sprintf("LFS file %q has %d bytes, not %d", path, size, c.LFS.Size))
		}
		body = git.Pointer{SHA256: c.LFS.SHA256, Size: size}.Bytes()
		s.lfs[c.LFS.SHA256] = LFSRecord{Size: size, Filename: path}
	}
	oid, err := s.history.objects.PutBlob(body)
	if err != nil {
		return err
	}
	mode := git.FileMode
	if old, err := s.history.objects.Lookup(s.base, path); err == nil && !old.Dir() {
		mode = old.Mode
	}
	s.edits[path] = &git.Entry{Mode: mode, OID: oid}
	return nil
}

// choose puts the content into the LFS store where an upload would.
func (s *stage) choose(path string, c Change) (Change, error) {
	rules := git.ParseAttributes([]byte(s.text(AttributesFile)))
	if !IsLFS(rules, path, int64(len(c.Content)), c.Content[:min(len(c.Content), 512)]) {
		return c, nil
	}
	sha, size, err := s.history.o.Content.Put(bytes.NewReader(c.Content))
	if err != nil {
		return c, err
	}
	if _, ok := s.history.lfs[sha]; !ok {
		s.history.lfs[sha] = LFSRecord{Size: size}
	}
	c.LFS = &LFS{SHA256: sha, Size: size}
	return c, nil
}

// text reads a file as the changes so far leave it, empty when there is none.
func (s *stage) text(path string) string {
	e, edited := s.edits[path]
	if !edited {
		if old, err := s.history.objects.Lookup(s.base, path); err == nil {
			e = &old
		}
	}
	if e == nil {
		return ""
	}
	body, err := s.history.objects.Blob(e.OID)
	if err != nil {
		return "" // a folder has that name
	}
	return string(body)
}

// remove takes a file, or a folder with everything below it, away.
func (s *stage) remove(path string, op Op) error {
	found := false
	e, edited := s.edits[path]
	old, err := s.history.objects.Lookup(s.base, path)
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
			if err := s.history.objects.Walk(old.OID, path+"/", func(p string, e git.Entry) bool {
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

// Propose makes a commit on a branch without moving it. next is a number no
// pull request here has.
func (h *History) Propose(spec CommitSpec) (c Commit, ref string, next int, err error) {
	if ref, err = h.refFor(spec.Ref); err != nil || !strings.HasPrefix(ref, git.Heads) {
		return Commit{}, "", 0, NoRevision(spec.Ref)
	}
	spec.Ref = ref
	h.mu.Lock()
	defer h.mu.Unlock()
	for next = 1; h.refs.Names[fmt.Sprintf("%s%d", git.Pulls, next)] != ""; next++ {
	}
	c, err = h.build(spec, h.refs.Names[ref])
	return c, ref, next, err
}

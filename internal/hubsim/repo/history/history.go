// Package history keeps what a repository holds: its commits and files, refs
// with their log, and which large files it may name. It knows neither the
// repository's name nor who may see or change it.
package history

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/content"
	"github.com/ml-intern/ml-intern/internal/hubsim/git"
)

// Options of a history.
type Options struct {
	Clock   *clock.Clock
	Content *content.Store
	Dir     string // of git objects; empty is memory
}

// History is what one repository holds. It is safe for concurrent use.
type History struct {
	o       Options
	objects *git.Objects

	mu       sync.Mutex
	modified time.Time
	refs     *git.Refs
	pullers  map[string]string // ref of a pull request to its author
	lfs      map[string]LFSRecord
}

// State is everything of a history that is not an object.
type State struct {
	Modified time.Time            `json:"modified"`
	Refs     *git.Refs            `json:"refs"`
	Pullers  map[string]string    `json:"pullers,omitempty"`
	LFS      map[string]LFSRecord `json:"lfs,omitempty"`
}

// New returns a history in the given state; a zero one has no commit yet.
func New(o Options, s State) *History {
	h := &History{o: o, objects: git.New(o.Dir), modified: s.Modified, refs: s.Refs, pullers: s.Pullers, lfs: s.LFS}
	if h.refs == nil {
		h.refs = git.NewRefs()
	}
	if h.pullers == nil {
		h.pullers = map[string]string{}
	}
	if h.lfs == nil {
		h.lfs = map[string]LFSRecord{}
	}
	return h
}

// State copies everything that is not an object.
func (h *History) State() State {
	h.mu.Lock()
	defer h.mu.Unlock()
	return State{
		Modified: h.modified, Refs: &git.Refs{Names: maps.Clone(h.refs.Names), Log: slices.Clone(h.refs.Log)},
		Pullers: maps.Clone(h.pullers), LFS: maps.Clone(h.lfs),
	}
}

// LastModified is when main got its last commit.
func (h *History) LastModified() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.modified
}

// SetLastModified lets a seed say when main got its last commit.
func (h *History) SetLastModified(at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.modified = at
}

// Objects is the git database.
func (h *History) Objects() *git.Objects { return h.objects }

// Puller is the author of a pull request that came with a commit, by the full
// name of its ref: he may add to it.
func (h *History) Puller(ref string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pullers[ref]
}

func email(user string) string { return user + "@users.noreply.huggingface.co" }

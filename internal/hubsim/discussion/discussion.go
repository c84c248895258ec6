// Package discussion keeps the discussions and pull requests of the simulated
// Hub's repositories: their numbers, events and states. The commits of a pull
// request, its conflicts and its merge belong to the repository; this package
// knows when they may happen.
package discussion

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/git"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// Options of the discussions.
type Options struct {
	Clock    *clock.Clock
	Accounts *account.Book
	Repos    *repo.Store
	// Notify is told of events; more holds descriptions of the discussion and
	// the comment they are about. nil is nobody.
	Notify func(r *repo.Repo, action, scope string, more map[string]any)
	// Endpoint is the address of the Hub in what Notify gets.
	Endpoint func() string
}

// States of a discussion. Only pull requests are drafts or merged.
const (
	Draft  = "draft"
	Opened = "open"
	Closed = "closed"
	Merged = "merged"
)

// Types of events.
const (
	comment       = "comment"
	statusChange  = "status-change"
	titleChange   = "title-change"
	commit        = "commit"
	pinningChange = "pinning-change"
	refDeleted    = "ref-deleted"
)

// Discussion is a discussion or a pull request.
type Discussion struct {
	ID      string    `json:"_id"`
	Num     int       `json:"num"`
	Title   string    `json:"title"`
	Author  string    `json:"author"` // user name
	Status  string    `json:"status"`
	Created time.Time `json:"createdAt"`
	Pinned  bool      `json:"pinned,omitempty"`
	Locked  bool      `json:"locked,omitempty"`
	Events  []Event   `json:"events"`

	Pull bool   `json:"isPullRequest,omitempty"`
	Base string `json:"base,omitempty"` // full name of the branch
	// From and Head are what a merged pull request was based on and had; Merge
	// is the commit that joined them.
	From  string `json:"from,omitempty"`
	Head  string `json:"head,omitempty"`
	Merge string `json:"mergeCommitId,omitempty"`
}

// ref is the branch of a pull request.
func (d *Discussion) ref() string { return fmt.Sprintf("%s%d", git.Pulls, d.Num) }

// comments counts the comments.
func (d *Discussion) comments() int {
	n := 0
	for _, e := range d.Events {
		if e.Type == comment {
			n++
		}
	}
	return n
}

// Event is something that happened in a discussion. Which fields are used
// depends on the type.
type Event struct {
	ID      string    `json:"id"`
	Author  string    `json:"author"`
	Created time.Time `json:"createdAt"`
	Type    string    `json:"type"`

	Comment *Comment `json:"comment,omitempty"`
	Status  string   `json:"status,omitempty"`
	From    string   `json:"from,omitempty"`
	To      string   `json:"to,omitempty"`
	Subject string   `json:"subject,omitempty"`
	OID     string   `json:"oid,omitempty"`
	Parents []string `json:"parents,omitempty"`
	Ref     string   `json:"ref,omitempty"`
	Pinned  bool     `json:"pinned,omitempty"`
}

// Comment is the text of a comment event.
type Comment struct {
	Raw      string    `json:"raw"`
	Updated  time.Time `json:"updatedAt"`
	By       string    `json:"by"`
	Edits    int       `json:"edits,omitempty"`
	Hidden   bool      `json:"hidden,omitempty"`
	HiddenBy string    `json:"hiddenBy,omitempty"`
}

// thread holds the discussions of one repository; last is the highest number
// ever given, because numbers are not used twice.
type thread struct {
	Last int           `json:"last"`
	All  []*Discussion `json:"discussions"` // by number; those in here are replaced, never changed
}

// Area holds all discussions. It is safe for concurrent use.
type Area struct {
	o Options

	mu      sync.Mutex
	threads map[string]*thread // by the repository's hex id
}

// New returns an area that numbers the pull requests of the store.
func New(o Options) (*Area, error) {
	if o.Clock == nil || o.Accounts == nil || o.Repos == nil {
		return nil, errors.New("discussion: the options Clock, Accounts and Repos are required")
	}
	if o.Notify == nil {
		o.Notify = func(*repo.Repo, string, string, map[string]any) {}
	}
	if o.Endpoint == nil {
		o.Endpoint = func() string { return "" }
	}
	a := &Area{o: o, threads: map[string]*thread{}}
	o.Repos.OnPullRequest(a.pullRequest)
	o.Repos.OnCommit(a.committed)
	o.Repos.OnDelete(func(r *repo.Repo) {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.threads, r.Hex())
	})
	return a, nil
}

// Spec is a discussion to start.
type Spec struct {
	Author, Title, Text string
	Pull                bool
	// Commit is the first commit of a pull request that begins with one; such a
	// pull request is open, others are drafts.
	Commit *repo.Commit
	Base   string // full name of the branch; default main
}

// Limits of texts, in characters.
const (
	minTitle = 3
	maxTitle = 200
	maxText  = 65536
)

func checkTitle(title string) error {
	if n := utf8.RuneCountInString(title); n < minTitle || n > maxTitle {
		return answer.Refuse(http.StatusBadRequest, fmt.Sprintf(`"title" must have %d to %d characters`, minTitle, maxTitle))
	}
	return nil
}

func checkText(field, text string) error {
	if utf8.RuneCountInString(text) > maxText {
		return answer.Refuse(http.StatusBadRequest, fmt.Sprintf("%q must have %d characters at most", field, maxText))
	}
	return nil
}

// Open starts a discussion without asking who wants it.
func (a *Area) Open(r *repo.Repo, s Spec) (*Discussion, error) {
	if s.Base == "" {
		s.Base = git.Main
	}
	base, err := r.Head(s.Base)
	if err != nil {
		return nil, err
	}
	now := a.o.Clock.Stamp()
	d := &Discussion{ID: a.o.Clock.ID(), Title: s.Title, Author: s.Author, Status: Opened, Created: now, Pull: s.Pull}
	d.Events = []Event{a.said(s.Author, s.Text, now)}
	if s.Pull {
		d.Base = s.Base
		if s.Commit == nil {
			d.Status = Draft
		} else {
			d.Events = append(d.Events, a.commitEvent(*s.Commit))
		}
	}
	a.mu.Lock()
	t := a.threads[r.Hex()]
	if t == nil {
		t = &thread{}
		a.threads[r.Hex()] = t
	}
	t.Last++
	d.Num = t.Last
	t.All = append(t.All, d)
	a.mu.Unlock()
	if d.Status == Draft {
		if err := r.SetRef(d.ref(), base, s.Author); err != nil {
			return nil, err
		}
	}
	a.tell(r, d, "create", &d.Events[0])
	return d, nil
}

// pullRequest records a pull request that comes with a commit.
func (a *Area) pullRequest(_ context.Context, r *repo.Repo, pr repo.PullRequest) (int, error) {
	if err := enabled(r); err != nil {
		return 0, err
	}
	d, err := a.Open(r, Spec{
		Author: pr.Author, Title: pr.Title, Text: pr.Description, Pull: true, Commit: &pr.Commit, Base: pr.Base,
	})
	if err != nil {
		return 0, err
	}
	return d.Num, nil
}

// committed adds a commit on the branch of a pull request to its events.
func (a *Area) committed(r *repo.Repo, ref, oid string) {
	if !git.IsPull(ref) {
		return
	}
	c, err := r.Objects().Commit(oid)
	if err != nil {
		return // the repository is being deleted
	}
	for _, d := range a.all(r) {
		if d.Pull && d.ref() == ref {
			_, _ = a.edit(r, d.Num, func(d *Discussion) error { // it may be deleted meanwhile
				if !slices.ContainsFunc(d.Events, func(e Event) bool { return e.OID == oid }) {
					d.Events = append(d.Events, a.commitEvent(repo.Commit{
						OID: oid, Title: c.Title(), Author: c.Author, Parents: c.Parents,
					}))
				}
				return nil
			})
		}
	}
}

func (a *Area) commitEvent(c repo.Commit) Event {
	return Event{
		ID: a.o.Clock.ID(), Author: c.Author, Created: a.o.Clock.Stamp(), Type: commit,
		Subject: c.Title, OID: c.OID, Parents: c.Parents,
	}
}

func (a *Area) said(author, text string, now time.Time) Event {
	return Event{
		ID: a.o.Clock.ID(), Author: author, Created: now, Type: comment,
		Comment: &Comment{Raw: text, Updated: now, By: author},
	}
}

// all lists the discussions of a repository by number.
func (a *Area) all(r *repo.Repo) []*Discussion {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t := a.threads[r.Hex()]; t != nil {
		return slices.Clone(t.All)
	}
	return nil
}

// find returns a discussion by its number.
func (a *Area) find(r *repo.Repo, num int) (*Discussion, error) {
	for _, d := range a.all(r) {
		if d.Num == num {
			return d, nil
		}
	}
	return nil, answer.Refuse(http.StatusNotFound, "Discussion not found")
}

// edit replaces a discussion by what change makes of a copy, unless change
// refuses.
func (a *Area) edit(r *repo.Repo, num int, change func(d *Discussion) error) (*Discussion, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t := a.threads[r.Hex()]; t != nil {
		for i, old := range t.All {
			if old.Num != num {
				continue
			}
			next := *old
			next.Events = slices.Clone(old.Events)
			if err := change(&next); err != nil {
				return nil, err
			}
			t.All[i] = &next
			return &next, nil
		}
	}
	return nil, answer.Refuse(http.StatusNotFound, "Discussion not found")
}

// Save returns everything that Load needs.
func (a *Area) Save() (json.RawMessage, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return json.Marshal(a.threads)
}

// Load replaces everything by what Save returned.
func (a *Area) Load(raw json.RawMessage) error {
	threads := map[string]*thread{}
	if err := json.Unmarshal(raw, &threads); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.threads = threads
	return nil
}

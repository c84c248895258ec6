// Package discussion is the part of the Hub's client for discussions and pull
// requests of repositories: reading them, opening, answering, renaming, closing
// and merging them. What goes into a pull request is committed elsewhere.
//
// Nothing here is done twice by accident: when nobody knows whether a request
// was carried out, the thread is looked at before it is repeated.
package discussion

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// API makes the calls. It is safe for concurrent use.
type API struct{ conn *wire.Conn }

// New returns the API over a connection.
func New(c *wire.Conn) *API { return &API{conn: c} }

// Repo is the repository whose threads are meant.
type Repo struct {
	Type wire.RepoType // "" is a model
	ID   string        // namespace/name
}

// Status is where a thread stands. Draft and Merged are for pull requests.
type Status string

// The states.
const (
	Open   Status = "open"
	Closed Status = "closed"
	Draft  Status = "draft"
	Merged Status = "merged"
)

// Author is who wrote something. A user that was deleted is no author.
type Author struct {
	Name     string `json:"name"`
	Fullname string `json:"fullname"`
	Type     string `json:"type"`
}

// Discussion is a thread as lists show it.
type Discussion struct {
	Num           int       `json:"num"`
	Title         string    `json:"title"`
	Status        Status    `json:"status"`
	Author        *Author   `json:"author"` // nil when the user was deleted
	CreatedAt     time.Time `json:"createdAt"`
	IsPullRequest bool      `json:"isPullRequest"`
	NumComments   int       `json:"numComments"`
	Pinned        bool      `json:"pinned"`
	// Raw is the whole object as it came, also what has no field here.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON decodes a thread and keeps all of it.
func (d *Discussion) UnmarshalJSON(data []byte) error {
	type plain Discussion
	if err := json.Unmarshal(data, (*plain)(d)); err != nil {
		return err
	}
	d.Raw = slices.Clone(data)
	return nil
}

// Conflicts are the files a pull request cannot be merged for. Some says that
// there are some that are not named.
type Conflicts struct {
	Some  bool
	Files []string
}

// UnmarshalJSON reads names, or the mere word that there are some.
func (c *Conflicts) UnmarshalJSON(data []byte) error {
	*c = Conflicts{}
	if err := json.Unmarshal(data, &c.Some); err == nil {
		return nil
	}
	return json.Unmarshal(data, &c.Files)
}

// Details is a whole thread.
type Details struct {
	Discussion
	Events []Event
	// Base and MergeCommit, Diff, DiffURL and Conflicts are of pull requests;
	// Diff only where it was asked for.
	Base, MergeCommit string
	Diff, DiffURL     string
	Conflicts         Conflicts
	Locked            bool
}

// UnmarshalJSON decodes a thread with its events.
func (d *Details) UnmarshalJSON(data []byte) error {
	var more struct {
		Events  []Event `json:"events"`
		Changes struct {
			Base        string `json:"base"`
			MergeCommit string `json:"mergeCommitId"`
		} `json:"changes"`
		Diff      string    `json:"diff"`
		DiffURL   string    `json:"diffUrl"`
		Conflicts Conflicts `json:"filesWithConflicts"`
		Locked    bool      `json:"locked"`
	}
	if err := json.Unmarshal(data, &more); err != nil {
		return err
	}
	*d = Details{
		Events: more.Events, Base: more.Changes.Base, MergeCommit: more.Changes.MergeCommit, Diff: more.Diff,
		DiffURL: more.DiffURL, Conflicts: more.Conflicts, Locked: more.Locked,
	}
	return d.Discussion.UnmarshalJSON(data)
}

// Event is one thing that happened in a thread. Types this package does not
// know are kept like all others.
type Event struct {
	ID        string          `json:"id"`
	Type      string          `json:"type"` // comment, status-change, commit, title-change, …
	CreatedAt time.Time       `json:"createdAt"`
	Author    *Author         `json:"author"`
	Data      json.RawMessage `json:"data"`
}

// Comment is the data of an event of type "comment".
type Comment struct {
	Edited bool
	Hidden bool
	Text   string // Markdown
}

// Comment reads a comment; false is any other event.
func (e Event) Comment() (Comment, bool) {
	var data struct {
		Edited bool `json:"edited"`
		Hidden bool `json:"hidden"`
		Latest struct {
			Raw string `json:"raw"`
		} `json:"latest"`
	}
	if e.Type != "comment" || json.Unmarshal(e.Data, &data) != nil {
		return Comment{}, false
	}
	return Comment{data.Edited, data.Hidden, data.Latest.Raw}, true
}

// Filter chooses threads; an empty field means any.
type Filter struct {
	Type   string // "discussion" or "pull_request"
	Status string // "open", with drafts, or "closed"
	Author string
	Search string
	Sort   string // "recently-created" (the default), "trending" or "reactions"
}

func (f Filter) query() (url.Values, error) {
	q := url.Values{}
	for _, c := range []struct {
		field, value string
		allowed      []string
	}{
		{"type", f.Type, []string{"all", "discussion", "pull_request"}},
		{"status", f.Status, []string{"all", "open", "closed"}},
		{"author", f.Author, nil},
		{"search", f.Search, nil},
		{"sort", f.Sort, []string{"recently-created", "trending", "reactions"}},
	} {
		if c.value == "" {
			continue
		}
		if c.allowed != nil && !slices.Contains(c.allowed, c.value) {
			return nil, invalid("list discussions", c.field+" must be one of "+list(c.allowed)+", not "+strconv.Quote(c.value))
		}
		q.Set(c.field, c.value)
	}
	return q, nil
}

func list(words []string) string {
	text := ""
	for i, w := range words {
		if i > 0 {
			text += ", "
		}
		text += w
	}
	return text
}

// invalid is bad input, refused before any request.
func invalid(op, message string) error {
	return &wire.Error{Kind: wire.Invalid, Op: op, Message: message}
}

// path checks the repository and makes a path of its threads.
func (r Repo) path(more ...string) (string, error) {
	if r.Type == "" {
		r.Type = wire.Model
	}
	if err := wire.CheckType("type", r.Type); err != nil {
		return "", err
	}
	if err := wire.CheckRepoID("repo", r.ID); err != nil {
		return "", err
	}
	return r.Type.API(r.ID, append([]string{"discussions"}, more...)...), nil
}

// List yields threads, newest first, asking for the next page only when the
// one before is used up.
func (a *API) List(ctx context.Context, r Repo, f Filter) iter.Seq2[Discussion, error] {
	return func(yield func(Discussion, error) bool) {
		q, err := f.query()
		if err != nil {
			yield(Discussion{}, err)
			return
		}
		for p, taken := 0, 0; ; p++ {
			page, err := a.page(ctx, r, q, p)
			if err != nil {
				yield(Discussion{}, err)
				return
			}
			for _, d := range page.Discussions {
				if !yield(d, nil) {
					return
				}
			}
			taken = max(taken, page.Start) + len(page.Discussions)
			if len(page.Discussions) == 0 || taken >= page.Count {
				return
			}
		}
	}
}

type page struct {
	Discussions []Discussion `json:"discussions"`
	Count       int          `json:"count"`
	Start       int          `json:"start"`
}

func (a *API) page(ctx context.Context, r Repo, q url.Values, p int) (page, error) {
	var out page
	path, err := r.path()
	if err != nil {
		return out, err
	}
	q.Set("p", strconv.Itoa(p))
	_, err = a.conn.JSON(ctx, wire.Request{Op: "list discussions of " + r.ID, Path: path, Query: q}, &out)
	return out, err
}

// Details reads one thread; diff asks for a pull request's changes too.
func (a *API) Details(ctx context.Context, r Repo, num int, diff bool) (*Details, error) {
	path, err := r.path(strconv.Itoa(num))
	if err != nil {
		return nil, err
	}
	q := url.Values{}
	if diff {
		q.Set("diff", "1")
	}
	out := new(Details)
	if _, err = a.conn.JSON(ctx, wire.Request{Op: thread("read", r, num), Path: path, Query: q}, out); err != nil {
		return nil, err
	}
	return out, nil
}

func thread(verb string, r Repo, num int) string {
	return verb + " discussion " + strconv.Itoa(num) + " of " + r.ID
}

const (
	minTitle, maxTitle = 3, 200
	maxText            = 65_536
	// maxTries is how often a request is made whose outcome is unknown.
	maxTries = 3
)

func checkTitle(op, title string) error {
	if n := utf8.RuneCountInString(title); n < minTitle || n > maxTitle {
		return invalid(op, "title must have 3 to 200 characters, not "+strconv.Itoa(n))
	}
	return nil
}

func checkText(op, field, text string, empty bool) error {
	if n := utf8.RuneCountInString(text); n > maxText || n == 0 && !empty {
		return invalid(op, field+" must have 1 to 65536 characters, not "+strconv.Itoa(n))
	}
	return nil
}

// once acts, and looks before it acts again when nobody knows what became of
// the first request.
func (a *API) once(ctx context.Context, act func() error, done func() (bool, error)) error {
	for try := 1; ; try++ {
		err := act()
		if err == nil || !wire.Ambiguous(err) || ctx.Err() != nil {
			return err
		}
		ok, lookErr := done()
		switch {
		case ok:
			return nil
		case lookErr != nil:
			return errors.Join(err, lookErr)
		case try == maxTries:
			return err
		}
		if err := a.conn.Wait(ctx, time.Second<<(try-1), "the request was not carried out, trying again"); err != nil {
			return err
		}
	}
}

// post sends one change of a thread.
func (a *API) post(ctx context.Context, op string, r Repo, body, into any, more ...string) error {
	path, err := r.path(more...)
	if err != nil {
		return err
	}
	_, err = a.conn.JSON(ctx, wire.Request{Op: op, Method: http.MethodPost, Path: path, JSON: body}, into)
	return err
}

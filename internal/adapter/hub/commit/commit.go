// Package commit writes to repositories of the Hub: it uploads what is new,
// leaves out what is there already, and makes one commit of it. It knows
// neither users nor approvals; who may write where is for the Hub and for the
// caller to say.
//
// A commit is always made on top of the state it was decided on. When the
// branch has moved on, it is made again on the new state if nothing it touches
// has changed there, and is a [Conflict] otherwise. When nobody knows whether a
// commit was made, the branch is looked at before anything is repeated.
package commit

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// Options of the API.
type Options struct {
	// Streams is how many bodies are sent at once; 0 means 8.
	Streams int
}

// API commits to the repositories of one Hub.
type API struct {
	conn *wire.Conn
	opts Options
}

// New joins the API to a connection.
func New(c *wire.Conn, o Options) *API { return &API{conn: c, opts: o} }

// Request is one commit.
type Request struct {
	Target
	Operations []Operation
	// Summary is the commit's first line, and a pull request's title.
	Summary     string
	Description string
	// CreatePR puts the commit into a new pull request against the branch.
	CreatePR bool
	// Parent is the commit the caller's decision was based on; "" is the head
	// of the branch.
	Parent string
	// Before, if set, is told what the paths shall hold before anything is
	// written, to be kept and looked for with [API.Held] later. Its failure
	// ends the commit.
	Before func(wants []Want) error
	// Progress, if set, is told how far the work is, one call at a time.
	Progress func(Progress)
}

// Progress is how far a commit is.
type Progress struct {
	Stage string // "hash", "upload" or "commit"
	Path  string // the file at hand; empty in stage "commit"
	// Done and Total count bytes of the stage; the upload's total is known
	// from its beginning.
	Done, Total int64
}

// Result is what became of a commit.
type Result struct {
	// OID is the commit made, or the head when there was nothing to do.
	OID string
	// URL shows the commit.
	URL string
	// Unchanged says that no commit was made, since everything was there.
	Unchanged bool
	// PullRequest is the number of the pull request made, PullRequestURL its
	// page.
	PullRequest    int
	PullRequestURL string
	// Found says that the answer to the commit got lost and the branch showed
	// that it was made.
	Found bool
	// Same, Ignored and Skipped are paths that were not sent: they are there
	// already, the Hub ignores them, they are links that lead elsewhere.
	Same, Ignored, Skipped []string
	// Uploaded counts bytes sent to the store of large files.
	Uploaded int64
	// Warnings are the Hub's, on the repository's card.
	Warnings []string
}

// Conflict is the failure of a commit because the branch has changed where the
// commit wanted to change it. Nothing of the commit is visible.
type Conflict struct {
	Repo, Revision string
	Base, Head     string // what the commit was decided on, and what is there now
	Paths          []string
}

// Error names the paths.
func (c *Conflict) Error() string {
	const shown = 10
	names := strings.Join(c.Paths[:min(len(c.Paths), shown)], ", ")
	if more := len(c.Paths) - shown; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("commit to %s: %s has changed since %.8s: %s; nothing was written, look at the new state first",
		c.Repo, c.Revision, c.Base, names)
}

// Is reports whether target is the kind of failures by a branch that moved.
func (c *Conflict) Is(target error) bool { return target == error(wire.HeadMoved) }

// Commit makes one commit of the operations.
func (a *API) Commit(ctx context.Context, r Request) (Result, error) {
	var err error
	if r.Target, err = r.filled(); err != nil {
		return Result{}, err
	}
	if strings.TrimSpace(r.Summary) == "" {
		return Result{}, invalid("summary", "is missing")
	}
	if r.Parent != "" && (len(r.Parent) < 7 || len(r.Parent) > 40 || strings.Trim(r.Parent, "0123456789abcdef") != "") {
		return Result{}, invalid("parent", "is no commit")
	}
	if err := checkAll(r.Operations); err != nil {
		return Result{}, err
	}
	c := &change{api: a, request: r, report: reporter(r.Progress)}
	defer c.close()
	if err := c.plan(ctx); err != nil {
		return Result{}, err
	}
	if c.empty() {
		return c.finished(), nil
	}
	if r.Before != nil {
		if err := r.Before(slices.Clone(c.wants)); err != nil {
			return Result{}, err
		}
	}
	if err := c.upload(ctx); err != nil {
		return Result{}, err
	}
	if err := c.post(ctx); err != nil {
		return Result{}, err
	}
	return c.finished(), nil
}

// reporter lets one call of Progress through at a time.
func reporter(tell func(Progress)) func(Progress) {
	if tell == nil {
		return func(Progress) {}
	}
	var mu sync.Mutex
	return func(p Progress) {
		mu.Lock()
		defer mu.Unlock()
		tell(p)
	}
}

// finished is the result once there is nothing left to do.
func (c *change) finished() Result {
	r := c.result
	if r.OID == "" {
		r.OID, r.Unchanged = c.base, true
	}
	t := c.request.Target
	endpoint := strings.TrimRight(c.api.conn.Endpoint().String(), "/")
	r.URL = endpoint + t.Type.Page(t.Repo, "commit", r.OID)
	if r.PullRequest > 0 {
		r.PullRequestURL = endpoint + t.Type.Page(t.Repo, "discussions", strconv.Itoa(r.PullRequest))
	}
	return r
}

// answer is the Hub's to a commit.
type answer struct {
	Success        *bool  `json:"success"`
	OID            string `json:"commitOid"`
	PullRequestURL string `json:"pullRequestUrl"`
}

func (a answer) into(r *Result, op string) error {
	switch {
	case a.Success != nil && !*a.Success:
		return &wire.Error{Kind: wire.Unexpected, Op: op, Message: "the answer says that there was no success"}
	case a.OID == "":
		return &wire.Error{Kind: wire.Unexpected, Op: op, Message: "the answer names no commit"}
	}
	if a.PullRequestURL != "" {
		n, err := strconv.Atoi(path.Base(a.PullRequestURL))
		if err != nil {
			return &wire.Error{Kind: wire.Unexpected, Op: op, Message: "the address of the pull request has no number"}
		}
		r.PullRequest = n
	}
	r.OID = a.OID
	return nil
}

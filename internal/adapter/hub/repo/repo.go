// Package repo finds, reads and runs the life of repositories on a Hub: lists
// and infos, trees, commits and branches, creation and removal. It neither
// uploads nor downloads whole files, and knows nothing of who asks.
package repo

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// API is the Hub's part about repositories. It is safe for concurrent use.
type API struct{ c *wire.Conn }

// New asks over c.
func New(c *wire.Conn) *API { return &API{c} }

const (
	// settleTries is how often a change is sent whose end stays unclear, or
	// that another one is in the way of.
	settleTries = 5
	// hiddenFor is how long a new repository may stay unknown.
	hiddenFor = 60 * time.Second
)

// Ref names a repository.
type Ref struct {
	Type wire.RepoType
	ID   string
}

// String is the repository as a person writes it.
func (r Ref) String() string { return string(r.Type) + " " + r.ID }

// check refuses what names no repository.
func (r Ref) check() error {
	if err := wire.CheckType("repo_type", r.Type); err != nil {
		return err
	}
	return wire.CheckRepoID("repo_id", r.ID)
}

// at checks a repository and one of its states.
func (r Ref) at(revision string) error {
	if err := r.check(); err != nil {
		return err
	}
	return wire.CheckRevision("revision", revision)
}

// request is a question about a repository; more are segments below it.
func (r Ref) request(op, method string, more ...string) wire.Request {
	return wire.Request{Op: op + " " + r.String(), Method: method, Path: r.Type.API(r.ID, more...)}
}

// settle makes a change until its outcome is known. A failure after which the
// Hub may have acted is followed by another try; the kind done then says that
// the first one was enough. A change that another one stands in the way of is
// tried again too.
func (a *API) settle(ctx context.Context, op string, done wire.Kind, change func() error) error {
	unclear := false
	for try := 1; ; try++ {
		err := change()
		switch {
		case err == nil:
			return nil
		case unclear && wire.KindOf(err) == done && !busy(err):
			return nil
		case !wire.Ambiguous(err) && !busy(err), try == settleTries, ctx.Err() != nil:
			return err
		}
		unclear = unclear || wire.Ambiguous(err)
		d := time.Second << (try - 1)
		if werr := a.c.Wait(ctx, d, fmt.Sprintf("%s: %v, trying again in %s", op, wire.KindOf(err), d)); werr != nil {
			return err
		}
	}
}

// busy reports whether the Hub was in the middle of a conflicting change.
func busy(err error) bool {
	e, ok := asError(err)
	return ok && e.Kind == wire.Conflict && e.Retryable
}

// appear waits until a new repository can be seen.
func (a *API) appear(ctx context.Context, r Ref) error {
	end := time.Now().Add(hiddenFor)
	for d := time.Second; ; d = min(2*d, 8*time.Second) {
		_, err := a.Info(ctx, r, InfoOptions{Expand: []string{"likes"}})
		switch kind := wire.KindOf(err); {
		case err == nil:
			return nil
		case kind != wire.RepoNotFound && kind != wire.NotFound && kind != wire.Unauthorized:
			return err
		}
		left := time.Until(end)
		if left <= 0 {
			return err
		}
		if werr := a.c.Wait(ctx, min(d, left), fmt.Sprintf("%s is not visible yet", r)); werr != nil {
			return err
		}
	}
}

// do sends a request whose answer does not matter.
func (a *API) do(ctx context.Context, r wire.Request) error {
	resp, err := a.c.Do(ctx, r)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// AuthCheck asks whether the user may read, or write, a repository; the error
// says why not.
func (a *API) AuthCheck(ctx context.Context, r Ref, write bool) error {
	if err := r.check(); err != nil {
		return err
	}
	more := []string{"auth-check"}
	if write {
		more = append(more, "write")
	}
	return a.do(ctx, r.request("check the access to", http.MethodGet, more...))
}

// Exists reports whether the user can see a repository.
func (a *API) Exists(ctx context.Context, r Ref) (bool, error) {
	_, err := a.Info(ctx, r, InfoOptions{Expand: []string{"likes"}})
	switch wire.KindOf(err) {
	case wire.RepoNotFound, wire.NotFound:
		return false, nil
	}
	return err == nil, err
}

package simtest

import (
	"context"
	"net/http"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/content"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// World is the ground that repositories and everything on them stand on.
type World struct {
	testing.TB
	Clock *clock.Clock
	Book  *account.Book
	Repos *repo.Store
}

// New makes a world with the accounts of Book and no repositories.
func New(t testing.TB) *World {
	t.Helper()
	w := &World{TB: t, Clock: clock.New(clock.Options{})}
	t.Cleanup(w.Clock.Stop)
	w.Book = Book(w.Clock)
	store, err := content.New(content.Options{Clock: w.Clock, Base: func() string { return "http://cdn.test" }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	if w.Repos, err = repo.New(repo.Options{Clock: w.Clock, Accounts: w.Book, Content: store}); err != nil {
		t.Fatal(err)
	}
	return w
}

// Serve answers for the routes of a part.
func (w *World) Serve(part interface{ Routes(mux *http.ServeMux) }) *Server {
	mux := http.NewServeMux()
	part.Routes(mux)
	return &Server{TB: w.TB, Book: w.Book, Handler: mux}
}

// As is the context of the owner of token.
func (w *World) As(token string) context.Context {
	w.Helper()
	c, ok := w.Book.Authenticate(token)
	if !ok {
		w.Fatalf("token %q is unknown", token)
	}
	return account.With(context.Background(), c)
}

// Repo makes a repository, its files given by path.
func (w *World) Repo(spec repo.CreateSpec, files map[string]string) *repo.Repo {
	w.Helper()
	spec.Trusted = true
	if spec.Type == "" {
		spec.Type = repo.Model
	}
	r, err := w.Repos.Create(context.Background(), spec)
	if err != nil {
		w.Fatal(err)
	}
	if len(files) > 0 {
		w.Commit(r, "main", files)
	}
	return r
}

// Commit writes files to a branch or a pull request; an empty text removes one.
func (w *World) Commit(r *repo.Repo, ref string, files map[string]string) string {
	w.Helper()
	c, err := r.Commit(context.Background(), repo.CommitSpec{Ref: ref, Title: "change", Author: "bob", Changes: Changes(files)})
	if err != nil {
		w.Fatal(err)
	}
	return c.OID
}

// Changes are the operations that write files; an empty text removes one.
func Changes(files map[string]string) []repo.Change {
	var changes []repo.Change
	for path, text := range files {
		if text == "" {
			changes = append(changes, repo.Change{Op: repo.DeleteFile, Path: path})
			continue
		}
		changes = append(changes, repo.Change{Op: repo.PutAuto, Path: path, Content: []byte(text)})
	}
	return changes
}

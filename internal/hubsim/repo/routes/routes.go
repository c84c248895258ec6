// Package routes joins everything the simulated Hub serves of repositories, and
// finds the repository in addresses that are no API: files, LFS and the wish to
// read a gated one. It knows no route's work.
package routes

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/content"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo/contents"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo/lifecycle"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo/upload"
)

// Options of the routes.
type Options struct {
	Repos    *repo.Store
	Content  *content.Store
	Accounts *account.Book
	// Move moves things that are no repositories, by their type: buckets.
	Move map[string]func(ctx context.Context, from, to string) error
	// NotFound answers addresses that are not of files of a repository; nil is
	// a plain 404.
	NotFound http.Handler
}

// Routes serves repositories.
type Routes struct {
	o         Options
	contents  *contents.Routes
	upload    *upload.Routes
	lifecycle *lifecycle.Routes
}

// New returns the routes.
func New(o Options) (*Routes, error) {
	s := &Routes{o: o}
	if o.NotFound == nil {
		s.o.NotFound = answer.Handler(func(http.ResponseWriter, *http.Request) error {
			return answer.NoPage()
		})
	}
	var err error
	if s.contents, err = contents.New(contents.Options{Repos: o.Repos, Content: o.Content}); err != nil {
		return nil, err
	}
	if s.upload, err = upload.New(upload.Options{Repos: o.Repos, Content: o.Content}); err != nil {
		return nil, err
	}
	if s.lifecycle, err = lifecycle.New(lifecycle.Options{Repos: o.Repos, Accounts: o.Accounts, Move: o.Move}); err != nil {
		return nil, err
	}
	return s, nil
}

// Routes registers the API and, as the least of all patterns, the addresses
// that begin with a namespace.
func (s *Routes) Routes(mux *http.ServeMux) {
	s.contents.Routes(mux)
	s.upload.Routes(mux)
	s.lifecycle.Routes(mux)
	mux.Handle("/{ns}/{rest...}", repo.Route(s.page))
}

// address is a place in a repository outside the API.
type address struct {
	typ  repo.Type
	id   string
	op   string // such as resolve or info/lfs/objects/batch
	tail string // what follows, escaped
}

// parse reads an escaped path: [datasets/|spaces/][ns/]name[.git]/op/tail. Only
// models of old have no namespace.
func parse(path string) (a address, ok bool) {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	a.typ = repo.Model
	if t, known := repo.ParsePlural(parts[0]); known && t != repo.Model {
		a.typ, parts = t, parts[1:]
	}
	for _, n := range []int{2, 1} { // elements of the id
		if len(parts) <= n || n == 1 && a.typ != repo.Model {
			continue
		}
		rest := parts[n:]
		id, isGit := strings.CutSuffix(strings.Join(parts[:n], "/"), ".git")
		op, used := rest[0], 1
		switch {
		case isGit && strings.HasPrefix(strings.Join(rest, "/"), "info/lfs/objects/"):
			op, used = strings.Join(rest, "/"), len(rest)
		case isGit || op != "resolve" && op != "raw" && op != "ask-access":
			continue
		}
		name, err := url.PathUnescape(id)
		if err != nil {
			return a, false
		}
		a.id, a.op, a.tail = name, op, strings.Join(rest[used:], "/")
		return a, true
	}
	return a, false
}

// page serves an address outside the API.
func (s *Routes) page(w http.ResponseWriter, r *http.Request) error {
	a, ok := parse(r.URL.EscapedPath())
	h, known := s.served(r.Method + " " + a.op)
	if !ok || !known {
		s.o.NotFound.ServeHTTP(w, r)
		return nil
	}
	at, err := s.o.Repos.Find(r.Context(), a.typ, a.id)
	if err != nil {
		return err
	}
	return h(w, r, at, a.tail)
}

type handler func(w http.ResponseWriter, r *http.Request, at *repo.Repo, tail string) error

// served finds what an operation does.
func (s *Routes) served(op string) (handler, bool) {
	whole := func(h func(http.ResponseWriter, *http.Request, *repo.Repo) error) handler {
		return func(w http.ResponseWriter, r *http.Request, at *repo.Repo, _ string) error { return h(w, r, at) }
	}
	switch op {
	case "GET resolve", "HEAD resolve":
		return s.contents.Resolve, true
	case "GET raw", "HEAD raw":
		return s.contents.Raw, true
	case "POST ask-access":
		return whole(s.lifecycle.Ask), true
	case "POST info/lfs/objects/batch":
		return whole(s.upload.Batch), true
	case "POST info/lfs/objects/verify":
		return whole(s.upload.Verify), true
	}
	return nil, false
}

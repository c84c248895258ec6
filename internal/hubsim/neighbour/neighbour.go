// Package neighbour puts together the services around the Hub: inference
// router, dataset viewer, papers and documentation, arXiv, Semantic Scholar,
// OpenAlex, GitHub, Gradio, web search and pages, Slack, MCP. It knows which
// service is where, and nothing of what they answer.
//
// Routes adds what is served by the Hub itself, below /api and /.well-known.
// Everything else has paths that no pattern of the Hub's own pages may cross,
// such as /docs/trl/resolve: Overlay stands in front of the Hub for those, and
// for the written-down answers of a seed's routes.json, which win over
// everything.
package neighbour

import (
	"context"
	"io/fs"
	"net/http"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/code"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/docs"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/gradio"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/leaderboard"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/mcp"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/openapi"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/paper"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/router"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/scholar"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/slack"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/table"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/viewer"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/web"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// Content is what a seed holds for the services. The zero value is empty.
type Content struct {
	Papers []paper.Paper
	Docs   []docs.Set
	Router router.Content
	Code   []code.Repo
	Web    []web.Page
	Gradio string
	Routes *table.Table
}

// Read reads the folders papers, docs, router, github, web and gradio of fsys,
// and routes.json; what is not there is empty. Errors name file and field.
func Read(fsys fs.FS) (c Content, err error) {
	read := func(f func() error) {
		if err == nil {
			err = f()
		}
	}
	read(func() (err error) { c.Papers, err = paper.Read(fsys, "papers"); return err })
	read(func() (err error) { c.Docs, err = docs.Read(fsys, "docs"); return err })
	read(func() (err error) { c.Router, err = router.Read(fsys, "router"); return err })
	read(func() (err error) { c.Code, err = code.Read(fsys, "github"); return err })
	read(func() (err error) { c.Web, err = web.Read(fsys, "web"); return err })
	read(func() (err error) { c.Gradio, err = gradio.Read(fsys, "gradio"); return err })
	read(func() (err error) { c.Routes, err = table.Read(fsys, "routes.json"); return err })
	return c, err
}

// Options of the services. Content may be zero.
type Options struct {
	Clock    *clock.Clock
	Accounts *account.Book
	Store    *repo.Store
	Content  Content
	// Model answers calls of the router instead of the seed's scripts; it gets
	// them below /router/v1. nil plays the scripts.
	Model http.Handler
}

// Services are all of them.
type Services struct {
	store  *repo.Store
	papers *paper.Service
	docs   *docs.Docs
	viewer *viewer.Viewer
	board  *leaderboard.Board
	slack  *slack.Slack
	routes *table.Table
	pages  *http.ServeMux
}

// New returns the services.
func New(o Options) *Services {
	s := &Services{store: o.Store, routes: o.Content.Routes, pages: http.NewServeMux()}
	if s.routes == nil {
		s.routes = &table.Table{}
	}
	library := paper.New(o.Content.Papers)
	s.papers = paper.Serve(paper.Options{Clock: o.Clock, Accounts: o.Accounts, Library: library, Linked: s.linked})
	s.docs = docs.New(o.Content.Docs)
	s.viewer = viewer.New(viewer.Options{Accounts: o.Accounts, Store: o.Store})
	s.board = leaderboard.New(o.Accounts, o.Store)
	s.slack = slack.New(o.Clock)
	for _, part := range []interface{ Pages(*http.ServeMux) }{
		s.papers, s.docs, s.viewer, s.slack,
		scholar.Serve(o.Clock, library),
		code.New(o.Clock, o.Content.Code),
		web.New(o.Content.Web, listed(o.Content)),
		router.New(router.Options{Clock: o.Clock, Accounts: o.Accounts, Content: o.Content.Router, Model: o.Model}),
		mcp.New(s.tools()),
		gradio.New(o.Content.Gradio),
	} {
		part.Pages(s.pages)
	}
	return s
}

// listed is what the search engines find beside the seed's own pages.
func listed(c Content) []web.Entry {
	var out []web.Entry
	for i := range c.Docs {
		for _, p := range c.Docs[i].Pages {
			out = append(out, web.Entry{URL: c.Docs[i].URL(p), Title: p.Title + " - " + c.Docs[i].Title + " documentation", Text: p.Text})
		}
	}
	for _, p := range c.Papers {
		out = append(out, web.Entry{URL: "https://arxiv.org/abs/" + p.ID, Title: "[" + p.ID + "] " + p.Title, Text: p.Summary})
	}
	for i := range c.Code {
		r := &c.Code[i]
		out = append(out, web.Entry{URL: "https://github.com/" + r.Full(), Title: r.Full() + ": " + r.Description, Text: r.Readme()})
	}
	return out
}

// Routes adds the routes below /api and /.well-known.
func (s *Services) Routes(mux *http.ServeMux) {
	s.papers.Routes(mux)
	s.docs.Routes(mux)
	s.viewer.Routes(mux)
	s.board.Routes(mux)
	openapi.Routes(mux)
}

// The first elements of the paths that Overlay serves: of the services beside
// the Hub, and of pages of its own.
var (
	beside = []string{
		"ar5iv", "arxiv", "arxiv-api", "brave", "datasets-server", "github", "gradio", "gradio-search", "mcp", "openalex",
		"router", "s2", "searxng", "slack", "tavily", "web", "web-search",
	}
	within = []string{"docs", "papers"}
)

// Beside reports whether a path that begins with first is that of a service
// beside the Hub: it has its own tokens and none of the Hub's limits.
func Beside(first string) bool { return slices.Contains(beside, first) }

// Overlay serves the written-down answers and the services with their own
// prefixes, and leaves the rest to the Hub.
func (s *Services) Overlay(hub http.Handler) http.Handler {
	return s.routes.Before(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if !Beside(first) && !slices.Contains(within, first) {
			hub.ServeHTTP(w, r)
			return
		}
		// What none of the services knows is unserved, which the Hub notes.
		if _, pattern := s.pages.Handler(r); pattern == "" {
			hub.ServeHTTP(w, r)
			return
		}
		s.pages.ServeHTTP(w, r)
	}))
}

// Slack is where posted messages can be read.
func (s *Services) Slack() *slack.Slack { return s.slack }

// Table is the list of written-down answers; tests may add to it.
func (s *Services) Table() *table.Table { return s.routes }

// Paper describes a paper as a collection shows it.
func (s *Services) Paper(_ context.Context, id string) (map[string]any, error) {
	x, ok := s.papers.Find(id)
	if !ok {
		return nil, answer.NotFound("", "Paper "+id+" not found")
	}
	return map[string]any{
		"id": x.ID, "title": x.Title, "upvotes": x.Upvotes, "publishedAt": clock.Format(x.PublishedAt),
		"thumbnailUrl": "https://cdn-thumbnails.huggingface.co/social-thumbnails/papers/" + x.ID + ".png", "isUpvotedByUser": false,
	}, nil
}

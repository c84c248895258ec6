package lookups

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/github"
	"github.com/ml-intern/ml-intern/internal/adapter/websearch"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/markup/pdf"
	"github.com/ml-intern/ml-intern/internal/tools/audit"
	"github.com/ml-intern/ml-intern/internal/tools/catalog"
	"github.com/ml-intern/ml-intern/internal/tools/data"
	"github.com/ml-intern/ml-intern/internal/tools/docs"
	ghtools "github.com/ml-intern/ml-intern/internal/tools/github"
	"github.com/ml-intern/ml-intern/internal/tools/models"
	"github.com/ml-intern/ml-intern/internal/tools/papers"
	"github.com/ml-intern/ml-intern/internal/tools/web"
)

// Tools are the tools that look things up. They hold no state of a session.
type Tools struct {
	ExploreDocs, FetchDocs, FindAPI           tool.Tool
	Papers                                    tool.Tool
	Inspect, Query, Audit                     tool.Tool
	FindExamples, ListRepos, ReadFile, Search tool.Tool
	HubSearch, Leaderboard, InspectModel      tool.Tool
	WebSearch, WebFetch                       tool.Tool
}

// places are the places of all tools.
func (t *Tools) places() []*tool.Tool {
	return []*tool.Tool{
		&t.ExploreDocs, &t.FetchDocs, &t.FindAPI, &t.Papers, &t.Inspect, &t.Query, &t.Audit,
		&t.FindExamples, &t.ListRepos, &t.ReadFile, &t.Search, &t.HubSearch, &t.Leaderboard, &t.InspectModel, &t.WebSearch, &t.WebFetch,
	}
}

// All lists the tools.
func (t *Tools) All() []tool.Tool {
	var all []tool.Tool
	for _, each := range t.places() {
		all = append(all, *each)
	}
	return all
}

// Tools makes the tools, once for all sessions.
func (d *Door) Tools() (*Tools, error) {
	d.made.Do(func() {
		if d.tools, d.toolsErr = d.make(); d.toolsErr != nil {
			d.toolsErr = fmt.Errorf("make the tools that look things up: %w", d.toolsErr)
		}
	})
	return d.tools, d.toolsErr
}

func (d *Door) make() (*Tools, error) {
	client, err := d.Client()
	if err != nil {
		return nil, err
	}
	t := &Tools{}
	d.pdfs = make(chan struct{}, pdfAtOnce)
	for _, f := range []func(fetch.Getter, *Tools) error{d.makeDocs, d.makePapers, d.makeData, d.makeGitHub, d.makeCatalog, d.makeWeb} {
		err = errors.Join(err, f(client, t))
	}
	if err != nil {
		return nil, err
	}
	for _, each := range t.places() {
		*each = patient{*each}
	}
	return t, nil
}

// patient is a tool all of whose requests in one call share the time that may be
// waited for services.
type patient struct{ tool.Tool }

// Run runs the call.
func (p patient) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	return p.Tool.Run(fetch.OneWait(ctx), env, args)
}

func (d *Door) makeDocs(client fetch.Getter, t *Tools) error {
	made, err := docs.New(docs.Options{
		Fetch: client, Endpoint: d.Loaded.URL("HF_ENDPOINT").Value, IndexPath: filepath.Join(d.Loaded.Places.Cache, d.docsFile()),
	})
	if err != nil {
		return err
	}
	d.docs = made
	t.ExploreDocs, t.FetchDocs, t.FindAPI = made.Explore, made.Page, made.API
	return nil
}

// docsFile is the name of the index of documentation. Another Hub has one of its
// own: what a mirror or a simulation says must never answer for the real one.
func (d *Door) docsFile() string {
	hub := d.Loaded.URL("HF_ENDPOINT")
	if hub.Value == hub.Default {
		return "docs.db"
	}
	sum := sha256.Sum256([]byte(hub.Value))
	return "docs-" + hex.EncodeToString(sum[:6]) + ".db"
}

// pdfAtOnce is how many PDFs are read at once: a hostile one takes up to 2 GiB of
// memory and half a minute of a processor before it is given up.
const pdfAtOnce = 2

// pdf gives the text of a PDF, once it is its turn.
func (d *Door) pdf(ctx context.Context, data []byte) (string, error) {
	select {
	case d.pdfs <- struct{}{}:
		defer func() { <-d.pdfs }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	return pdf.Text(ctx, data)
}

func (d *Door) makePapers(client fetch.Getter, t *Tools) (err error) {
	t.Papers, err = papers.New(papers.Options{Fetch: client, PDF: d.pdf})
	return err
}

func (d *Door) makeData(client fetch.Getter, t *Tools) (err error) {
	o := data.Options{Fetch: client, Tokenizer: func(ctx context.Context, id string) (interface{ Count(string) int }, error) {
		counter, _, err := d.Tokenizer(ctx, id)
		return counter, err
	}}
	var auditor *audit.Auditor
	if t.Inspect, err = data.NewInspect(o); err == nil {
		t.Query, err = data.NewQuery(o)
	}
	if err == nil {
		auditor, err = d.sessionAuditor()
	}
	if err == nil {
		t.Audit, err = audit.NewTool(auditor)
	}
	return err
}

func (d *Door) makeGitHub(client fetch.Getter, t *Tools) error {
	api, err := github.New(github.Options{Fetch: client, Authorised: func() bool { return d.Loaded.Env("GITHUB_TOKEN") != "" }})
	if err != nil {
		return err
	}
	o := ghtools.Options{Client: api}
	if t.FindExamples, err = ghtools.NewFindExamples(o); err == nil {
		t.ListRepos, err = ghtools.NewListRepos(o)
	}
	if err == nil {
		t.ReadFile, err = ghtools.NewReadFile(o)
	}
	if err == nil {
		t.Search, err = ghtools.NewSearch(o)
	}
	return err
}

func (d *Door) makeCatalog(client fetch.Getter, t *Tools) (err error) {
	if t.HubSearch, err = catalog.NewSearch(catalog.Options{Fetch: client}); err == nil {
		t.Leaderboard, err = catalog.NewLeaderboard(catalog.Options{Fetch: client})
	}
	if err == nil {
		t.InspectModel, err = models.New(models.Options{Fetch: client})
	}
	return err
}

func (d *Door) makeWeb(client fetch.Getter, t *Tools) error {
	o := websearch.Options{
		Fetch: client, Engines: d.Loaded.Config.WebSearchProviders, SearXNG: d.Loaded.URL("ML_INTERN_SEARXNG_URL").Value,
		BraveKey: d.variable("BRAVE_API_KEY"), TavilyKey: d.variable("TAVILY_API_KEY"),
	}
	if base := d.Loaded.URL("ML_INTERN_WEB_SEARCH_BASE_URL"); base.Set() {
		o.Base = base.Value
	}
	searcher, err := websearch.New(o)
	if err != nil {
		return err
	}
	if t.WebSearch, err = web.NewSearch(searcher); err != nil {
		return err
	}
	t.WebFetch, err = web.NewFetch(web.FetchOptions{Fetch: client, PDF: d.pdf, AllowedDomains: d.Loaded.Config.WebFetchDomains})
	return err
}

// sessionAuditor reads files of the workspace only; in a sandbox, whose files
// lie elsewhere, none.
func (d *Door) sessionAuditor() (*audit.Auditor, error) {
	if d.Loaded.Config.ToolRuntime == "sandbox" {
		return d.auditor(nil, nil, nil)
	}
	root := d.Loaded.Workspace
	inside := func(path string) bool { // which exist, too
		_, err := within(root, d.Loaded.Dir, path)
		return err == nil
	}
	return d.auditor(func(path string) (string, error) { return within(root, d.Loaded.Dir, path) }, inside, inside)
}

// within is the real path of path below dir, which must lie in root.
func within(root, dir, path string) (string, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	base, err := filepath.EvalSymlinks(root)
	if err != nil {
		return "", err
	}
	if rel, err := filepath.Rel(base, real); err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return "", fmt.Errorf("%s lies outside the workspace %s", path, root)
	}
	return real, nil
}

// Close closes what the tools hold.
func (d *Door) Close() error {
	if d.docs == nil {
		return nil
	}
	return d.docs.Close()
}

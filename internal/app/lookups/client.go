// Package lookups joins the one client for look-ups to the tools that look
// things up: where the services are, which credentials go where, where answers
// are kept. It looks nothing up itself.
package lookups

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/tools/docs"
)

// Options say what the program has for look-ups.
type Options struct {
	Loaded *config.Loaded
	// HTTP makes requests to the services; it reaches what the program may
	// reach and adds no credentials.
	HTTP *http.Client
	// Closed says that nothing but the services may be reached.
	Closed bool
	// Token is the Hub token, or "".
	Token func(ctx context.Context) string
	// Secret reports whether a text holds a secret.
	Secret  func(text string) bool
	Version string
}

// Door opens the client when it is first needed: most of what the program does
// needs none. All sessions share it.
type Door struct {
	Options
	once   sync.Once
	client *fetch.Client
	err    error

	tokenizers tokenizers
	made       sync.Once
	tools      *Tools
	toolsErr   error
	docs       *docs.Tools
	pdfs       chan struct{} // taken by those that are read
}

// Client is the client for look-ups.
func (d *Door) Client() (*fetch.Client, error) {
	d.once.Do(func() {
		if d.client, d.err = d.open(); d.err != nil {
			d.err = fmt.Errorf("make the client for look-ups: %w", d.err)
		}
	})
	return d.client, d.err
}

func (d *Door) open() (*fetch.Client, error) {
	l := d.Loaded
	o := fetch.Options{
		HTTP: d.HTTP, StandIn: l.URL("ML_INTERN_WEB_FETCH_URL").Value, Secret: d.Secret,
		CacheDir: filepath.Join(l.Places.Cache, "http"), Offline: l.EnvFlag("ML_INTERN_RESEARCH_OFFLINE"),
		Services: lookup.Services(lookup.Places{
			Base:     func(variable string) string { return l.URL(variable).Value },
			HubToken: d.token(), ViewerToken: d.viewerToken(),
			GitHubToken: d.variable("GITHUB_TOKEN"), ScholarKey: d.variable("S2_API_KEY"),
			BraveKey: d.variable("BRAVE_API_KEY"), TavilyKey: d.variable("TAVILY_API_KEY"),
		}),
	}
	if dir := l.Env("ML_INTERN_RESEARCH_CACHE"); dir != "" {
		o.CacheDir = dir
	}
	// Who chose another place for a service sets its pace too.
	for i, s := range o.Services {
		if s.Base != "" && s.Base != s.Public {
			o.Services[i].Every, o.Services[i].Keyed, o.Services[i].Penalty = 0, 0, 0
		}
	}
	if !d.Closed {
		var err error
		if o.Outside, err = fetch.Outside(d.Version, http.ProxyFromEnvironment); err != nil {
			return nil, err
		}
	}
	return fetch.New(o)
}

// variable asks for a variable at each request.
func (d *Door) variable(name string) func() string {
	return func() string { return d.Loaded.Env(name) }
}

func (d *Door) token() func() string {
	return func() string { return d.Token(context.Background()) }
}

// viewerToken is the Hub token, for the viewer that belongs to the Hub in use:
// huggingface.co's own gets none of another Hub's.
func (d *Door) viewerToken() func() string {
	hub, viewer := d.Loaded.URL("HF_ENDPOINT"), d.Loaded.URL("ML_INTERN_DATASETS_SERVER_URL")
	if hub.Value != hub.Default && !viewer.Set() {
		return nil
	}
	return d.token()
}

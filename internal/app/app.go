// Package app joins the rooms: it reads the configuration, makes the model,
// the tools, the policy and the store, and builds sessions from them. It is
// the only place that knows everything, and it decides nothing.
package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/provider"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/modelid"
	"github.com/ml-intern/ml-intern/internal/adapter/store"
	"github.com/ml-intern/ml-intern/internal/app/background"
	"github.com/ml-intern/ml-intern/internal/app/debuglog"
	"github.com/ml-intern/ml-intern/internal/app/demo"
	"github.com/ml-intern/ml-intern/internal/app/fit"
	"github.com/ml-intern/ml-intern/internal/app/hooks"
	"github.com/ml-intern/ml-intern/internal/app/limitlog"
	"github.com/ml-intern/ml-intern/internal/app/login"
	"github.com/ml-intern/ml-intern/internal/app/lookups"
	"github.com/ml-intern/ml-intern/internal/app/prompt"
	"github.com/ml-intern/ml-intern/internal/app/secrets"
	"github.com/ml-intern/ml-intern/internal/app/simulation"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

// DefaultModel is the model of the shipped configuration.
const DefaultModel = modelid.DefaultRouter

// version is set by release builds.
var version = "0.1.0-dev"

// Version is the program's version.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && strings.HasPrefix(info.Main.Version, "v") && strings.HasSuffix(version, "-dev") {
		return strings.TrimPrefix(info.Main.Version, "v")
	}
	return version
}

// Options make an App.
type Options struct {
	Dir     string
	Environ []string // nil is the process's
	// Flags are settings from the command line, by key.
	Flags map[string][]string
	Trust bool
	// Headless means that nobody can answer; Unattended that somebody may come
	// and answer, but nobody watches: mode and cap are then a headless run's,
	// unless the user has set them.
	Headless, Unattended bool
	NoStream             bool
	// Memory keeps sessions in memory: nothing is written to disk.
	Memory bool
	// Lenient accepts a faulty configuration, for commands that explain it.
	Lenient bool
	// Warn receives warnings a person should see; nil drops them.
	Warn func(line string)
	// Simulation puts a simulated Hub in the place of the real one; nil is the
	// real one. Environ is then what it made of the user's environment.
	Simulation *simulation.Simulation
}

// App is the program with its configuration.
type App struct {
	Loaded *config.Loaded
	Models *provider.Provider

	headless, unattended, noStream, modelChosen bool
	secrets                                     secrets.Held
	store                                       *store.Store
	memory                                      journal.Store // not nil: no disk
	http                                        *http.Client
	login                                       *login.Login
	hub                                         hubDoor
	lookups                                     lookups.Door
	hooks                                       *hooks.Desk
	fleet                                       fleetDoor
	simulation                                  *simulation.Simulation
	debugLog                                    *debuglog.Log
	warn                                        func(string)
	once                                        sync.Once
	background                                  background.Work
}

// New reads the configuration and prepares what every command needs. Faults in
// the configuration are a UsageError that names them all.
func New(ctx context.Context, o Options) (*App, error) {
	loaded, err := config.Load(ctx, config.Options{Dir: o.Dir, Environ: o.Environ, Flags: o.Flags, Trust: o.Trust})
	if err != nil && !(o.Lenient && loaded != nil) {
		var problems config.Problems
		if errors.As(err, &problems) {
			return nil, &UsageError{Err: err}
		}
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	if o.Simulation != nil { // its sessions are no real ones
		usual := loaded.Places.Sessions()
		loaded.Places.State = filepath.Join(loaded.Places.State, "simulated")
		loaded.Places.Cache = filepath.Join(loaded.Places.Cache, "simulated")
		if loaded.Config.SessionLogDir == usual {
			loaded.Config.SessionLogDir = loaded.Places.Sessions()
		}
	}
	a := &App{Loaded: loaded, simulation: o.Simulation, headless: o.Headless, unattended: o.Headless || o.Unattended, noStream: o.NoStream, modelChosen: len(o.Flags["model_name"]) > 0}
	a.warn = o.Warn
	if a.warn == nil {
		a.warn = func(string) {}
	}
	a.secrets.Hold(loaded.Secrets()...)
	a.debugLog = debuglog.New(loaded.Places.DebugLog(), a.Scrub)
	if o.Memory || !loaded.Config.SaveSessions {
		a.memory = journal.NewMemory()
	}
	if a.store, err = store.New(store.Options{Root: loaded.Places.Sessions()}); err != nil {
		return nil, err
	}
	a.hooks = &hooks.Desk{Loaded: loaded, Closed: o.Simulation != nil, Transcript: a.transcript, Warn: func(line string) { a.warn(a.Scrub(line)) }}
	if err := a.models(); err != nil {
		return nil, &UsageError{Err: err}
	}
	for _, w := range loaded.Warnings {
		a.warn(w.String())
	}
	return a, nil
}

// Config are the settings in force.
func (a *App) Config() *config.Config { return &a.Loaded.Config }

// Close ends background work.
func (a *App) Close() error {
	a.once.Do(func() {
		a.hooks.Close()
		a.background.Close()
		if err := a.lookups.Close(); err != nil {
			a.Debug(err.Error())
		}
		if a.hub.client != nil {
			a.hub.client.Close()
		}
		a.Models.Close()
		a.login.Close()
	})
	return a.store.Close()
}

// models makes the model layer.
func (a *App) models() error {
	var err error
	if a.http, err = a.newHTTP(false); err != nil {
		return err
	}
	a.openLogin()
	a.lookups.Options = lookups.Options{
		Loaded: a.Loaded, HTTP: a.http, Closed: a.simulation != nil, Version: Version(),
		Token: func(ctx context.Context) string { return a.login.Token(ctx, 0) }, Secret: a.secrets.Shows,
	}
	models := a.http
	if a.simulation != nil {
		if models, err = a.newHTTP(true); err != nil {
			return err
		}
		a.renewing(models)
	}
	c := a.Config()
	a.Models, err = provider.New(provider.Options{
		HTTP: models, Env: a.env, Token: func(ctx context.Context) string { return a.login.Token(ctx, 0) }, Plan: a.plan,
		HFBillTo: c.HFBillTo, Routing: c.ModelRouting, ContextTokens: c.ModelContextTokens,
		Prices: fit.Prices(c.ModelPrices), CacheTTL: c.PromptCacheTTL, AnthropicBetas: c.AnthropicBetas,
		CacheDir: a.Loaded.Places.Cache, Version: Version(),
		Scripts: demo.Scripts(), ReadFile: os.ReadFile,
	})
	return err
}

// newHTTP makes the HTTP client. In a simulation it reaches this machine only,
// and for models the host of the one that was chosen.
func (a *App) newHTTP(models bool) (*http.Client, error) {
	o := httpx.Options{Version: Version(), Proxy: http.ProxyFromEnvironment}
	if a.simulation != nil {
		o.Proxy, o.Dial = nil, a.simulation.Guard.Dial
		if models {
			o.Dial = a.simulation.Guard.DialModel
		}
	}
	client, err := httpx.New(o)
	if err != nil {
		return nil, fmt.Errorf("make the HTTP client: %w", err)
	}
	client.Transport = &limitlog.Transport{Next: client.Transport, Note: a.Debug}
	return client, nil
}

// env is a variable as the model layer sees it: base URLs have been checked
// and completed by the configuration.
func (a *App) env(name string) string { return a.Loaded.Env(name) }

// Model is the model to use: the configured one, or, when none was chosen and
// there is no Hub token, a direct one whose key is there.
func (a *App) Model() string {
	name := a.Config().ModelName
	if name != DefaultModel || a.modelChosen || a.Token() != "" {
		return name
	}
	return a.Models.DefaultModel(context.Background())
}

// ChooseModel makes a model the one to use, as a flag would. It is called before
// sessions are opened.
func (a *App) ChooseModel(id string) { a.Config().ModelName, a.modelChosen = id, true }

func (a *App) retries() int {
	if n := a.Config().LLMMaxRetries; n != nil {
		return *n
	}
	return -1
}

// events is where sessions are kept.
func (a *App) events() journal.Store {
	if a.memory != nil {
		return a.memory
	}
	return a.store
}

func (a *App) release(id string) error {
	if a.memory != nil {
		return nil
	}
	return a.store.Release(id)
}

// policy makes the permission rules of a session.
func (a *App) policy(id string) (*policy.Policy, error) {
	c := a.Config()
	p, err := policy.New(policy.Options{
		Mode:  policy.Mode(c.ApprovalMode(a.unattended)),
		Allow: c.Permissions.Allow, Ask: c.Permissions.Ask, Deny: c.Permissions.Deny,
		Workspace: a.workspace(id), Home: a.Loaded.Places.Home, Headless: a.headless,
		ConfirmCPUJobs: c.ConfirmCPUJobs, AutoFileUpload: c.AutoFileUpload, Owner: a.owner,
	})
	if err != nil {
		return nil, &UsageError{Err: err}
	}
	return p, nil
}

// workspace lists the folders a session may write to: the project and the
// session's own temp folder.
func (a *App) workspace(id string) []string {
	return []string{a.Loaded.Workspace, a.spillDir(id)}
}

// systemPrompt renders the session's prompt.
func (a *App) systemPrompt(tools []string, set agent.Settings, mode policy.Mode) (string, error) {
	guidance, files, err := a.Loaded.Guidance()
	if err != nil {
		a.Debug("project guidance: " + err.Error())
	}
	return prompt.Render(prompt.Session{
		Tools: tools, Runtime: set.Runtime, Headless: a.unattended, Workdir: set.Workdir,
		Mode: string(mode), CapUSD: policy.USD(set.CapMicroUSD), Now: time.Now(),
		User: a.userName(), Guidance: guidance, GuidanceFiles: files,
	})
}

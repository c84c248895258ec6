package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/store"
	"github.com/ml-intern/ml-intern/internal/app/hands"
	"github.com/ml-intern/ml-intern/internal/app/hubtools"
	"github.com/ml-intern/ml-intern/internal/tools/audit"
)

// hubDoor opens the Hub's client once, when it is first needed: most of what
// the program does needs none.
type hubDoor struct {
	once   sync.Once
	client *hub.Client
	err    error
}

// fleetDoor opens the fleet of sandboxes once.
type fleetDoor struct {
	once  sync.Once
	fleet *hands.Fleet
	err   error
}

// Hub is the client of the Hub as the user who is logged in.
func (a *App) Hub() (*hub.Client, error) {
	a.hub.once.Do(func() { a.hub.client, a.hub.err = a.OpenHub() })
	return a.hub.client, a.hub.err
}

// OpenHub makes a client for whoever is logged in now. Close it when done.
func (a *App) OpenHub() (*hub.Client, error) { return a.OpenHubAs(a.Token()) }

// OpenHubAs makes a client for the owner of a token.
func (a *App) OpenHubAs(token string) (*hub.Client, error) {
	return hub.New(hub.Options{
		HTTP: a.http, Endpoint: a.Loaded.URL("HF_ENDPOINT").Value, Token: token,
		Offline: a.Loaded.EnvFlag("HF_HUB_OFFLINE"),
		Warn:    func(_, message string) { a.warn(message) },
		Wait: func(ctx context.Context, d time.Duration, why string) error {
			if d >= 2*time.Second {
				a.warn(fmt.Sprintf("%s: waiting %s", why, d.Round(time.Second)))
			}
			t := time.NewTimer(d)
			defer t.Stop()
			select {
			case <-t.C:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
	})
}

// Prices are what machines on the Hub cost; nothing is asked yet.
func (a *App) Prices() (hubtools.Prices, error) {
	client, err := a.Hub()
	if err != nil {
		return hubtools.Prices{}, err
	}
	return hubtools.NewPrices(client, filepath.Join(a.Loaded.Places.Cache, "prices")), nil
}

// owner is the user's name and organisations on the Hub, as far as they are
// known without asking.
func (a *App) owner() (string, []string) {
	client, err := a.Hub()
	if err != nil {
		return "", nil
	}
	return hubtools.Owner(client.Account)
}

// jobLife is how much of a token by OAuth should be left when a job gets it,
// which cannot renew it: half of what such a token usually has.
const jobLife = 4 * time.Hour

// jobToken gives the Hub token that jobs and sandboxes get, asked anew for
// each; own says that it is the session's.
func (a *App) jobToken() (token func() string, own bool) {
	if !a.Config().ForwardHFToken {
		return func() string { return "" }, false
	}
	if token := a.Loaded.Env("ML_INTERN_JOB_TOKEN"); token != "" {
		return func() string { return token }, false
	}
	return func() string { return a.login.Token(context.Background(), jobLife) }, true
}

// hubTools are the tools of one session that act on the Hub.
func (a *App) hubTools(session string, h *hands.Hands) (*hubtools.Tools, error) {
	client, err := a.Hub()
	if err != nil {
		return nil, err
	}
	prices, err := a.Prices()
	if err != nil {
		return nil, err
	}
	token, own := a.jobToken()
	return hubtools.New(hubtools.Options{
		Config: a.Config(), Client: client, JobPrices: prices.Jobs, Workspace: h.Open, Root: h.Root, Resolve: h.Resolve, JobToken: token, OwnToken: own,
		Env: a.Loaded.LookupEnv, Scrubber: a.secrets.Scrubber, Hold: a.secrets.Hold, Session: session, Dir: a.sessionDir(session), Started: time.Now(), Headless: a.headless,
		Debug: a.Debug,
	})
}

// sessionDir is where what belongs to a session is kept; "" when nothing is.
func (a *App) sessionDir(session string) string {
	if a.memory != nil {
		return ""
	}
	return filepath.Join(a.Loaded.Places.Sessions(), session)
}

// Fleet makes sandboxes on the Hub, for all sessions.
func (a *App) Fleet() (*hands.Fleet, error) {
	a.fleet.once.Do(func() {
		client, err := a.Hub()
		if err != nil {
			a.fleet.err = err
			return
		}
		prices, err := a.Prices()
		token, own := a.jobToken()
		o := hands.Options{
			Loaded: a.Loaded, Client: client, Jobs: prices.Jobs, Spaces: prices.Spaces, Token: func() string { return a.login.Token(context.Background(), 0) },
			JobToken: token, OwnToken: own, HTTP: a.http, Version: Version(), Hold: a.secrets.Hold,
		}
		if a.simulation != nil {
			o.Dial = a.simulation.Guard.Dial
		}
		a.fleet.fleet, a.fleet.err = hands.NewFleet(o), err
	})
	return a.fleet.fleet, a.fleet.err
}

// Live reports whether another process runs a session on this machine.
func (a *App) Live(ctx context.Context, session string) bool {
	var held *store.HeldError
	return errors.As(errors.Join(a.store.Acquire(ctx, session), a.store.Release(session)), &held)
}

// Auditor makes audits of data sets for a person at the shell.
func (a *App) Auditor() (*audit.Auditor, error) { return a.lookups.Auditor(a.Loaded.Dir) }

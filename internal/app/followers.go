package app

import (
	"context"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/app/live"
	"github.com/ml-intern/ml-intern/internal/app/outlets"
	"github.com/ml-intern/ml-intern/internal/app/traces"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
	"github.com/ml-intern/ml-intern/internal/platform/checkout"
	"github.com/ml-intern/ml-intern/internal/sink/sessionlog"
)

// followers are what follows every chapter of a session: its file, and what tells
// the outside.
func (a *App) followers(s *Session) []live.Follower {
	keep := func(ctx context.Context, c *live.Chapter) error { return a.keepLog(ctx, s, c) }
	return append([]live.Follower{keep}, outlets.Followers(outlets.Options{
		Loaded: a.Loaded, Version: Version(), HTTP: a.http, Hub: a.Hub, Store: a.store,
		Token: func(ctx context.Context) string { return a.login.Token(ctx, 0) },
		User:  a.userName, Traces: a.Traces,
		Scrubber: a.secrets.Scrubber, Kept: a.memory == nil, Simulated: a.simulation != nil, Headless: a.headless,
		About: func() document.About { return a.about(s) }, Settings: func() agent.Settings { return s.Settings() },
		Hooks: a.hooks, Warn: a.warn, Log: a.debugLog.Logger(),
	})...)
}

// userName is who is logged in as far as it is known without asking, else empty.
func (a *App) userName() string {
	if name := a.user(context.Background(), false); name != nil {
		return *name
	}
	return ""
}

// Traces are the uploads of this user's sessions.
func (a *App) Traces() (*traces.Desk, error) {
	return traces.Open(traces.Options{
		Loaded: a.Loaded, HTTP: a.http, Token: func(ctx context.Context) string { return a.login.Token(ctx, 0) }, User: a.userName,
		Scrubber: a.secrets.Scrubber, Source: a.store, Simulated: a.simulation != nil, Log: a.debugLog.Logger(),
	})
}

// keepLog writes the session's JSON file. A session that is kept in memory
// leaves no file.
func (a *App) keepLog(ctx context.Context, s *Session, c *live.Chapter) error {
	if a.memory != nil {
		return nil
	}
	log, err := sessionlog.New(sessionlog.Options{
		Dir: a.logDir(), SessionID: c.ID, Interval: time.Duration(max(0, a.Config().HeartbeatIntervalS)) * time.Second,
		About:   func() document.About { return a.about(s) },
		Uploads: func() (document.Uploads, func()) { return traces.States(a.Loaded.Places, c.ID) },
		Log:     a.debugLog.Logger(),
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.log = log
	s.mu.Unlock()
	return log.Run(ctx, c.Journal.Follow)
}

// about is what a session file says beside the session's events.
func (a *App) about(s *Session) document.About {
	return document.About{
		UserID: a.user(context.Background(), false), Cwd: a.Loaded.Dir, GitBranch: checkout.Branch(a.Loaded.RepoRoot),
		AppVersion: Version(), Tools: s.specs, Model: s.Settings().Model,
	}
}

package app

import (
	"context"
	"path/filepath"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/discover"
	"github.com/ml-intern/ml-intern/internal/app/saved"
	"github.com/ml-intern/ml-intern/internal/config/schema"
)

// Library is every saved session on this machine: journals, our session files,
// and those the Python original left in the working directory.
func (a *App) Library() (*saved.Sessions, error) {
	return saved.New(saved.Options{
		Store: a.store, Cache: a.Loaded.Places.Cache, Scrub: a.scrub,
		Dirs:      []string{a.logDir(), a.Loaded.Places.Sessions(), filepath.Join(a.Loaded.Dir, "session_logs")},
		Elsewhere: discover.In(a.Loaded.Places.Home, a.env),
		User:      func(ctx context.Context) *string { return a.user(ctx, true) },
		Model: func(name string) (string, bool) {
			id := schema.PlainModel(name)
			return id, a.Models.Validate(id) == nil
		},
	})
}

// Kept reports whether a session is there to go on with: one in which nothing
// was said leaves nothing.
func (a *App) Kept(ctx context.Context, id string) bool {
	lib, err := a.Library()
	if err != nil {
		return false
	}
	_, err = lib.Resolve(ctx, id)
	return err == nil
}

// logDir is where session files are written.
func (a *App) logDir() string {
	if dir := a.Config().SessionLogDir; dir != "" {
		return dir
	}
	return a.Loaded.Places.Sessions()
}

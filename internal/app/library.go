package app

import (
	"path/filepath"
	"slices"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
	"github.com/ml-intern/ml-intern/internal/config/schema"
)

// Library is every saved session on this machine: journals, our session files,
// and those the Python original left in the working directory.
func (a *App) Library() (*sessions.Library, error) {
	dirs := []string{a.logDir(), a.Loaded.Places.Sessions(), filepath.Join(a.Loaded.Dir, "session_logs")}
	return sessions.New(sessions.Options{
		Journals: a.store, Dirs: unique(dirs), Index: filepath.Join(a.Loaded.Places.Cache, "sessions.json"),
		Model: func(saved string) (string, bool) {
			id := schema.PlainModel(saved)
			return id, a.Models.Validate(id) == nil
		},
	})
}

// unique keeps the first of equal texts.
func unique(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// logDir is where session files are written.
func (a *App) logDir() string {
	if dir := a.Config().SessionLogDir; dir != "" {
		return dir
	}
	return a.Loaded.Places.Sessions()
}

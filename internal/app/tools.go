package app

import (
	"path/filepath"

	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// maker makes the tools of one family for one session.
type maker func(a *App, session string) ([]tool.Tool, error)

// families is the list of tools, in the order the model sees them: adding one
// is a line here. The order is explicit because a changed order would void
// every cached prompt.
func families() []maker {
	return []maker{}
}

// tools makes the tools of one session, without the disabled ones.
func (a *App) tools(session string) ([]tool.Tool, error) {
	var all []tool.Tool
	for _, make := range families() {
		made, err := make(a, session)
		if err != nil {
			return nil, err
		}
		all = append(all, made...)
	}
	return all, nil
}

// spillDir is where a session keeps output too long for its journal.
func (a *App) spillDir(session string) string {
	return filepath.Join(a.Loaded.Places.Sessions(), session, "spill")
}

package app

import (
	"context"
	"path/filepath"

	"github.com/ml-intern/ml-intern/internal/app/fit"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
)

// Mistakes in what the user asked for end with exit code 2, missing keys with 3.
type (
	UsageError      = fit.UsageError
	MissingKeyError = fit.MissingKeyError
)

// CheckModel refuses, before anything is sent, a model that cannot work. What a
// person should know of one that can is returned; overhead is the size of the
// system prompt and the tools, in tokens.
func (a *App) CheckModel(ctx context.Context, set agent.Settings, overhead int) (warnings []string, err error) {
	return fit.Checker{Models: a.Models, Simulation: a.simulation, Token: a.Token}.Check(ctx, set, overhead)
}

// Absolute is path, relative to dir.
func Absolute(path, dir string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

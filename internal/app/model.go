package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/app/simulation"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
)

// priceWait is how long the start waits for a price that a user-set cap needs
// and no cache holds.
const priceWait = 3 * time.Second

// smallestRoom is what a model's window must hold beside the system prompt and
// the tools, in tokens.
const smallestRoom = 4096

// MissingKeyError says which key the chosen model or runtime needs.
type MissingKeyError struct{ Err error }

func (e *MissingKeyError) Error() string { return e.Err.Error() }
func (e *MissingKeyError) Unwrap() error { return e.Err }

// CheckModel refuses, before anything is sent, a model that cannot work: a bad
// id, a missing key, a sandbox without a token, an unknown price under a cap
// the user set, a window too small for the system prompt and the tools.
// Overhead is their size in tokens. What a person should know of one that can
// work is returned.
func (a *App) CheckModel(ctx context.Context, set agent.Settings, overhead int) (warnings []string, err error) {
	if err := a.Models.Validate(set.Model); err != nil {
		return nil, &UsageError{err}
	}
	if warnings, err = a.simulatedModel(ctx, set.Model); err != nil {
		return nil, err
	}
	if set.Runtime == "sandbox" && a.Token() == "" {
		return nil, &MissingKeyError{errors.New("no HF token found: the sandbox runtime needs one; set HF_TOKEN or run ml-intern login")}
	}
	if _, err := a.Models.Resolve(ctx, set.Model); err != nil {
		var f *llm.Fault
		if errors.As(err, &f) && f.Class == llm.ClassMissingKey {
			return nil, &MissingKeyError{err}
		}
		return nil, &UsageError{err}
	}
	about, err := a.checkWindow(ctx, set.Model, overhead)
	if err != nil {
		return nil, err
	}
	return append(warnings, about...), a.checkPrice(ctx, set)
}

// simulatedModel lets the calls of the chosen model out of a simulation, and
// says so. The Hub's own router is simulated: models behind it are not there.
func (a *App) simulatedModel(ctx context.Context, model string) (warnings []string, err error) {
	if a.simulation == nil {
		return nil, nil
	}
	address, err := a.Models.Address(ctx, model)
	if err != nil {
		return nil, nil // what is wrong with it is told by who resolves it
	}
	if strings.HasPrefix(address, a.simulation.URL()) && model != simulation.Model {
		return nil, &UsageError{fmt.Errorf("%s is served by the Hub's router, which is simulated: with --simulate use --model %s (scripted), a local model, or one of a provider whose key you have", model, simulation.Model)}
	}
	host, remote, err := a.simulation.Guard.Allow(address)
	if err != nil {
		return nil, &UsageError{err}
	}
	if remote {
		warnings = append(warnings, fmt.Sprintf("model calls go to %s; nothing else leaves this machine", host))
	}
	return warnings, nil
}

func (a *App) checkWindow(ctx context.Context, model string, overhead int) (warnings []string, err error) {
	info, err := a.Models.Describe(ctx, model)
	if err != nil {
		return nil, nil // what is wrong with the model, its first call says better
	}
	if need := overhead + smallestRoom; info.WindowKnown && info.Window < need {
		return nil, &UsageError{fmt.Errorf("%s holds %d tokens, fewer than the %d that the system prompt, the tools and a first answer need; "+
			"load the model with a larger context, or choose another one", model, info.Window, need)}
	}
	return info.Warnings, nil
}

func (a *App) checkPrice(ctx context.Context, set agent.Settings) error {
	if !set.CapByUser || set.CapMicroUSD <= 0 {
		return nil
	}
	waitCtx, cancel := context.WithTimeout(ctx, priceWait)
	defer cancel()
	info, err := a.Models.Describe(ctx, set.Model)
	if err == nil && info.Prices == nil {
		info, err = a.Models.Refresh(waitCtx, set.Model)
	}
	if err != nil || info.Prices != nil {
		return nil // what is wrong with the model, its first call says better
	}
	return &UsageError{fmt.Errorf("--max-cost: the price of %s is unknown, so the cap cannot be kept; set model_prices for it, or use --max-cost 0", set.Model)}
}

// Absolute is path, relative to dir.
func Absolute(path, dir string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

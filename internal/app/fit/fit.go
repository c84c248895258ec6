// Package fit judges, before anything is sent, whether a model can work in a
// session: its id, its key, its window, its price. It changes nothing.
package fit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/provider"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/price"
	"github.com/ml-intern/ml-intern/internal/app/simulation"
	"github.com/ml-intern/ml-intern/internal/config/schema"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
)

// priceWait is how long the start waits for a price that a user-set cap needs
// and no cache holds.
const priceWait = 3 * time.Second

// smallestRoom is what a model's window must hold beside the system prompt and
// the tools, in tokens.
const smallestRoom = 4096

// UsageError is a mistake in what the user asked for: exit code 2.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }
func (e *UsageError) Unwrap() error { return e.Err }

// MissingKeyError says which key the chosen model or runtime needs.
type MissingKeyError struct{ Err error }

func (e *MissingKeyError) Error() string { return e.Err.Error() }
func (e *MissingKeyError) Unwrap() error { return e.Err }

// Checker judges models.
type Checker struct {
	Models *provider.Provider
	// Simulation is the simulated Hub; nil for none.
	Simulation *simulation.Simulation
	// Token is the Hub token, empty for none.
	Token func() string
}

// Check refuses, before anything is sent, a model that cannot work: a bad
// id, a missing key, a sandbox without a token, an unknown price under a cap
// the user set, a window too small for the system prompt and the tools.
// Overhead is their size in tokens. What a person should know of one that can
// work is returned.
func (c Checker) Check(ctx context.Context, set agent.Settings, overhead int) (warnings []string, err error) {
	if err := c.Models.Validate(set.Model); err != nil {
		return nil, &UsageError{err}
	}
	if warnings, err = c.simulated(ctx, set.Model); err != nil {
		return nil, err
	}
	if set.Runtime == "sandbox" && c.Token() == "" {
		return nil, &MissingKeyError{errors.New("no HF token found: the sandbox runtime needs one; set HF_TOKEN or run ml-intern login")}
	}
	if _, err := c.Models.Resolve(ctx, set.Model); err != nil {
		var f *llm.Fault
		if errors.As(err, &f) && f.Class == llm.ClassMissingKey {
			return nil, &MissingKeyError{err}
		}
		return nil, &UsageError{err}
	}
	about, err := c.window(ctx, set.Model, overhead)
	if err != nil {
		return nil, err
	}
	return append(warnings, about...), c.price(ctx, set)
}

// simulated lets the calls of the chosen model out of a simulation, and
// says so. The Hub's own router is simulated: models behind it are not there.
func (c Checker) simulated(ctx context.Context, model string) (warnings []string, err error) {
	if c.Simulation == nil {
		return nil, nil
	}
	address, err := c.Models.Address(ctx, model)
	if err != nil {
		return nil, nil // what is wrong with it is told by who resolves it
	}
	if strings.HasPrefix(address, c.Simulation.URL()) && model != simulation.Model {
		return nil, &UsageError{fmt.Errorf("%s is served by the Hub's router, which is simulated: with --simulate use --model %s (scripted), a local model, or one of a provider whose key you have", model, simulation.Model)}
	}
	host, remote, err := c.Simulation.Guard.Allow(address)
	if err != nil {
		return nil, &UsageError{err}
	}
	if remote {
		warnings = append(warnings, fmt.Sprintf("model calls go to %s; nothing else leaves this machine", host))
	}
	return warnings, nil
}

func (c Checker) window(ctx context.Context, model string, overhead int) (warnings []string, err error) {
	info, err := c.Models.Describe(ctx, model)
	if err != nil {
		return nil, nil // what is wrong with the model, its first call says better
	}
	if need := overhead + smallestRoom; info.WindowKnown && info.Window < need {
		return nil, &UsageError{fmt.Errorf("%s holds %d tokens, fewer than the %d that the system prompt, the tools and a first answer need; "+
			"load the model with a larger context, or choose another one", model, info.Window, need)}
	}
	return info.Warnings, nil
}

func (c Checker) price(ctx context.Context, set agent.Settings) error {
	if !set.CapByUser || set.CapMicroUSD <= 0 {
		return nil
	}
	waitCtx, cancel := context.WithTimeout(ctx, priceWait)
	defer cancel()
	info, err := c.Models.Describe(ctx, set.Model)
	if err == nil && info.Prices == nil {
		info, err = c.Models.Refresh(waitCtx, set.Model)
	}
	if err != nil || info.Prices != nil {
		return nil // what is wrong with the model, its first call says better
	}
	return &UsageError{fmt.Errorf("the price of %s is unknown, so the spending cap cannot be kept; set model_prices for it, or use --max-cost 0", set.Model)}
}

// Prices are the prices a user has set, as the model layer takes them.
func Prices(set map[string]schema.Price) map[string]price.Override {
	out := map[string]price.Override{}
	for id, p := range set {
		out[id] = price.Override{Input: &p.Input, Output: &p.Output, CacheRead: p.CacheRead, CacheWrite: p.CacheWrite}
	}
	return out
}

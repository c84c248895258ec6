package app

import (
	"context"
	"time"

	"github.com/ml-intern/ml-intern/internal/app/ledger"
	"github.com/ml-intern/ml-intern/internal/app/secrets"
	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Debug writes what only an operator should see to the debug log.
func (a *App) Debug(text string) { a.debugLog.Add(text) }

// scrub removes secrets from an event before it is written.
func (a *App) scrub(raw []byte) ([]byte, error) {
	out, _, err := a.secrets.Scrubber().JSON(raw)
	return out, err
}

// Scrub removes secrets from a text for people.
func (a *App) Scrub(text string) string {
	out, _ := a.secrets.Scrubber().String(text)
	return out
}

// Secrets are those that are kept out of all that is written.
func (a *App) Secrets() *secrets.Held { return &a.secrets }

// Ledgers are what the sessions on this machine have spent that were written to
// since a time, newest first.
func (a *App) Ledgers(since time.Time) ([]ledger.Session, error) {
	return ledger.Since(a.store, since, a.Debug)
}

// Events are the events of a session so far.
func (a *App) Events(ctx context.Context, id string) ([]event.Event, error) {
	return a.events().Read(ctx, id, 0, 0)
}

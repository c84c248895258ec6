package app

import (
	"context"

	"github.com/ml-intern/ml-intern/internal/app/runs"
)

// LocalBoard knows what sessions have started on this machine. Nothing is asked.
func (a *App) LocalBoard() *runs.Board {
	return runs.New(runs.Options{Sessions: a.store, Scrub: a.Scrub})
}

// Board knows what runs for the user: commands on this machine and, where he is
// logged in, jobs on the Hub. An error says why the Hub was not reached: then it
// knows this machine alone.
func (a *App) Board(ctx context.Context) (*runs.Board, error) {
	b := a.LocalBoard()
	if a.FreshToken(ctx).Token == "" {
		return b, nil
	}
	client, err := a.Hub()
	if err != nil {
		return b, err
	}
	prices, err := a.Prices()
	if err != nil {
		return b, err
	}
	return b, b.Connect(ctx, client, prices.Jobs, "")
}

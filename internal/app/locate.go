package app

import (
	"context"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// located is the session a request means.
type located struct {
	id string
	// opening are the events a copied or imported session begins with.
	opening []event.Payload
}

// locate finds the session of a request, or makes an id for a new one.
func (a *App) locate(_ context.Context, req SessionRequest) (located, error) {
	id := req.ID
	if id == "" {
		id = newID()
	}
	return located{id: id}, nil
}

package collection

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// Add puts a thing into a collection, with an optional note. One that is there
// already is a failure of Kind [wire.Conflict], unless known is set.
func (a *API) Add(ctx context.Context, slug string, t Thing, note string, known bool) (*Collection, error) {
	op := "add " + t.Type + " " + t.ID + " to collection " + slug
	where, err := path(slug, "items")
	if err != nil {
		return nil, err
	}
	if err := t.check(op); err != nil {
		return nil, err
	}
	if err := checkLength(op, "note", note, 0, maxNote); err != nil {
		return nil, err
	}
	body := map[string]any{"item": t}
	if note != "" {
		body["note"] = note
	}
	r := wire.Request{Op: op, Method: http.MethodPost, Path: where, JSON: body}
	out := new(Collection)
	_, err = a.conn.JSON(ctx, r, out)
	if wire.Ambiguous(err) && ctx.Err() == nil {
		// A second request either adds the item or is told that it is there.
		known = true
		_, err = a.conn.JSON(ctx, r, out)
	}
	if known && errors.Is(err, wire.Conflict) {
		return a.Find(ctx, slug)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ItemChange is what is to be changed of an item; nil leaves a field.
type ItemChange struct {
	Note     *string `json:"note,omitempty"`
	Position *int    `json:"position,omitempty"` // from 0
}

// UpdateItem changes an item, named by its ItemID.
func (a *API) UpdateItem(ctx context.Context, slug, item string, ch ItemChange) error {
	op := "change an item of collection " + slug
	where, err := path(slug, "items", item)
	if err != nil {
		return err
	}
	if ch.Note != nil {
		if err := checkLength(op, "note", *ch.Note, 0, maxNote); err != nil {
			return err
		}
	}
	_, err = a.conn.JSON(ctx, wire.Request{Op: op, Method: http.MethodPatch, Path: where, JSON: ch, Retry: wire.Idempotent}, nil)
	return err
}

// Remove takes an item, named by its ItemID, out of a collection.
func (a *API) Remove(ctx context.Context, slug, item string) error {
	where, err := path(slug, "items", item)
	if err != nil {
		return err
	}
	_, err = a.conn.JSON(ctx, wire.Request{Op: "take an item out of collection " + slug, Method: http.MethodDelete, Path: where}, nil)
	return err
}

// Batch changes several items at once, all or none.
func (a *API) Batch(ctx context.Context, slug string, changes map[string]ItemChange) error {
	where, err := path(slug, "items", "batch")
	if err != nil {
		return err
	}
	type line struct {
		Action string     `json:"action"`
		ID     string     `json:"_id"`
		Data   ItemChange `json:"data"`
	}
	body := make([]line, 0, len(changes))
	for _, id := range slices.Sorted(maps.Keys(changes)) {
		body = append(body, line{"update", id, changes[id]})
	}
	_, err = a.conn.JSON(ctx, wire.Request{
		Op: "change items of collection " + slug, Method: http.MethodPost, Path: where, JSON: body, Retry: wire.Idempotent,
	}, nil)
	return err
}

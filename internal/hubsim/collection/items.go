package collection

import (
	"context"
	"net/http"
	"slices"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
)

func (a *Area) itemRoutes(mux *http.ServeMux, items string) {
	mux.Handle("POST "+items, answer.Handler(a.addItem))
	mux.Handle("POST "+items+"/batch", answer.Handler(a.batch))
	mux.Handle("PATCH "+items+"/{item}", answer.Handler(a.updateItem))
	mux.Handle("DELETE "+items+"/{item}", answer.Handler(a.removeItem))
}

// item makes the item of a kind and id that the caller can see.
func (a *Area) item(ctx context.Context, kind, id, note string) (Item, error) {
	if utf8.RuneCountInString(note) > maxNote {
		return Item{}, answer.Invalid(`"note" must have 500 characters at most`)
	}
	data, err := a.lookup(ctx, kind, id)
	if err != nil {
		return Item{}, err
	}
	if exact, ok := data["id"].(string); ok {
		id = exact
	}
	return Item{ID: a.o.Clock.ID(), Type: kind, Name: id, Note: note}, nil
}

func (a *Area) addItem(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Item struct{ Type, ID string } `json:"item"`
		Note string                    `json:"note"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	ns, slug := r.PathValue("ns"), r.PathValue("slug")
	if c, err := a.find(r.Context(), ns, slug); err != nil {
		return err
	} else if err := mayWrite(r.Context(), c.Owner); err != nil {
		return err
	}
	item, err := a.item(r.Context(), body.Item.Type, body.Item.ID, body.Note)
	if err != nil {
		return err
	}
	c, err := a.change(r.Context(), ns, slug, func(c *Collection) error {
		if slices.ContainsFunc(c.Items, func(i Item) bool { return i.Type == item.Type && i.Name == item.Name }) {
			return answer.Refuse(http.StatusConflict, "Item already exists in collection")
		}
		c.Items = append(c.Items, item)
		return nil
	})
	if err != nil {
		return err
	}
	answer.JSON(w, http.StatusOK, a.view(r, c, 0))
	return nil
}

// edit is a change of one item.
type edit struct {
	Note     *string `json:"note"`
	Position *int    `json:"position"`
}

func (e edit) apply(c *Collection, id string) error {
	at, err := c.index(id)
	if err != nil {
		return err
	}
	if e.Note != nil {
		if utf8.RuneCountInString(*e.Note) > maxNote {
			return answer.Invalid(`"note" must have 500 characters at most`)
		}
		c.Items[at].Note = *e.Note
	}
	if e.Position != nil {
		if *e.Position < 0 {
			return answer.Invalid(`"position" must not be negative`)
		}
		item := c.Items[at]
		c.Items = slices.Delete(c.Items, at, at+1)
		c.Items = slices.Insert(c.Items, min(*e.Position, len(c.Items)), item)
	}
	return nil
}

// index finds an item by its own id.
func (c *Collection) index(id string) (int, error) {
	at := slices.IndexFunc(c.Items, func(i Item) bool { return i.ID == id })
	if at < 0 {
		return 0, answer.Refuse(http.StatusNotFound, "Item not found in collection")
	}
	return at, nil
}

func (c *Collection) drop(id string) error {
	at, err := c.index(id)
	if err != nil {
		return err
	}
	c.Items = slices.Delete(c.Items, at, at+1)
	return nil
}

func (a *Area) updateItem(w http.ResponseWriter, r *http.Request) error {
	var body edit
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	return a.succeed(w, r, func(c *Collection) error { return body.apply(c, r.PathValue("item")) })
}

func (a *Area) removeItem(w http.ResponseWriter, r *http.Request) error {
	return a.succeed(w, r, func(c *Collection) error { return c.drop(r.PathValue("item")) })
}

// batch applies a list of changes, all or none.
func (a *Area) batch(w http.ResponseWriter, r *http.Request) error {
	var body []struct {
		Action string `json:"action"`
		ID     string `json:"_id"`
		Data   edit   `json:"data"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	return a.succeed(w, r, func(c *Collection) error {
		for _, change := range body {
			var err error
			switch change.Action {
			case "update":
				err = change.Data.apply(c, change.ID)
			case "delete":
				err = c.drop(change.ID)
			default:
				err = answer.Invalid(`"action" must be update or delete`)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// succeed changes the collection of r and says so.
func (a *Area) succeed(w http.ResponseWriter, r *http.Request, edit func(*Collection) error) error {
	if _, err := a.change(r.Context(), r.PathValue("ns"), r.PathValue("slug"), edit); err != nil {
		return err
	}
	answer.JSON(w, http.StatusOK, map[string]any{"success": true})
	return nil
}

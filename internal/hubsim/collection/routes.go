package collection

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
)

// Limits of what is written, in characters, and of lists.
const (
	maxTitle       = 60
	maxDescription = 150
	maxNote        = 500
	standardPage   = 10
	maxPage        = 100
	shownItems     = 4 // of each collection in a list
)

var themes = []string{"orange", "blue", "green", "purple", "pink", "indigo"}

// Routes registers the routes of collections.
func (a *Area) Routes(mux *http.ServeMux) {
	const one = "/api/collections/{ns}/{slug}"
	mux.Handle("GET /api/collections", answer.Handler(a.list))
	mux.Handle("POST /api/collections", answer.Handler(a.create))
	mux.Handle("GET "+one, answer.Handler(a.show))
	mux.Handle("PATCH "+one, answer.Handler(a.update))
	mux.Handle("DELETE "+one, answer.Handler(a.remove))
	a.itemRoutes(mux, one+"/items")
}

type fields struct {
	Title       *string `json:"title"`
	Description *string `json:"description"`
	Private     *bool   `json:"private"`
	Position    *int    `json:"position"`
	Theme       *string `json:"theme"`
}

// set writes the fields that are given, or refuses naming the bad one.
func (f *fields) set(c *Collection) error {
	switch {
	case f.Title != nil && (strings.TrimSpace(*f.Title) == "" || utf8.RuneCountInString(*f.Title) > maxTitle):
		return answer.Invalid(`"title" must have 1 to 60 characters`)
	case f.Description != nil && utf8.RuneCountInString(*f.Description) > maxDescription:
		return answer.Invalid(`"description" must have 150 characters at most`)
	case f.Position != nil && *f.Position < 0:
		return answer.Invalid(`"position" must not be negative`)
	case f.Theme != nil && !slices.Contains(themes, *f.Theme):
		return answer.Invalid(`"theme" must be one of ` + strings.Join(themes, ", "))
	}
	put(&c.Title, f.Title)
	put(&c.Description, f.Description)
	put(&c.Private, f.Private)
	put(&c.Position, f.Position)
	put(&c.Theme, f.Theme)
	return nil
}

func put[T any](at, value *T) {
	if value != nil {
		*at = *value
	}
}

func (a *Area) create(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		fields
		Namespace string `json:"namespace"`
		Item      *Item  `json:"item"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	ctx := r.Context()
	ns := body.Namespace
	if ns == "" {
		ns = account.From(ctx).Name()
	}
	if err := mayWrite(ctx, ns); err != nil {
		return err
	}
	if body.Title == nil {
		return answer.Invalid(`"title" is required`)
	}
	owner, ok := a.o.Accounts.Find(ns)
	if !ok {
		return answer.Invalid(`"namespace" is unknown`)
	}
	c := Collection{Owner: owner.Name, Theme: themes[0], Items: []Item{}}
	if err := body.set(&c); err != nil {
		return err
	}
	if body.Item != nil {
		item, err := a.item(ctx, body.Item.Type, body.Item.Name, "")
		if err != nil {
			return err
		}
		c.Items = append(c.Items, item)
	}
	added, same := a.add(c)
	if same != nil {
		return &answer.Error{
			Status: http.StatusConflict, Message: "A collection with this title already exists",
			Extra: map[string]any{"slug": same.Slug()},
		}
	}
	answer.JSON(w, http.StatusOK, a.view(r, added, 0))
	return nil
}

func (a *Area) show(w http.ResponseWriter, r *http.Request) error {
	c, err := a.find(r.Context(), r.PathValue("ns"), r.PathValue("slug"))
	if err != nil {
		return err
	}
	answer.JSON(w, http.StatusOK, a.view(r, c, 0))
	return nil
}

func (a *Area) update(w http.ResponseWriter, r *http.Request) error {
	var body fields
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	c, err := a.change(r.Context(), r.PathValue("ns"), r.PathValue("slug"), body.set)
	if err != nil {
		return err
	}
	answer.JSON(w, http.StatusOK, map[string]any{"success": true, "data": a.view(r, c, 0)})
	return nil
}

func (a *Area) remove(w http.ResponseWriter, r *http.Request) error {
	c, err := a.find(r.Context(), r.PathValue("ns"), r.PathValue("slug"))
	if err != nil {
		return err
	}
	if err := mayWrite(r.Context(), c.Owner); err != nil {
		return err
	}
	a.mu.Lock()
	delete(a.all, c.ID)
	a.mu.Unlock()
	answer.JSON(w, http.StatusOK, map[string]any{"success": true})
	return nil
}

func (a *Area) list(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	limit, err := answer.Limit(q, standardPage, maxPage)
	if err != nil {
		return err
	}
	place, err := order(q.Get("sort"))
	if err != nil {
		return err
	}
	owners, items, words := answer.Values(q, "owner"), answer.Values(q, "item"), strings.ToLower(q.Get("q"))
	var found []*Collection
	for _, c := range a.sorted() {
		if visible(r.Context(), c) && ownedBy(c, owners) && a.holds(c, items) &&
			strings.Contains(strings.ToLower(c.Title+"\n"+c.Description), words) {
			found = append(found, c)
		}
	}
	page, err := answer.Page(w, r, found, limit, place)
	if err != nil {
		return err
	}
	views := make([]map[string]any, len(page))
	for i, c := range page {
		views[i] = a.view(r, c, shownItems)
		delete(views[i], "position") // clients count it themselves
	}
	answer.JSON(w, http.StatusOK, views)
	return nil
}

// order is the place of a collection in a list, the best first.
func order(sort string) (func(*Collection) string, error) {
	switch sort {
	case "", "lastModified":
		return func(c *Collection) string {
			t, _ := time.Parse(clock.Layout, c.Updated) // zero when seeded badly: last
			return answer.Descending(t.UnixMilli()) + c.ID
		}, nil
	case "trending":
		return func(c *Collection) string { return answer.Descending(int64(c.Trending)) + c.ID }, nil
	case "upvotes":
		return func(c *Collection) string { return answer.Descending(int64(c.Upvotes)) + c.ID }, nil
	}
	return nil, answer.Refuse(http.StatusBadRequest, `"sort" must be one of lastModified, trending, upvotes`)
}

func ownedBy(c *Collection, owners []string) bool {
	return len(owners) == 0 || slices.ContainsFunc(owners, func(o string) bool { return strings.EqualFold(o, c.Owner) })
}

// holds reports whether c has one of items, each in the form models/ns/name or
// papers/id.
func (a *Area) holds(c *Collection, items []string) bool {
	return len(items) == 0 || slices.ContainsFunc(items, func(wanted string) bool {
		return slices.ContainsFunc(c.Items, func(i Item) bool {
			return strings.EqualFold(wanted, i.Type+"s/"+i.Name)
		})
	})
}

// view is the answer's form of c for the caller: items he may not see are left
// out, and only the first shown are there unless that is 0.
func (a *Area) view(r *http.Request, c *Collection, shown int) map[string]any {
	items := []map[string]any{}
	for n, i := range c.Items {
		data, err := a.lookup(r.Context(), i.Type, i.Name)
		if err != nil {
			continue
		}
		view := map[string]any{"type": i.Type, "id": i.Name}
		for k, v := range data {
			view[k] = v
		}
		view["_id"], view["position"] = i.ID, n
		if i.Note != "" {
			view["note"] = map[string]any{"text": i.Note, "html": html.EscapeString(i.Note)}
		}
		if items = append(items, view); len(items) == shown {
			break
		}
	}
	v := map[string]any{
		"slug": c.Slug(), "title": c.Title, "description": c.Description, "lastUpdated": c.Updated,
		"gating": false, "items": items, "position": c.Position, "theme": c.Theme, "private": c.Private,
		"shareUrl": fmt.Sprintf("%s/collections/%s/%s", answer.Base(r), c.Owner, words(c.Title)),
		"upvotes":  c.Upvotes, "isUpvotedByUser": false,
	}
	if owner, ok := a.o.Accounts.Find(c.Owner); ok {
		v["owner"] = owner.Profile()
	} else {
		v["owner"] = map[string]any{"name": c.Owner}
	}
	return v
}

// lookup describes an item of any kind for the caller in ctx.
func (a *Area) lookup(ctx context.Context, kind, id string) (map[string]any, error) {
	if kind == "collection" {
		ns, slug, _ := strings.Cut(id, "/")
		c, err := a.find(ctx, ns, slug)
		if err != nil {
			return nil, err
		}
		return map[string]any{
			"id": c.Owner + "/" + c.ID, "slug": c.Slug(), "title": c.Title, "description": c.Description, "lastUpdated": c.Updated,
			"theme": c.Theme, "upvotes": c.Upvotes, "private": c.Private, "numberItems": len(c.Items),
		}, nil
	}
	look, ok := a.o.Kinds[kind]
	if !ok {
		return nil, answer.Invalid(`"item.type" must be one of paper, collection, space, model, dataset, bucket`)
	}
	return look(ctx, id)
}

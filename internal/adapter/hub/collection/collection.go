// Package collection is the part of the Hub's client for collections: named
// lists of models, datasets, Spaces, papers, buckets and other collections. It
// knows what the Hub wants of them, not why somebody collects.
package collection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// Limits of the Hub, in characters.
const (
	maxTitle       = 60
	maxDescription = 150
	maxNote        = 500
)

// bodyLimit bounds the answer to a creation, in bytes.
const bodyLimit = 16 << 20

// API makes the calls. It is safe for concurrent use.
type API struct{ conn *wire.Conn }

// New returns the API over a connection.
func New(c *wire.Conn) *API { return &API{conn: c} }

// Collection is a named list.
type Collection struct {
	Slug        string `json:"slug"` // namespace/title-words-id
	Title       string `json:"title"`
	Description string `json:"description"`
	Owner       struct {
		Name string `json:"name"`
		Type string `json:"type"`
	} `json:"owner"`
	// Items are cut to the first four in lists of collections.
	Items       []Item    `json:"items"`
	LastUpdated time.Time `json:"lastUpdated"`
	Position    int       `json:"position"`
	Theme       string    `json:"theme"`
	Private     bool      `json:"private"`
	ShareURL    string    `json:"shareUrl"`
	Upvotes     int       `json:"upvotes"`
	// Raw is the whole object as it came, also what has no field here.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON decodes a collection and keeps all of it.
func (c *Collection) UnmarshalJSON(data []byte) error {
	type plain Collection
	if err := json.Unmarshal(data, (*plain)(c)); err != nil {
		return err
	}
	c.Raw = slices.Clone(data)
	return nil
}

// Item is one thing in a collection.
type Item struct {
	ItemID   string          `json:"_id"`  // within the collection
	Type     string          `json:"type"` // model, dataset, space, paper, collection or bucket
	ID       string          `json:"id"`   // of the thing itself
	Title    string          `json:"title"`
	Position int             `json:"position"`
	Note     Note            `json:"note"`
	Raw      json.RawMessage `json:"-"`
}

// UnmarshalJSON decodes an item and keeps all of it.
func (i *Item) UnmarshalJSON(data []byte) error {
	type plain Item
	if err := json.Unmarshal(data, (*plain)(i)); err != nil {
		return err
	}
	i.Raw = slices.Clone(data)
	return nil
}

// Note is what the owner says about an item.
type Note string

// UnmarshalJSON reads a text, alone or in an object.
func (n *Note) UnmarshalJSON(data []byte) error {
	var in struct {
		Text string `json:"text"`
	}
	err := json.Unmarshal(data, &in)
	if err != nil {
		err = json.Unmarshal(data, &in.Text)
	}
	*n = Note(in.Text)
	return err
}

// Thing names what can be collected.
type Thing struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

func (t Thing) check(op string) error {
	kinds := []string{"paper", "collection", "space", "model", "dataset", "bucket"}
	if !slices.Contains(kinds, t.Type) {
		return invalid(op, "item.type must be one of "+strings.Join(kinds, ", ")+", not "+strconv.Quote(t.Type))
	}
	for part := range strings.SplitSeq(t.ID, "/") {
		if err := wire.Check("item.id", part); err != nil {
			return err
		}
	}
	return nil
}

func invalid(op, message string) error {
	return &wire.Error{Kind: wire.Invalid, Op: op, Message: message}
}

func checkLength(op, field, text string, least, most int) error {
	if n := utf8.RuneCountInString(text); n < least || n > most {
		return invalid(op, fmt.Sprintf("%s must have %d to %d characters, not %d", field, least, most, n))
	}
	return nil
}

// path checks a slug and makes a path of it.
func path(slug string, more ...string) (string, error) {
	ns, name, ok := strings.Cut(slug, "/")
	if !ok || strings.Contains(name, "/") {
		return "", invalid("check slug", "slug "+strconv.Quote(slug)+" must be namespace/name")
	}
	if err := wire.CheckNamespace("slug", ns); err != nil {
		return "", err
	}
	for _, part := range append([]string{name}, more...) {
		if err := wire.Check("slug", part); err != nil {
			return "", err
		}
	}
	return wire.Path(append([]string{"api", "collections", ns, name}, more...)...), nil
}

// Filter chooses collections; an empty field means any.
type Filter struct {
	Owner string
	// Item is what must be in it: papers/ID, models/NS/NAME and the like.
	Item  string
	Query string
	Sort  string // lastModified, trending or upvotes
	Limit int    // of one page
}

// List yields collections, asking for the next page only when the one before
// is used up.
func (a *API) List(ctx context.Context, f Filter) iter.Seq2[Collection, error] {
	q := url.Values{}
	for key, value := range map[string]string{"owner": f.Owner, "item": f.Item, "q": f.Query, "sort": f.Sort} {
		if value != "" {
			q.Set(key, value)
		}
	}
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	return wire.Pages[Collection](ctx, a.conn, wire.Request{Op: "list collections", Path: "/api/collections", Query: q})
}

// ByPaper yields the collections that hold a paper.
func (a *API) ByPaper(ctx context.Context, arxivID string) iter.Seq2[Collection, error] {
	return a.List(ctx, Filter{Item: "papers/" + arxivID})
}

// Find reads a collection with all its items.
func (a *API) Find(ctx context.Context, slug string) (*Collection, error) {
	where, err := path(slug)
	if err != nil {
		return nil, err
	}
	out := new(Collection)
	if _, err := a.conn.JSON(ctx, wire.Request{Op: "read collection " + slug, Path: where}, out); err != nil {
		return nil, err
	}
	return out, nil
}

// Draft is a collection to be made.
type Draft struct {
	Namespace   string
	Title       string // at most 60 characters
	Description string // at most 150
	Private     bool
	Item        *Thing
}

// Create makes a collection. Where the namespace has one of that title
// already, it is that one, and existed is true.
func (a *API) Create(ctx context.Context, d Draft) (c *Collection, existed bool, err error) {
	op := "make collection " + strconv.Quote(d.Title)
	if err := d.check(op); err != nil {
		return nil, false, err
	}
	c, slug, err := a.create(ctx, op, d)
	if wire.Ambiguous(err) && ctx.Err() == nil {
		made, lookErr := a.made(ctx, d)
		if made != nil || lookErr != nil {
			return made, false, lookErr
		}
		c, slug, err = a.create(ctx, op, d)
	}
	if err != nil || slug == "" {
		return c, false, err
	}
	c, err = a.Find(ctx, slug)
	return c, true, err
}

func (d Draft) check(op string) error {
	if err := checkLength(op, "title", d.Title, 1, maxTitle); err != nil {
		return err
	}
	if err := checkLength(op, "description", d.Description, 0, maxDescription); err != nil {
		return err
	}
	if err := wire.CheckNamespace("namespace", d.Namespace); err != nil {
		return err
	}
	if d.Item != nil {
		return d.Item.check(op)
	}
	return nil
}

// create asks for a collection, or is told the slug of the one there is.
func (a *API) create(ctx context.Context, op string, d Draft) (*Collection, string, error) {
	body := map[string]any{"title": d.Title, "namespace": d.Namespace, "private": d.Private}
	if d.Description != "" {
		body["description"] = d.Description
	}
	if d.Item != nil {
		body["item"] = d.Item
	}
	resp, err := a.conn.Do(ctx, wire.Request{
		Op: op, Method: http.MethodPost, Path: "/api/collections", JSON: body,
		Status: []int{http.StatusOK, http.StatusCreated, http.StatusConflict},
	})
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	out := new(Collection)
	if err := json.NewDecoder(io.LimitReader(resp.Body, bodyLimit)).Decode(out); err != nil || out.Slug == "" {
		kind := wire.Unexpected
		if resp.StatusCode == http.StatusConflict {
			kind = wire.Conflict
		}
		return nil, "", &wire.Error{Kind: kind, Op: op, Status: resp.StatusCode, Message: "the answer names no collection", Err: err}
	}
	if resp.StatusCode == http.StatusConflict {
		return nil, out.Slug, nil
	}
	return out, "", nil
}

// made looks for a collection that may have been made.
func (a *API) made(ctx context.Context, d Draft) (*Collection, error) {
	for c, err := range a.List(ctx, Filter{Owner: d.Namespace, Sort: "lastModified"}) {
		if err != nil {
			return nil, err
		}
		if c.Title == d.Title {
			return a.Find(ctx, c.Slug)
		}
	}
	return nil, nil
}

// Change is what is to be changed of a collection; nil leaves a field.
type Change struct {
	Title       *string `json:"title,omitempty"`
	Description *string `json:"description,omitempty"`
	Position    *int    `json:"position,omitempty"`
	Private     *bool   `json:"private,omitempty"`
	Theme       *string `json:"theme,omitempty"` // orange, blue, green, purple, pink or indigo
}

// Update changes a collection.
func (a *API) Update(ctx context.Context, slug string, ch Change) (*Collection, error) {
	op := "change collection " + slug
	where, err := path(slug)
	if err != nil {
		return nil, err
	}
	if ch.Title != nil {
		err = checkLength(op, "title", *ch.Title, 1, maxTitle)
	}
	if ch.Description != nil {
		err = errors.Join(err, checkLength(op, "description", *ch.Description, 0, maxDescription))
	}
	if err != nil {
		return nil, err
	}
	var out struct {
		Data *Collection `json:"data"`
	}
	_, err = a.conn.JSON(ctx, wire.Request{Op: op, Method: http.MethodPatch, Path: where, JSON: ch, Retry: wire.Idempotent}, &out)
	if err == nil && out.Data == nil {
		err = &wire.Error{Kind: wire.Unexpected, Op: op, Message: "the answer holds no collection"}
	}
	return out.Data, err
}

// Delete removes a collection; what it lists stays.
func (a *API) Delete(ctx context.Context, slug string) error {
	where, err := path(slug)
	if err != nil {
		return err
	}
	_, err = a.conn.JSON(ctx, wire.Request{Op: "delete collection " + slug, Method: http.MethodDelete, Path: where}, nil)
	return err
}

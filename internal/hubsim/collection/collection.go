// Package collection keeps the simulated Hub's collections: lists of models,
// datasets, Spaces, papers, buckets and other collections under a title. It does
// not know what its items are: Options.Kinds looks them up.
package collection

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
)

// Lookup describes an item as a collection shows it, its id in the right
// spelling among the members; the error of one that is absent, or hidden from
// the caller in ctx, is the answer to who adds it.
type Lookup func(ctx context.Context, id string) (map[string]any, error)

// Options of the collections.
type Options struct {
	Clock    *clock.Clock
	Accounts *account.Book
	// Kinds looks items up, by their type: model, dataset, space, paper,
	// bucket. Collections are looked up here.
	Kinds map[string]Lookup
}

// Item is a member of a collection.
type Item struct {
	ID   string `json:"_id"`
	Type string `json:"type"`
	Name string `json:"id"` // repo id, paper id; the id of a collection, not its slug
	Note string `json:"note,omitempty"`
}

// Collection is one of them.
type Collection struct {
	ID          string `json:"_id"`
	Owner       string `json:"owner"`
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	Private     bool   `json:"private,omitempty"`
	Theme       string `json:"theme"`
	Position    int    `json:"position,omitempty"`
	Upvotes     int    `json:"upvotes,omitempty"`
	Trending    int    `json:"trending,omitempty"`
	Updated     string `json:"lastUpdated"`
	Items       []Item `json:"items"`
}

// Slug is its name in addresses: the words of the title, then the id.
func (c *Collection) Slug() string { return c.Owner + "/" + words(c.Title) + "-" + c.ID }

// words writes a title with small letters, digits and single hyphens.
func words(title string) string {
	parts := strings.FieldsFunc(strings.ToLower(title), func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	if len(parts) == 0 {
		return "collection"
	}
	return strings.Join(parts, "-")
}

// Area holds all collections. It is safe for concurrent use.
type Area struct {
	o Options

	mu  sync.Mutex
	all map[string]*Collection // by id; those in here are replaced, never changed
}

// New returns an area without collections.
func New(o Options) *Area { return &Area{o: o, all: map[string]*Collection{}} }

// Put adds or replaces a collection, filling in the ids, the time and the theme
// that are missing.
func (a *Area) Put(c Collection) *Collection {
	a.complete(&c)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all[c.ID] = &c
	return &c
}

// add puts c unless its owner has one with the title: that one is returned.
func (a *Area) add(c Collection) (added, same *Collection) {
	a.complete(&c)
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, other := range a.all {
		if other.Owner == c.Owner && other.Title == c.Title {
			return nil, other
		}
	}
	a.all[c.ID] = &c
	return &c, nil
}

func (a *Area) complete(c *Collection) {
	if c.ID == "" {
		c.ID = a.o.Clock.ID()
	}
	if c.Updated == "" {
		c.Updated = clock.Format(a.o.Clock.Stamp())
	}
	if c.Theme == "" {
		c.Theme = themes[0]
	}
	for i := range c.Items {
		if c.Items[i].ID == "" {
			c.Items[i].ID = a.o.Clock.ID()
		}
	}
}

// Save returns everything that Load needs.
func (a *Area) Save() (json.RawMessage, error) { return json.Marshal(a.sorted()) }

// Load replaces everything by what Save returned.
func (a *Area) Load(raw json.RawMessage) error {
	var list []*Collection
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = map[string]*Collection{}
	for _, c := range list {
		a.all[c.ID] = c
	}
	return nil
}

// sorted lists all collections by id, oldest first.
func (a *Area) sorted() []*Collection {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make([]*Collection, 0, len(a.all))
	for _, c := range a.all {
		list = append(list, c)
	}
	slices.SortFunc(list, func(x, y *Collection) int { return strings.Compare(x.ID, y.ID) })
	return list
}

// find returns the collection that ns and slug name, where the caller may see
// it. The id at the end of the slug decides: titles change.
func (a *Area) find(ctx context.Context, ns, slug string) (*Collection, error) {
	a.mu.Lock()
	c := a.all[slug[strings.LastIndexByte(slug, '-')+1:]]
	a.mu.Unlock()
	if c == nil || !strings.EqualFold(c.Owner, ns) || !visible(ctx, c) {
		return nil, answer.Refuse(http.StatusNotFound, "Collection not found")
	}
	return c, nil
}

func visible(ctx context.Context, c *Collection) bool {
	caller := account.From(ctx)
	return !c.Private || caller.May("collection.read", c.Owner) || caller.May(account.CollectionWrite, c.Owner)
}

func mayWrite(ctx context.Context, ns string) error {
	caller := account.From(ctx)
	switch {
	case caller == nil:
		return answer.Login("")
	case !caller.May(account.CollectionWrite, ns):
		return answer.Refuse(http.StatusForbidden, `You don't have the rights to change collections under the namespace "`+ns+`"`)
	}
	return nil
}

// change replaces the collection that ns and slug name by what edit makes of a
// copy, if the caller may and edit does not refuse.
func (a *Area) change(ctx context.Context, ns, slug string, edit func(c *Collection) error) (*Collection, error) {
	c, err := a.find(ctx, ns, slug)
	if err != nil {
		return nil, err
	}
	if err := mayWrite(ctx, c.Owner); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	old, ok := a.all[c.ID]
	if !ok {
		return nil, answer.Refuse(http.StatusNotFound, "Collection not found")
	}
	next := *old
	next.Items = slices.Clone(old.Items)
	if err := edit(&next); err != nil {
		return nil, err
	}
	next.Updated = clock.Format(a.o.Clock.Stamp())
	a.all[c.ID] = &next
	return &next, nil
}

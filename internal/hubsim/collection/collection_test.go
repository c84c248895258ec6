package collection_test

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/collection"
	"github.com/ml-intern/ml-intern/internal/hubsim/simtest"
)

const (
	bob   = simtest.BobWrite
	alice = simtest.AliceWrite
)

// hub serves collections of a few models, one of them bob's own secret.
func hub(t *testing.T) (*simtest.Server, *collection.Area) {
	c := clock.New(clock.Options{})
	t.Cleanup(c.Stop)
	book := simtest.Book(c)
	model := func(ctx context.Context, id string) (map[string]any, error) {
		switch caller := account.From(ctx); {
		case strings.EqualFold(id, "bob/m1"), strings.EqualFold(id, "bob/m2"), id == "bob/secret" && caller.Name() == "bob":
			return map[string]any{"id": strings.ToLower(id), "likes": 3}, nil
		}
		return nil, answer.NotFound(answer.RepoNotFound, "Repository not found")
	}
	paper := func(_ context.Context, id string) (map[string]any, error) {
		return map[string]any{"id": id, "title": "A paper"}, nil
	}
	a := collection.New(collection.Options{
		Clock: c, Accounts: book, Kinds: map[string]collection.Lookup{"model": model, "paper": paper},
	})
	mux := http.NewServeMux()
	a.Routes(mux)
	return &simtest.Server{TB: t, Book: book, Handler: mux}, a
}

type m = map[string]any

func create(s *simtest.Server, title string, more m) string {
	body := m{"title": title, "namespace": "bob"}
	for k, v := range more {
		body[k] = v
	}
	return s.Must(200, bob, "POST", "/api/collections", body).Text("slug")
}

func TestLifeOfACollection(t *testing.T) {
	s, _ := hub(t)
	slug := create(s, "My  best: Models!", m{"description": "d", "item": m{"type": "model", "id": "bob/m1"}})
	if !regexp.MustCompile(`^bob/my-best-models-[0-9a-f]{24}$`).MatchString(slug) {
		t.Fatalf("slug %q", slug)
	}
	again := s.Must(409, bob, "POST", "/api/collections", m{"title": "My  best: Models!", "namespace": "bob"})
	s.Equal(again.Text("slug"), slug)

	at := "/api/collections/" + slug
	r := s.Must(200, bob, "POST", at+"/items", m{"item": m{"type": "paper", "id": "2401.00001"}, "note": "<read> this"})
	s.Equal(simtest.Each(r.At("items"), "id"), []any{"bob/m1", "2401.00001"})
	s.Equal(r.At("items", 1, "note"), any(m{"text": "<read> this", "html": "&lt;read&gt; this"}))
	s.Must(409, bob, "POST", at+"/items", m{"item": m{"type": "model", "id": "Bob/M1"}})
	s.Must(404, bob, "POST", at+"/items", m{"item": m{"type": "model", "id": "bob/none"}})
	s.Must(422, bob, "POST", at+"/items", m{"item": m{"type": "planet", "id": "x"}})
	s.Must(422, bob, "POST", at+"/items", m{"item": m{"type": "model", "id": "bob/m2"}, "note": strings.Repeat("n", 501)})

	second := r.At("items", 1, "_id").(string)
	s.Must(200, bob, "PATCH", at+"/items/"+second, m{"position": 0, "note": "first"})
	r = s.Must(200, alice, "GET", at, nil)
	s.Equal(simtest.Each(r.At("items"), "_id"), []any{second, r.At("items", 1, "_id")})
	s.Equal(simtest.Each(r.At("items"), "position"), []any{0.0, 1.0})
	s.Equal(r.Text("items", 0, "note", "text"), "first")

	r = s.Must(200, bob, "PATCH", at, m{"title": "Renamed", "theme": "pink", "position": 2})
	s.Equal(r.At("data", "theme"), any("pink"))
	if slug := r.Text("data", "slug"); !strings.HasPrefix(slug, "bob/renamed-") {
		t.Errorf("slug after the new title: %q", slug)
	}
	s.Must(200, alice, "GET", at, nil) // the old slug names it still
	for _, bad := range []m{{"theme": "grey"}, {"title": ""}, {"title": strings.Repeat("t", 61)}, {"description": strings.Repeat("d", 151)}, {"position": -1}} {
		s.Must(422, bob, "PATCH", at, bad)
	}
	s.Must(200, bob, "DELETE", at+"/items/"+second, nil)
	s.Must(404, bob, "DELETE", at+"/items/"+second, nil)
	s.Must(200, bob, "DELETE", at, nil)
	s.Must(404, bob, "GET", at, nil)
}

func TestBatchIsAllOrNothing(t *testing.T) {
	s, _ := hub(t)
	at := "/api/collections/" + create(s, "c", nil)
	for _, id := range []string{"bob/m1", "bob/m2"} {
		s.Must(200, bob, "POST", at+"/items", m{"item": m{"type": "model", "id": id}})
	}
	ids := simtest.Each(s.Must(200, bob, "GET", at, nil).At("items"), "_id")
	s.Must(404, bob, "POST", at+"/items/batch", []m{{"action": "delete", "_id": ids[0]}, {"action": "delete", "_id": "nope"}})
	s.Must(422, bob, "POST", at+"/items/batch", []m{{"action": "eat", "_id": ids[0]}})
	s.Equal(simtest.Each(s.Must(200, bob, "GET", at, nil).At("items"), "_id"), ids)
	s.Must(200, bob, "POST", at+"/items/batch", []m{
		{"action": "update", "_id": ids[0], "data": m{"position": 1}}, {"action": "update", "_id": ids[1], "data": m{"note": "n"}},
	})
	r := s.Must(200, bob, "GET", at, nil)
	s.Equal(simtest.Each(r.At("items"), "_id"), []any{ids[1], ids[0]})
	s.Equal(r.Text("items", 0, "note", "text"), "n")
}

func TestWhoMayDoWhat(t *testing.T) {
	s, _ := hub(t)
	body := m{"title": "x", "namespace": "bob"}
	s.Must(401, simtest.Anonymous, "POST", "/api/collections", body)
	s.Must(403, alice, "POST", "/api/collections", body)
	s.Must(403, simtest.BobFine, "POST", "/api/collections", body)
	s.Must(403, alice, "POST", "/api/collections", m{"title": "x", "namespace": "acme"})
	s.Must(403, simtest.AliceRead, "POST", "/api/collections", m{"title": "x", "namespace": "alice"})
	s.Must(422, bob, "POST", "/api/collections", m{"namespace": "bob"})
	s.Must(400, bob, "POST", "/api/collections", "{")

	open := "/api/collections/" + create(s, "open", m{"item": m{"type": "model", "id": "bob/secret"}})
	s.Equal(len(s.Must(200, bob, "GET", open, nil).At("items").([]any)), 1)
	s.Equal(len(s.Must(200, alice, "GET", open, nil).At("items").([]any)), 0)
	for _, try := range [][2]string{{"PATCH", open}, {"DELETE", open}, {"POST", open + "/items"}, {"DELETE", open + "/items/x"}} {
		s.Must(403, alice, try[0], try[1], m{})
		s.Must(401, simtest.Anonymous, try[0], try[1], m{})
	}
	hidden := "/api/collections/" + create(s, "hidden", m{"private": true})
	s.Must(404, alice, "GET", hidden, nil)
	s.Must(404, simtest.Anonymous, "PATCH", hidden, m{"title": "t"})
	s.Equal(simtest.Each(s.Must(200, alice, "GET", "/api/collections?owner=bob", nil).Body, "title"), []any{"open"})
}

func TestLists(t *testing.T) {
	s, a := hub(t)
	for i, title := range []string{"one", "two", "three"} {
		create(s, title, m{"item": m{"type": "model", "id": "bob/m" + string('1'+rune(i%2))}})
	}
	a.Put(collection.Collection{Owner: "acme", Title: "four", Upvotes: 9, Trending: 2, Items: []collection.Item{
		{Type: "paper", Name: "1"}, {Type: "paper", Name: "2"}, {Type: "paper", Name: "3"}, {Type: "paper", Name: "4"}, {Type: "paper", Name: "5"},
	}})
	titles := func(query string) []any {
		return simtest.Each(s.Must(200, simtest.Anonymous, "GET", "/api/collections"+query, nil).Body, "title")
	}
	s.Equal(titles(""), []any{"four", "three", "two", "one"})
	s.Equal(titles("?owner=bob"), []any{"three", "two", "one"})
	s.Equal(titles("?owner=bob&owner=acme&sort=upvotes"), []any{"four", "one", "two", "three"})
	s.Equal(titles("?item=models/bob/m1"), []any{"three", "one"})
	s.Equal(titles("?item=papers/5"), []any{"four"})
	s.Equal(titles("?q=T"), []any{"three", "two"})
	s.Equal(titles("?sort=trending&limit=1"), []any{"four"})
	s.Must(400, bob, "GET", "/api/collections?sort=age", nil)
	s.Must(400, bob, "GET", "/api/collections?cursor=!", nil)

	r := s.Must(200, bob, "GET", "/api/collections?limit=3", nil)
	if r.At(0, "position") != nil || len(r.At(0, "items").([]any)) != 4 {
		t.Errorf("in lists items are cut to 4 and positions are the client's: %s", r.Raw)
	}
	link := r.Header.Get("Link")
	next := regexp.MustCompile(`^<http://hub\.test(/[^>]*)>; rel="next"$`).FindStringSubmatch(link)
	if next == nil {
		t.Fatalf("Link %q", link)
	}
	last := s.Must(200, bob, "GET", next[1], nil)
	s.Equal(simtest.Each(last.Body, "title"), []any{"one"})
	if last.Header.Get("Link") != "" {
		t.Error("the last page has a next one")
	}
}

func TestCollectionsInCollections(t *testing.T) {
	s, _ := hub(t)
	inner := create(s, "inner", nil)
	outer := create(s, "outer", m{"item": m{"type": "collection", "id": inner}})
	s.Must(200, bob, "PATCH", "/api/collections/"+inner, m{"title": "new name"})
	r := s.Must(200, bob, "GET", "/api/collections/"+outer, nil)
	if got := r.Text("items", 0, "slug"); !strings.HasPrefix(got, "bob/new-name-") {
		t.Errorf("slug of the inner one: %q in %s", got, r.Raw)
	}
}

func TestShapeOfACollection(t *testing.T) {
	s, _ := hub(t)
	got := s.Must(200, bob, "GET", "/api/collections/"+create(s, "c", nil), nil)
	want := simtest.Fixture(t, "collection.json")
	simtest.SameKeys(t, got.Body, want)
	simtest.SameKeys(t, got.At("owner"), simtest.At(want, "owner"), "plan", "isPro")
}

func TestStateSurvives(t *testing.T) {
	s, a := hub(t)
	at := "/api/collections/" + create(s, "kept", m{"private": true, "item": m{"type": "model", "id": "bob/m1"}})
	before := s.Must(200, bob, "GET", at, nil)
	raw, err := a.Save()
	if err != nil {
		t.Fatal(err)
	}
	s2, b := hub(t)
	if err := b.Load(raw); err != nil {
		t.Fatal(err)
	}
	after := s2.Must(200, bob, "GET", at, nil)
	s.Equal(at, "/api/collections/"+after.Text("slug"))
	s.Equal(after.At("items"), before.At("items"))
	if b.Load([]byte("no")) == nil {
		t.Error("nonsense was loaded")
	}
}

package collection_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/collection"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/hubtest"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
)

func api(t *testing.T, h http.HandlerFunc) (*collection.API, *hubtest.Net) {
	t.Helper()
	n := hubtest.New(t)
	n.ServeHub(h)
	c, err := wire.New(wire.Options{HTTP: n.Client(), Endpoint: hubtest.Hub, Token: "hf_testtesttest"})
	if err != nil {
		t.Fatal(err)
	}
	return collection.New(c), n
}

func TestRecordedCollection(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(fixturetest.Dir(t, "hub"), "collection.json"))
	if err != nil {
		t.Fatal(err)
	}
	a, n := api(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(data) })
	c, err := a.Find(t.Context(), "prism-ml/bonsai-2-6aab292b9fa72a78652429df")
	if err != nil {
		t.Fatal(err)
	}
	if c.Owner.Name != "prism-ml" || c.Upvotes != 149 || c.Theme != "pink" || len(c.Items) != 2 || c.Items[0].ItemID != "6aac564911ba981a1b9ae180" ||
		c.Items[0].Type != "space" || c.Items[1].ID != "prism-ml/Ternary-Bonsai-2-27B-gguf" || c.Items[1].Position != 1 {
		t.Errorf("%+v", c)
	}
	if !strings.Contains(string(c.Raw), "isUpvotedByUser") || !strings.Contains(string(c.Items[1].Raw), "numParameters") {
		t.Error("what has no field got lost")
	}
	if n.Seen()[0].Path != "/api/collections/prism-ml/bonsai-2-6aab292b9fa72a78652429df" {
		t.Error(n.Seen()[0].Path)
	}
}

func TestByPaper(t *testing.T) {
	a, n := api(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("cursor") == "" {
			w.Header().Set("Link", `<`+hubtest.Hub+`/api/collections?cursor=2>; rel="next"`)
		}
		fmt.Fprintf(w, `[{"slug":"a/%s"}]`, r.URL.Query().Get("cursor"))
	})
	var slugs []string
	for c, err := range a.ByPaper(t.Context(), "2407.21783") {
		if err != nil {
			t.Fatal(err)
		}
		slugs = append(slugs, c.Slug)
	}
	if diff := cmp.Diff([]string{"a/", "a/2"}, slugs); diff != "" || n.Seen()[0].Query != "item=papers%2F2407.21783" {
		t.Errorf("%s, %s", diff, n.Seen()[0].Query)
	}
}

// shelf is a Hub with the collections of bob.
type shelf struct {
	titles []string
	items  []string
	lose   bool // the next answer, after the work
	sent   []string
}

func (s *shelf) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.sent = append(s.sent, r.Method+" "+r.URL.Path+" "+string(body))
	var in struct {
		Title string
		Item  struct{ ID string }
	}
	json.Unmarshal(body, &in)
	if s.lose && r.Method != "GET" {
		s.lose = false
		defer func() {
			conn, _, _ := w.(http.Hijacker).Hijack()
			conn.Close()
		}()
		w = discard{}
	}
	view := func(i int) string {
		return fmt.Sprintf(`{"slug":"bob/c-%d","title":%q,"items":[%s]}`, i, s.titles[i], strings.Join(s.items, ","))
	}
	switch {
	case r.Method == "POST" && r.URL.Path == "/api/collections":
		for i, title := range s.titles {
			if title == in.Title {
				w.WriteHeader(409)
				fmt.Fprintf(w, `{"error":"A collection with this title already exists","slug":"bob/c-%d"}`, i)
				return
			}
		}
		s.titles = append(s.titles, in.Title)
		fmt.Fprint(w, view(len(s.titles)-1))
	case r.URL.Path == "/api/collections":
		all := []string{}
		for i := range s.titles {
			all = append(all, view(i))
		}
		fmt.Fprintf(w, "[%s]", strings.Join(all, ","))
	case strings.HasSuffix(r.URL.Path, "/items"):
		for _, item := range s.items {
			if strings.Contains(item, in.Item.ID) {
				w.WriteHeader(409)
				fmt.Fprint(w, `{"error":"Item already exists in collection"}`)
				return
			}
		}
		s.items = append(s.items, fmt.Sprintf(`{"_id":"i%d","type":"model","id":%q,"note":{"text":"n"}}`, len(s.items), in.Item.ID))
		fmt.Fprint(w, view(0))
	case r.Method == "PATCH":
		fmt.Fprintf(w, `{"success":true,"data":%s}`, view(0))
	default:
		fmt.Fprint(w, view(0))
	}
}

type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

func TestCreate(t *testing.T) {
	s := &shelf{}
	a, _ := api(t, s.serve)
	d := collection.Draft{Namespace: "bob", Title: "Best models", Description: "of all"}
	for _, want := range []bool{false, true} {
		c, existed, err := a.Create(t.Context(), d)
		if err != nil || existed != want || c.Slug != "bob/c-0" || len(s.titles) != 1 {
			t.Errorf("%+v, existed %v, %v", c, existed, err)
		}
	}
	s.lose = true
	d.Title = "Others"
	c, existed, err := a.Create(t.Context(), d)
	if err != nil || existed || len(s.titles) != 2 || c == nil {
		t.Errorf("after a lost answer: %+v, existed %v, %v: %v", c, existed, err, s.titles)
	}
}

func TestItems(t *testing.T) {
	s := &shelf{titles: []string{"x"}}
	a, _ := api(t, s.serve)
	m1 := collection.Thing{Type: "model", ID: "bob/m1"}
	s.lose = true
	c, err := a.Add(t.Context(), "bob/c-0", m1, "n", false)
	if err != nil || len(c.Items) != 1 || c.Items[0].Note != "n" || c.Items[0].ID != "bob/m1" {
		t.Fatalf("%+v, %v", c, err)
	}
	if _, err := a.Add(t.Context(), "bob/c-0", m1, "", false); !errors.Is(err, wire.Conflict) {
		t.Errorf("error %v", err)
	}
	if c, err := a.Add(t.Context(), "bob/c-0", m1, "", true); err != nil || len(c.Items) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	s.sent = nil
	title, first := "New", 0
	if _, err := a.Update(t.Context(), "bob/c-0", collection.Change{Title: &title}); err != nil {
		t.Error(err)
	}
	err = errors.Join(
		a.UpdateItem(t.Context(), "bob/c-0", "i0", collection.ItemChange{Position: &first}),
		a.Batch(t.Context(), "bob/c-0", map[string]collection.ItemChange{"i0": {Position: &first}}),
		a.Remove(t.Context(), "bob/c-0", "i0"), a.Delete(t.Context(), "bob/c-0"),
	)
	want := []string{
		`PATCH /api/collections/bob/c-0 {"title":"New"}`, `PATCH /api/collections/bob/c-0/items/i0 {"position":0}`,
		`POST /api/collections/bob/c-0/items/batch [{"action":"update","_id":"i0","data":{"position":0}}]`,
		`DELETE /api/collections/bob/c-0/items/i0 `, `DELETE /api/collections/bob/c-0 `,
	}
	if diff := cmp.Diff(want, s.sent); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestRefusedBeforeAnyRequest(t *testing.T) {
	a, n := api(t, func(http.ResponseWriter, *http.Request) {})
	_, _, long := a.Create(t.Context(), collection.Draft{Namespace: "bob", Title: strings.Repeat("x", 61)})
	_, _, ns := a.Create(t.Context(), collection.Draft{Namespace: "b b", Title: "x"})
	_, slug := a.Find(t.Context(), "no-slug")
	_, note := a.Add(t.Context(), "bob/x", collection.Thing{Type: "model", ID: "a/b"}, strings.Repeat("x", 501), false)
	_, kind := a.Add(t.Context(), "bob/x", collection.Thing{Type: "app", ID: "a/b"}, "", false)
	for i, err := range []error{long, ns, slug, note, kind} {
		if !errors.Is(err, wire.Invalid) {
			t.Errorf("%d: error %v", i, err)
		}
	}
	if len(n.Seen()) != 0 {
		t.Errorf("%d requests", len(n.Seen()))
	}
}

package writetest_test

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/account"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/account/oauth"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/bucket"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/collection"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/discussion"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/settings"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
)

// lose makes the Hub lose its answer to the next request to a path.
func (b *bench) lose(path string) {
	b.Helper()
	rules, err := fault.Parse([]byte(`{"match":{"method":"POST","path":"` + path + `","count":1},"do":{"applyThenFail":true}}`))
	if err != nil {
		b.Fatal(err)
	}
	b.hub.Faults.Clear()
	b.faults(rules...)
}

// A thread from its opening to its end, every answer lost once.
func TestThreadWithLostAnswers(t *testing.T) {
	b := newBench(t)
	a, r := discussion.New(b.conn(bob)), discussion.Repo{ID: repo}
	b.lose("/discussions$")
	o, err := a.Create(t.Context(), r, discussion.Draw{Title: "A question", Description: "Why?"})
	if err != nil || o.Num != 1 || !o.Found {
		t.Fatalf("%+v, %v", o, err)
	}
	b.lose("/comment$")
	c, err := a.Comment(t.Context(), r, 1, "Because.")
	if err != nil || c.ID == "" {
		t.Fatalf("%+v, %v", c, err)
	}
	b.lose("/edit$")
	if e, err := a.Edit(t.Context(), r, 1, c.ID, "Therefore."); err != nil || e.ID != c.ID {
		t.Errorf("%+v, %v", e, err)
	}
	b.lose("/title$")
	if _, err := a.Rename(t.Context(), r, 1, "An answer"); err != nil {
		t.Error(err)
	}
	b.lose("/status$")
	if _, err := a.SetStatus(t.Context(), r, 1, discussion.Closed, "done"); err != nil {
		t.Error(err)
	}
	b.lose("/hide$")
	if e, err := a.Hide(t.Context(), r, 1, c.ID); err != nil {
		t.Errorf("%+v, %v", e, err)
	}
	d, err := a.Details(t.Context(), r, 1, false)
	if err != nil || d.Title != "An answer" || d.Status != discussion.Closed {
		t.Fatalf("%+v, %v", d, err)
	}
	var texts, types []string
	for _, e := range d.Events {
		types = append(types, e.Type)
		if c, ok := e.Comment(); ok {
			texts = append(texts, c.Text)
		}
	}
	if len(texts) < 2 || texts[0] != "Why?" || strings.Contains(strings.Join(texts, " "), "Therefore") ||
		len(slices.DeleteFunc(types, func(s string) bool { return s != "status-change" })) != 1 {
		t.Errorf("texts %q, events %q", texts, types)
	}
}

func TestCollections(t *testing.T) {
	b := newBench(t)
	a := collection.New(b.conn(bob))
	b.lose("/api/collections$")
	d := collection.Draft{Namespace: "bob", Title: "Mine", Item: &collection.Thing{Type: "model", ID: repo}}
	c, _, err := a.Create(t.Context(), d)
	if err != nil || c.Title != "Mine" || len(c.Items) != 1 {
		t.Fatalf("%+v, %v", c, err)
	}
	again, existed, err := a.Create(t.Context(), d)
	if err != nil || !existed || again.Slug != c.Slug {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := a.Add(t.Context(), c.Slug, *d.Item, "", false); !errors.Is(err, wire.Conflict) {
		t.Errorf("error %v", err)
	}
	note := "look"
	if err := a.UpdateItem(t.Context(), c.Slug, c.Items[0].ItemID, collection.ItemChange{Note: &note}); err != nil {
		t.Error(err)
	}
	theme := "green"
	if c, err = a.Update(t.Context(), c.Slug, collection.Change{Theme: &theme}); err != nil || c.Theme != "green" {
		t.Errorf("%+v, %v", c, err)
	}
	n := 0
	for found, err := range a.List(t.Context(), collection.Filter{Owner: "bob", Item: "models/" + repo}) {
		if n++; err != nil || found.Slug != c.Slug || found.Items[0].Note != "look" {
			t.Errorf("%+v, %v", found, err)
		}
	}
	if err := errors.Join(a.Remove(t.Context(), c.Slug, c.Items[0].ItemID), a.Delete(t.Context(), c.Slug)); err != nil || n != 1 {
		t.Errorf("%d found, %v", n, err)
	}
	if _, err := a.Find(t.Context(), c.Slug); err == nil {
		t.Error("it is still there")
	}
}

func TestBuckets(t *testing.T) {
	b := newBench(t)
	a := bucket.New(b.conn(bob))
	b.lose("/api/buckets/bob/bk$")
	if _, err := a.Create(t.Context(), "bob/bk", true, false); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Create(t.Context(), "bob/bk", true, false); !errors.Is(err, wire.Conflict) {
		t.Errorf("error %v", err)
	}
	err := a.Apply(t.Context(), "bob/bk", []bucket.Change{bucket.Add{Path: "a.bin", XetHash: strings.Repeat("ab", 32), MTime: time.Unix(0, 0)}})
	var failed *bucket.Failed
	if !errors.As(err, &failed) || failed.Paths["a.bin"] == "" {
		t.Errorf("error %v", err)
	}
	for e, err := range a.Tree(t.Context(), "bob/bk", "", false) {
		t.Errorf("%+v, %v", e, err)
	}
	if err := errors.Join(a.Move(t.Context(), "bob/bk", "bob/b2"), a.SetPrivate(t.Context(), "bob/b2", false)); err != nil {
		t.Error(err)
	}
	if found, err := a.Find(t.Context(), "bob/b2"); err != nil || found.Private {
		t.Errorf("%+v, %v", found, err)
	}
	if err := a.Delete(t.Context(), "bob/b2"); err != nil {
		t.Error(err)
	}
}

func TestSettings(t *testing.T) {
	b := newBench(t)
	a := settings.New(b.conn(bob))
	h, err := a.CreateWebhook(t.Context(), settings.Hook{Watched: []settings.Watched{{Type: "user", Name: "bob"}}, URL: "http://127.0.0.1:9/"})
	if err != nil {
		t.Fatal(err)
	}
	if h, err = a.SwitchWebhook(t.Context(), h.ID, false); err != nil || !h.Disabled {
		t.Errorf("%+v, %v", h, err)
	}
	if all, err := a.Webhooks(t.Context()); err != nil || len(all) != 1 || all[0].ID != h.ID {
		t.Errorf("%+v, %v", all, err)
	}
	if err := a.DeleteWebhook(t.Context(), h.ID); err != nil {
		t.Error(err)
	}
	if _, err := a.Notifications(t.Context(), 0); err != nil {
		t.Error(err)
	}
	if _, err := a.MCP(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAccount(t *testing.T) {
	b := newBench(t)
	cache := account.NewCache()
	defer cache.Close()
	a := account.New(b.conn(bob), cache)
	for range 50 {
		if id, err := a.Whoami(t.Context()); err != nil || id.Name != "bob" || !id.Pro || !id.Paying("acme") {
			t.Fatalf("%+v, %v", id, err)
		}
	}
	if n := b.count("GET", "/api/whoami-v2"); n != 1 {
		t.Errorf("%d questions", n)
	}
	if ns, err := a.Namespace(t.Context(), "acme"); err != nil || ns != "acme" {
		t.Errorf("%s, %v", ns, err)
	}
	fine, err := account.New(b.conn("hf_bob_fine"), cache).Whoami(t.Context())
	if err != nil || fine.Refusal(account.WriteJob, "bob") != "" || fine.Refusal(account.WriteRepo, "bob") == "" {
		t.Errorf("%+v, %v", fine, err)
	}
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, payer := range []account.Payer{"", "acme"} {
		usage, err := a.Usage(t.Context(), payer, from, from.AddDate(0, 1, 0))
		if err != nil || usage["inferenceProviders"].Included.String() == "" {
			t.Errorf("%+v, %v", usage, err)
		}
		if _, err := a.Sessions(t.Context(), payer, from, from.AddDate(0, 1, 0)); err != nil {
			t.Error(err)
		}
		if _, err := a.JobsUsage(t.Context(), payer); err != nil {
			t.Error(err)
		}
		if _, err := a.Lines(t.Context(), payer, ""); err != nil {
			t.Error(err)
		}
	}
	if _, err := account.New(b.conn("hf_bob_fine"), cache).Usage(t.Context(), "", from, from); !errors.Is(err, wire.Forbidden) || !strings.Contains(err.Error(), "user.billing.read") {
		t.Errorf("error %v", err)
	}
	if p, err := a.Profile(t.Context(), "acme"); err != nil || !p.Org {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := account.New(b.conn("hf_wrong"), cache).Whoami(t.Context()); !errors.Is(err, wire.Unauthorized) {
		t.Errorf("error %v", err)
	}
}

func TestLogin(t *testing.T) {
	b := newBench(t)
	p, err := oauth.New(oauth.Options{Conn: b.conn(""), ClientID: "test-client", Scopes: oauth.AllScopes()})
	if err != nil {
		t.Fatal(err)
	}
	d, err := p.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	token, err := p.Finish(t.Context(), d, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token, err = p.Refresh(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	cache := account.NewCache()
	defer cache.Close()
	id, err := account.New(b.conn(token.Access), cache).Whoami(t.Context())
	if err != nil || id.Token.Kind != "oauth" {
		t.Errorf("%+v, %v", id, err)
	}

	at, err := p.Begin("http://127.0.0.1:1234/back")
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.browser().Get(at.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	back, err := url.Parse(resp.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	if token, err = p.Complete(t.Context(), at, back.Query()); err != nil || !strings.HasPrefix(token.Access, "hf_oauth_") {
		t.Errorf("%v", err)
	}
}

// Acceptance check 32 of the compute tools, and what was meant is found later.
func TestCheck32_TextAndLargeFile(t *testing.T) {
	b := newBench(t)
	api := commit.New(b.conn(bob), commit.Options{})
	ops := []commit.Operation{add("a.txt", "hello\n"), add("big.bin", strings.Repeat("0123456789abcdef", 20<<16))}
	wants, err := api.Intend(t.Context(), commit.Target{Repo: repo}, ops)
	if err != nil {
		t.Fatal(err)
	}
	r := b.must(b.commit(ops...))
	var order []string
	for _, req := range b.hub.Requests() {
		step := req.Method + " " + req.Host + " " + strings.Split(strings.TrimPrefix(req.Path, "/api"), "/")[1]
		if strings.HasSuffix(req.Path, "/main") {
			step = req.Method + " " + strings.Split(req.Path, "/")[5]
		}
		if req.Host == fault.CDN && req.Authorization != "" {
			t.Errorf("%s came with a token", req.Path)
		}
		if len(order) == 0 || order[len(order)-1] != step {
			order = append(order, step)
		}
	}
	if i := slices.Index(order, "PUT cdn lfs-part"); i < 0 || slices.Index(order, "POST preupload") > i || slices.Index(order, "POST commit") < i {
		t.Errorf("requests %q", order)
	}
	if h, err := api.Held(t.Context(), commit.Target{Repo: repo}, wants); err != nil || !h.All || h.Head != r.OID {
		t.Errorf("%+v, %v", h, err)
	}
}

package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
	"github.com/ml-intern/ml-intern/internal/hubsim/simtest"
	"github.com/ml-intern/ml-intern/internal/hubsim/webhook"
)

const (
	bob   = simtest.BobWrite
	alice = simtest.AliceWrite
	base  = "/api/settings/webhooks"
)

type m = map[string]any

// jobs remembers the jobs that webhooks start.
type jobs struct {
	mu  sync.Mutex
	env []map[string]string
}

func (j *jobs) Spec(_ context.Context, id string) (json.RawMessage, error) {
	if id != "known" {
		return nil, errors.New("no such job")
	}
	return json.RawMessage(`{"flavor":"cpu-basic"}`), nil
}

func (j *jobs) Run(user string, _ json.RawMessage, env map[string]string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	env["user"] = user
	j.env = append(j.env, env)
	return nil
}

func hub(t *testing.T) (*simtest.World, *simtest.Server, *webhook.Area, *jobs) {
	w, j := simtest.New(t), &jobs{}
	a, err := webhook.New(webhook.Options{
		Clock: w.Clock, Accounts: w.Book, Repos: w.Repos, Jobs: j, Endpoint: func() string { return "http://hub.test" },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return w, w.Serve(a), a, j
}

// target is a program that is told; it answers 500 while broken.
type target struct {
	*httptest.Server
	mu      sync.Mutex
	broken  bool
	secrets []string
	bodies  []any
}

func listen(t *testing.T) *target {
	tg := &target{}
	tg.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Error(err)
		}
		tg.mu.Lock()
		defer tg.mu.Unlock()
		tg.bodies, tg.secrets = append(tg.bodies, v), append(tg.secrets, r.Header.Get("X-Webhook-Secret"))
		if tg.broken {
			w.WriteHeader(500)
		}
	}))
	t.Cleanup(tg.Close)
	return tg
}

func (tg *target) events() []any {
	tg.mu.Lock()
	defer tg.mu.Unlock()
	var all []any
	for _, b := range tg.bodies {
		all = append(all, simtest.At(b, "event", "scope").(string)+" "+simtest.At(b, "event", "action").(string))
	}
	return all
}

func watch(kind, name string) []m { return []m{{"type": kind, "name": name}} }

func TestEventsOfRepositoriesReachTheTarget(t *testing.T) {
	w, s, a, _ := hub(t)
	tg := listen(t)
	hook := s.Must(200, bob, "POST", base, m{"watched": watch("user", "bob"), "url": tg.URL, "secret": "s3"}).Text("webhook", "id")
	r := w.Repo(repo.CreateSpec{ID: "bob/m1"}, map[string]string{"a.txt": "a"})
	w.Repo(repo.CreateSpec{ID: "alice/other"}, nil)
	if _, err := w.Repos.Move(w.As(bob), repo.Model, "bob/m1", "bob/m2"); err != nil {
		t.Fatal(err)
	}
	if err := w.Repos.Delete(w.As(bob), repo.Model, "bob/m2"); err != nil {
		t.Fatal(err)
	}
	a.Wait()
	s.Equal(tg.events(), []any{"repo create", "repo.content update", "repo.content update", "repo move", "repo delete"})
	second := tg.bodies[2]
	simtest.SameKeys(t, simtest.At(second, "repo"), simtest.Fixture(t, "webhook-payload.json", "repo"), "headSha")
	s.Equal(simtest.At(second, "webhook"), any(m{"id": hook, "version": 3.0}))
	s.Equal(simtest.At(second, "repo", "url", "api"), any("http://hub.test/api/models/bob/m1"))
	s.Equal(simtest.At(second, "updatedRefs", 0, "ref"), any("refs/heads/main"))
	if old := simtest.At(second, "updatedRefs", 0, "oldSha"); old == nil || old == simtest.At(second, "updatedRefs", 0, "newSha") {
		t.Errorf("the old commit is %v", old)
	}
	s.Equal(simtest.At(tg.bodies[3], "movedTo", "name"), any("bob/m2"))
	s.Equal(simtest.At(tg.bodies[3], "repo", "name"), any("bob/m1"))
	s.Equal(tg.secrets, []string{"s3", "s3", "s3", "s3", "s3"})
	_ = r
}

func TestWhatIsWatched(t *testing.T) {
	w, s, a, _ := hub(t)
	tg := listen(t)
	add := func(token string, body m) { s.Must(200, token, "POST", base, body) }
	add(alice, m{"watched": watch("org", "acme"), "url": tg.URL, "domains": []string{"repo"}})
	add(alice, m{"watched": watch("user", "bob"), "url": tg.URL})
	add(alice, m{"watched": watch("dataset", "bob/d"), "url": tg.URL, "domains": []string{"discussion"}})
	w.Repo(repo.CreateSpec{ID: "acme/secret", Visibility: repo.Private}, nil) // she is a member
	w.Repo(repo.CreateSpec{ID: "bob/secret", Visibility: repo.Private}, nil)  // she is not
	d := w.Repo(repo.CreateSpec{Type: repo.Dataset, ID: "bob/d"}, nil)
	a.Discussion(d, "create", "discussion", m{"discussion": m{"num": 1}})
	a.Wait()
	names := map[any]int{}
	for _, b := range tg.bodies {
		names[simtest.At(b, "repo", "name")]++
	}
	s.Equal(names, map[any]int{"acme/secret": 2, "bob/d": 4})
	s.Equal(simtest.At(tg.bodies[len(tg.bodies)-1], "discussion", "num"), any(1.0))
}

func TestLifeOfAWebhook(t *testing.T) {
	w, s, a, _ := hub(t)
	tg := listen(t)
	tg.broken = true
	id := s.Must(200, bob, "POST", base, m{"watched": watch("model", "bob/m1"), "url": tg.URL}).Text("webhook", "id")
	at := base + "/" + id
	s.Equal(simtest.Each(s.Must(200, bob, "GET", base, nil).Body, "id"), []any{id})
	s.Equal(s.Must(200, alice, "GET", base, nil).Body, any([]any{}))
	s.Must(404, alice, "GET", at, nil)

	s.Must(200, bob, "POST", at+"/disable", nil)
	r := w.Repo(repo.CreateSpec{ID: "bob/m1"}, nil)
	a.Wait()
	s.Equal(len(tg.events()), 0)
	s.Equal(s.Must(200, bob, "POST", at+"/enable", nil).At("webhook", "disabled"), any(false))
	w.Commit(r, "main", map[string]string{"b": "b"})
	a.Wait()
	log := s.Must(200, bob, "GET", at+"/logs", nil)
	s.Equal(log.At(0, "status"), any(500.0))
	tg.mu.Lock()
	tg.broken = false
	tg.mu.Unlock()
	s.Must(200, bob, "POST", at+"/replay/"+log.Text(0, "id"), nil)
	s.Must(404, bob, "POST", at+"/replay/none", nil)
	a.Wait()
	s.Equal(tg.bodies[0], tg.bodies[1])
	s.Equal(s.Must(200, bob, "GET", at+"/logs", nil).At(0, "status"), any(200.0))

	changed := s.Must(200, bob, "POST", at, m{"watched": []m{}, "domains": []string{"discussion"}, "secret": "x"})
	s.Equal(changed.At("webhook"), any(m{
		"id": id, "url": tg.URL, "watched": []any{m{"type": "model", "name": "bob/m1"}}, "domains": []any{"discussion"}, "secret": "x", "disabled": false,
	}))
	s.Must(200, bob, "DELETE", at, nil)
	s.Must(404, bob, "GET", at, nil)
}

func TestJobsAreStarted(t *testing.T) {
	w, s, a, j := hub(t)
	id := s.Must(200, bob, "POST", base, m{"watched": watch("user", "bob"), "jobSourceId": "known", "secret": "k"}).Text("webhook", "id")
	made := s.Must(200, bob, "POST", base, m{
		"watched": watch("user", "alice"), "job": m{"dockerImage": "x", "flavor": "cpu-basic", "secrets": m{"KEY": "hidden value"}},
	})
	if s.Equal(made.At("webhook", "job", "secrets"), []any{"KEY"}); strings.Contains(string(made.Raw), "hidden value") {
		t.Errorf("a job's secret is shown: %s", made.Raw)
	}
	w.Repo(repo.CreateSpec{Type: repo.Dataset, ID: "bob/d"}, nil)
	a.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.env) != 2 {
		t.Fatalf("%d jobs", len(j.env))
	}
	e := j.env[0]
	s.Equal([]string{e["user"], e["WEBHOOK_REPO_ID"], e["WEBHOOK_REPO_TYPE"], e["WEBHOOK_SECRET"]}, []string{"bob", "bob/d", "dataset", "k"})
	if !strings.Contains(e["WEBHOOK_PAYLOAD"], id) {
		t.Errorf("payload %s", e["WEBHOOK_PAYLOAD"])
	}
}

func TestOnlyThisMachineIsReached(t *testing.T) {
	w, s, a, _ := hub(t)
	away := httptest.NewServer(http.RedirectHandler("http://192.0.2.1/", http.StatusTemporaryRedirect))
	defer away.Close()
	for _, target := range []string{"http://192.0.2.1/secret-path", away.URL} {
		id := s.Must(200, bob, "POST", base, m{"watched": watch("user", "bob"), "url": target}).Text("webhook", "id")
		w.Repo(repo.CreateSpec{ID: "bob/" + id}, nil)
		a.Wait()
		log := s.Must(200, bob, "GET", base+"/"+id+"/logs", nil)
		if msg := log.Text(0, "error"); msg == "" || strings.Contains(msg, "secret-path") {
			t.Errorf("%s: %s", target, log.Raw)
		}
	}
}

func TestRefusals(t *testing.T) {
	_, s, _, _ := hub(t)
	good := m{"watched": watch("user", "bob"), "url": "http://127.0.0.1:1"}
	s.Must(401, "", "POST", base, good)
	s.Must(403, simtest.AliceRead, "POST", base, good)
	s.Must(403, simtest.BobFine, "GET", base, nil)
	s.Must(200, simtest.AliceRead, "GET", base, nil)
	for _, change := range []m{
		{"watched": []m{}},
		{"watched": watch("planet", "x")},
		{"watched": watch("user", "")},
		{"url": nil},
		{"url": "ftp://x"},
		{"url": "nonsense"},
		{"job": m{}},
		{"domains": []string{"weather"}},
		{"secret": "a\nb"},
	} {
		body := m{}
		for k, v := range good {
			body[k] = v
		}
		for k, v := range change {
			body[k] = v
		}
		s.Must(422, bob, "POST", base, body)
	}
}

func TestLimits(t *testing.T) {
	w, s, a, _ := hub(t)
	tg := listen(t)
	id := s.Must(200, bob, "POST", base, m{"watched": watch("user", "bob"), "url": tg.URL, "domains": []string{"discussion"}}).Text("webhook", "id")
	r := w.Repo(repo.CreateSpec{ID: "bob/m"}, nil)
	for range 1100 {
		a.Discussion(r, "create", "discussion", nil)
		a.Wait()
	}
	s.Equal(len(tg.events()), 1000)
	s.Equal(len(s.Must(200, bob, "GET", base+"/"+id+"/logs", nil).Body.([]any)), 100)
	w.Clock.Advance(24 * 3600e9)
	a.Discussion(r, "create", "discussion", nil)
	a.Wait()
	s.Equal(len(tg.events()), 1001)
}

func TestStateSurvives(t *testing.T) {
	_, s, a, _ := hub(t)
	s.Must(200, bob, "POST", base, m{"watched": watch("user", "bob"), "url": "http://127.0.0.1:1", "secret": "x"})
	raw, err := a.Save()
	if err != nil {
		t.Fatal(err)
	}
	_, s2, b, _ := hub(t)
	if err := b.Load(raw); err != nil {
		t.Fatal(err)
	}
	s.Equal(s2.Must(200, bob, "GET", base, nil).Body, s.Must(200, bob, "GET", base, nil).Body)
}

package neighbour_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/content"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
	"github.com/ml-intern/ml-intern/internal/hubsim/seed"
	"github.com/ml-intern/ml-intern/internal/hubsim/simtest"
	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
)

// world is the seed acme with the services around it.
type world struct {
	simtest.Server
	clock    *clock.Clock
	store    *repo.Store
	services *neighbour.Services
}

func acme(t *testing.T, model http.Handler) *world {
	t.Helper()
	s, err := seed.Open(seed.Acme)
	if err != nil {
		t.Fatal(err)
	}
	return planted(t, s, model)
}

func planted(t *testing.T, s *seed.Seed, model http.Handler) *world {
	t.Helper()
	w := &world{clock: clock.New(clock.Options{})}
	t.Cleanup(w.clock.Stop)
	book := account.New(w.clock)
	store, err := content.New(content.Options{Clock: w.clock, Base: func() string { return "http://cdn.test" }})
	if err != nil {
		t.Fatal(err)
	}
	if w.store, err = repo.New(repo.Options{Clock: w.clock, Accounts: book, Content: store}); err != nil {
		t.Fatal(err)
	}
	if err := s.Plant(t.Context(), book, w.store); err != nil {
		t.Fatal(err)
	}
	w.services = neighbour.New(neighbour.Options{Clock: w.clock, Accounts: book, Store: w.store, Content: s.Neighbours, Model: model})
	mux := http.NewServeMux()
	w.services.Routes(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { answer.Fail(w, answer.Refuse(404, "unserved")) })
	// GitHub and Slack have tokens of their own, which the Hub does not know.
	w.Server = simtest.Server{TB: t, Book: book, Handler: w.services.Overlay(mux)}
	return w
}

// get answers a GET as the owner of token; it must succeed.
func (w *world) get(token, target string) simtest.Reply {
	w.Helper()
	return w.Must(http.StatusOK, token, http.MethodGet, target, nil)
}

func recorded(t *testing.T, folder, name string, path ...any) any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(fixturetest.Dir(t, folder), name))
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return simtest.At(v, path...)
}

// covers checks that got has the members that want has, at every depth, and
// that their types agree; without are names that may be missing. Of lists the
// first elements are compared.
func covers(t *testing.T, where string, got, want any, without ...string) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			t.Errorf("%s: %T instead of an object", where, got)
			return
		}
		for k, v := range want {
			if slices.Contains(without, k) {
				continue
			}
			if have, ok := g[k]; !ok {
				t.Errorf("%s has no %s", where, k)
			} else if have != nil && v != nil {
				covers(t, where+"."+k, have, v, without...)
			}
		}
	case []any:
		g, ok := got.([]any)
		if !ok {
			t.Errorf("%s: %T instead of a list", where, got)
		} else if len(g) > 0 && len(want) > 0 {
			covers(t, where+"[0]", g[0], want[0], without...)
		}
	default:
		if a, b := fmt.Sprintf("%T", got), fmt.Sprintf("%T", want); a != b {
			t.Errorf("%s: %s instead of %s", where, a, b)
		}
	}
}

func readFile(t *testing.T, folder, name string) ([]byte, error) {
	t.Helper()
	return os.ReadFile(filepath.Join(fixturetest.Dir(t, folder), name))
}

package realclients_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/download"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

// Acceptance check 40, "other proofs": the project's own client passes the same
// rows, with results that are stricter where it promises more.
func TestCheck40_OwnClient(t *testing.T) {
	t.Parallel()
	s := simulate(t)
	o := &own{t: t, sim: s, big: make([]byte, 3<<20+17), small: make([]byte, 50_000)}
	rand.NewChaCha8([32]byte{1}).Read(o.big)
	rand.NewChaCha8([32]byte{2}).Read(o.small)
	var err error
	if o.web, err = httpx.New(httpx.Options{Version: "1.0"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.web.CloseIdleConnections)
	o.bob, o.alice, o.nobody = o.client(bob), o.client(alice), o.client("")
	suite(t, s, "own", ownRows(), func(row string) outcome { return o.play(row) })
}

// own is the project's client as three users.
type own struct {
	t                  *testing.T
	ctx                context.Context // of the row at hand
	sim                *sim
	web                *http.Client
	bob, alice, nobody *hub.Client
	big, small         []byte
	old                string // a commit that is not the newest
	sleeps             bool

	mu    sync.Mutex
	waits []time.Duration
}

// client is one that does not sleep unless the row wants it: it tells how long
// it would have, and the simulated time goes by.
func (o *own) client(token string) *hub.Client {
	c, err := hub.New(hub.Options{
		HTTP: o.web, Endpoint: o.sim.url, Token: token,
		Wait: func(ctx context.Context, d time.Duration, _ string) error {
			o.mu.Lock()
			o.waits = append(o.waits, d)
			o.mu.Unlock()
			if !o.sleeps {
				o.sim.Advance(d)
				return ctx.Err()
			}
			select {
			case <-time.After(d):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
	})
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(c.Close)
	return c
}

// waited is how long the clients have waited since the last call: first, and in
// all.
func (o *own) waited() (first, sum time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, d := range o.waits {
		if i == 0 {
			first = d
		}
		sum += d
	}
	o.waits = nil
	return first, sum
}

// broken is what a row that fails panics with.
type broken struct{ why string }

func (o *own) play(row string) (out outcome) {
	o.sim.begin()
	o.waited()
	ctx, cancel := context.WithTimeout(o.t.Context(), rowTime)
	defer cancel()
	o.ctx = ctx
	defer func() {
		switch why := recover().(type) {
		case nil:
		case broken:
			out.failure = why.why
		default:
			panic(why)
		}
		out.saw = o.sim.saw()
	}()
	o.calls()[row]()
	return out
}

// must ends the row unless what holds.
func must(holds bool, format string, args ...any) {
	if !holds {
		panic(broken{fmt.Sprintf(format, args...)})
	}
}

// ok ends the row on a failure.
func ok(err error) { must(err == nil, "%v", err) }

// got is ok for calls that answer.
func got[T any](v T, err error) T {
	ok(err)
	return v
}

// refused ends the row unless it failed in this way and says so in these words.
func refused(err error, kind wire.Kind, words ...string) {
	must(errors.Is(err, kind), "failed with %v, want %s", err, kind)
	for _, w := range words {
		must(strings.Contains(err.Error(), w), "%q is not in: %v", w, err)
	}
}

// all collects what a sequence yields.
func all[T any](seq iter.Seq2[T, error]) []T {
	var items []T
	for v, err := range seq {
		ok(err)
		items = append(items, v)
	}
	return items
}

func last[A, B any](_ A, b B) B { return b }

func model(id string) repo.Ref { return repo.Ref{Type: wire.Model, ID: id} }

func spaceRef(id string) repo.Ref { return repo.Ref{Type: wire.Space, ID: id} }

// write commits operations to a model of bob's.
func (o *own) write(id string, ops ...commit.Operation) (commit.Result, error) {
	return o.bob.Commits.Commit(o.ctx, commit.Request{
		Target: commit.Target{Type: wire.Model, Repo: id}, Operations: ops, Summary: "change",
	})
}

func add(path string, data []byte) commit.Add { return commit.Add{Path: path, Data: data} }

func (o *own) head(id string) string { return got(o.bob.Repos.Head(o.ctx, model(id), "main")) }

// paths are all files of a repository's main branch.
func (o *own) paths(id string) []string {
	var files []string
	for _, e := range all(o.bob.Repos.Tree(o.ctx, model(id), "main", repo.TreeOptions{Recursive: true})) {
		if !e.Dir() {
			files = append(files, e.Path)
		}
	}
	slices.Sort(files)
	return files
}

// cache is a new cache of files for a client.
func (o *own) cache(c *hub.Client) *download.API {
	return got(download.New(c.Conn, download.Options{Own: o.t.TempDir()}))
}

// fetch brings a file of main into a cache and reads it there.
func (o *own) fetch(d *download.API, id, revision, path string) (string, []byte, error) {
	name, err := d.File(o.ctx, download.Source{Type: wire.Model, ID: id, Revision: revision}, path)
	if err != nil {
		return "", nil, err
	}
	return name, got(os.ReadFile(name)), nil
}

// weights checks a download of the big file into a new cache.
func (o *own) weights() {
	_, data, err := o.fetch(o.cache(o.bob), "bob/m1", "main", "big.bin")
	ok(err)
	must(bytes.Equal(data, o.big), "%d bytes arrived, and not the right ones", len(data))
}

// faults puts rules in force instead of those there.
func (o *own) faults(rules ...string) {
	o.sim.Faults.Clear()
	for _, r := range rules {
		ok(o.sim.Faults.Add(got(fault.Parse([]byte(r)))...))
	}
}

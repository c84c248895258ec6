package hubtest_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/download"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
	store "github.com/ml-intern/ml-intern/internal/hubsim/repo"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

// This is the second stage of the clients' tests: the acceptance checks
// against the simulated Hub, over real connections.

const (
	bob   = "hf_bob_write"
	alice = "hf_alice_read"
	size  = 3 << 20
)

var secret = repo.Ref{Type: wire.Model, ID: "bob/secret"}

// world is a simulator with bob's private model: a text and large weights.
type world struct {
	t    *testing.T
	sim  *hubsim.Hub
	web  *http.Client
	data []byte
}

func simulate(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, sim: hubsimtest.Start(t, hubsim.Options{Seed: "empty"})}
	w.people()
	var err error
	if w.web, err = httpx.New(httpx.Options{Version: "1.0"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.web.CloseIdleConnections)
	w.data = make([]byte, size)
	rand.NewChaCha8([32]byte{3}).Read(w.data)
	sum, n, err := w.sim.Content().Put(bytes.NewReader(w.data))
	if err != nil {
		t.Fatal(err)
	}
	ctx := account.With(context.Background(), w.sim.Accounts().As("bob"))
	if _, err := w.sim.Repos().Create(ctx, store.CreateSpec{
		Type: store.Model, ID: secret.ID, Visibility: store.Private, Trusted: true, Files: []store.Change{
			{Path: "a/b.txt", Content: []byte("hello\n")}, {Path: "big.bin", LFS: &store.LFS{SHA256: sum, Size: n}},
		},
	}); err != nil {
		t.Fatal(err)
	}
	return w
}

// people are a user, a stranger and an organisation.
func (w *world) people() {
	b := w.sim.Accounts()
	b.Put(account.Entity{Type: "user", Name: "alice", Plan: "free"})
	b.Put(account.Entity{Type: "user", Name: "bob", Plan: "pro", CanPay: true})
	b.Put(account.Entity{Type: "org", Name: "acme", Plan: "team", Members: map[string]string{"bob": "admin"}})
	b.PutToken(account.Token{Value: bob, Owner: "bob", Role: "write"})
	b.PutToken(account.Token{Value: alice, Owner: "alice", Role: "read"})
}

// conn is a connection that does not sleep: the simulated time goes by.
func (w *world) conn(token string) *wire.Conn {
	w.t.Helper()
	var waits atomic.Int32
	c, err := wire.New(wire.Options{
		HTTP: w.web, Endpoint: w.sim.URL() + "/", Token: token,
		Wait: func(ctx context.Context, d time.Duration, why string) error {
			if waits.Add(1) > 50 {
				return errors.New("waited for " + why + " too often")
			}
			w.sim.Advance(d)
			return ctx.Err()
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) fault(text string) {
	w.t.Helper()
	rules, err := fault.Parse([]byte(text))
	if err == nil {
		err = w.sim.Faults.Add(rules...)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// fetch downloads the weights into a fresh cache.
func (w *world) fetch() (name, root string, err error) {
	w.t.Helper()
	root = w.t.TempDir()
	a, err := download.New(w.conn(bob), download.Options{Own: root})
	if err != nil {
		w.t.Fatal(err)
	}
	name, err = a.File(w.t.Context(), download.Source{Type: secret.Type, ID: secret.ID, Revision: "main"}, "big.bin")
	return name, root, err
}

func (w *world) check(name string, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, w.data) {
		w.t.Errorf("%d bytes are not what was stored: %v", len(got), err)
	}
}

// Acceptance check 3: the token stays with the Hub.
func TestCheck3_TokenStaysHome(t *testing.T) {
	w := simulate(t)
	name, _, err := w.fetch()
	w.check(name, err)
	part, err := repo.New(w.conn(bob)).ReadRange(t.Context(), secret, "main", "a/b.txt", 1, 3)
	if err != nil || string(part.Data) != "ell" || part.Size != 6 {
		t.Errorf("%+v, %v", part, err)
	}
	cdn := 0
	for _, r := range w.sim.Requests() {
		has := r.Authorization != ""
		if r.Host == fault.CDN {
			cdn++
			if has {
				t.Errorf("the token went to %s", r.Path)
			}
		}
	}
	if cdn == 0 {
		t.Error("nothing came from the other host")
	}
}

// Acceptance check 13.
func TestCheck13_Expired(t *testing.T) {
	w := simulate(t)
	w.fault(`{"match":{"host":"cdn","method":"GET"},"do":{"expireSignedUrls":true,"dropAfterBytes":1000000}}`)
	w.fault(`{"match":{"host":"cdn","method":"GET","count":1},"do":{"expireSignedUrls":true}}`)
	name, _, err := w.fetch()
	w.check(name, err)
}

// Acceptance check 14.
func TestCheck14_FortyDrops(t *testing.T) {
	w := simulate(t)
	w.fault(`{"match":{"host":"cdn","count":40},"do":{"dropAfterBytes":300000}}`)
	name, _, err := w.fetch()
	w.check(name, err)
}

// Acceptance check 15.
func TestCheck15_Corrupt(t *testing.T) {
	w := simulate(t)
	w.fault(`{"match":{"host":"cdn","count":1},"do":{"corruptByteAt":1234567}}`)
	_, root, err := w.fetch()
	if err == nil || !strings.Contains(err.Error(), "hash mismatch") {
		t.Fatalf("%v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(root, "*/*/models--*/snapshots/*/*")); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	name, _, err := w.fetch()
	w.check(name, err)
}

// Acceptance check 16.
func TestCheck16_RangeIgnored(t *testing.T) {
	w := simulate(t)
	w.fault(`[{"match":{"host":"cdn","count":1},"do":{"dropAfterBytes":1000000}},{"match":{"host":"cdn"},"do":{"ignoreRange":true}}]`)
	name, _, err := w.fetch()
	w.check(name, err)
}

package account_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
)

func book() (*account.Book, *clock.Clock) {
	c := clock.New(clock.Options{})
	b := account.New(c)
	b.Put(account.Entity{Type: "user", Name: "Bob", Plan: "pro", CreditMicroUSD: 1_000_000})
	b.Put(account.Entity{Type: "user", Name: "alice"})
	b.Put(account.Entity{Type: "org", Name: "acme", Plan: "team", Members: map[string]string{"Bob": "write", "alice": "read"}})
	b.PutToken(account.Token{Value: "hf_w", Owner: "bob", Role: "write"})
	b.PutToken(account.Token{Value: "hf_r", Owner: "bob", Role: "read"})
	b.PutToken(account.Token{Value: "hf_a", Owner: "alice", Role: "write"})
	b.PutToken(account.Token{Value: "hf_f", Owner: "bob", Role: "fineGrained", Global: []string{"discussion.write"}, Scoped: []account.Scope{
		{Entity: "acme", Permissions: []string{account.RepoRead, account.JobWrite}},
	}})
	return b, c
}

func TestWhoMayDoWhat(t *testing.T) {
	b, _ := book()
	for _, c := range []struct {
		token, permission, ns string
		want                  bool
	}{
		{"hf_w", account.RepoWrite, "bob", true},
		{"hf_w", account.RepoWrite, "ACME", true},
		{"hf_w", account.RepoWrite, "alice", false},
		{"hf_r", account.RepoWrite, "Bob", false},
		{"hf_r", account.RepoRead, "acme", true},
		{"hf_a", account.RepoWrite, "acme", false}, // reads there
		{"hf_a", account.RepoRead, "acme", true},
		{"hf_f", account.JobWrite, "acme", true},
		{"hf_f", account.JobWrite, "Bob", false},
		{"hf_f", account.RepoWrite, "acme", false},
		{"hf_f", account.DiscussionWrite, "acme", true},
		{"", account.RepoRead, "acme", false},
	} {
		caller, _ := b.Authenticate(c.token)
		if got := caller.May(c.permission, c.ns); got != c.want {
			t.Errorf("%q may %s in %s: %v", c.token, c.permission, c.ns, got)
		}
	}
}

func TestTokensEnd(t *testing.T) {
	b, c := book()
	b.PutToken(account.Token{Value: "hf_short", Owner: "bob", Role: "read", ExpiresAt: c.Now().Add(time.Minute)})
	old, ok := b.Authenticate("hf_short")
	if !ok || old.Name() != "Bob" {
		t.Fatal("a token is not known")
	}
	c.Advance(time.Minute)
	if _, ok := b.Authenticate("hf_short"); ok {
		t.Error("an expired token is accepted")
	}
	b.EndToken("hf_w", true)
	b.EndToken("hf_r", false)
	b.EndToken("hf_nobody", true)
	for _, value := range []string{"hf_w", "hf_r", "hf_nobody", ""} {
		if _, ok := b.Authenticate(value); ok {
			t.Errorf("%q is accepted", value)
		}
	}
	if b.PutToken(account.Token{Value: "hf_lost", Owner: "nobody"}); true {
		if _, ok := b.Authenticate("hf_lost"); ok {
			t.Error("a token without an owner is accepted")
		}
	}
}

func TestCallerOfARequest(t *testing.T) {
	b, _ := book()
	for header, want := range map[string]struct {
		name string
		ok   bool
	}{
		"": {"", true}, "Bearer hf_w": {"Bob", true}, "Bearer  hf_w ": {"Bob", true}, "Bearer x": {"", false},
		"Basic Zm9v": {"", false}, "Bearer ": {"", false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		if c, ok := b.Caller(r); c.Name() != want.name || ok != want.ok {
			t.Errorf("%q: %q, %v", header, c.Name(), ok)
		}
	}
}

func TestChargesReplaceThemselves(t *testing.T) {
	b, _ := book()
	news := b.Charged()
	if left := b.Charge(account.Charge{Entity: "bob", Product: "jobs", Ref: "j", NanoUSD: 400_000_000, Minutes: 1}); left != 600_000 {
		t.Errorf("%d left", left)
	}
	<-news
	if left := b.Charge(account.Charge{Entity: "BOB", Product: "jobs", Ref: "k", NanoUSD: 100_000_000}); left != 500_000 {
		t.Errorf("%d left", left)
	}
	if left := b.Charge(account.Charge{Entity: "bob", Product: "jobs", Ref: "j", NanoUSD: 1_000_000_000, Minutes: 3}); left != -100_000 {
		t.Errorf("%d left", left)
	}
	for step := range int64(10) { // each less than a millionth
		b.Charge(account.Charge{Entity: "bob", Product: "inference", Ref: "s", NanoUSD: (step + 1) * 900})
	}
	if e, _ := b.Find("bob"); e.CreditMicroUSD != -100_009 {
		t.Errorf("%d left after many small charges", e.CreditMicroUSD)
	}
	got := b.Charges("Bob")[:2]
	if len(got) != 2 || got[0].Minutes != 3 || got[1].Ref != "k" {
		t.Errorf("%+v", got)
	}
}

func TestSavedBookIsTheSame(t *testing.T) {
	b, c := book()
	b.Charge(account.Charge{Entity: "bob", Product: "jobs", Ref: "j", NanoUSD: 5000, StartedAt: c.Now()})
	raw, err := b.Save()
	if err != nil {
		t.Fatal(err)
	}
	next := account.New(c)
	next.Put(account.Entity{Type: "user", Name: "leftover"})
	if err := next.Load(raw); err != nil {
		t.Fatal(err)
	}
	again, err := next.Save()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(raw), string(again)); d != "" {
		t.Error(d)
	}
	if _, ok := next.Find("leftover"); ok {
		t.Error("what was there before is still there")
	}
	if next.Load([]byte("{")) == nil {
		t.Error("a broken state is accepted")
	}
}

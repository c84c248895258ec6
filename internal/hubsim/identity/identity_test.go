package identity_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/identity"
	"github.com/ml-intern/ml-intern/internal/hubsim/simtest"
)

type bench struct {
	*simtest.Server
	area  *identity.Area
	clock *clock.Clock
}

func newBench(t *testing.T) *bench {
	c := clock.New(clock.Options{})
	book := simtest.Book(c)
	area := identity.New(identity.Options{Clock: c, Accounts: book, User: "bob"})
	mux := http.NewServeMux()
	area.Routes(mux)
	return &bench{&simtest.Server{TB: t, Book: book, Handler: mux}, area, c}
}

func TestWhoamiHasTheShapeOfTheHubs(t *testing.T) {
	b := newBench(t)
	b.Book.Put(account.Entity{Type: "user", Name: "alice", Email: "alice@example.com"})
	b.Book.PutToken(account.Token{Value: "hf_lonely", Owner: "lonely", Role: "write", DisplayName: "laptop"})
	b.Book.Put(account.Entity{Type: "user", Name: "lonely", Email: "l@example.com"})
	got := b.Must(200, "hf_lonely", "GET", "/api/whoami-v2", nil)
	want := simtest.Fixture(t, "whoami.json", "free")
	simtest.SameKeys(t, got.Body, want)
	simtest.SameKeys(t, got.At("auth"), simtest.At(want, "auth"))
	simtest.SameKeys(t, got.At("auth", "accessToken"), simtest.At(want, "auth", "accessToken"))
	b.Equal(got.At("periodEnd"), nil)
	b.Equal(got.At("isPro"), false)

	got = b.Must(200, simtest.BobFine, "GET", "/api/whoami-v2", nil)
	want = simtest.Fixture(t, "whoami.json", "proOrgFineGrained")
	simtest.SameKeys(t, got.Body, want)
	simtest.SameKeys(t, got.At("orgs", 0), simtest.At(want, "orgs", 0))
	fine := []any{"auth", "accessToken", "fineGrained"}
	simtest.SameKeys(t, got.At(fine...), simtest.At(want, fine...))
	simtest.SameKeys(t, got.At(append(fine, "scoped", 0)...), simtest.At(want, append(fine, "scoped", 0)...))
	simtest.SameKeys(t, got.At(append(fine, "scoped", 0, "entity")...), simtest.At(want, append(fine, "scoped", 0, "entity")...))
	b.Equal(got.At("periodEnd"), 1769904000.0)
	b.Equal(got.At("isPro"), true)
	b.Equal(got.At("orgs", 0, "roleInOrg"), "admin")
	b.Equal(got.At("orgs", 0, "plan"), "team")
	b.Must(401, simtest.Anonymous, "GET", "/api/whoami-v2", nil)
}

func TestRestrictedOrganisation(t *testing.T) {
	b := newBench(t)
	b.Book.Put(account.Entity{
		Type: "org", Name: "lab", Members: map[string]string{"bob": "read"}, Restrictions: map[string][]string{"bob": {"sso"}},
	})
	orgs := b.Must(200, simtest.BobWrite, "GET", "/api/whoami-v2", nil).At("orgs")
	b.Equal(simtest.At(orgs, 1, "securityRestrictions"), []any{"sso"})
	b.Equal(simtest.At(orgs, 1, "plan"), nil)
}

func TestProfiles(t *testing.T) {
	b := newBench(t)
	u := b.Must(200, simtest.Anonymous, "GET", "/api/users/BOB/overview", nil)
	b.Equal([]any{u.At("user"), u.At("isPro"), u.At("orgs", 0, "name")}, []any{"bob", true, "acme"})
	o := b.Must(200, simtest.AliceRead, "GET", "/api/organizations/acme/overview", nil)
	b.Equal([]any{o.At("name"), o.At("numUsers"), o.At("isMember"), o.At("plan")}, []any{"acme", 2.0, true, "team"})
	page := b.Must(200, simtest.Anonymous, "GET", "/api/organizations/acme/members?limit=1", nil)
	b.Equal(simtest.Each(page.Body, "user"), []any{"alice"})
	next := page.Header.Get("Link")
	next = next[strings.Index(next, "/api/"):strings.Index(next, ">")]
	b.Equal(simtest.Each(b.Must(200, simtest.Anonymous, "GET", next, nil).Body, "user"), []any{"bob"})
	b.Equal(b.Must(200, simtest.Anonymous, "GET", "/api/organizations/acme/followers", nil).Body, []any{})
	for _, path := range []string{"/api/users/acme/overview", "/api/organizations/bob/overview", "/api/users/nobody/followers"} {
		b.Must(404, simtest.BobWrite, "GET", path, nil)
	}
}

func TestSettings(t *testing.T) {
	b := newBench(t)
	got := b.Must(200, simtest.BobWrite, "GET", "/api/settings/mcp", nil)
	b.Equal(got.At("spaceTools"), []any{})
	b.area.SetMCP("bob", identity.MCPSettings{SpaceTools: []identity.MCPSpace{{ID: "66", Name: "acme/demo", Subdomain: "acme-demo"}}})
	got = b.Must(200, simtest.BobWrite, "GET", "/api/settings/mcp", nil)
	b.Equal(got.At("spaceTools", 0, "subdomain"), "acme-demo")
	b.Must(401, simtest.Anonymous, "GET", "/api/settings/mcp", nil)
	simtest.SameKeys(t, b.Must(200, simtest.Anonymous, "GET", "/api/agent-harnesses", nil).Body, simtest.Fixture(t, "agent-harnesses.json"))
	b.Must(200, simtest.BobWrite, "GET", "/api/notifications", nil)
}

// spend books what the bills of the tests show.
func (b *bench) spend() {
	at := b.clock.Now().Add(65 * time.Second)
	b.Book.Charge(account.Charge{
		Entity: "bob", Product: "jobs", Ref: "66aa00000000000000000003", Flavor: "cpu-basic", NanoUSD: 166_667, Minutes: 1,
		StartedAt: at, EndedAt: at.Add(time.Minute),
	})
	b.Book.Charge(account.Charge{
		Entity: "bob", Product: "inference", Ref: "ml-intern-0001", NanoUSD: 2_450_000_000, Requests: 12, StartedAt: at, EndedAt: at,
	})
	b.Book.Charge(account.Charge{Entity: "acme", Product: "spaces", Ref: "s", Flavor: "t4-small", NanoUSD: 5_000_000, Minutes: 2, StartedAt: at})
}

// Acceptance check 33, the Hub's side: usage-v2 takes Unix seconds, the usage
// by session ISO times, and each refuses the other's.
func TestCheck33_UnitsOfTimeAndMoney(t *testing.T) {
	b := newBench(t)
	b.spend()
	const v2, sessions = "/api/settings/billing/usage-v2", "/api/settings/billing/usage-by-inference-session"
	const unix, iso = "?startDate=1767225600&endDate=1769904000", "?startDate=2026-01-01T00:00:00.000Z&endDate=2026-02-01T00:00:00.000Z"
	got := b.Must(200, simtest.BobWrite, "GET", v2+unix, nil)
	want := simtest.Fixture(t, "billing.json", "usageV2")
	for _, product := range []string{"inferenceProviders", "jobs"} {
		simtest.SameKeys(t, got.At("usage", product), simtest.At(want, "usage", product))
	}
	inference := got.At("usage", "inferenceProviders")
	b.Equal([]any{simtest.At(inference, "usedNanoUsd"), simtest.At(inference, "includedNanoUsd"), simtest.At(inference, "numRequests")},
		[]any{2450000000.0, 2000000000.0, 12.0})
	b.Equal(got.At("usage", "jobs"), map[string]any{"usedMicroUsd": 167.0, "totalMinutes": 1.0})

	got = b.Must(200, simtest.BobWrite, "GET", sessions+iso, nil)
	simtest.SameKeys(t, got.Body, simtest.Fixture(t, "billing.json", "bySession"))
	b.Equal(got.At("periods", 0, "sessions"), []any{map[string]any{"id": "ml-intern-0001", "requestCount": 12.0, "costCents": 245.0}})
	b.Equal(got.Text("periods", 0, "period"), "2026-01-01T00:00:00.000Z")

	for _, bad := range []string{v2 + iso, sessions + unix, v2, sessions, v2 + "?startDate=2&endDate=1"} {
		b.Must(400, simtest.BobWrite, "GET", bad, nil)
	}
	// Outside of the time asked for there is nothing.
	b.Equal(b.Must(200, simtest.BobWrite, "GET", v2+"?startDate=0&endDate=10", nil).At("usage", "jobs", "totalMinutes"), 0.0)
	b.Equal(b.Must(200, simtest.BobWrite, "GET", sessions+"?startDate=2025-01-01T00:00:00Z&endDate=2025-02-01T00:00:00Z", nil).At("periods"), []any{})
}

func TestBills(t *testing.T) {
	b := newBench(t)
	b.spend()
	got := b.Must(200, simtest.BobWrite, "GET", "/api/settings/billing/usage/jobs", nil)
	want := simtest.Fixture(t, "billing.json", "jobs")
	simtest.SameKeys(t, got.Body, want)
	simtest.SameKeys(t, got.At("usage"), simtest.At(want, "usage"))
	b.Equal(got.At("usage", "jobDetails", 0), simtest.At(want, "usage", "jobDetails", 0))
	line := b.Must(200, simtest.BobWrite, "GET", "/api/settings/billing/usage", nil).At("usage", "jobs", 0)
	b.Equal([]any{simtest.At(line, "label"), simtest.At(line, "totalCostMicroUSD"), simtest.At(line, "active")}, []any{"cpu-basic", 167.0, false})
	b.Equal(b.Must(200, simtest.BobWrite, "GET", "/api/settings/billing/usage?periodId=2025-12", nil).At("usage"), map[string]any{})
	b.Must(404, simtest.BobWrite, "GET", "/api/settings/billing/usage?periodId=x", nil)
	org := b.Must(200, simtest.BobWrite, "GET", "/api/organizations/acme/billing/usage", nil)
	b.Equal(org.At("usage", "spaces", 0, "active"), true)
	v2 := b.Must(200, simtest.BobWrite, "GET", "/api/organizations/acme/billing/usage-v2?startDate=1767225600&endDate=1769904000", nil)
	b.Equal(v2.At("usage", "spaces", "totalMinutes"), 2.0)
	b.Must(200, simtest.BobWrite, "GET", "/api/organizations/acme/billing/usage-by-resource-group", nil)
}

// A bill is for those who may see it.
func TestBillsNeedPermission(t *testing.T) {
	b := newBench(t)
	b.Must(403, simtest.BobFine, "GET", "/api/settings/billing/usage/jobs", nil)
	b.Must(401, simtest.Anonymous, "GET", "/api/settings/billing/usage/jobs", nil)
	b.Must(403, simtest.AliceWrite, "GET", "/api/organizations/acme/billing/usage/jobs", nil)
	b.Must(200, simtest.AliceRead, "GET", "/api/settings/billing/usage/jobs", nil)
	b.Must(404, simtest.BobWrite, "GET", "/api/organizations/none/billing/usage", nil)
	b.Book.PutToken(account.Token{Value: "hf_bill", Owner: "bob", Role: "fineGrained", Global: []string{account.BillingRead}})
	b.Must(200, "hf_bill", "GET", "/api/settings/billing/usage/jobs", nil)
}

func TestLiveUsage(t *testing.T) {
	b := newBench(t)
	server := httptest.NewServer(b.Server)
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "GET", server.URL+"/api/settings/billing/usage/live", nil)
	r.Header.Set("Authorization", "Bearer "+simtest.BobWrite)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	next := func() string {
		for lines.Scan() {
			if lines.Text() != "" {
				return lines.Text()
			}
		}
		t.Fatal(lines.Err())
		return ""
	}
	requests := func(line string) any {
		var v any
		if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "data: ")), &v); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		return simtest.At(v, "usage", "inferenceProviders", "numRequests")
	}
	b.Equal(requests(next()), 0.0)
	b.spend()
	for requests(next()) != 12.0 { // a frame a charge, or one for several
	}
	// In silence it says that it lives, after thirty seconds of the clock.
	done := make(chan string)
	go func() { done <- next() }()
	for {
		b.clock.Advance(31 * time.Second)
		select {
		case line := <-done:
			if strings.HasPrefix(line, "data:") { // the third charge
				go func() { done <- next() }()
				continue
			}
			b.Equal(line, ": keep-alive")
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// A stream lives no longer than the area: after a reset it would tell of
// accounts that are gone.
func TestStreamsEndWithTheArea(t *testing.T) {
	b := newBench(t)
	b.area.Close()
	b.area.Close() // again does nothing
	if r := b.Must(200, simtest.BobWrite, "GET", "/api/settings/billing/usage/live", nil); !strings.HasPrefix(string(r.Raw), "data: ") {
		t.Errorf("%s", r.Raw)
	}
}

func TestStateOutlivesARestart(t *testing.T) {
	b := newBench(t)
	made := b.Must(201, "", "POST", "/oauth/register", map[string]any{"redirect_uris": []string{"http://localhost:1/cb"}})
	raw, err := b.area.Save()
	if err != nil {
		t.Fatal(err)
	}
	other := newBench(t)
	if err := other.area.Load(raw); err != nil {
		t.Fatal(err)
	}
	other.Must(400, "", "GET", fmt.Sprintf("/oauth/authorize?client_id=%s&response_type=code&redirect_uri=http://evil.test/", made.Text("client_id")), nil)
}

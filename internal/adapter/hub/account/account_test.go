package account_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/account"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/hubtest"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
)

const token = "hf_testtesttesttesttesttesttesttest"

func connect(t *testing.T, n *hubtest.Net, token string) *wire.Conn {
	t.Helper()
	c, err := wire.New(wire.Options{HTTP: n.Client(), Endpoint: hubtest.Hub, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func api(t *testing.T, h http.HandlerFunc) (*account.API, *hubtest.Net) {
	t.Helper()
	n := hubtest.New(t)
	n.ServeHub(h)
	cache := account.NewCache()
	t.Cleanup(cache.Close)
	return account.New(connect(t, n, token), cache), n
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
}

func fixture(t *testing.T, file string) map[string]json.RawMessage {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(fixturetest.Dir(t, "hub"), file))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestIdentityOfTheRecordedAnswers(t *testing.T) {
	all := fixture(t, "whoami.json")
	who := func(name string) *account.Identity {
		a, _ := api(t, says(string(all[name])))
		id, err := a.Whoami(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	alice := who("free")
	if alice.Name != "alice" || alice.Pro || alice.CanPay || alice.Plan() != "free" || !alice.PeriodEnd.IsZero() || alice.Token.Role != "write" {
		t.Errorf("alice: %+v", alice)
	}
	bob := who("proOrgFineGrained")
	if !bob.Pro || !bob.Paying("bob") || !bob.Paying("acme") || bob.Paying("other") || !bob.Chargeable("acme") ||
		bob.PeriodEnd.Unix() != 1769904000 || len(bob.Orgs) != 2 || bob.Orgs[1].Plan != "enterprise" {
		t.Errorf("bob: %+v", bob)
	}
	for _, c := range []struct {
		permission, namespace, want string
	}{
		{account.WriteJob, "bob", ""},
		{account.ReadRepo, "bob", ""},
		{account.WriteDiscussion, "elsewhere", ""},
		{account.WriteJob, "acme", `the token "agent" lacks the permission job.write for acme`},
		{account.WriteJob, "lab", "does not accept this token for now (sso)"},
		{account.WriteRepo, "other", "other is neither bob nor one of its organisations"},
		{account.ReadBilling, "bob", "lacks the permission user.billing.read"},
	} {
		if got := bob.Refusal(c.permission, c.namespace); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s on %s: %q, want %q", c.permission, c.namespace, got, c.want)
		}
	}
	if got := alice.Refusal(account.WriteRepo, "alice"); got != "" {
		t.Errorf("alice may not write: %s", got)
	}
	oauth := who("oauth")
	if oauth.Token.Kind != "oauth" || oauth.Token.ExpiresAt.IsZero() || oauth.Refusal(account.WriteJob, "acme") != "" {
		t.Errorf("oauth: %+v", oauth.Token)
	}
}

func TestOtherShapesOfAnIdentity(t *testing.T) {
	for body, want := range map[string]string{
		`{"user":"u"}`: "u", `{"preferred_username":"p","isPro":"true"}`: "p", `{"name":"n","user":"u"}`: "n",
	} {
		a, _ := api(t, says(body))
		id, err := a.Whoami(t.Context())
		if err != nil || id.Name != want || id.Pro {
			t.Errorf("%s: %+v, %v", body, id, err)
		}
	}
	a, _ := api(t, says(`{}`))
	if _, err := a.Whoami(t.Context()); !errors.Is(err, wire.Unexpected) {
		t.Errorf("error %v", err)
	}
}

// Acceptance check 32: one question for fifty calls, and a refresh that is
// refused keeps what is known.
func TestCheck32_WhoamiIsAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var status atomic.Int64
		status.Store(200)
		a, n := api(t, func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(100 * time.Millisecond)
			w.WriteHeader(int(status.Load()))
			fmt.Fprintf(w, `{"name":"bob","error":"you asked at %s"}`, time.Now().Format("15:04"))
		})
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if id, err := a.Whoami(t.Context()); err != nil || id.Name != "bob" {
					t.Errorf("%v, %v", id, err)
				}
			})
		}
		wg.Wait()
		first := a.Known()
		time.Sleep(9 * time.Minute)
		for range 50 {
			if id, err := a.Whoami(t.Context()); err != nil || id != first {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second) // what is asked in the background is asked by now
		if len(n.Seen()) != 1 {
			t.Fatalf("%d requests within ten minutes", len(n.Seen()))
		}
		for _, bad := range []int64{429, 503} {
			status.Store(bad)
			time.Sleep(2 * time.Minute)
			before := len(n.Seen())
			for range 20 {
				if id, err := a.Whoami(t.Context()); err != nil || id != first {
					t.Fatalf("after %d: %v, %v", bad, id, err)
				}
			}
			time.Sleep(time.Second) // the question is asked in the background
			if id, err := a.Whoami(t.Context()); err != nil || id != first || len(n.Seen()) != before+1 {
				t.Fatalf("after %d: %d more requests, %v", bad, len(n.Seen())-before, err)
			}
		}
		status.Store(200)
		time.Sleep(2 * time.Minute)
		start := time.Now()
		if id, err := a.Whoami(t.Context()); err != nil || id != first || time.Since(start) > 0 {
			t.Errorf("the old answer is not given at once: %v", err)
		}
		time.Sleep(time.Second)
		if id, err := a.Whoami(t.Context()); err != nil || id == first {
			t.Errorf("the answer was not refreshed: %v", err)
		}
	})
}

// An expired token is told once, without a storm of questions.
func TestExpiredToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var expired atomic.Bool
		a, n := api(t, func(w http.ResponseWriter, _ *http.Request) {
			if expired.Load() {
				w.WriteHeader(401)
				fmt.Fprint(w, `{"error":"Invalid user token."}`)
				return
			}
			fmt.Fprint(w, `{"name":"bob"}`)
		})
		if _, err := a.Whoami(t.Context()); err != nil {
			t.Fatal(err)
		}
		expired.Store(true)
		time.Sleep(11 * time.Minute)
		_, _ = a.Whoami(t.Context())
		time.Sleep(time.Second)
		for range 30 {
			if _, err := a.Whoami(t.Context()); !errors.Is(err, wire.Unauthorized) {
				t.Fatalf("error %v", err)
			}
		}
		if len(n.Seen()) != 2 {
			t.Errorf("%d requests", len(n.Seen()))
		}
		expired.Store(false)
		time.Sleep(2 * time.Minute)
		if _, err := a.Whoami(t.Context()); err != nil {
			t.Errorf("a token that is good again: %v", err)
		}
	})
}

func TestWhoamiInTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, n := api(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) })
		if _, err := a.Whoami(t.Context()); !errors.Is(err, wire.Server) || len(n.Seen()) != 3 {
			t.Errorf("error %v after %d requests", err, len(n.Seen()))
		}
		a, n = api(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("RateLimit", `"api";r=0;t=200`)
			w.WriteHeader(429)
		})
		start := time.Now()
		if _, err := a.Whoami(t.Context()); !errors.Is(err, wire.RateLimited) || len(n.Seen()) != 1 || time.Since(start) > time.Second {
			t.Errorf("error %v after %d requests and %s", err, len(n.Seen()), time.Since(start))
		}
	})
	n := hubtest.New(t)
	n.ServeHub(says(`{}`))
	if _, err := account.New(connect(t, n, ""), account.NewCache()).Whoami(t.Context()); !errors.Is(err, wire.Unauthorized) || len(n.Seen()) != 0 {
		t.Errorf("without a token: %v", err)
	}
}

func TestNamespaces(t *testing.T) {
	const body = `{"name":"bob","orgs":[{"name":"lab"},{"name":"acme"},{"name":"lab"}]}`
	a, _ := api(t, says(body))
	n, err := a.Namespaces(t.Context())
	want := account.Namespaces{Eligible: []string{"bob", "acme", "lab"}, Default: "bob", BillingURL: hubtest.Hub + "/settings/billing"}
	if diff := cmp.Diff(want, n); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	text, _ := json.Marshal(n)
	if string(text) != `{"eligible_namespaces":["bob","acme","lab"],"default_namespace":"bob","billing_url":"http://127.0.0.1:7870/settings/billing"}` {
		t.Error(string(text))
	}
	for asked, want := range map[string]string{"": "bob", "acme": "acme", "LAB": "lab"} {
		if got, err := a.Namespace(t.Context(), asked); got != want || err != nil {
			t.Errorf("%q: %q, %v", asked, got, err)
		}
	}
	if _, err := a.Namespace(t.Context(), "other"); err == nil || !strings.Contains(err.Error(), "allowed: bob, acme, lab") {
		t.Errorf("error %v", err)
	}
	a, _ = api(t, says(`{"orgs":[{"name":"lab"},{"name":"acme"}]}`))
	if got, err := a.Namespace(t.Context(), ""); got != "acme" || err != nil {
		t.Errorf("without a name of one's own: %q, %v", got, err)
	}
}

// Where the Hub does not say who the user is, the name asked for is taken.
func TestNamespaceWithoutAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := api(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
		if got, err := a.Namespace(t.Context(), "acme"); got != "acme" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if _, err := a.Namespace(t.Context(), ""); err == nil {
			t.Error("a name was made up")
		}
		a, _ = api(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) })
		if _, err := a.Namespace(t.Context(), "acme"); !errors.Is(err, wire.Unauthorized) {
			t.Errorf("error %v", err)
		}
	})
	n := hubtest.New(t)
	_, err := account.New(connect(t, n, ""), account.NewCache()).Namespace(t.Context(), "")
	if err == nil || !strings.Contains(err.Error(), "no HF token available to resolve a jobs namespace") {
		t.Errorf("error %v", err)
	}
}

// Acceptance check 33: the units of the bills.
func TestCheck33_Billing(t *testing.T) {
	all := fixture(t, "billing.json")
	a, n := api(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/settings/billing/usage-v2":
			w.Write(all["usageV2"])
		case "/api/organizations/acme/billing/usage-by-inference-session":
			w.Write(all["bySession"])
		case "/api/settings/billing/usage/jobs":
			w.Write(all["jobs"])
		default:
			w.WriteHeader(403)
		}
	})
	from, to := time.Unix(1767225600, 0), time.Unix(1769904000, 0)
	usage, err := a.Usage(t.Context(), "", from, to)
	if err != nil {
		t.Fatal(err)
	}
	inference, jobs := usage["inferenceProviders"], usage["jobs"]
	if inference.Used.String() != "$2.45" || inference.Included.String() != "$2.00" || *inference.Requests != 128 || jobs.Used.String() != "$0.25" ||
		*jobs.Minutes != 3.5 || jobs.Included != nil || jobs.Requests != nil || !inference.PeriodEnd.Equal(to) {
		t.Errorf("usage %+v", usage)
	}
	sessions, err := a.Sessions(t.Context(), "acme", from, to)
	if err != nil || len(sessions) != 2 || sessions[0].ID != "ml-intern-0001" || sessions[0].Cost.String() != "$0.0342" || sessions[0].Requests != 12 {
		t.Errorf("sessions %+v, %v", sessions, err)
	}
	spent, err := a.JobsUsage(t.Context(), "")
	if err != nil || spent.Used.String() != "$0.25" || len(spent.Jobs) != 1 || *spent.Jobs[0].Cost != 167*account.MicroUSD || !*spent.HasAccess {
		t.Errorf("jobs %+v, %v", spent, err)
	}
	queries := n.Seen()
	if queries[0].Query != "endDate=1769904000&startDate=1767225600" || queries[1].Query != "endDate=2026-02-01T00%3A00%3A00.000Z&startDate=2026-01-01T00%3A00%3A00.000Z" {
		t.Errorf("queries %q and %q", queries[0].Query, queries[1].Query)
	}
	if _, err := a.Lines(t.Context(), "acme", "p1"); !errors.Is(err, wire.Forbidden) || !strings.Contains(err.Error(), "user.billing.read") {
		t.Errorf("error %v", err)
	}
}

func TestMoney(t *testing.T) {
	for m, want := range map[account.Money]string{
		2_450_000_000 * account.NanoUSD: "$2.45", 342 * account.Cent: "$3.42", 0: "$0.00", 5 * account.USD: "$5.00",
		167 * account.MicroUSD: "$0.0002", -10 * account.Cent: "-$0.10",
	} {
		if got := m.String(); got != want {
			t.Errorf("%d: %s, want %s", int64(m), got, want)
		}
	}
}

// Every field may be missing or of another shape.
func TestBillsWithGaps(t *testing.T) {
	for _, body := range []string{`{}`, `{"usage":{}}`, `{"usage":{"x":{"usedNanoUsd":null}}}`, `{"usage":{"x":[1],"y":{"usedNanoUsd":"many"},"z":{"periodStart":1767225600,"usedCents":342}}}`} {
		a, _ := api(t, says(body))
		usage, err := a.Usage(t.Context(), "", time.Unix(0, 0), time.Unix(1, 0))
		if err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if z, ok := usage["z"]; ok && (z.Used.String() != "$3.42" || z.PeriodStart.Unix() != 1767225600) {
			t.Errorf("z: %+v", z)
		}
		if jobs, err := a.JobsUsage(t.Context(), ""); err != nil || jobs.Used != nil {
			t.Errorf("%s: %+v, %v", body, jobs, err)
		}
	}
}

func TestBillingFailures(t *testing.T) {
	for _, c := range []struct {
		kind    wire.Kind
		status  int
		message string
		want    bool
	}{
		{wire.Payment, 402, "anything", true},
		{wire.Forbidden, 403, "You are out of credits", true},
		{wire.Forbidden, 403, "Your credits are exhausted", true},
		{wire.Forbidden, 403, "quota exceeded", false},
		{wire.Server, 500, "the billing service is down", false},
	} {
		err := fmt.Errorf("run: %w", &wire.Error{Kind: c.kind, Status: c.status, Message: c.message})
		if got := account.Billing(err); got != c.want {
			t.Errorf("%d %q: %v", c.status, c.message, got)
		}
	}
}

func TestLive(t *testing.T) {
	a, _ := api(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: {\"usage\n\ndata: {\"usage\":{\"jobs\":{\"usedMicroUsd\":1000000}}}\n\n")
	})
	for usage, err := range a.Live(t.Context(), "") {
		if err != nil || usage["jobs"].Used.String() != "$1.00" {
			t.Errorf("%+v, %v", usage, err)
		}
		break
	}
}

func TestProfile(t *testing.T) {
	a, _ := api(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/organizations/acme/overview" {
			w.WriteHeader(404)
			return
		}
		fmt.Fprint(w, `{"name":"acme","fullname":"Acme","numModels":3}`)
	})
	if p, err := a.Profile(t.Context(), "acme"); err != nil || !p.Org || p.Models != 3 || p.Fullname != "Acme" {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := a.Profile(t.Context(), "a/b"); !errors.Is(err, wire.Invalid) {
		t.Errorf("error %v", err)
	}
}

package wire_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/hubtest"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

const token = "hf_testtesttesttesttesttesttesttest"

// connect is a connection of a user with a token; change may alter that.
func connect(t *testing.T, n *hubtest.Net, change ...func(*wire.Options)) *wire.Conn {
	t.Helper()
	o := wire.Options{HTTP: n.Client(), Endpoint: hubtest.Hub, Token: token}
	for _, f := range change {
		f(&o)
	}
	c, err := wire.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func anonymous(o *wire.Options) { o.Token = "" }

// get asks for path and drops the answer.
func get(c *wire.Conn, path string) error {
	_, err := c.JSON(context.Background(), wire.Request{Op: "ask", Path: path}, nil)
	return err
}

func fault(t *testing.T, err error) *wire.Error {
	t.Helper()
	var e *wire.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v is no *wire.Error", err)
	}
	return e
}

func TestNewChecksOptions(t *testing.T) {
	for _, o := range []wire.Options{
		{Endpoint: "https://huggingface.co"},
		{HTTP: http.DefaultClient, Endpoint: "huggingface.co"},
		{HTTP: http.DefaultClient, Endpoint: "ftp://x"},
		{HTTP: http.DefaultClient, Endpoint: "https://u:p@x"},
		{HTTP: http.DefaultClient, Endpoint: "https://x", Token: "a b"},
	} {
		if _, err := wire.New(o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

// Acceptance check 1: a slash at the end of the endpoint makes no "//".
func TestCheck1_EndpointWithSlash(t *testing.T) {
	n := hubtest.New(t)
	n.ServeHub(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("{}")) })
	c := connect(t, n, func(o *wire.Options) { o.Endpoint += "/" })
	if err := get(c, wire.Model.API("bob/m1")); err != nil {
		t.Fatal(err)
	}
	if got := n.Seen()[0].Path; got != "/api/models/bob/m1" {
		t.Errorf("asked for %s", got)
	}
}

func TestHeaders(t *testing.T) {
	n := hubtest.New(t)
	n.ServeHub(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("{}")) })
	c := connect(t, n, func(o *wire.Options) { o.UserAgent = "ml-intern/1.0; hf_hub/1.0" })
	if _, err := c.JSON(t.Context(), wire.Request{Op: "x", Path: "/api/x", Header: http.Header{"Authorization": {"Bearer other"}}}, nil); err != nil {
		t.Fatal(err)
	}
	h := n.Seen()[0].Header
	for name, want := range map[string]string{
		"Authorization": "Bearer " + token, "User-Agent": "ml-intern/1.0; hf_hub/1.0", "Accept": "application/json",
	} {
		if h.Get(name) != want {
			t.Errorf("%s is %q", name, h.Get(name))
		}
	}
	if len(h.Get("X-Amzn-Trace-Id")) != 36 {
		t.Errorf("trace id %q", h.Get("X-Amzn-Trace-Id"))
	}
}

// Acceptance check 2: a private repository is not found by strangers, and the
// request id stands in the text.
func TestCheck2_PrivateRepoForStrangers(t *testing.T) {
	for _, code := range []string{"RepoNotFound", ""} {
		n := hubtest.New(t)
		n.ServeHub(func(w http.ResponseWriter, _ *http.Request) {
			if code != "" {
				w.Header().Set("X-Error-Code", code)
			}
			w.Header().Set("X-Request-Id", "Root=1-66aa;77")
			w.WriteHeader(401)
			w.Write([]byte(`{"error":"Invalid username or password."}`))
		})
		err := get(connect(t, n, anonymous), "/api/models/bob/secret")
		if !errors.Is(err, wire.RepoNotFound) || !strings.Contains(err.Error(), "Root=1-66aa;77") || !strings.Contains(err.Error(), "ml-intern login") {
			t.Errorf("code %q: %v", code, err)
		}
	}
}

// Acceptance check 38: an expired token is one request and the advice to log in.
func TestCheck38_ExpiredToken(t *testing.T) {
	n := hubtest.New(t)
	n.ServeHub(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(401)
		w.Write([]byte(`{"error":"Invalid credentials in Authorization header"}`))
	})
	err := get(connect(t, n), "/api/models/bob/m1")
	if !errors.Is(err, wire.Unauthorized) || !strings.Contains(err.Error(), "ml-intern login") || strings.Contains(err.Error(), token) {
		t.Errorf("%v", err)
	}
	if n.Count(hubtest.Hub) != 1 {
		t.Errorf("%d requests", n.Count(hubtest.Hub))
	}
}

// Every recorded failure has its kind.
func TestRecordedErrors(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(fixturetest.Dir(t, "hub"), "errors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Case    string
		Status  int
		Headers map[string]string
		Body    json.RawMessage
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	want := map[string]wire.Kind{
		"anonymous, missing or private repo": wire.RepoNotFound, "bad token": wire.Unauthorized,
		"authenticated, missing or hidden repo": wire.RepoNotFound, "gated repo file, anonymous": wire.GatedRepo,
		"gated repo file, no grant": wire.GatedRepo, "unknown revision": wire.RevisionNotFound, "unknown file": wire.EntryNotFound,
		"disabled repo": wire.Disabled, "no write permission": wire.Forbidden, "create existing repo": wire.Conflict,
		"create while another operation runs": wire.Conflict, "branch exists": wire.Conflict,
		"parentCommit is not the head": wire.HeadMoved, "ndjson without a known key": wire.BadRequest,
		"delete of a missing file in a commit": wire.EntryNotFound, "invalid README metadata": wire.BadRequest,
		"paid hardware without credit": wire.Payment, "router, monthly credits used": wire.Payment,
		"rate limited": wire.RateLimited, "rate limited by the CDN": wire.RateLimited, "range beyond the end": wire.Range,
		"server trouble": wire.Server, "oauth device, waiting": wire.BadRequest, "oauth device, too fast": wire.BadRequest,
	}
	retry := []string{"rate limited", "rate limited by the CDN", "server trouble", "create while another operation runs"}
	for _, k := range cases {
		t.Run(k.Case, func(t *testing.T) {
			n := hubtest.New(t)
			body := []byte(k.Body)
			var text string
			if json.Unmarshal(body, &text) == nil {
				body = []byte(text)
			}
			n.ServeHub(func(w http.ResponseWriter, _ *http.Request) {
				for name, value := range k.Headers {
					w.Header().Set(name, value)
				}
				w.WriteHeader(k.Status)
				w.Write(body)
			})
			c := connect(t, n)
			_, err := c.JSON(t.Context(), wire.Request{Op: "ask", Path: "/api/models/acme/gated", Retry: wire.Never}, nil)
			e := fault(t, err)
			if e.Kind != want[k.Case] || e.Status != k.Status {
				t.Errorf("kind %q, want %q: %v", e.Kind, want[k.Case], e)
			}
			if e.Retryable != slices.Contains(retry, k.Case) {
				t.Errorf("retryable %v", e.Retryable)
			}
			if !strings.Contains(e.Error(), k.Headers["X-Request-Id"]) || strings.Contains(e.Error(), "<html>") {
				t.Errorf("text %q", e)
			}
			if m := k.Headers["X-Error-Message"]; m != "" && e.Message != m {
				t.Errorf("message %q, want %q once", e.Message, m)
			}
			if e.Kind == wire.GatedRepo && !strings.HasSuffix(e.Remedy, hubtest.Hub+"/acme/gated") {
				t.Errorf("remedy %q", e.Remedy)
			}
		})
	}
}

func TestKindsByRoute(t *testing.T) {
	for _, k := range []struct {
		path   string
		status int
		anon   bool
		want   wire.Kind
	}{
		{"/api/jobs/acme/66aa", 404, false, wire.JobNotFound},
		{"/api/scheduled-jobs/acme/66aa/run", 404, false, wire.JobNotFound},
		{"/api/jobs/acme", 404, false, wire.NotFound},
		{"/api/whoami-v2", 401, true, wire.Unauthorized},
		{"/bob/m1/resolve/main/x", 401, true, wire.RepoNotFound},
		{"/datasets/bob/d/raw/main/x", 401, true, wire.RepoNotFound},
		{"/bob/m1.git/info/lfs/objects/batch", 401, true, wire.RepoNotFound},
		{"/bob/m1/resolve/main/x", 401, false, wire.Unauthorized},
		{"/api/models/a/b", 413, false, wire.TooManyFields},
		{"/api/models/a/b", 422, false, wire.Validation},
		{"/api/models/a/b", 418, false, wire.Unexpected},
	} {
		n := hubtest.New(t)
		n.ServeHub(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(k.status) })
		c := connect(t, n, func(o *wire.Options) {
			if k.anon {
				o.Token = ""
			}
		})
		if err := get(c, k.path); wire.KindOf(err) != k.want {
			t.Errorf("%s %d: %v, want %s", k.path, k.status, err, k.want)
		}
	}
}

// Acceptance check 3: another origin gets no token, the own one does.
func TestCheck3_RedirectsAndTheToken(t *testing.T) {
	n := hubtest.New(t)
	n.ServeHub(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/abroad":
			w.Header().Set("Location", hubtest.CDN+"/file?Signature=s3cret")
			w.WriteHeader(302)
		case "/moved":
			w.Header().Set("Location", "/home")
			w.WriteHeader(307)
		case "/loop":
			w.Header().Set("Location", "/loop")
			w.WriteHeader(307)
		}
	})
	n.ServeCDN(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/back" {
			return
		}
		w.Header().Set("Location", hubtest.Hub+"/home")
		w.WriteHeader(302)
	})
	c := connect(t, n)
	for _, path := range []string{"/abroad", "/moved"} {
		if err := get(c, path); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, s := range n.Seen() {
		got = append(got, fmt.Sprint(s.Host, s.Path, " ", s.Authorization != "", s.Header.Get("X-Amzn-Trace-Id") != ""))
	}
	want := []string{
		"127.0.0.1:7870/abroad true true", "cdn.test:80/file false false", "127.0.0.1:7870/home false false",
		"127.0.0.1:7870/moved true true", "127.0.0.1:7870/home true true",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := get(c, "/loop"); !errors.Is(err, wire.Unexpected) || !strings.Contains(err.Error(), "redirects") {
		t.Errorf("endless redirects: %v", err)
	}
	resp, err := c.Do(t.Context(), wire.Request{Op: "look", Path: "/abroad", Method: http.MethodHead, Foreign: true})
	if err != nil || resp.StatusCode != 302 {
		t.Fatalf("the redirect as the answer: %v %v", resp, err)
	}
	resp.Body.Close()
}

// A request that changes something goes on only where method and body stay.
func TestRedirectedWrites(t *testing.T) {
	n := hubtest.New(t)
	n.ServeHub(func(w http.ResponseWriter, r *http.Request) {
		to, status, _ := strings.Cut(r.URL.Query().Get("to"), " ")
		if to == "" {
			io.Copy(w, r.Body)
			return
		}
		code := 307
		if status != "" {
			code = 302
		}
		w.Header().Set("Location", to)
		w.WriteHeader(code)
	})
	n.ServeCDN(func(http.ResponseWriter, *http.Request) {})
	c := connect(t, n)
	post := func(to string) (string, error) {
		var out string
		_, err := c.JSON(t.Context(), wire.Request{Op: "write", Method: "POST", Path: "/api/x", Query: url.Values{"to": {to}}, JSON: "body"}, &out)
		return out, err
	}
	if out, err := post("/api/y"); err != nil || out != "body" {
		t.Errorf("moved within the hub: %q, %v", out, err)
	}
	for _, to := range []string{"/api/y 302", hubtest.CDN + "/y"} {
		if _, err := post(to); !errors.Is(err, wire.Unexpected) {
			t.Errorf("to %s: %v", to, err)
		}
	}
	if n.Count(hubtest.CDN) != 0 {
		t.Error("a write left the hub")
	}
}

// Acceptance check 4: a next page at another host is not asked for.
func TestCheck4_ForeignNextPage(t *testing.T) {
	n := hubtest.New(t)
	n.ServeHub(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", `<`+hubtest.CDN+`/api/models?cursor=x>; rel="next"`)
		w.Write([]byte(`["a"]`))
	})
	n.ServeCDN(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`["b"]`)) })
	var got []string
	var last error
	for s, err := range wire.Pages[string](t.Context(), connect(t, n), wire.Request{Op: "list the models", Path: "/api/models"}) {
		if last = err; err == nil {
			got = append(got, s)
		}
	}
	if len(got) != 1 || last == nil || !strings.Contains(last.Error(), "cdn.test") || !strings.Contains(last.Error(), "127.0.0.1:7870") {
		t.Errorf("%v, %v", got, last)
	}
	if n.Count(hubtest.CDN) != 0 {
		t.Error("the other host was asked")
	}
}

func TestPages(t *testing.T) {
	n := hubtest.New(t)
	n.ServeHub(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("cursor") {
		case "":
			w.Header().Set("Link", `<https://x.test/help>; rel="help", <`+hubtest.Hub+`/api/models?cursor=a%3D%2F&x=1>; rel="next"`)
			w.Write([]byte(`[1,2]`))
		case "a=/":
			w.Header().Set("Link", `<`+hubtest.Hub+`/api/models?cursor=b>; rel="next"`)
			w.Write([]byte(`[]`)) // an empty page is not the last one
		case "b":
			w.Header().Set("Link", `<`+hubtest.Hub+`/api/models?cursor=b>; rel="next"`)
			w.Write([]byte(`[3]`))
		}
	})
	c := connect(t, n)
	var got []int
	var last error
	for i, err := range wire.Pages[int](t.Context(), c, wire.Request{Op: "list", Path: "/api/models"}) {
		if last = err; err == nil {
			got = append(got, i)
		}
	}
	if !slices.Equal(got, []int{1, 2, 3}) || last == nil || !strings.Contains(last.Error(), "circle") {
		t.Errorf("%v, %v", got, last)
	}
	before := n.Count(hubtest.Hub)
	for range wire.Pages[int](t.Context(), c, wire.Request{Op: "list", Path: "/api/models"}) {
		break
	}
	if n.Count(hubtest.Hub) != before+1 {
		t.Error("a page nobody wants was asked for")
	}
	if n.Seen()[1].Query != "cursor=a%3D%2F&x=1" {
		t.Errorf("the link was not followed as it is: %q", n.Seen()[1].Query)
	}
}

// clocked is a handler's answers in turn, with the times they were given at.
type clocked struct {
	mu      sync.Mutex
	answers []http.HandlerFunc
	at      []time.Time
}

func (k *clocked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	h := k.answers[min(len(k.at), len(k.answers)-1)]
	k.at = append(k.at, time.Now())
	k.mu.Unlock()
	h(w, r)
}

func (k *clocked) waits() (waits []time.Duration) {
	for i := 1; i < len(k.at); i++ {
		waits = append(waits, k.at[i].Sub(k.at[i-1]))
	}
	return waits
}

func ok(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("{}")) }

func status(code int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		fmt.Fprintf(w, "<html>%d</html>", code)
	}
}

func cut(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// Acceptance checks 5 and 6, and the rest of the rules for another try.
func TestCheck5And6_Retries(t *testing.T) {
	const limited = "RateLimit"
	for name, k := range map[string]struct {
		answers []http.HandlerFunc
		method  string
		policy  wire.Policy
		waits   []time.Duration // at least these, and at most a quarter more
		kind    wire.Kind
		text    string
	}{
		"5: one retry after the reset": {answers: []http.HandlerFunc{status(429, limited, `"api";r=0;t=2`), ok}, waits: []time.Duration{3 * time.Second}},
		"5: a whole window":            {answers: []http.HandlerFunc{status(429, limited, `"api";r=0;t=300`), ok}, waits: []time.Duration{300e9}},
		"5: the reset is too far":      {answers: []http.HandlerFunc{status(429, limited, `"api";r=0;t=900`), ok}, kind: wire.RateLimited, text: "15m"},
		"6: no header":                 {answers: []http.HandlerFunc{status(429)}, waits: []time.Duration{1e9, 2e9, 4e9}, kind: wire.RateLimited, text: "too many requests"},
		"a rest above 0 is not the reason": {
			answers: []http.HandlerFunc{status(429, limited, `"api";r=17;t=100`)}, waits: []time.Duration{1e9, 2e9, 4e9}, kind: wire.RateLimited,
		},
		"Retry-After wins":       {answers: []http.HandlerFunc{status(503, "Retry-After", "7"), ok}, waits: []time.Duration{7e9}},
		"Retry-After is too far": {answers: []http.HandlerFunc{status(503, "Retry-After", "301"), ok}, kind: wire.Server},
		"five tries":             {answers: []http.HandlerFunc{status(500), status(502), status(504), status(408), status(503)}, waits: []time.Duration{1e9, 2e9, 4e9, 8e9}, kind: wire.Server},
		"cut":                    {answers: []http.HandlerFunc{cut, cut, ok}, waits: []time.Duration{1e9, 2e9}},
		"cut within the answer": {answers: []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "20")
			w.Write([]byte(`{"a":`))
		}, ok}, waits: []time.Duration{1e9}},
		"no second try for what is refused":    {answers: []http.HandlerFunc{status(400)}, kind: wire.BadRequest},
		"a write and an unclear end":           {answers: []http.HandlerFunc{cut, ok}, method: "POST", kind: wire.Unreachable},
		"a write and trouble":                  {answers: []http.HandlerFunc{status(502), ok}, method: "POST", kind: wire.Server},
		"a write and 503 without Retry-After":  {answers: []http.HandlerFunc{status(503), ok}, method: "POST", kind: wire.Server},
		"a write the Hub was too busy for":     {answers: []http.HandlerFunc{status(503, "Retry-After", "2"), ok}, method: "POST", waits: []time.Duration{2e9}},
		"a write over the limit":               {answers: []http.HandlerFunc{status(429), ok}, method: "POST", waits: []time.Duration{1e9}},
		"a write that may be repeated":         {answers: []http.HandlerFunc{cut, ok}, method: "PUT", policy: wire.Idempotent, waits: []time.Duration{1e9}},
		"never":                                {answers: []http.HandlerFunc{status(429), ok}, policy: wire.Never, kind: wire.RateLimited},
		"Retry-After as a date in this bubble": {answers: []http.HandlerFunc{status(503, "Retry-After", "Sat, 01 Jan 2000 00:00:09 GMT"), ok}, waits: []time.Duration{9e9}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &clocked{answers: k.answers}
				n := hubtest.New(t)
				n.ServeHub(h.ServeHTTP)
				var told []string
				c := connect(t, n, func(o *wire.Options) {
					o.Wait = func(ctx context.Context, d time.Duration, why string) error {
						told = append(told, why)
						time.Sleep(d)
						return nil
					}
				})
				_, err := c.JSON(t.Context(), wire.Request{Op: "ask", Method: k.method, Path: "/api/models", Retry: k.policy, JSON: body(k.method)}, nil)
				if wire.KindOf(err) != k.kind {
					t.Fatalf("error %v, want kind %q", err, k.kind)
				}
				if err != nil && (!strings.Contains(err.Error(), k.text) || strings.Contains(err.Error(), "<html") || strings.Contains(err.Error(), "invalid character")) {
					t.Errorf("text %q", err)
				}
				waits := h.waits()
				if len(waits) != len(k.waits) || len(told) != len(k.waits) {
					t.Fatalf("waits %v, want %v; told %q", waits, k.waits, told)
				}
				for i, d := range waits {
					if d < k.waits[i] || d > k.waits[i]*5/4 {
						t.Errorf("wait %d is %s, want %s", i, d, k.waits[i])
					}
				}
			})
		})
	}
}

func body(method string) any {
	if method == "" {
		return nil
	}
	return map[string]string{"a": "b"}
}

// A refused connection is tried again even for a write, and is not ambiguous.
func TestRefusedConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := hubtest.New(t)
		n.ServeHub(ok)
		n.RefuseHub(1)
		c := connect(t, n)
		write := wire.Request{Op: "write", Method: "POST", Path: "/api/x", JSON: 1}
		if _, err := c.JSON(t.Context(), write, nil); err != nil {
			t.Error(err)
		}
		c = connect(t, n)
		n.RefuseHub(99)
		if _, err := c.JSON(t.Context(), write, nil); !errors.Is(err, wire.Unreachable) || wire.Ambiguous(err) {
			t.Errorf("%v, ambiguous %v", err, wire.Ambiguous(err))
		}
		if n.Count(hubtest.Hub) != 1 {
			t.Error("applied more than once")
		}
	})
}

func TestAmbiguous(t *testing.T) {
	for name, k := range map[string]struct {
		answer http.HandlerFunc
		method string
		want   bool
	}{
		"a cut write":                  {cut, "POST", true},
		"a cut read":                   {cut, "GET", false},
		"trouble after a write":        {status(500), "POST", true},
		"a write refused for now":      {status(503, "Retry-After", "900"), "POST", false},
		"a write refused":              {status(403), "POST", false},
		"a write and a strange answer": {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) }, "POST", true},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := hubtest.New(t)
			n.ServeHub(k.answer)
			var v any
			_, err := connect(t, n).JSON(t.Context(), wire.Request{Op: "x", Method: k.method, Path: "/api/x"}, &v)
			if err == nil || wire.Ambiguous(err) != k.want {
				t.Errorf("%s: %v, ambiguous %v", name, err, wire.Ambiguous(err))
			}
		})
	}
}

// A body that breaks off on our side is our failure: not sent again, and not
// acted upon.
func TestBodyBreaksOff(t *testing.T) {
	n := hubtest.New(t)
	n.ServeHub(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	changed := errors.New("the file has changed")
	made := 0
	_, err := connect(t, n).JSON(t.Context(), wire.Request{
		Op: "commit", Method: "POST", Path: "/api/x", Type: "application/x-ndjson", Retry: wire.Idempotent,
		Body: func() (io.Reader, int64, error) {
			made++
			return io.MultiReader(strings.NewReader("{}\n"), broken{changed}), -1, nil
		},
	}, nil)
	if !errors.Is(err, changed) || wire.Ambiguous(err) || made != 1 {
		t.Errorf("%v after %d tries", err, made)
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// The limiter spaces out the last tenth and holds requests at nothing left.
func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, reset := 50, time.Now().Add(100*time.Second)
		h := &clocked{answers: []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("RateLimit", fmt.Sprintf(`"api";r=%d;t=%d`, left, int(time.Until(reset).Seconds())))
			w.Header().Set("RateLimit-Policy", `"fixed window";"api";q=1000;w=300`)
		}}}
		n := hubtest.New(t)
		n.ServeHub(h.ServeHTTP)
		told := 0
		c := connect(t, n, func(o *wire.Options) {
			o.Wait = func(ctx context.Context, d time.Duration, why string) error {
				told++
				time.Sleep(d)
				return nil
			}
		})
		for range 6 {
			left--
			if err := get(c, "/api/models"); err != nil {
				t.Fatal(err)
			}
		}
		for _, d := range h.waits()[1:] {
			if d < time.Second || d > 3*time.Second {
				t.Errorf("waits %v", h.waits())
				break
			}
		}
		left = 0
		get(c, "/api/models")
		start := time.Now()
		get(c, "/bob/m1/resolve/main/x") // another bucket
		if time.Since(start) != 0 {
			t.Error("another bucket was held back")
		}
		if err := get(c, "/api/datasets"); err != nil || time.Now().Before(reset) {
			t.Errorf("not held until the reset: %v after %s", err, time.Since(start))
		}
		if told == 0 {
			t.Error("nobody was told")
		}
	})
}

// At nothing left and a reset too far away requests fail without being sent.
func TestLimiterRefuses(t *testing.T) {
	n := hubtest.New(t)
	n.ServeHub(status(429, "RateLimit", `"api";r=0;t=900`))
	c := connect(t, n)
	for range 3 {
		if e := fault(t, get(c, "/api/models")); e.Kind != wire.RateLimited || e.RetryAfter < 899*time.Second || !strings.Contains(e.Error(), "15m") {
			t.Errorf("%+v", e)
		}
	}
	if n.Count(hubtest.Hub) != 1 {
		t.Errorf("%d requests", n.Count(hubtest.Hub))
	}
}

func TestWarningsOncePerTopic(t *testing.T) {
	n := hubtest.New(t)
	n.ServeHub(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("X-HF-Warning", "unauthenticated; You are nobody; log in.")
		w.Header().Add("X-HF-Warning", "old; Update.")
	})
	// Who is logged in is not told that a request, which must not carry the
	// token, was nobody's.
	for token, want := range map[string][]string{
		"":          {"unauthenticated: You are nobody; log in.", "old: Update."},
		"hf_a_user": {"old: Update."},
	} {
		var got []string
		c := connect(t, n, func(o *wire.Options) {
			o.Token, o.Warn = token, func(topic, text string) { got = append(got, topic+": "+text) }
		})
		for range 3 {
			get(c, "/api/models")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("token %q: %s", token, diff)
		}
	}
}

func TestOffline(t *testing.T) {
	n := hubtest.New(t)
	n.ServeHub(ok)
	c := connect(t, n, func(o *wire.Options) { o.Offline = true })
	_, err := c.Signed(t.Context(), wire.SignedRequest{Op: "x", URL: hubtest.CDN + "/x"})
	if !errors.Is(get(c, "/api/models"), wire.Offline) || !errors.Is(err, wire.Offline) || len(n.Seen()) != 0 {
		t.Errorf("%v, %d requests", err, len(n.Seen()))
	}
}

func TestDryRun(t *testing.T) {
	n := hubtest.New(t)
	n.ServeHub(ok)
	var got []string
	c := connect(t, n, func(o *wire.Options) {
		o.DryRun = func(method, path, body string) { got = append(got, method+" "+path+" "+body) }
	})
	_, err := c.JSON(t.Context(), wire.Request{Op: "x", Method: "POST", Path: "/api/repos/create", JSON: map[string]any{
		"name": "m", "private": true, "secrets": []any{map[string]any{"key": "K", "value": "s3cret"}},
	}}, nil)
	if !errors.Is(err, wire.DryRun) || len(n.Seen()) != 0 {
		t.Errorf("%v, %d requests", err, len(n.Seen()))
	}
	want := []string{`POST ` + hubtest.Hub + `/api/repos/create {"name": text, "private": true, "secrets": [1 × {"key": text, "value": text}]}`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := c.JSON(t.Context(), wire.Request{Op: "x", Method: "POST", Reads: true, Path: "/api/validate-yaml", JSON: 1}, nil); err != nil {
		t.Errorf("a POST that reads: %v", err)
	}
}

func TestPlainHTTPGetsNoToken(t *testing.T) {
	n := hubtest.New(t)
	n.Serve("hub.test:80", http.HandlerFunc(ok))
	for _, host := range []string{"http://hub.test", "http://127.0.0.1.hub.test"} {
		c := connect(t, n, func(o *wire.Options) { o.Endpoint = host })
		if err := get(c, "/api/x"); !errors.Is(err, wire.Unauthorized) || !strings.Contains(err.Error(), "plain http") {
			t.Errorf("%s: %v", host, err)
		}
	}
	if len(n.Seen()) != 0 {
		t.Error("a request went out")
	}
}

func TestSigned(t *testing.T) {
	n := hubtest.New(t)
	n.ServeHub(ok)
	n.ServeCDN(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(403)
		w.Write([]byte("<?xml version='1.0'?><Error>Signature s3cret</Error>"))
	})
	c := connect(t, n)
	_, err := c.Signed(t.Context(), wire.SignedRequest{Op: "upload a part", Method: "PUT", URL: hubtest.CDN + "/p?X-Amz-Signature=s3cret", Auth: true})
	if !errors.Is(err, wire.Forbidden) || strings.Contains(err.Error(), "s3cret") || strings.Contains(fmt.Sprintf("%+v", fault(t, err).URL), "s3cret") {
		t.Errorf("%+v", err)
	}
	for _, k := range []struct {
		url  string
		auth bool
	}{{"https://huggingface.co/bob/m1.git/info/lfs/verify?a=1", true}, {hubtest.Hub + "/x", true}, {hubtest.Hub + "/x", false}} {
		resp, err := c.Signed(t.Context(), wire.SignedRequest{Op: "verify", Method: "POST", URL: k.url, Auth: k.auth, JSON: 1})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	var got []string
	for _, s := range n.Seen() {
		got = append(got, fmt.Sprintf("%s %s%s?%s %v", s.Method, s.Host, s.Path, s.Query, s.Authorization != ""))
	}
	want := []string{
		"PUT cdn.test:80/p?X-Amz-Signature=s3cret false", "POST 127.0.0.1:7870/bob/m1.git/info/lfs/verify?a=1 true",
		"POST 127.0.0.1:7870/x? true", "POST 127.0.0.1:7870/x? false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	n := hubtest.New(t)
	n.ServeHub(func(w http.ResponseWriter, r *http.Request) {
		line := []byte(strings.Repeat(" ", 1<<20))
		for range 17 {
			w.Write(line)
		}
		w.Write([]byte("1"))
	})
	var v any
	_, err := connect(t, n).JSON(t.Context(), wire.Request{Op: "ask", Path: "/api/x"}, &v)
	if !errors.Is(err, wire.Unexpected) || !errors.Is(err, httpx.ErrTooLarge) || n.Count(hubtest.Hub) != 1 {
		t.Errorf("%v", err)
	}
}

// A server that does not begin to answer, and one that stops within.
func TestSlowAnswers(t *testing.T) {
	for name, k := range map[string]struct {
		answer http.HandlerFunc
		after  time.Duration
	}{
		"nothing": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 30 * time.Second},
		"half": {func(w http.ResponseWriter, r *http.Request) {
			w.Write([]byte("["))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, 60 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := hubtest.New(t)
			n.ServeHub(k.answer)
			start := time.Now()
			var v any
			_, err := connect(t, n).JSON(t.Context(), wire.Request{Op: "ask", Path: "/api/x", Retry: wire.Never}, &v)
			if !errors.Is(err, wire.Unreachable) || time.Since(start) != k.after {
				t.Errorf("%s: %v after %s", name, err, time.Since(start))
			}
		})
	}
}

// An upload takes the time it needs, unless it stands still.
func TestSlowUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := hubtest.New(t)
		stall := time.Duration(0)
		n.ServeHub(func(w http.ResponseWriter, r *http.Request) {
			buf := make([]byte, 64<<10)
			for {
				if _, err := r.Body.Read(buf); err != nil {
					break
				}
				time.Sleep(10 * time.Second)
			}
			time.Sleep(stall)
		})
		c := connect(t, n)
		up := func() error {
			_, err := c.JSON(t.Context(), wire.Request{
				Op: "upload", Method: "PUT", Path: "/api/x", Body: func() (io.Reader, int64, error) {
					return strings.NewReader(strings.Repeat("x", 4<<20)), 4 << 20, nil
				},
			}, nil)
			return err
		}
		if err := up(); err != nil {
			t.Errorf("slow: %v", err)
		}
		stall = 31 * time.Second
		if err := up(); !errors.Is(err, wire.Unreachable) || !wire.Ambiguous(err) {
			t.Errorf("no answer: %v", err)
		}
	})
}

func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := hubtest.New(t)
		n.ServeHub(status(500))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		start := time.Now()
		_, err := connect(t, n).JSON(ctx, wire.Request{Op: "ask", Path: "/api/x"}, nil)
		if !errors.Is(err, wire.Server) || time.Since(start) != 2*time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

package fetch_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

// Credentials of the tests.
const (
	hubToken    = "hf_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	githubToken = "ghp_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// seen is a request as a server got it.
type seen struct{ Method, URI, Auth, Key, Body string }

// world is a server that stands in for the hub at its root, for others below
// it, and for the rest of the web at /web.
type world struct {
	*httptest.Server
	mux http.ServeMux

	mu   sync.Mutex
	seen []seen
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{}
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.mu.Lock()
		w.seen = append(w.seen, seen{r.Method, r.RequestURI, r.Header.Get("Authorization"), r.Header.Get("X-Api-Key"), string(body)})
		w.mu.Unlock()
		w.mux.ServeHTTP(rw, r)
	}))
	t.Cleanup(w.Close)
	return w
}

// requests are those since the last call.
func (w *world) requests() []seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.seen
	w.seen = nil
	return out
}

// says plants an answer.
func (w *world) says(pattern, body string, header ...string) {
	w.mux.HandleFunc(pattern, func(rw http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			rw.Header().Set(header[i], header[i+1])
		}
		_, _ = io.WriteString(rw, body)
	})
}

func (w *world) sends(pattern, to string) {
	w.mux.Handle(pattern, http.RedirectHandler(to, http.StatusFound))
}

func services(base string) []fetch.Service {
	at := func(prefix string) string {
		if base == "" {
			return ""
		}
		return base + prefix
	}
	return []fetch.Service{
		{Name: "the Hub", Public: "https://huggingface.co", Hosts: []string{"hf.co"}, Base: at(""), Credential: func() string { return hubToken }},
		{Name: "arXiv", Public: "https://arxiv.org", Base: at("/arxiv")},
		{Name: "GitHub", Public: "https://api.github.com", Base: at("/github"), Credential: func() string { return githubToken }},
		{Name: "Semantic Scholar", Public: "https://api.semanticscholar.org", Base: at("/s2"), Credential: func() string { return "s2-secret-key" }, Header: "x-api-key"},
		{Name: "the search", Public: "https://html.search.test/html/", Base: at("/web-search?kl=us")},
	}
}

func (w *world) client(t *testing.T, change ...func(*fetch.Options)) *fetch.Client {
	t.Helper()
	return client(t, append([]func(*fetch.Options){func(o *fetch.Options) { o.Services = services(w.URL) }}, change...)...)
}

func client(t *testing.T, change ...func(*fetch.Options)) *fetch.Client {
	t.Helper()
	h, err := httpx.New(httpx.Options{Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.CloseIdleConnections)
	o := fetch.Options{HTTP: h}
	for _, f := range change {
		f(&o)
	}
	c, err := fetch.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) standIn(o *fetch.Options) { o.StandIn = w.URL + "/web" }

func wantKind(t *testing.T, err error, kind fetch.Kind) *fetch.Error {
	t.Helper()
	var e *fetch.Error
	if !errors.As(err, &e) || e.Kind != kind {
		t.Fatalf("error %v, want %s", err, kind)
	}
	for _, secret := range []string{hubToken, githubToken, "s2-secret-key"} {
		if strings.Contains(e.Error()+e.URL+e.Message, secret) {
			t.Errorf("the error holds a credential: %v", e)
		}
	}
	return e
}

func TestAddressesArePublicEverywhere(t *testing.T) {
	w := newWorld(t)
	w.says("/", "x")
	w.says("/api/models", "x", "Link", fmt.Sprintf(`<%s/api/models?cursor=2>; rel="next", <%s/github/a>; rel="x"`, w.URL, w.URL))
	w.sends("/old", "/new")
	w.sends("/arxiv/abs/1", "/html/1")                  // as the real one says it
	w.sends("/arxiv/abs/2", "/arxiv/html/2")            // as a server with a prefix says it
	w.sends("/arxiv/abs/3", "https://huggingface.co/a") // another service
	w.sends("/away", w.URL+"/web/example.org/p?q=1")
	w.sends("/web/example.org/a", "/b?c")
	w.sends("/web/example.org/c", "d")
	c := w.client(t, w.standIn)
	for _, tt := range []struct{ ask, from, at string }{
		{"https://huggingface.co/docs/trl?x=1#frag", "https://huggingface.co/docs/trl?x=1", "/docs/trl?x=1"},
		{"https://hf.co", "https://huggingface.co/", "/"},
		{"http://huggingface.co:80/a%2Fb", "", ""},
		{"http://huggingface.co/a%2Fb", "https://huggingface.co/a%2Fb", "/a%2Fb"},
		{"https://HuggingFace.co:443/a", "https://huggingface.co/a", "/a"},
		{"https://arxiv.org/html/2402.1", "https://arxiv.org/html/2402.1", "/arxiv/html/2402.1"},
		{"https://api.github.com/a/../b", "https://api.github.com/b", "/github/b"},
		{w.URL + "/github/x?y", "https://api.github.com/x?y", "/github/x?y"},
		{w.URL + "/web/example.org/p", "https://example.org/p", "/web/example.org/p"},
		{"https://html.search.test/html/?q=a+b", "https://html.search.test/html/?q=a+b", "/web-search?kl=us&q=a+b"},
		{"https://example.org/a%20b/c?d=e", "https://example.org/a%20b/c?d=e", "/web/example.org/a%20b/c?d=e"},
		{"https://Example.org", "https://Example.org/", "/web/example.org/"},
		{"https://huggingface.co/old", "https://huggingface.co/new", "/new"},
		{"https://arxiv.org/abs/1", "https://arxiv.org/html/1", "/arxiv/html/1"},
		{"https://arxiv.org/abs/2", "https://arxiv.org/html/2", "/arxiv/html/2"},
		{"https://arxiv.org/abs/3", "https://huggingface.co/a", "/a"},
		{"https://huggingface.co/away", "https://example.org/p?q=1", "/web/example.org/p?q=1"},
		{"https://example.org/a", "https://example.org/b?c", "/web/example.org/b?c"},
		{"https://example.org/c", "https://example.org/d", "/web/example.org/d"},
	} {
		r, err := c.Do(t.Context(), fetch.Request{URL: tt.ask, Anonymous: true})
		all := w.requests()
		if tt.from == "" {
			if err == nil || len(all) > 0 {
				t.Errorf("%s: answered", tt.ask)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.ask, err)
			continue
		}
		if got := all[len(all)-1].URI; r.URL != tt.from || got != tt.at {
			t.Errorf("%s: from %s, asked %s; want %s, %s", tt.ask, r.URL, got, tt.from, tt.at)
		}
	}
	r, err := c.Do(t.Context(), fetch.Request{URL: "https://huggingface.co/api/models"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.Header.Get("Link"), `<https://huggingface.co/api/models?cursor=2>; rel="next", <https://api.github.com/a>; rel="x"`; got != want {
		t.Errorf("Link %s, want %s", got, want)
	}
	for in, want := range map[string]string{
		w.URL + "/a#b": "https://huggingface.co/a#b", w.URL + "/web/x.org/y?z": "https://x.org/y?z", "https://x.org/": "https://x.org/", "%": "%",
	} {
		if got := c.Public(in); got != want {
			t.Errorf("Public(%s) = %s, want %s", in, got, want)
		}
	}
}

func TestCredentialsStayAtTheirService(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	for _, s := range []*world{w, other} {
		s.says("/", "x")
	}
	w.sends("/same", "/there")
	w.sends("/to-github", w.URL+"/github/x")
	w.sends("/to-github-by-name", "https://api.github.com/x")
	w.sends("/to-web", w.URL+"/web/evil.test/x")
	w.sends("/web/evil.test/to-hub", "https://huggingface.co/whoami")
	w.sends("/there-and-back", w.URL+"/arxiv/back")
	w.sends("/arxiv/back", w.URL+"/private")
	w.sends("/private", "/at-home") // at home again, and still sent from elsewhere
	c := w.client(t, w.standIn)
	hub, github := "Bearer "+hubToken, "Bearer "+githubToken
	for _, tt := range []struct {
		url  string
		want []string
	}{
		{"https://huggingface.co/a", []string{hub}},
		{"https://huggingface.co/same", []string{hub, hub}},
		{"https://api.github.com/a", []string{github}},
		{"https://huggingface.co/github/a", []string{""}}, // another's place on the same server
		{"https://huggingface.co/web/evil.test/a", []string{""}},
		{"https://huggingface.co//github/a", []string{hub, ""}}, // which the server itself takes for the other's
		{"https://huggingface.co/to-github", []string{hub, ""}},
		{"https://huggingface.co/to-github-by-name", []string{hub, ""}},
		{"https://huggingface.co/to-web", []string{hub, ""}},
		{"https://huggingface.co/there-and-back", []string{hub, "", "", ""}},
		{"https://evil.test/to-hub", []string{"", ""}},
		{"https://huggingface.co.evil.test/a", []string{""}},
		{"https://api.github.com.evil.test/a", []string{""}},
		{"https://arxiv.org/a", []string{""}},
	} {
		w.requests()
		if _, err := c.Do(t.Context(), fetch.Request{URL: tt.url}); err != nil {
			t.Errorf("%s: %v", tt.url, err)
		}
		var got []string
		for _, r := range w.requests() {
			got = append(got, r.Auth)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.url, diff)
		}
	}
	if _, err := c.Do(t.Context(), fetch.Request{URL: "https://api.semanticscholar.org/a"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Do(t.Context(), fetch.Request{URL: "https://api.semanticscholar.org/b", Anonymous: true}); err != nil {
		t.Fatal(err)
	}
	if got := w.requests(); got[0].Key != "s2-secret-key" || got[0].Auth != "" || got[1].Key != "" {
		t.Errorf("%+v", got)
	}
}

// What a caller says beside the question stays with who was asked.
func TestHeadersStayAtTheirHost(t *testing.T) {
	w := newWorld(t)
	w.sends("/web/a.test/same", "https://a.test/end")
	w.sends("/web/a.test/other", "https://b.test/end")
	w.sends("/out", w.URL+"/web/b.test/end")
	got := ""
	end := func(_ http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("X-Of-Ours") + " " + r.Header.Get("Accept")
	}
	w.mux.HandleFunc("/web/a.test/end", end)
	w.mux.HandleFunc("/web/b.test/end", end)
	c := w.client(t, w.standIn)
	for address, want := range map[string]string{
		"https://a.test/same": "told text/html", "https://a.test/other": " text/html", "https://huggingface.co/out": " text/html",
	} {
		_, err := c.Do(t.Context(), fetch.Request{URL: address, Header: http.Header{"X-Of-Ours": {"told"}, "Accept": {"text/html"}}})
		if err != nil || got != want {
			t.Errorf("%s: %q, want %q; %v", address, got, want, err)
		}
	}
}

// plainly answers all requests and notes what they carry.
type plainly struct {
	mu   sync.Mutex
	auth []string
}

func (p *plainly) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.auth = append(p.auth, r.URL.String()+" "+r.Header.Get("Authorization"))
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

func TestNoCredentialGoesInTheClear(t *testing.T) {
	p := &plainly{}
	for base, want := range map[string]string{
		"http://mirror.lan/hub": "http://mirror.lan/hub/a ", "https://mirror.lan/hub": "https://mirror.lan/hub/a Bearer " + hubToken,
		"http://[::1]:80": "http://[::1]:80/a Bearer " + hubToken,
	} {
		c := client(t, func(o *fetch.Options) {
			o.HTTP, o.Services = &http.Client{Transport: p}, services("")[:1]
			o.Services[0].Base = base
		})
		if _, err := c.Do(t.Context(), fetch.Request{URL: "https://huggingface.co/a"}); err != nil {
			t.Fatal(err)
		}
		if got := p.auth[len(p.auth)-1]; got != want {
			t.Errorf("%s: %s, want %s", base, got, want)
		}
	}
}

func TestRedirectsAreJudgedOneByOne(t *testing.T) {
	w, inside := newWorld(t), newWorld(t)
	inside.says("/", "secret of the network")
	w.says("/end", "x")
	for i := range 8 {
		w.sends(fmt.Sprintf("/hop/%d", i), fmt.Sprintf("/hop/%d", i+1))
	}
	w.sends("/hop/8", "/end")
	w.sends("/loop", "/loop")
	for name, to := range map[string]string{
		"inside": inside.URL, "number": "https://127.0.0.1/", "decimal": "https://2130706433/x", "six": "https://[::1]/", "metadata": "http://169.254.169.254/latest/meta-data/",
		"file": "file:///etc/passwd", "user": "https://huggingface.co@evil.test/", "port": "https://evil.test:8443/", "plain": "http://evil.test/", "name": "https://localhost/",
		"dots": "/a/%2e%2e/github/x", "none": "", "bad": "https://%zz/", "leak": "https://evil.test/?t=" + hubToken, "leak2": "https://evil.test/%68%66" + hubToken[2:],
		"leak3": "https://evil.test/%2568%2566" + hubToken[2:], "leak4": "https://" + githubToken + ".evil.test/",
	} {
		w.mux.HandleFunc("/to/"+name, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Location", to)
			rw.WriteHeader(http.StatusFound)
		})
	}
	w.mux.HandleFunc("POST /post/same", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Location", "/end")
		rw.WriteHeader(http.StatusTemporaryRedirect)
	})
	w.sends("POST /post/get", "/end")
	// Nothing stands in: other hosts are asked with the guarded client.
	outside, err := fetch.Outside("1.2.3", nil)
	if err != nil {
		t.Fatal(err)
	}
	c := w.client(t, func(o *fetch.Options) { o.Outside = outside })
	if r, err := c.Do(t.Context(), fetch.Request{URL: "https://huggingface.co/hop/4"}); err != nil || r.URL != "https://huggingface.co/end" {
		t.Error(r, err)
	}
	for path, kind := range map[string]fetch.Kind{
		"hop/3": fetch.Upstream, "loop": fetch.Upstream, "to/none": fetch.Upstream, "to/bad": fetch.Upstream,
		"to/inside": fetch.Blocked, "to/number": fetch.Blocked, "to/decimal": fetch.Blocked, "to/six": fetch.Blocked, "to/metadata": fetch.Blocked, "to/file": fetch.Blocked,
		"to/user": fetch.Blocked, "to/port": fetch.Blocked, "to/plain": fetch.Blocked, "to/name": fetch.Blocked, "to/dots": fetch.Blocked, "to/leak": fetch.Blocked, "to/leak2": fetch.Blocked,
		"to/leak3": fetch.Blocked, "to/leak4": fetch.Blocked,
	} {
		t.Run(path, func(t *testing.T) {
			_, err := c.Do(t.Context(), fetch.Request{URL: "https://huggingface.co/" + path})
			if e := wantKind(t, err, kind); e.Status != http.StatusFound || !strings.HasPrefix(e.URL, "https://huggingface.co/") {
				t.Errorf("%+v", e)
			}
		})
	}
	if r, err := c.Do(t.Context(), fetch.Request{URL: "https://huggingface.co/post/same", Body: []byte("b")}); err != nil || r.URL != "https://huggingface.co/end" {
		t.Error(r, err)
	}
	_, err = c.Do(t.Context(), fetch.Request{URL: "https://huggingface.co/post/get", Body: []byte("b")})
	wantKind(t, err, fetch.Blocked)
	if n := len(inside.requests()); n != 0 {
		t.Errorf("the network inside was asked %d times", n)
	}
}

func TestWhatIsNeverAsked(t *testing.T) {
	w := newWorld(t)
	w.says("/", "x")
	c := w.client(t, w.standIn, func(o *fetch.Options) {
		o.Secret = func(s string) bool { return strings.Contains(s, "AKIAEXAMPLE") }
	})
	for address, kind := range map[string]fetch.Kind{
		"": fetch.BadArgument, "x": fetch.BadArgument, "ftp://huggingface.co/": fetch.BadArgument, "https://": fetch.BadArgument, "https:huggingface.co": fetch.BadArgument,
		"https://user:" + hubToken + "@huggingface.co/":        fetch.Blocked,
		"https://huggingface.co@evil.test/docs/x":              fetch.BadArgument,
		"https://huggingface.co/%2e%2e/x":                      fetch.BadArgument,
		"https://huggingface.co:8443/":                         fetch.Blocked,
		"http://169.254.169.254/latest":                        fetch.Blocked,
		"https://127.0.0.1/":                                   fetch.Blocked,
		"http://127.0.0.1:1/":                                  fetch.Blocked,
		"https://evil.test/?token=" + hubToken:                 fetch.Blocked,
		"https://evil.test/" + strings.ToUpper(hubToken):       fetch.Blocked,
		"https://evil.test/#" + githubToken:                    fetch.Blocked,
		"https://evil.test/%41KIAEXAMPLE":                      fetch.Blocked,
		"https://evil.test/?a=%2541KIAEXAMPLE":                 fetch.Blocked,
		"https://huggingface.co/api/models?search=" + hubToken: fetch.Blocked,
	} {
		_, err := c.Do(t.Context(), fetch.Request{URL: address})
		wantKind(t, err, kind)
	}
	_, err := c.Do(t.Context(), fetch.Request{URL: "https://huggingface.co/x", Body: []byte(`{"q":"` + githubToken + `"}`)})
	wantKind(t, err, fetch.Blocked)
	_, err = w.client(t).Do(t.Context(), fetch.Request{URL: "https://example.org/"})
	wantKind(t, err, fetch.Blocked)
	if got := w.requests(); len(got) != 0 {
		t.Errorf("asked: %+v", got)
	}
}

func TestSignedAddressesAreNotShown(t *testing.T) {
	w := newWorld(t)
	w.says("/", "x")
	w.sends("/file", w.URL+"/web/cdn.test/f?X-Amz-Signature=abc&x=1")
	r, err := w.client(t, w.standIn).Do(t.Context(), fetch.Request{URL: "https://huggingface.co/file"})
	if err != nil || r.URL != "https://cdn.test/f" {
		t.Error(r, err)
	}
}

func TestNoClientWithoutItsParts(t *testing.T) {
	for name, o := range map[string]fetch.Options{
		"no http": {}, "public": {HTTP: http.DefaultClient, Services: []fetch.Service{{Name: "x", Public: "x"}}},
		"base": {HTTP: http.DefaultClient, Services: []fetch.Service{{Name: "x", Public: "https://x.y", Base: "ftp://x"}}}, "stand-in": {HTTP: http.DefaultClient, StandIn: "x"},
	} {
		if _, err := fetch.New(o); err == nil {
			t.Error(name)
		}
	}
}

package fetch_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

// Addresses must not lead to what lies beside a service's base, however the
// server there reads them.
func TestNoAddressLeadsOutOfABase(t *testing.T) {
	w := newWorld(t)
	w.mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
	c, err := fetch.New(fetch.Options{
		HTTP: http.DefaultClient, StandIn: w.URL + "/web",
		Services: []fetch.Service{{Name: "the Hub", Public: "https://huggingface.co", Base: w.URL + "/hub", Credential: func() string { return hubToken }}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"/a/..%2f..%2fadmin", "/..%5c..%5cadmin", "/a/..;/..;x=1/admin", "/%252e%252e/admin", "/a%252f%25252e%25252e%252fadmin", `/\..\..\admin`,
		"/%2e%2e%3b/admin", "/a/%2e%2e%2fadmin", "/%25252525252e%25252525252e/x",
	} {
		for _, host := range []string{"https://huggingface.co", "https://evil.test", w.URL + "/hub"} {
			if _, err := c.Do(t.Context(), fetch.Request{URL: host + path}); err == nil || !strings.Contains(err.Error(), "leads out") {
				t.Errorf("%s%s: %v", host, path, err)
			}
		}
		if got := w.requests(); len(got) > 0 {
			t.Errorf("%s: the server was asked for %+v", path, got)
		}
	}
	for _, path := range []string{"/a..b/..c/d..", "/a%2Fb", "/a;b/c", "/100%25", "/...", "/a%20b/%C3%A9"} {
		if _, err := c.Do(t.Context(), fetch.Request{URL: "https://huggingface.co" + path}); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestLongAddressesAreNotAsked(t *testing.T) {
	w := newWorld(t)
	w.sends("/hub/r", "https://huggingface.co/x?"+strings.Repeat("a", 20_000))
	c, err := fetch.New(fetch.Options{HTTP: http.DefaultClient, Services: []fetch.Service{{Name: "the Hub", Public: "https://huggingface.co", Base: w.URL + "/hub"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range []string{"https://huggingface.co/r", "https://huggingface.co/" + strings.Repeat("a", 20_000)} {
		if _, err := c.Do(t.Context(), fetch.Request{URL: u}); err == nil || !strings.Contains(err.Error(), "bytes is not asked") {
			t.Errorf("%.40s: %v", u, err)
		}
	}
	if n := len(w.requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// A secret may hold characters that JSON writes otherwise.
func TestSecretsInBodiesAreSeenAsTheyAreRead(t *testing.T) {
	w := newWorld(t)
	secret := `pa&ss"wo\rd<1>`
	c, err := fetch.New(fetch.Options{
		HTTP: http.DefaultClient, Secret: func(text string) bool { return strings.Contains(text, secret) },
		Services: []fetch.Service{{Name: "the Hub", Public: "https://huggingface.co", Base: w.URL}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{
		`{"query":"pa\u0026ss\"wo\\rd\u003c1\u003e"}`, `{"q":["x",{"pa&ss\"wo\\rd<1>":1}]}`, `{"q":"\u0070a&ss\"wo\\rd<1>"`,
	} {
		if _, err := c.Do(t.Context(), fetch.Request{URL: "https://huggingface.co/x", Body: []byte(body)}); err == nil || !strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", body, err)
		}
	}
	if n := len(w.requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestKeysInAddressesAreNotShown(t *testing.T) {
	w := newWorld(t)
	w.mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
	c, err := fetch.New(fetch.Options{HTTP: http.DefaultClient, Services: []fetch.Service{{Name: "the Hub", Public: "https://huggingface.co", Base: w.URL}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{"a;Signature=x", "a=b&X-Amz-Signature=x", "%53ignature=x", "a=%zz&sig=x"} {
		r, err := c.Do(t.Context(), fetch.Request{URL: "https://huggingface.co/f?" + query})
		if err != nil || r.URL != "https://huggingface.co/f" {
			t.Errorf("%s: %v %v", query, r, err)
		}
	}
}

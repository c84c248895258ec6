package viewer_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/adapter/viewer"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

// constant answers every request with the same bytes.
type constant struct {
	status int
	body   string
}

func (c constant) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: c.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"X-Error-Code": {"UnexpectedError"}}, Body: io.NopCloser(strings.NewReader(c.body)),
	}, nil
}

func FuzzAnswers(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.json")
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data), 200)
	}
	f.Add(`{"error":"x","cause_message":"y"}`, 501)
	f.Fuzz(func(t *testing.T, body string, status int) {
		if status < 200 || status > 599 || status/100 == 3 || status == 429 || status > 501 {
			status = 200
		}
		get, err := fetch.New(fetch.Options{
			HTTP:     &http.Client{Transport: constant{status, body}},
			Services: lookup.Services(lookup.Places{Base: func(string) string { return "" }, Unhurried: true}),
		})
		if err != nil {
			t.Fatal(err)
		}
		c, err := viewer.New(viewer.Options{Fetch: get, Pauses: []time.Duration{}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, at := t.Context(), viewer.At{Dataset: "a/b", Config: "c", Split: "d"}
		if page, err := c.Rows(ctx, at, 0, 10); err == nil {
			for _, r := range page.Rows {
				for _, n := range r.Names {
					if !json.Valid(r.Values[n]) {
						t.Errorf("column %q holds %q", n, r.Values[n])
					}
				}
			}
			for _, f := range page.Features {
				_ = f.Feature.String()
			}
		}
		if s, err := c.Splits(ctx, "a/b"); err == nil {
			for _, config := range s.Configs() {
				if at, err := s.Choose("a/b", config, ""); err != nil || len(s.Of(config)) == 0 || at.Split != s.Of(config)[0] && at.Split != "train" {
					t.Errorf("config %q: %+v %v", config, at, err)
				}
			}
		}
		_, _ = c.Info(ctx, "a/b", "")
		_, _ = c.Info(ctx, "a/b", "c")
		_, _ = c.Statistics(ctx, at)
		_, _ = c.Size(ctx, "a/b")
		_, _ = c.Parquet(ctx, "a/b")
		_, _ = c.Presidio(ctx, at)
		if r, err := c.Record(ctx, "a/b"); err == nil {
			_ = r.Words("license")
		}
	})
}

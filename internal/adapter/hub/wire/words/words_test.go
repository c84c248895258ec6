package words_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire/words"
)

func TestMessage(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":"a"}`:           "a",
		`{"error":["a","b","a"]}`: "a; b",
		`{"error":"slow_down","error_description":"wait"}`:           "slow_down; wait",
		`{"errors":[{"message":"x"},{"message":"y"}],"warnings":[]}`: "x; y",
		`{"error":{"message":"deep","code":3}}`:                      "deep",
		`{"message":"m"}`:                                            "m",
		`upstream  connect` + "\n" + `error`:                         "upstream connect error",
		`<!doctype html><p>x`:                                        "",
		`  <Error>x</Error>`:                                         "",
		`[1,2]`:                                                      "",
		`{"error":`:                                                  "",
		"":                                                           "",
		"\x1b[2Jx":                                                   "[2Jx",
	} {
		if got := words.Message(http.Header{}, []byte(body)); got != want {
			t.Errorf("%q: %q, want %q", body, got, want)
		}
	}
	h := http.Header{"X-Error-Message": {"a"}}
	if got := words.Message(h, []byte(`{"error":"a"}`)); got != "a" {
		t.Errorf("%q", got)
	}
	if got := words.Message(h, []byte(strings.Repeat("ü", 1000))); utf8.RuneCountInString(got) > 420 || !utf8.ValidString(got) {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "5": 5 * time.Second, "-1": 0, "x": 0, "99999999999": 0,
		"Thu, 01 Jan 2026 00:01:00 GMT": time.Minute, "Thu, 01 Jan 2025 00:01:00 GMT": 0,
	} {
		if got := words.RetryAfter(value, now); got != want && value != "99999999999" {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte(`{"error":["a",{}]}`))
	f.Add([]byte("<html>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		got := words.Message(http.Header{}, body)
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\n\x1b\x00") || utf8.RuneCountInString(got) > 420 {
			t.Errorf("%q", got)
		}
		var v any
		if json.Unmarshal(body, &v) == nil {
			words.Shape(v)
		}
	})
}

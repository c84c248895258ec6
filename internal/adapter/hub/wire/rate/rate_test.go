package rate_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire/rate"
)

func header(limit, policy string) http.Header {
	return http.Header{"Ratelimit": {limit}, "Ratelimit-Policy": {policy}}
}

func TestParse(t *testing.T) {
	for value, want := range map[string]rate.Limit{
		`"api";r=494;t=170`:    {Known: true, Left: 494, Reset: 170 * time.Second},
		`"pages"; r=0; t=2`:    {Known: true, Left: 0, Reset: 2 * time.Second},
		``:                     {},
		`"api"`:                {},
		`"api";r=x;t=170`:      {},
		`"api";r=-1;t=170`:     {},
		`;;;`:                  {},
		`"api";r=1;t=99999999`: {Known: true, Left: 1, Reset: 7 * 24 * time.Hour},
	} {
		got := rate.Parse(http.Header{"Ratelimit": {value}})
		if got.Known != want.Known || got.Known && (got.Left != want.Left || got.Reset != want.Reset) {
			t.Errorf("%q: %+v", value, got)
		}
	}
}

func TestClass(t *testing.T) {
	for want, routes := range map[string][][]string{
		"api":       {{"api", "models"}, {"api"}, {"api", "papers", "1"}},
		"search":    {{"api", "papers", "search"}},
		"resolvers": {{"bob", "m1", "resolve", "main", "x"}, {"api", "resolve-cache", "models"}},
		"pages":     {{""}, {"papers", "1.md"}},
	} {
		for _, r := range routes {
			if got := rate.Class(r); got != want {
				t.Errorf("%v: %s, want %s", r, got, want)
			}
		}
	}
}

// Many requests in the last tenth are spread over the rest of the window; none
// is left out and the window starts anew.
func TestReserve(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	a := rate.New().Of("hub", "t")
	if d := a.Reserve("api", now); d != 0 {
		t.Errorf("nothing known: %s", d)
	}
	a.Observe("api", header(`"api";r=10;t=100`, `"fixed window";"api";q=1000;w=300`), now)
	last := time.Duration(-1)
	for i := range 10 {
		d := a.Reserve("api", now)
		if d <= last {
			t.Fatalf("request %d waits %s after %s", i, d, last)
		}
		last = d
	}
	if last > 300*time.Second {
		t.Errorf("the last waits %s", last)
	}
	if d := a.Reserve("api", now); d != 101*time.Second {
		t.Errorf("beyond the last: %s", d)
	}
	if d := a.Reserve("api", now.Add(100*time.Second)); d != 0 {
		t.Errorf("after the reset: %s", d)
	}
	l := rate.New()
	same := l.Of("hub", "a")
	if l.Of("hub", "a") != same || l.Of("hub", "a") == l.Of("hub", "b") || l.Of("hub", "a") == l.Of("cdn", "a") {
		t.Error("accounts are told apart by host and token")
	}
}

// An answer that was overtaken does not give requests back.
func TestObserveInAnyOrder(t *testing.T) {
	now := time.Now()
	a := rate.New().Of("hub", "")
	a.Observe("api", header(`"api";r=0;t=50`, ""), now)
	a.Observe("api", header(`"api";r=3;t=50`, ""), now)
	if a.Reserve("api", now) == 0 {
		t.Error("requests came back")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`"api";r=494;t=170`, `"fixed window";"api";q=500;w=300`)
	f.Fuzz(func(t *testing.T, limit, policy string) {
		a := rate.New().Of("hub", "")
		now := time.Now()
		a.Observe("api", header(limit, policy), now)
		for range 3 {
			if a.Reserve("api", now) < 0 {
				t.Error("a wait below zero")
			}
		}
	})
}

package quota_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/quota"
)

func TestWindowsAndPlans(t *testing.T) {
	c, h := quota.New(), http.Header{}
	at := time.Date(2026, 1, 1, 0, 4, 58, 500e6, time.UTC)
	for i := range 101 {
		if within := c.Count(h, at, "address x", "", "/x/y"); within != (i < 100) {
			t.Fatalf("request %d: %v", i+1, within)
		}
	}
	if h.Get("RateLimit") != `"pages";r=0;t=2` || h.Get("RateLimit-Policy") != `"fixed window";"pages";q=100;w=300` {
		t.Errorf("%v", h)
	}
	if !c.Count(h, at, "address y", "", "/x/y") || !c.Count(h, at, "address x", "", "/api/x") {
		t.Error("others are counted together")
	}
	if !c.Count(h, at.Add(2*time.Second), "address x", "", "/x/y") || h.Get("RateLimit") != `"pages";r=99;t=300` {
		t.Errorf("the next window: %v", h)
	}
	if !c.Within(at, "strict", 1) || c.Within(at, "strict", 1) {
		t.Error("a limit of its own is not kept")
	}
	c.Clear()
	if !c.Within(at, "strict", 1) {
		t.Error("cleared counts are kept")
	}
}

func TestBetter(t *testing.T) {
	for _, c := range [][3]string{{"free", "team", "team"}, {"pro", "", "pro"}, {"plus", "team", "plus"}, {"free", "unknown", "free"}} {
		if got := quota.Better(c[0], c[1]); got != c[2] {
			t.Errorf("%s and %s: %s", c[0], c[1], got)
		}
	}
}

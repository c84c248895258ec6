package guard_test

import (
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim/guard"
)

func TestLocal(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST:80": true, "127.0.0.1": true, "127.9.9.9:7870": true, "[::1]:7870": true, "[::1]": true, "::1": true,
		"": false, ":80": false, "0.0.0.0:80": false, "192.0.2.1": false, "evil.test:80": false, "localhost.evil.test": false,
		"127.0.0.1.evil.test": false, "127.0.0.1:80:80": false, "[::ffff:127.0.0.1]:80": true,
	} {
		if got := guard.Local(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}

// Whatever a browser says, only origins that are this machine's pass.
func FuzzOrigin(f *testing.F) {
	for _, origin := range []string{"http://localhost:3000", "null", "http://localhost@evil.test", "http://[::1]:1", "http://evil.test#localhost", "//x"} {
		f.Add(origin)
	}
	g := guard.Guard{Own: func() []string { return nil }, Apps: func(string) bool { return true }}
	f.Fuzz(func(t *testing.T, origin string) {
		r := httptest.NewRequest("POST", "/", nil)
		r.Host = "127.0.0.1:7870"
		r.Header["Origin"] = []string{origin}
		if g.Refuses(r) != "" || origin == "" {
			return
		}
		if u, err := url.Parse(origin); err == nil && guard.Local(u.Host) {
			return
		}
		t.Errorf("%q passes", origin)
	})
}

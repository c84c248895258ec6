// Package quota counts requests against the Hub's rate limits, in the fixed
// windows of the simulated clock. It knows no accounts: it is told who asks and
// on which plan.
package quota

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// window is the fixed window all limits are counted in.
const window = 300 * time.Second

// quota is what an account has in a window.
type quota struct{ api, resolvers, pages int }

// quotas by plan; an organisation's plan counts for its members.
var quotas = map[string]quota{
	"":           {500, 3_000, 100}, // anonymous, by address
	"free":       {1_000, 5_000, 200},
	"pro":        {2_500, 12_000, 400},
	"team":       {3_000, 20_000, 400},
	"academia":   {3_000, 20_000, 400},
	"enterprise": {6_000, 50_000, 600},
	"plus":       {10_000, 100_000, 1_000},
}

// searchQuota is the limit of the paper search for everybody.
const searchQuota = 50

// Counter counts requests. It is safe for concurrent use.
type Counter struct {
	mu     sync.Mutex
	at     int64 // number of the window
	counts map[string]int
}

// New returns a counter at zero.
func New() *Counter { return &Counter{counts: map[string]int{}} }

// count adds one to key and returns how many there were in this window.
func (l *Counter) count(now time.Time, key string) (n int, left time.Duration) {
	at := now.Unix() / int64(window/time.Second)
	l.mu.Lock()
	defer l.mu.Unlock()
	if at != l.at {
		l.at = at
		clear(l.counts)
	}
	l.counts[key]++
	return l.counts[key], time.Unix((at+1)*int64(window/time.Second), 0).Sub(now)
}

// Clear puts everything back to zero.
func (l *Counter) Clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.counts)
}

// bucket is what a request counts in.
func bucket(path string) string {
	switch {
	case path == "/api/papers/search":
		return "search"
	case strings.Contains(path, "/resolve/"), strings.HasPrefix(path, "/api/resolve-cache/"):
		return "resolvers"
	case strings.HasPrefix(path, "/api/"), strings.HasPrefix(path, "/oauth/"), strings.Contains(path, ".git/"):
		return "api"
	}
	return "pages"
}

// Better is the plan of two that allows more.
func Better(a, b string) string {
	if quotas[b].api > quotas[a].api {
		return b
	}
	return a
}

// Count counts a request for path, writes the limit headers and reports whether
// it was within the limit. who is an account or an address, whose plan is
// empty.
func (l *Counter) Count(h http.Header, now time.Time, who, plan, path string) bool {
	name, q := bucket(path), quotas[plan]
	most := map[string]int{"api": q.api, "resolvers": q.resolvers, "pages": q.pages, "search": searchQuota}[name]
	n, left := l.count(now, name+" "+who)
	seconds := int64((left + time.Second - 1) / time.Second)
	h.Set("RateLimit", fmt.Sprintf(`"%s";r=%d;t=%d`, name, max(most-n, 0), seconds))
	h.Set("RateLimit-Policy", fmt.Sprintf(`"fixed window";"%s";q=%d;w=300`, name, most))
	return n <= most
}

// Within counts a request under a name of its own and reports whether it is one
// of the first most of the window. It writes no header: the Hub tells nothing
// of such limits.
func (l *Counter) Within(now time.Time, name string, most int) bool {
	n, _ := l.count(now, name)
	return n <= most
}

package hubsim

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
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

// limiter counts requests in the windows of the simulated clock.
type limiter struct {
	mu     sync.Mutex
	at     int64 // number of the window
	counts map[string]int
}

func newLimiter() *limiter { return &limiter{counts: map[string]int{}} }

// count adds one to key and returns how many there were in this window.
func (l *limiter) count(now time.Time, key string) (n int, left time.Duration) {
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

func (l *limiter) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.counts)
}

// counted is what a request counts in; empty for the services around the Hub.
func counted(path string) string {
	switch {
	case path == "/api/papers/search":
		return "search"
	case strings.Contains(path, "/resolve/"), strings.HasPrefix(path, "/api/resolve-cache/"):
		return "resolvers"
	case strings.HasPrefix(path, "/api/"), strings.HasPrefix(path, "/oauth/"), strings.Contains(path, ".git/"):
		return "api"
	case neighbour(path):
		return ""
	}
	return "pages"
}

// plan is the best plan a caller has a share in, by what it allows.
func (h *Hub) plan(c *account.Caller) string {
	if c == nil {
		return ""
	}
	best := c.User.Plan
	if best == "" {
		best = "free"
	}
	for _, org := range h.Accounts().Orgs(c.User.Name) {
		if quotas[org.Plan].api > quotas[best].api {
			best = org.Plan
		}
	}
	return best
}

// admit counts a request and writes its limit headers. It refuses when the
// limits are enforced and this one is used up.
func (h *Hub) admit(host string, w http.ResponseWriter, r *http.Request) error {
	name := counted(r.URL.Path)
	if host != fault.Hub || name == "" {
		return nil
	}
	c, _ := h.Accounts().Caller(r)
	who := c.Name()
	if c == nil {
		who, _, _ = net.SplitHostPort(r.RemoteAddr)
		who = "address " + who
	}
	q := quotas[h.plan(c)]
	most := map[string]int{"api": q.api, "resolvers": q.resolvers, "pages": q.pages, "search": searchQuota}[name]
	now := h.Clock().Now()
	n, left := h.limit.count(now, name+" "+who)
	seconds := int64((left + time.Second - 1) / time.Second)
	w.Header().Set("RateLimit", fmt.Sprintf(`"%s";r=%d;t=%d`, name, max(most-n, 0), seconds))
	w.Header().Set("RateLimit-Policy", fmt.Sprintf(`"fixed window";"%s";q=%d;w=300`, name, most))
	switch {
	case h.o.Limits && n > most:
		return answer.Refuse(http.StatusTooManyRequests, "We had to rate limit you")
	case h.o.WhoamiLimit > 0 && r.URL.Path == "/api/whoami-v2":
		if n, _ := h.limit.count(now, "whoami "+who); n > h.o.WhoamiLimit {
			return answer.Refuse(http.StatusTooManyRequests, "We had to rate limit you")
		}
	}
	return nil
}

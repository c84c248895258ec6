// Package rate keeps count of what the Hubs have said of their rate limits, for
// each host and token, and says how long a request must wait. It sends nothing
// and sleeps nowhere.
package rate

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Limits is what the Hubs have said of their rate limits, for each host and
// token. It is safe for concurrent use.
type Limits struct {
	mu  sync.Mutex
	all map[string]*Account
}

// New knows of no limit yet.
func New() *Limits { return &Limits{all: map[string]*Account{}} }

// Of is the account of a token at a host.
func (l *Limits) Of(host, token string) *Account {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := host + " " + Hash(token)
	w := l.all[key]
	if w == nil {
		w = &Account{buckets: map[string]*window{}, names: map[string]string{}}
		l.all[key] = w
	}
	return w
}

// Hash names a token without giving it away; "" without one.
func Hash(token string) string {
	if token == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// Account is the limits of one user at one Hub. The Hub counts in buckets
// and names the bucket in every answer.
type Account struct {
	mu      sync.Mutex
	buckets map[string]*window
	names   map[string]string // the bucket that a class of requests turned out to be in
}

// window is one bucket's count until its reset.
type window struct {
	left, quota int
	reset       time.Time
	next        time.Time // when the next request may go out while few are left
}

// Class guesses the bucket of a route.
func Class(route []string) string {
	switch {
	case route[0] == "api" && len(route) > 1 && route[1] == "resolve-cache":
		return "resolvers"
	case route[0] == "api" && len(route) > 2 && route[1] == "papers" && route[2] == "search":
		return "search"
	case route[0] == "api":
		return "api"
	}
	for _, s := range route {
		if s == "resolve" {
			return "resolvers"
		}
	}
	return "pages"
}

// Limit is what one answer says.
type Limit struct {
	Known bool
	Left  int           // requests
	Reset time.Duration // until the count starts anew

	name  string
	quota int
}

// Parse reads `"api";r=494;t=170` and `"fixed window";"api";q=500;w=300`.
func Parse(h http.Header) Limit {
	l := Limit{}
	left, reset := -1, -1
	for i, part := range strings.Split(h.Get("RateLimit"), ";") {
		key, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		n, err := strconv.Atoi(value)
		switch {
		case i == 0:
			l.name = strings.Trim(key, `"`)
		case ok && err == nil && n >= 0 && key == "r":
			left = n
		case ok && err == nil && n >= 0 && key == "t":
			reset = min(n, 7*24*3600)
		}
	}
	for _, part := range strings.Split(h.Get("RateLimit-Policy"), ";") {
		if key, value, ok := strings.Cut(strings.TrimSpace(part), "="); ok && key == "q" {
			l.quota, _ = strconv.Atoi(value)
		}
	}
	l.Known = l.name != "" && left >= 0 && reset >= 0
	l.Left, l.Reset = left, time.Duration(reset)*time.Second
	return l
}

// Observe takes in what an answer says. Answers overtake each other: within
// one window only a smaller rest counts.
func (w *Account) Observe(class string, h http.Header, now time.Time) {
	l := Parse(h)
	if !l.Known {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.names[class] = l.name
	b := w.buckets[l.name]
	if b == nil || !now.Before(b.reset) {
		b = &window{left: l.Left}
		w.buckets[l.name] = b
	}
	b.left, b.reset = min(b.left, l.Left), now.Add(l.Reset)
	if l.quota > 0 {
		b.quota = l.quota
	}
}

// Reserve takes one request out of the bucket and says how long it must wait.
// With nothing left that is until the reset; below a tenth the rest is spread
// over the time.
func (w *Account) Reserve(class string, now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	name, ok := w.names[class]
	if !ok {
		name = class
	}
	b := w.buckets[name]
	switch {
	case b == nil || !now.Before(b.reset):
		return 0
	case b.left <= 0:
		return b.reset.Sub(now) + time.Second // the Hub's seconds are whole
	}
	if b.left*10 >= b.quota {
		b.left--
		return 0
	}
	at := now
	if b.next.After(at) {
		at = b.next
	}
	b.next = at.Add(b.reset.Sub(now) / time.Duration(b.left))
	b.left--
	return at.Sub(now)
}

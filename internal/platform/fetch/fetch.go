// Package fetch looks things up on the web: it reads from a few services whose
// addresses are configured, and from any public host. It keeps answers, merges
// equal questions, waits its turn, tries again, and guards addresses that come
// from outside. It knows HTTP only: not what is asked, nor who reads the answer.
//
// Addresses are written in their public form (https://huggingface.co/docs/trl)
// everywhere: in requests, answers and errors. Where a service is configured to
// live elsewhere (a mirror, a simulator) the client asks there.
package fetch

import (
	"context"
	"net/http"
	"time"
)

// Limits of a request where it sets none, and of the client.
const (
	DefaultLimit   = 8 << 20          // bytes of a body, after decompression
	DefaultTimeout = 30 * time.Second // of one try
	MaxRedirects   = 5
	MaxInFlight    = 32 // requests at once
	MaxPerHost     = 8
	MaxRetries     = 2
	MaxOneWait     = 10 * time.Second // before one more try
	MaxWait        = 20 * time.Second // waiting for tries, in all; see [OneWait]
)

// Service is a place whose address is configured.
type Service struct {
	// Name is what errors call it, such as "Semantic Scholar".
	Name string
	// Public is its public address, such as "https://api.github.com". Hosts are
	// further hosts that are the same place, such as "hf.co".
	Public string
	Hosts  []string
	// Base is where it is asked; empty is Public. It comes from the environment
	// or the configuration only. Plain http and this machine are fine here.
	Base string
	// Credential is sent to Base's origin and path alone, never on a redirect
	// away from it; nil or "" is none. Header is the header that carries it;
	// empty is "Authorization", with "Bearer " in front.
	Credential func() string
	Header     string
	// Every is the least time between the beginnings of two requests; 0 is
	// none. Keyed replaces it while there is a credential.
	Every, Keyed time.Duration
	// Penalty replaces a shorter Every for a minute after the service has said
	// that requests came too fast; 0 changes nothing.
	Penalty time.Duration
}

// Request is one question. It must be safe to repeat.
type Request struct {
	// URL is absolute and public; it may come from a model or a page.
	URL string
	// Body makes it a POST with this content; nil is a GET.
	Body   []byte
	Header http.Header
	// Fresh is how long an answer may serve again; 0 keeps none. Only 200 is
	// kept. A stale answer with an ETag is asked about before it is fetched.
	Fresh time.Duration
	// Limit bounds the body in bytes and Timeout one try; 0 are the defaults.
	Limit   int64
	Timeout time.Duration
	// Anonymous sends no credential.
	Anonymous bool
	// Answers lists statuses beside 2xx that are answers, not errors.
	Answers []int
	// Keep, when set, decides whether a good answer is kept: some servers send
	// their refusals with a 200.
	Keep func(r *Response) bool
	// Follow, when set, decides whether a redirect to another host is followed.
	Follow func(host string) bool
}

// Response is an answer. Its addresses, those of a Link header too, are in
// public form.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	// URL is where the answer came from in the end, in public form and without
	// a query that signs it.
	URL string
	// FetchedAt is when the bytes were received; an answer from the cache keeps
	// the time of its own. SHA256 is the hash of Body, in hex.
	FetchedAt time.Time
	SHA256    string
	Cached    bool
}

// Options make a Client.
type Options struct {
	// HTTP makes the requests. It adds no credentials and follows no redirects
	// of its own accord as far as this package is concerned.
	HTTP *http.Client
	// Outside makes requests to hosts that are no service; nil refuses them.
	// Its connections must pass [GuardedDial].
	Outside *http.Client
	// StandIn, when set, is asked for hosts that are no service, as
	// StandIn/HOST/PATH, through HTTP.
	StandIn  string
	Services []Service
	// CacheDir keeps answers on disk; empty keeps them in memory only.
	CacheDir string
	// MemoryBytes and DiskBytes bound what is kept; 0 are 256 MiB and 1 GiB.
	MemoryBytes, DiskBytes int64
	// Offline answers from the cache alone; a miss is Network with the URL.
	Offline bool
	// Secret reports whether a text holds a secret; an address that does is
	// refused. nil knows none.
	Secret func(text string) bool
}

// Getter is what look-ups need of a Client.
type Getter interface {
	Do(ctx context.Context, req Request) (*Response, error)
}

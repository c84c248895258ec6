package fetch

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/platform/fetch/cache"
	"github.com/ml-intern/ml-intern/internal/platform/fetch/turn"
)

// Client looks things up. It is safe for concurrent use.
type Client struct {
	o        Options
	services []*service
	standIn  *url.URL
	// http and outside make single requests: redirects are followed here, and
	// nothing else of a client is wanted.
	http, outside http.RoundTripper
	cache         *cache.Cache
	gates         *turn.Gates

	mu      sync.Mutex
	flights map[string]*flight
}

// New returns a Client.
func New(o Options) (*Client, error) {
	if o.HTTP == nil {
		return nil, errors.New("make the look-up client: HTTP is required")
	}
	c := &Client{
		o: o, http: single(o.HTTP), outside: single(o.Outside), gates: turn.NewGates(MaxPerHost, MaxInFlight), flights: map[string]*flight{},
		cache: cache.New(cache.Options{Dir: o.CacheDir, Memory: o.MemoryBytes, Disk: o.DiskBytes}),
	}
	for _, s := range o.Services {
		public, err := parsed(s.Name, s.Public)
		if err != nil {
			return nil, err
		}
		base := public
		if s.Base != "" {
			if base, err = parsed(s.Name, s.Base); err != nil {
				return nil, err
			}
		}
		pace := turn.NewPace(turn.Every{Plain: s.Every, Keyed: s.Keyed, Penalty: s.Penalty})
		c.services = append(c.services, &service{Service: s, public: public, base: base, pace: pace})
	}
	if o.StandIn != "" {
		var err error
		if c.standIn, err = parsed("the stand-in", strings.TrimRight(o.StandIn, "/")); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// single is what makes a client's single requests.
func single(h *http.Client) http.RoundTripper {
	switch {
	case h == nil:
		return nil
	case h.Transport == nil:
		return http.DefaultTransport
	}
	return h.Transport
}

// OneWait makes the requests of ctx share [MaxWait]: without it each has its own.
func OneWait(ctx context.Context) context.Context { return turn.WithPatience(ctx) }

package web

import (
	"net/url"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/websearch"
)

// domains are names of hosts in normal form.
type domains []string

// normal reads domains as people write them: a host or an address, in any
// case, with dots before it and slashes behind.
func normal(entries []string) domains {
	var out domains
	for _, e := range entries {
		e = strings.ToLower(strings.TrimSpace(e))
		if _, rest, ok := strings.Cut(e, "://"); ok {
			e = rest
		}
		e, _, _ = strings.Cut(e, "/")
		e = strings.TrimPrefix(e, "*")
		if host, _, ok := strings.Cut(e, ":"); ok {
			e = host
		}
		if e = strings.Trim(e, "."); e != "" {
			out = append(out, e)
		}
	}
	return out
}

// holds reports whether a host is one of the domains or below one.
func (d domains) holds(host string) bool {
	host = strings.ToLower(strings.Trim(host, "."))
	return slices.ContainsFunc(d, func(one string) bool { return host == one || strings.HasSuffix(host, "."+one) })
}

// filtered keeps the hits that are allowed and not blocked. No allowed domain
// allows all.
func filtered(hits []websearch.Hit, allowed, blocked []string) []websearch.Hit {
	only, without := normal(allowed), normal(blocked)
	var out []websearch.Hit
	for _, h := range hits {
		u, err := url.Parse(h.URL)
		if err != nil || len(only) > 0 && !only.holds(u.Hostname()) || without.holds(u.Hostname()) {
			continue
		}
		out = append(out, h)
	}
	return out
}

package fetch

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/ml-intern/ml-intern/internal/platform/fetch/guard"
	"github.com/ml-intern/ml-intern/internal/platform/fetch/turn"
)

// service is a Service with its addresses taken apart.
type service struct {
	Service
	public, base *url.URL
	pace         *turn.Pace
}

// place is where one hop goes.
type place struct {
	// service is nil for hosts that are none; name is what errors call it.
	service *service
	name    string
	// public is the address everybody sees, target the one that is asked.
	public, target *url.URL
	// own: target lies at the service's own base, so its credential may go.
	own bool
	// outside: target is asked through Options.Outside.
	outside bool
}

// under returns what follows prefix in an escaped path.
func under(prefix, path string) (rest string, ok bool) {
	if path == prefix {
		return "", true
	}
	prefix = strings.TrimRight(prefix, "/")
	rest, ok = strings.CutPrefix(path, prefix)
	return rest, ok && (rest == "" || rest[0] == '/')
}

// moved returns u with the place of one base replaced by that of another.
func moved(u, from, to *url.URL) (*url.URL, bool) {
	rest, ok := under(from.EscapedPath(), u.EscapedPath())
	if !ok {
		return nil, false
	}
	p := to.EscapedPath()
	if rest != "" {
		p = strings.TrimRight(p, "/") + rest
	}
	// The query of a base is part of it.
	query := u.RawQuery
	if from.RawQuery != "" {
		query = strings.TrimPrefix(strings.TrimPrefix(query, from.RawQuery), "&")
	}
	if to.RawQuery != "" {
		query = strings.TrimSuffix(to.RawQuery+"&"+query, "&")
	}
	out := &url.URL{Scheme: to.Scheme, Host: to.Host, RawQuery: query}
	var err error
	if out.Path, err = url.PathUnescape(p); err != nil {
		return nil, false
	}
	out.RawPath = p
	return out, true
}

// origin is what two addresses share when they lead to the same server.
func origin(u *url.URL) string {
	scheme, port := strings.ToLower(u.Scheme), u.Port()
	if port == "" && scheme == "https" {
		port = "443"
	} else if port == "" && scheme == "http" {
		port = "80"
	}
	return scheme + "://" + strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")) + ":" + port
}

// prepared checks what holds for every address and removes its fragment and
// its dot segments.
func prepared(u *url.URL) (*url.URL, error) {
	switch {
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Opaque != "":
		return nil, errors.New("it is no web address")
	case u.User != nil:
		return nil, errors.New("an address with a user name is not asked")
	case len(u.Host)+len(u.EscapedPath())+len(u.RawQuery) > maxAddress:
		return nil, fmt.Errorf("an address of more than %d bytes is not asked", maxAddress)
	}
	v := *u
	v.Fragment, v.RawFragment = "", ""
	if v.Path == "" {
		v.Path = "/"
	}
	v = *v.ResolveReference(&v)
	for s := range strings.SplitSeq(v.EscapedPath(), "/") {
		if plain, err := url.PathUnescape(s); err != nil || plain == "." || climbs(s) {
			return nil, errors.New("its path leads out of itself")
		}
	}
	return &v, nil
}

// maxAddress bounds an address in bytes: those of files that a query signs have
// a few thousand.
const maxAddress = 16 << 10

// climbs reports whether a segment of a path leads upwards for a server, or one
// in front of it, that decodes it once more, takes a backslash for a slash, or
// leaves out what follows a semicolon: a service's base may lie below a path,
// and what is beside it is not asked.
func climbs(segment string) bool {
	for range 4 {
		for part := range strings.FieldsFuncSeq(segment, func(r rune) bool { return r == '/' || r == '\\' }) {
			name, _, _ := strings.Cut(part, ";")
			if name == ".." {
				return true
			}
		}
		plain := decoded(segment)
		if plain == segment {
			return false
		}
		segment = plain
	}
	return true // encoded again and again: nobody means well
}

// place finds where an address leads: to a service, by its public name or by
// its configured base, or to the stand-in for, or the guarded way to, all other
// hosts. from is the hop that leads here, nil for a first one.
func (c *Client) place(u *url.URL, from *place) (place, error) {
	u, err := prepared(u)
	if err != nil {
		return place{}, err
	}
	if public, ok := c.publicOf(u); ok {
		u = public
	}
	if s, public := c.known(u); s != nil {
		target, ok := moved(public, s.public, s.base)
		if !ok {
			return place{}, errors.New("its path cannot be read")
		}
		// On one server with many services a deeper base belongs to another.
		owner, _ := c.deepest(target)
		return place{service: s, name: s.Name, public: public, target: target, own: owner == s}, nil
	}
	p := place{name: u.Hostname(), public: u, target: u, outside: true}
	if from != nil && from.service != nil && origin(u) == origin(from.service.base) {
		// The configured server may lead to other places of its own.
		p.outside = false
		return p, nil
	}
	if err := guard.URL(u); err != nil {
		return place{}, err
	}
	if c.standIn != nil {
		p.outside = false
		p.target = c.standIn.JoinPath(strings.ToLower(u.Hostname()))
		raw := p.target.EscapedPath() + u.EscapedPath()
		p.target.Path, p.target.RawPath, p.target.RawQuery = p.target.Path+u.Path, raw, u.RawQuery
		return p, nil
	}
	if c.outside == nil {
		return place{}, &guard.Refused{Host: u.Hostname(), Reason: "is none of the services that are asked"}
	}
	return p, nil
}

// known returns the service that an address belongs to by its public name, and
// the address under the first of its names.
func (c *Client) known(u *url.URL) (*service, *url.URL) {
	var best *service
	host := strings.ToLower(u.Host)
	for _, s := range c.services {
		named := strings.EqualFold(host, s.public.Host) || u.Scheme == "https" && host == strings.ToLower(s.public.Host)+":443"
		for _, h := range s.Hosts {
			named = named || strings.EqualFold(host, h)
		}
		if _, ok := under(s.public.EscapedPath(), u.EscapedPath()); named && ok &&
			(best == nil || len(s.public.EscapedPath()) > len(best.public.EscapedPath())) {
			best = s
		}
	}
	if best == nil {
		return nil, nil
	}
	v := *u
	v.Scheme, v.Host = best.public.Scheme, best.public.Host
	return best, &v
}

// deepest returns the service whose configured base an address lies below, and
// the base's path; standing in for other hosts counts as a service that is nil.
func (c *Client) deepest(u *url.URL) (s *service, base *url.URL) {
	at := origin(u)
	consider := func(candidate *service, b *url.URL) {
		if _, ok := under(b.EscapedPath(), u.EscapedPath()); ok && at == origin(b) &&
			(base == nil || len(strings.TrimRight(b.EscapedPath(), "/")) > len(strings.TrimRight(base.EscapedPath(), "/"))) {
			s, base = candidate, b
		}
	}
	for _, candidate := range c.services {
		consider(candidate, candidate.base)
	}
	if c.standIn != nil {
		consider(nil, c.standIn)
	}
	return s, base
}

// publicOf returns the public form of an address below a configured base.
func (c *Client) publicOf(u *url.URL) (*url.URL, bool) {
	s, base := c.deepest(u)
	switch {
	case base == nil:
		return nil, false
	case s != nil:
		return moved(u, s.base, s.public)
	}
	rest, _ := under(base.EscapedPath(), u.EscapedPath())
	host, rest, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	if guard.Name(host) != nil {
		return nil, false
	}
	public, err := url.Parse("https://" + host + "/" + rest)
	if err != nil {
		return nil, false
	}
	public.RawQuery = u.RawQuery
	return public, true
}

// Public returns an address in public form: one below a configured base
// becomes that of the service, every other stays as it is.
func (c *Client) Public(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return address
	}
	public, ok := c.publicOf(u)
	if !ok {
		return address
	}
	public.Fragment, public.RawFragment = u.Fragment, u.RawFragment
	return public.String()
}

// target finds where a redirect leads from a hop.
func (c *Client) target(from place, location string) (*url.URL, error) {
	ref, err := url.Parse(location)
	if err != nil || location == "" {
		return nil, errors.New("it redirects to what is no address")
	}
	u := from.target.ResolveReference(ref)
	if ref.Host != "" {
		return u, nil
	}
	// A server with many services names its own paths or, when it repeats what
	// the real service says, those of the public address.
	if s, base := c.deepest(u); base == nil || s != from.service {
		return from.public.ResolveReference(ref), nil
	}
	if from.service == nil {
		if public, ok := c.publicOf(u); !ok || public.Host != from.public.Host {
			return from.public.ResolveReference(ref), nil
		}
	}
	return u, nil
}

// publicLinks rewrites the addresses of a Link header.
func (c *Client) publicLinks(h http.Header) {
	for i, line := range h["Link"] {
		parts := strings.Split(line, "<")
		for j := 1; j < len(parts); j++ {
			if address, rest, ok := strings.Cut(parts[j], ">"); ok {
				parts[j] = c.Public(address) + ">" + rest
			}
		}
		h["Link"][i] = strings.Join(parts, "<")
	}
}

// shown is an address as people may see it: a query that signs it is a key to
// it, and stays out.
func shown(u *url.URL) string {
	for part := range strings.FieldsFuncSeq(u.RawQuery, func(r rune) bool { return r == '&' || r == ';' }) {
		name, _, _ := strings.Cut(part, "=")
		switch strings.ToLower(decoded(name)) {
		case "signature", "sig", "x-amz-signature", "x-amz-credential", "x-amz-security-token", "x-goog-signature",
			"x-xet-signature", "token", "access_token", "api_key", "apikey", "key-pair-id", "policy", "hdnts":
			v := *u
			v.RawQuery = ""
			return v.String()
		}
	}
	return u.String()
}

// parsed reads an address of the configuration.
func parsed(what, address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return nil, fmt.Errorf("make the look-up client: the address of %s is none of the web", what)
	}
	if u.Path != "" {
		if clean := path.Clean(u.Path); clean != strings.TrimRight(u.Path, "/") && clean != "/" {
			return nil, fmt.Errorf("make the look-up client: the path of %s has dots or empty parts", what)
		}
	}
	u.Fragment = ""
	return u, nil
}

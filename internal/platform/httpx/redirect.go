package httpx

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// secretHeaders are the headers that must not follow a request to another
// origin: credentials, and what tells who pays or whose session it is.
func secretHeaders() []string {
	return []string{
		"Authorization", "Proxy-Authorization", "Www-Authenticate", "Cookie", "Cookie2",
		"X-Api-Key", "Api-Key", "X-Goog-Api-Key", "X-Auth-Token", "X-Amz-Security-Token",
		"X-Hf-Bill-To", "X-Hf-Session-Id", "Openai-Organization", "Openai-Project",
	}
}

// checkRedirect follows at most [maxRedirects] hops, and only for requests
// that read: a redirected POST would lose its body or repeat its effect
// elsewhere. Once the origin has changed, the caller's credentials stay off,
// even if a later hop leads back.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	if first.Method != http.MethodGet && first.Method != http.MethodHead {
		return fmt.Errorf("%w: %s %s was sent on to %s", ErrRedirect, first.Method, place(first.URL), place(req.URL))
	}
	if len(via) > maxRedirects {
		return fmt.Errorf("%w: %s took more than %d hops", ErrRedirect, place(first.URL), maxRedirects)
	}
	if req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return fmt.Errorf("%w: %s leads to scheme %q", ErrRedirect, place(first.URL), req.URL.Scheme)
	}
	home := originOf(first.URL)
	away := originOf(req.URL) != home
	for _, hop := range via {
		away = away || originOf(hop.URL) != home
	}
	if away {
		for _, name := range secretHeaders() {
			req.Header.Del(name)
		}
	}
	return nil
}

// place is a URL without what may be secret in it.
func place(u *url.URL) string { return u.Scheme + "://" + u.Host + u.EscapedPath() }

// origin is what must be equal for a credential to be sent.
type origin struct{ scheme, host, port string }

func originOf(u *url.URL) origin {
	o := origin{strings.ToLower(u.Scheme), strings.ToLower(u.Hostname()), u.Port()}
	o.host = strings.TrimSuffix(o.host, ".")
	if o.port == "" {
		switch o.scheme {
		case "http":
			o.port = "80"
		case "https":
			o.port = "443"
		}
	}
	return o
}

// private reports whether what is sent there cannot be read on the way.
func (o origin) private() bool {
	if o.scheme == "https" {
		return true
	}
	ip := net.ParseIP(o.host)
	return o.scheme == "http" && (o.host == "localhost" || ip != nil && ip.IsLoopback())
}

// boundToken is a [Token] with its origin taken apart.
type boundToken struct {
	origin origin
	value  func() string
}

// bearer returns the token for a URL, or "".
func bearer(tokens []boundToken, u *url.URL) string {
	target := originOf(u)
	if !target.private() {
		return ""
	}
	for _, tok := range tokens {
		if tok.origin == target {
			if value := tok.value(); value != "" {
				return value
			}
		}
	}
	return ""
}

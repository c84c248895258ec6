package wire

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// defaultHost serves the public Hub; its name also stands in what other Hubs
// answer.
const defaultHost = "huggingface.co"

// origin is what must be equal for a token to be sent.
type origin struct{ scheme, host, port string }

func originOf(u *url.URL) origin {
	o := origin{strings.ToLower(u.Scheme), strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), u.Port()}
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

// String is the origin as an address.
func (o origin) String() string { return o.scheme + "://" + net.JoinHostPort(o.host, o.port) }

// private reports whether what is sent there cannot be read on the way.
func (o origin) private() bool {
	ip := net.ParseIP(o.host)
	return o.scheme == "https" || o.host == "localhost" || ip != nil && ip.IsLoopback()
}

// home reports whether u has the Hub's own origin.
func (c *Conn) home(u *url.URL) bool { return originOf(u) == originOf(c.base) }

// rehome turns an address on the public Hub to the Hub in use, which may
// repeat the public one's answers.
func (c *Conn) rehome(u *url.URL) *url.URL {
	if c.home(u) || originOf(u) != (origin{"https", defaultHost, "443"}) {
		return u
	}
	moved := *u
	moved.Scheme, moved.Host = c.base.Scheme, c.base.Host
	moved.Path = c.base.Path + u.Path
	if u.RawPath != "" || c.base.RawPath != "" {
		moved.RawPath = c.base.EscapedPath() + u.EscapedPath()
	}
	return &moved
}

// abroad are the headers that a request keeps when it is sent on to another
// origin: what is wanted of the content, and nothing about who asks.
func abroad(h http.Header) http.Header {
	kept := http.Header{}
	for _, name := range []string{"Accept", "Accept-Encoding", "Range", "If-Range", "User-Agent"} {
		if v := h.Values(name); len(v) > 0 {
			kept[name] = v
		}
	}
	return kept
}

// Path escapes each segment, with nothing but letters, digits and "_.-~" left
// as it is, and joins them.
func Path(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		b.WriteString(Escape(s))
	}
	return b.String()
}

// Escape percent-encodes all of s but letters, digits and "_.-~".
func Escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("_.-~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

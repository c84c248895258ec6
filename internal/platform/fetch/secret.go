package fetch

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

// shortest is how long a credential is at least to be searched for in
// addresses: a stand-in's may be a word.
const shortest = 8

// secret reports whether an address or a body holds a secret, also where it is
// percent-encoded, more than once if need be.
func (c *Client) secret(u *url.URL, body []byte) bool {
	text := u.Scheme + "://" + u.Host + " " + u.EscapedPath() + " " + u.RawQuery + " " + u.EscapedFragment()
	if u.User != nil {
		text += " " + u.User.String()
	}
	known := c.credentials()
	for range 4 {
		if c.holds(text, known) {
			return true
		}
		plain := decoded(text)
		if plain == text {
			break
		}
		text = plain
	}
	return len(body) > 0 && (c.holds(string(body), known) || c.holds(texts(body), known))
}

// texts are the texts of a body of JSON as they are read there: some
// characters are written otherwise. A body in another form has none.
func texts(body []byte) string {
	var b strings.Builder
	d := json.NewDecoder(bytes.NewReader(body))
	for {
		t, err := d.Token()
		if err != nil {
			return b.String()
		}
		if s, ok := t.(string); ok {
			b.WriteString(s)
			b.WriteByte('\n')
		}
	}
}

// credentials are those in force, in lower case: names of hosts lose their
// case on the way.
func (c *Client) credentials() []string {
	var all []string
	for _, s := range c.services {
		if s.Credential == nil {
			continue
		}
		if v := strings.TrimSpace(s.Credential()); len(v) >= shortest {
			all = append(all, strings.ToLower(v))
		}
	}
	return all
}

// holds reports whether a text holds what somebody calls a secret, or a
// credential of ours.
func (c *Client) holds(text string, known []string) bool {
	if c.o.Secret != nil && c.o.Secret(text) {
		return true
	}
	lower := strings.ToLower(text)
	return slices.ContainsFunc(known, func(v string) bool { return strings.Contains(lower, v) })
}

// decoded undoes one layer of percent-encoding; what is no encoding stays.
func decoded(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if hi, lo := nibble(s[i+1]), nibble(s[i+2]); hi >= 0 && lo >= 0 {
				out = append(out, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

func nibble(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// private reports whether nobody can read a credential on its way to an
// address.
func private(u *url.URL) bool {
	if u.Scheme == "https" || u.Hostname() == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.Unmap().IsLoopback()
}

// readBody reads a body up to a limit.
func readBody(resp *http.Response, limit int64) ([]byte, error) {
	if e := resp.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") && !resp.Uncompressed {
		return nil, errEncoding
	}
	if resp.ContentLength > limit {
		return nil, httpx.ErrTooLarge
	}
	return httpx.ReadAll(resp.Body, limit)
}

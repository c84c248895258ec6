package fetch

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
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
			all = append(all, disguised(v)...)
		}
	}
	return all
}

// real is from how many characters on a credential is looked for in disguise:
// shorter ones could stand in any text by chance.
const real = 20

// disguised are usual other forms of a credential: its letters and digits
// alone, as hex, and in base64 wherever in a text it begins.
func disguised(v string) []string {
	if len(v) < real {
		return nil
	}
	out := []string{letters(v), hex.EncodeToString([]byte(v))}
	for before := range 3 {
		// The first and last characters also depend on what stands around it.
		text := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat(" ", before) + v))
		text = text[[]int{0, 2, 3}[before] : len(text)-2]
		out = append(out, strings.ToLower(text), strings.ToLower(strings.NewReplacer("+", "-", "/", "_").Replace(text)))
	}
	return out
}

// letters are the letters and digits of a text, in lower case: a credential
// that is spelled with signs between, or over parts of a path, is still one.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return -1
	}, s)
}

// holds reports whether a text holds what somebody calls a secret, or a
// credential of ours.
func (c *Client) holds(text string, known []string) bool {
	if c.o.Secret != nil && c.o.Secret(text) {
		return true
	}
	if len(known) == 0 {
		return false
	}
	lower, bare := strings.ToLower(text), letters(text)
	return slices.ContainsFunc(known, func(v string) bool {
		return strings.Contains(lower, v) || len(v) >= real-4 && strings.Contains(bare, v)
	})
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

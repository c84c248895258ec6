// Package limitlog notes what answers say of rate limits. It changes nothing on
// the way.
package limitlog

import (
	"net/http"
	"slices"
	"strings"
)

// Transport notes, in the debug log, what a provider says of its rate limits and
// which of its machines answered: it comes with good answers too and is what
// support asks for.
type Transport struct {
	Next http.RoundTripper
	Note func(line string)
}

// RoundTrip makes the request and looks at the answer.
func (l *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.Next.RoundTrip(req)
	if err != nil {
		return resp, err
	}
	var said []string
	for name, values := range resp.Header {
		if lower := strings.ToLower(name); strings.Contains(lower, "ratelimit") || lower == "inference-id" {
			said = append(said, lower+"="+strings.Join(values, ","))
		}
	}
	if len(said) > 0 {
		slices.Sort(said)
		l.Note(req.URL.Host + ": " + strings.Join(said, " "))
	}
	return resp, nil
}

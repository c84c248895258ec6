package app

import (
	"net/http"
	"slices"
	"strings"
)

// limitLog is a transport that notes, in the debug log, what a provider says
// of its rate limits and which of its machines answered: it comes with good
// answers too and is what support asks for.
type limitLog struct {
	next http.RoundTripper
	note func(line string)
}

func (l *limitLog) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(req)
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
		l.note(req.URL.Host + ": " + strings.Join(said, " "))
	}
	return resp, nil
}

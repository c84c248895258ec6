package github

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

// messageLimit is the most characters of GitHub's own words in an error.
const messageLimit = 200

// explain turns a refusal into GitHub's terms: a limit is one whether it comes
// as 403 or 429, an empty repository and a search that cannot be run are told
// apart from faults.
func (c *Client) explain(err error) error {
	var f *fetch.Error
	if !errors.As(err, &f) || f.Status == 0 {
		return err
	}
	e := *f
	if m := message(f.Body); m != "" {
		e.Message = m
	}
	switch {
	case limited(f):
		e.Kind = fetch.RateLimited
		e.Message = c.limits(&e) + e.Message // what GitHub says beside is long
	case e.Status == http.StatusNotFound, e.Status == http.StatusGone, e.Status == http.StatusConflict:
		e.Kind = fetch.NotFound
	case e.Status == http.StatusUnprocessableEntity, e.Status == http.StatusBadRequest:
		e.Kind = fetch.BadArgument
	case e.Status == http.StatusUnauthorized, e.Status == http.StatusForbidden:
		e.Kind = fetch.Unauthorized
	}
	return &e
}

// limited reports whether a refusal is a rate limit. The secondary one has a
// retry-after header or only its words.
func limited(f *fetch.Error) bool {
	if f.Status == http.StatusTooManyRequests || f.Kind == fetch.RateLimited {
		return true
	}
	return f.Status == http.StatusForbidden &&
		(f.Header.Get("X-Ratelimit-Remaining") == "0" || f.Header.Get("Retry-After") != "" ||
			strings.Contains(strings.ToLower(message(f.Body)), "rate limit"))
}

// limits says when the limit ends and what would raise it, and sets the wait.
func (c *Client) limits(e *fetch.Error) string {
	text := ""
	if n, err := strconv.Atoi(e.Header.Get("Retry-After")); err == nil && n >= 0 {
		e.Wait = time.Duration(min(n, 24*60*60)) * time.Second
	} else if at, err := strconv.ParseInt(e.Header.Get("X-Ratelimit-Reset"), 10, 64); err == nil && at > 0 {
		reset := time.Unix(at, 0)
		e.Wait = max(time.Until(reset), 0).Round(time.Second)
		text = "the limit resets at " + reset.UTC().Format(time.RFC3339) + "; "
	}
	if c.Authorised() {
		return text + "a token was used; "
	}
	return text + "no token was used; "
}

// message is what GitHub says, in one line.
func message(body []byte) string {
	var answer struct {
		Message string            `json:"message"`
		Errors  []json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	text := answer.Message
	for _, raw := range answer.Errors[:min(len(answer.Errors), 3)] {
		var one struct {
			Message string `json:"message"`
		}
		if json.Unmarshal(raw, &one) == nil && one.Message != "" {
			text += ": " + one.Message
		}
	}
	return short(text)
}

func short(s string) string {
	runes := []rune(strings.Join(strings.Fields(s), " "))
	if len(runes) > messageLimit {
		return string(runes[:messageLimit]) + "…"
	}
	return string(runes)
}

// Advice says what to do about a failure, in words for a model. It is empty
// where GitHub's own words say enough.
func (c *Client) Advice(err error) string {
	var f *fetch.Error
	if !errors.As(err, &f) {
		return ""
	}
	switch {
	case f.Kind == fetch.RateLimited && !c.Authorised():
		return "Without a token GitHub answers 60 requests an hour and 10 searches a minute; with GITHUB_TOKEN set, 5,000 and 30. Go on with something else until then."
	case f.Kind == fetch.RateLimited:
		return "GITHUB_TOKEN is in use (5,000 requests an hour, 30 searches and 10 code searches a minute). Go on with something else until then."
	case f.Status == http.StatusUnauthorized && c.Authorised():
		return "GitHub refuses the token: the user must renew GITHUB_TOKEN or unset it; public repositories can be read without one."
	case f.Status == http.StatusUnauthorized:
		return "This needs GITHUB_TOKEN, which is not set."
	case f.Status == http.StatusForbidden:
		return "The token, or its absence, does not allow this."
	case f.Status == http.StatusConflict:
		return "The repository has no files."
	case f.Kind == fetch.NotFound && !c.Authorised():
		return "Check the spelling; private repositories are found only with GITHUB_TOKEN."
	case f.Kind == fetch.NotFound:
		return "Check the spelling; a private repository is found only when GITHUB_TOKEN may see it."
	case f.Kind == fetch.TooLarge:
		return "Look for a smaller file, or clone the repository in a sandbox."
	}
	return ""
}

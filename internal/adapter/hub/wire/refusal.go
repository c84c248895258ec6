package wire

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire/rate"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire/words"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

// refusal reads an answer that was not accepted and closes it.
func (c *Conn) refusal(k *call, u *url.URL, resp *http.Response) *Error {
	body, _ := httpx.ReadAll(resp.Body, errorLimit) // what came of it is enough
	_ = resp.Body.Close()
	home := c.home(u)
	said := resp.Header.Clone() // scrubbed before it is clipped: half a token is one too many
	said.Set("X-Error-Message", c.scrub(resp, said.Get("X-Error-Message")))
	e := &Error{
		Op: k.op, Method: k.method, URL: c.shown(u), Status: resp.StatusCode, reads: k.reads,
		Message: words.Message(said, []byte(c.scrub(resp, string(body)))), RequestID: c.scrub(resp, requestID(resp.Header)),
	}
	if home {
		e.Code = words.Clip(c.scrub(resp, resp.Header.Get("X-Error-Code")))
		e.Commit = words.Clip(resp.Header.Get("X-Repo-Commit"))
	}
	e.Kind = c.kindOf(e, u, home)
	e.Retryable, e.RetryAfter, e.refused = again(resp, time.Now())
	if e.Kind == Conflict && strings.Contains(e.Message, "conflicting operation") {
		e.Retryable = true
	}
	e.Remedy = c.remedy(e, u, home)
	return e
}

// kindOf sorts a refusal. The order matters: the Hub's own codes and two of
// its texts tell more than the status.
func (c *Conn) kindOf(e *Error, u *url.URL, home bool) Kind {
	switch {
	case e.Code == "RevisionNotFound":
		return RevisionNotFound
	case e.Code == "EntryNotFound" && e.Status == http.StatusNotFound:
		return EntryNotFound
	case e.Code == "GatedRepo":
		return GatedRepo
	case e.Message == "Access to this resource is disabled.":
		return Disabled
	case e.Code == "RepoNotFound":
		return RepoNotFound
	case e.Status == http.StatusUnauthorized && home && c.Anonymous() && repoRoute(c.route(u)) &&
		!strings.Contains(e.Message, "Invalid credentials in Authorization header"):
		return RepoNotFound // the Hub does not tell strangers whether a repository exists
	}
	if e.Status == http.StatusNotFound && home && jobRoute(c.route(u)) {
		return JobNotFound
	}
	return byStatus(e.Status)
}

func byStatus(status int) Kind {
	switch status {
	case http.StatusBadRequest:
		return BadRequest
	case http.StatusUnauthorized:
		return Unauthorized
	case http.StatusPaymentRequired:
		return Payment
	case http.StatusForbidden:
		return Forbidden
	case http.StatusNotFound, http.StatusGone:
		return NotFound
	case http.StatusConflict:
		return Conflict
	case http.StatusPreconditionFailed:
		return HeadMoved
	case http.StatusRequestEntityTooLarge:
		return TooManyFields
	case http.StatusRequestedRangeNotSatisfiable:
		return Range
	case http.StatusUnprocessableEntity:
		return Validation
	case http.StatusTooManyRequests:
		return RateLimited
	case http.StatusRequestTimeout:
		return Server
	}
	if status >= 500 {
		return Server
	}
	return Unexpected
}

// route is the path of u at the Hub, in segments.
func (c *Conn) route(u *url.URL) []string {
	path := strings.TrimPrefix(u.EscapedPath(), c.base.EscapedPath())
	return strings.Split(strings.Trim(path, "/"), "/")
}

// repoRoute reports whether a route asks about one repository or bucket.
func repoRoute(s []string) bool {
	if s[0] == "api" {
		return len(s) >= 3 && slices.Contains([]string{"models", "datasets", "spaces", "buckets"}, s[1])
	}
	if slices.Contains([]string{"datasets", "spaces", "buckets"}, s[0]) {
		s = s[1:]
	}
	return len(s) >= 3 && (slices.Contains([]string{"resolve", "raw"}, s[2]) || strings.HasSuffix(s[1], ".git"))
}

func jobRoute(s []string) bool {
	return len(s) >= 4 && s[0] == "api" && (s[1] == "jobs" || s[1] == "scheduled-jobs")
}

// again tells whether the request may succeed later, after how long, and
// whether it was certainly not acted upon.
func again(resp *http.Response, now time.Time) (retryable bool, after time.Duration, refused bool) {
	after = words.RetryAfter(resp.Header.Get("Retry-After"), now)
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
		if l := rate.Parse(resp.Header); after == 0 && l.Known && l.Left == 0 {
			after = untilReset(l.Reset + time.Second) // the Hub's seconds are whole
		}
		return true, after, true
	case http.StatusServiceUnavailable:
		return true, after, resp.Header.Get("Retry-After") != ""
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return true, after, false
	}
	return false, 0, resp.StatusCode >= 400 && resp.StatusCode < 500
}

// scrub removes the user's token from what a server says, also one that the
// transport has put in its place, and also where it is spelt in base64 or as
// part of an address.
func (c *Conn) scrub(resp *http.Response, text string) string {
	tokens := []string{c.opts.Token}
	if resp.Request != nil {
		tokens = append(tokens, strings.TrimPrefix(resp.Request.Header.Get("Authorization"), "Bearer "))
	}
	for _, token := range tokens {
		if token == "" {
			continue
		}
		text = strings.ReplaceAll(text, token, "[token]")
		for _, spelling := range []string{
			base64.StdEncoding.EncodeToString([]byte(token)), base64.RawStdEncoding.EncodeToString([]byte(token)),
			base64.URLEncoding.EncodeToString([]byte(token)), base64.RawURLEncoding.EncodeToString([]byte(token)),
			url.QueryEscape(token), url.PathEscape(token),
		} {
			text = strings.ReplaceAll(text, spelling, "[token]")
		}
	}
	return text
}

// remedy is what the user can do about a refusal.
func (c *Conn) remedy(e *Error, u *url.URL, home bool) string {
	at := c.base.String()
	switch e.Kind {
	case RepoNotFound:
		if c.Anonymous() {
			return "check the name; if it is private, log in with: ml-intern login"
		}
		return "check the name, and that this token may read it"
	case Unauthorized:
		switch {
		case !home:
			return ""
		case c.Anonymous():
			return "log in with: ml-intern login"
		}
		return "the token is wrong or has expired: log in again with: ml-intern login"
	case GatedRepo:
		if page := c.repoPage(u); page != "" {
			return "ask for access at " + page
		}
		return "ask for access on the repository's page"
	case Forbidden:
		if home {
			return "use a token with this right, see " + at + "/settings/tokens"
		}
	case Payment:
		return "add credits at " + at + "/settings/billing or upgrade at " + at + "/subscribe/pro"
	case RateLimited:
		if e.RetryAfter > 0 {
			return "wait " + e.RetryAfter.String()
		}
		return "wait a few minutes"
	}
	return ""
}

// repoPage is the page of the repository that a route is about.
func (c *Conn) repoPage(u *url.URL) string {
	s := c.route(u)
	prefix := ""
	if s[0] == "api" {
		if s = s[1:]; len(s) > 0 && s[0] == "resolve-cache" {
			s = s[1:]
		}
		if len(s) == 0 || !slices.Contains([]string{"models", "datasets", "spaces"}, s[0]) {
			return ""
		}
	}
	if len(s) > 0 && slices.Contains([]string{"models", "datasets", "spaces"}, s[0]) {
		if s[0] != "models" {
			prefix = "/" + s[0]
		}
		s = s[1:]
	}
	if len(s) < 2 {
		return ""
	}
	return c.base.String() + prefix + "/" + s[0] + "/" + strings.TrimSuffix(s[1], ".git")
}

package wire

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire/words"
)

// Kind sorts failures by what can be done about them. A kind is an error, so
// that errors.Is(err, wire.RepoNotFound) works.
type Kind string

// The kinds of failure.
const (
	RepoNotFound     Kind = "repository not found"        // unknown, or hidden from this user
	RevisionNotFound Kind = "revision not found"          //
	EntryNotFound    Kind = "file not found"              // in a known revision
	JobNotFound      Kind = "job not found"               //
	NotFound         Kind = "not found"                   // anything else
	GatedRepo        Kind = "access must be asked for"    //
	Disabled         Kind = "disabled by the Hub"         //
	Unauthorized     Kind = "not logged in"               // token missing, unknown or expired
	Forbidden        Kind = "not allowed"                 // this user, or this token, may not
	BadRequest       Kind = "bad request"                 //
	Payment          Kind = "must be paid for"            //
	Conflict         Kind = "exists or busy"              //
	HeadMoved        Kind = "the branch has moved on"     // since the given parent commit
	TooManyFields    Kind = "too many values"             // in one form
	Range            Kind = "range beyond the end"        //
	Validation       Kind = "refused as invalid"          // by the Hub
	RateLimited      Kind = "too many requests"           //
	Server           Kind = "trouble at the Hub"          //
	Unreachable      Kind = "no answer"                   // no network, a timeout, a cut connection
	Unexpected       Kind = "not an answer of a Hub"      //
	Invalid          Kind = "invalid"                     // refused here, before any request
	Offline          Kind = "offline"                     // refused here, as the user wants
	DryRun           Kind = "not sent, this is a dry run" // shown instead
)

// Error is the kind in words.
func (k Kind) Error() string { return string(k) }

// KindOf is the kind of a failure; "" for any other error.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// Error is a failed request. Its text holds neither the token nor the
// signature of an address.
type Error struct {
	Kind   Kind
	Op     string // what was asked for
	Method string
	URL    string // without the query of a signed address
	Status int    // 0 when no answer came
	Code   string // the Hub's own code
	// Message is the Hub's own, or what is wrong with the request.
	Message   string
	RequestID string
	// Commit is the state of the repository in which something was not found.
	Commit string
	// Retryable says that the same request may succeed later; RetryAfter is
	// the wait the Hub has asked for.
	Retryable  bool
	RetryAfter time.Duration
	// Remedy is what the user can do, in one line; empty where nothing helps.
	Remedy string
	Err    error

	// refused says that the Hub cannot have acted on the request.
	refused bool
	reads   bool
}

// Error tells what was asked, what came of it, and what helps.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if u, err := url.Parse(e.URL); err == nil && u.Host != "" {
		b.WriteString(" at " + u.Host)
	}
	b.WriteString(": ")
	if e.Status != 0 {
		fmt.Fprintf(&b, "HTTP %d, ", e.Status)
	}
	if e.Kind != Invalid || e.Message == "" {
		b.WriteString(string(e.Kind))
		if e.Message != "" || e.Err != nil {
			b.WriteString(": ")
		}
	}
	switch {
	case e.Message != "":
		b.WriteString(e.Message)
	case e.Err != nil:
		b.WriteString(e.Err.Error())
	}
	if e.RequestID != "" {
		b.WriteString(" (request id " + e.RequestID + ")")
	}
	if e.Remedy != "" {
		b.WriteString("; " + e.Remedy)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the error's kind.
func (e *Error) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && k == e.Kind
}

// Ambiguous reports whether the Hub may have acted on the request although it
// failed: look before repeating it.
func (e *Error) Ambiguous() bool {
	if e.refused || e.reads {
		return false
	}
	switch e.Kind {
	case Unreachable, Server, Unexpected:
		return true
	}
	return false
}

// Ambiguous reports whether err is a failure after which the Hub may have
// acted on the request.
func Ambiguous(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Ambiguous()
}

// invalid is a request refused before it is made.
func invalid(op, format string, args ...any) *Error {
	return &Error{Kind: Invalid, Op: op, Message: fmt.Sprintf(format, args...), refused: true}
}

// BadField is a value that is refused before any request; the text names the
// field.
func BadField(field, format string, args ...any) error {
	return invalid("check "+field, "%s: %s", field, fmt.Sprintf(format, args...))
}

// shown is an address without what may be secret in it.
func (c *Conn) shown(u *url.URL) string {
	s := *u
	s.User, s.Fragment = nil, ""
	if s.RawQuery != "" && (!c.home(u) || signed(u.Query())) {
		s.RawQuery = "…"
	}
	return s.String()
}

// signed reports whether a query may grant access to whoever has it.
func signed(q url.Values) bool {
	for key := range q {
		k := strings.ToLower(key)
		for _, mark := range []string{"sig", "policy", "expires", "token", "key", "credential", "x-amz", "secret", "code", "jwt"} {
			if strings.Contains(k, mark) {
				return true
			}
		}
	}
	return false
}

// requestID finds the id under which the Hub knows a request.
func requestID(h http.Header) string {
	for _, name := range []string{"X-Request-Id", "X-Amzn-Trace-Id", "X-Amz-Cf-Id"} {
		if id := h.Get(name); id != "" {
			return words.Clip(id)
		}
	}
	return ""
}

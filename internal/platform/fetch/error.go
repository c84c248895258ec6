package fetch

import (
	"cmp"
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/ml-intern/ml-intern/internal/platform/fetch/guard"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

const (
	// errorBody is how much of a failed answer is kept, in bytes.
	errorBody = 64 << 10
	// messageChars is how long a service's own words may be.
	messageChars = 200
)

// Kind sorts failures.
type Kind string

// The kinds.
const (
	BadArgument  Kind = "bad_argument"
	NotFound     Kind = "not_found"
	Unauthorized Kind = "unauthorized"
	Gated        Kind = "gated"
	RateLimited  Kind = "rate_limited"
	NotReady     Kind = "not_ready"
	TooLarge     Kind = "too_large"
	Upstream     Kind = "upstream_error"
	Network      Kind = "network"
	Timeout      Kind = "timeout"
	Blocked      Kind = "blocked" // the address guard, a bot challenge, a closed door
	Parse        Kind = "parse"
)

// Error is a look-up that failed.
type Error struct {
	Kind    Kind
	Service string // the service's name, else the host
	URL     string // public form
	Status  int    // 0 without an answer
	Header  http.Header
	// Body is the beginning of the answer's body, at most 64 KiB, for those who
	// know the service's form of errors. Message is what it says in at most 200
	// characters of one line.
	Body    []byte
	Message string
	// Wait is when to try again, as the service said; 0 when it did not.
	Wait time.Duration
	Err  error

	// again: another try may help. closed: the service has said that it will
	// not answer for now.
	again, closed bool
}

// Error tells what was asked, what came back and why.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %s", e.Kind, e.Service)
	if e.Status != 0 {
		text += fmt.Sprintf(" answered %d", e.Status)
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.Wait > 0 {
		text += fmt.Sprintf(" (try again in %d s)", e.seconds())
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// seconds is Wait, rounded up.
func (e *Error) seconds() int { return int((e.Wait + time.Second - 1) / time.Second) }

// refusal makes the error for an answer that is none.
func refusal(status int, header http.Header, body []byte, now time.Time) *Error {
	e := &Error{Kind: kindOf(status, header), Status: status, Header: header, Body: body, Message: message(header, body)}
	e.Wait, e.closed = asked(header, now)
	switch status {
	case http.StatusTooManyRequests, http.StatusForbidden:
		e.again = e.Kind == RateLimited
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		e.again = true
	default:
		e.Wait = 0
	}
	return e
}

func kindOf(status int, header http.Header) Kind {
	switch status {
	case http.StatusNotFound, http.StatusGone:
		return NotFound
	case http.StatusTooManyRequests:
		return RateLimited
	case http.StatusUnauthorized, http.StatusForbidden:
		switch {
		case header.Get("X-Error-Code") == "GatedRepo":
			return Gated
		case status == http.StatusForbidden && (header.Get("X-Ratelimit-Remaining") == "0" || header.Get("Retry-After") != ""):
			return RateLimited // GitHub's way to say it
		}
		return Unauthorized
	}
	return Upstream
}

// message is what a service says about its failure, in one line.
func message(header http.Header, body []byte) string {
	if m := header.Get("X-Error-Message"); m != "" {
		return oneLine(m)
	}
	var doc any
	if json.Unmarshal(body, &doc) == nil {
		return oneLine(words(doc, 0))
	}
	kind := header.Get("Content-Type")
	if strings.HasPrefix(kind, "text/plain") || kind == "" && !strings.HasPrefix(strings.TrimSpace(string(body)), "<") {
		return oneLine(string(body))
	}
	return ""
}

// words finds the text in the usual forms of errors: "error", "message" and
// "detail", as texts, objects or lists of them.
func words(doc any, depth int) string {
	if depth > 4 {
		return ""
	}
	switch v := doc.(type) {
	case string:
		return v
	case []any:
		if len(v) > 0 {
			return words(v[0], depth+1)
		}
	case map[string]any:
		for _, name := range [...]string{"message", "error", "detail", "msg", "title", "reason", "errors"} {
			if text := words(v[name], depth+1); text != "" {
				return text
			}
		}
	}
	return ""
}

// oneLine makes a text one line without control characters, cut to what a
// message may be.
func oneLine(s string) string {
	var b strings.Builder
	chars, gap := 0, false
	for _, r := range s {
		if unicode.IsSpace(r) || unicode.IsControl(r) || r == unicode.ReplacementChar {
			gap = b.Len() > 0
			continue
		}
		if gap {
			b.WriteByte(' ')
			chars++
		}
		if chars >= messageChars-1 {
			b.WriteString("…")
			break
		}
		gap = false
		b.WriteRune(r)
		chars++
	}
	return b.String()
}

// broken makes the error for an exchange without an answer.
func broken(err error, limit int64, timeout time.Duration) *Error {
	e := &Error{Kind: Network, Err: err}
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var damaged flate.CorruptInputError
	var slow net.Error
	refused, isRefused := guard.Is(err)
	switch {
	case isRefused:
		e.Kind, e.Message = Blocked, refused.Error()
	case errors.Is(err, httpx.ErrTooLarge):
		e.Kind, e.Message = TooLarge, fmt.Sprintf("the answer is over the limit of %s", bytesText(limit))
	case errors.Is(err, errEncoding):
		e.Kind, e.Message = Parse, errEncoding.Error()
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, &damaged):
		e.Kind, e.Message = Parse, "the answer cannot be decompressed"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		e.Kind, e.Message = Timeout, fmt.Sprintf("no whole answer within %s", cmp.Or(timeout, DefaultTimeout).Round(time.Second))
	case errors.As(err, &dns):
		e.Message, e.again = "its name cannot be resolved", !dns.IsNotFound
	case errors.As(err, &cert):
		e.Message = "its certificate is not valid"
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Message, e.again = "the connection was refused", true
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		e.Message, e.again = "the connection broke off", true
	default:
		e.Message, e.again = "it could not be reached", true
	}
	return e
}

func bytesText(n int64) string {
	if n >= 1<<20 && n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}

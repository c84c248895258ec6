// Package wire makes the requests of messages: each is never redirected, has ten
// seconds, and its failure is told without its address, for that is often the
// secret itself. It knows no service.
package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/messaging"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

const (
	// timeout bounds one request, its answer included.
	timeout = 10 * time.Second
	// maxAnswer is as much as is read of an answer, in bytes.
	maxAnswer = 64 << 10
	// maxReason is as much as is told of what a service says, in characters.
	maxReason = 120
)

// Request is a POST, unless Method says something else.
type Request struct {
	Method string
	// Service is who is asked, for errors.
	Service string
	URL     string
	Header  http.Header
	Body    []byte
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends a request and returns the answer, whatever its status. An error is
// a *messaging.Fault: nothing was answered.
func Do(ctx context.Context, client *http.Client, r Request) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if r.Method == "" {
		r.Method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return Answer{}, messaging.Permanent("the address of %s cannot be used", r.Service)
	}
	for name, values := range r.Header {
		req.Header[name] = values
	}
	one := *client
	one.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := one.Do(req)
	if err != nil {
		return Answer{}, unreached(r.Service, err)
	}
	defer resp.Body.Close()
	body, err := httpx.ReadAll(resp.Body, maxAnswer)
	if err != nil && !errors.Is(err, httpx.ErrTooLarge) {
		return Answer{}, unreached(r.Service, err)
	}
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

// Reach reports whether the host of an address answers, whatever it says. The
// address itself is not asked for: that could be a message.
func Reach(ctx context.Context, client *http.Client, service, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return messaging.Permanent("the address of %s cannot be used", service)
	}
	_, err = Do(ctx, client, Request{Method: http.MethodGet, Service: service, URL: u.Scheme + "://" + u.Host + "/"})
	return err
}

// unreached words why a service has not answered. Nothing of the error's own
// words is kept: they may hold the address.
func unreached(service string, err error) *messaging.Fault {
	var (
		timeout net.Error
		dns     *net.DNSError
		op      *net.OpError
		name    x509.HostnameError
		unknown x509.UnknownAuthorityError
		bad     x509.CertificateInvalidError
		cert    *tls.CertificateVerificationError
		address *url.Error
	)
	switch {
	case errors.Is(err, context.Canceled):
		return messaging.Passing("the request to %s was given up", service)
	case errors.As(err, &dns) && dns.IsNotFound:
		return messaging.Passing("the host of %s was not found", service)
	case errors.As(err, &name), errors.As(err, &unknown), errors.As(err, &bad), errors.As(err, &cert):
		return messaging.Passing("the certificate of %s is not valid", service)
	case errors.As(err, &timeout) && timeout.Timeout():
		return messaging.Passing("no answer from %s in time", service)
	case errors.As(err, &op) && op.Op == "dial":
		return messaging.Passing("no connection to %s", service)
	case errors.As(err, &address):
		return messaging.Passing("the connection to %s failed", service)
	}
	return messaging.Passing("the answer of %s was cut off", service)
}

// OK reports whether the status says that all is well.
func (a Answer) OK() bool { return a.Status >= 200 && a.Status < 300 }

// Refused is the fault that an answer stands for, by its status: too many
// requests and a server's own failures pass. Detail is the service's own word
// for it; it may be empty.
func (a Answer) Refused(service, detail string) *messaging.Fault {
	reason := service + " HTTP " + strconv.Itoa(a.Status)
	if a.Status >= 300 && a.Status < 400 {
		reason += ": it points to another address, which is not followed"
	} else if detail = Word(detail); detail != "" {
		reason += ": " + detail
	}
	f := &messaging.Fault{Reason: reason, Wait: a.Wait()}
	f.Retryable = a.Status == http.StatusTooManyRequests || a.Status == http.StatusRequestTimeout || a.Status >= 500
	return f
}

// Wait is how long the answer asks to be left alone; 0 when it does not say.
func (a Answer) Wait() time.Duration {
	text := strings.TrimSpace(a.Header.Get("Retry-After"))
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		return Seconds(seconds)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// Seconds is a time that a service names; nonsense is none.
func Seconds(s float64) time.Duration {
	const most = 24 * 60 * 60
	if !(s > 0) {
		return 0
	}
	return time.Duration(min(s, most) * float64(time.Second))
}

// Word is what a service says in one line, short enough for an error.
func Word(s string) string {
	s = strings.Join(strings.Fields(plain.ForTerminal(s)), " ")
	if r := []rune(s); len(r) > maxReason {
		s = string(r[:maxReason]) + "…"
	}
	return s
}

// Private reports whether what is sent to an address can be read by nobody on
// the way: the connection is encrypted, or does not leave this machine.
func Private(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

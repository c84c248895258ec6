package lookup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

// messageChars is how much of a service's own words a failure repeats.
const messageChars = 200

// Failed returns a failed result: what was tried, what came back, what to do
// next. advice replaces the general advice for the kind of failure.
//
//	hf_papers paper_details 2402.03300 failed (not_found): Semantic Scholar
//	answered 404: Paper not found. Check the spelling, or search for it first.
func Failed(what string, err error, advice ...string) tool.Result {
	kind, said, wait := tell(err)
	text := fmt.Sprintf("%s failed (%s): %s.", strings.TrimRight(Line(what, 2*messageChars), ".: "), kind, strings.TrimRight(said, ".:; "))
	next := strings.TrimSpace(strings.Join(advice, " "))
	if next == "" {
		next = general(kind)
	}
	if kind == fetch.RateLimited {
		next = strings.TrimSpace(when(wait) + " " + next)
	}
	if next != "" {
		text += " " + Line(next, 10*messageChars)
	}
	r := tool.Failed(text)
	r.Heard = heard(err)
	return r
}

// heard is the address that answered with an error, and may have said so in
// words of its own.
func heard(err error) string {
	var f *fetch.Error
	if errors.As(err, &f) && f.Status != 0 && f.Message != "" {
		return f.URL
	}
	return ""
}

// Refused returns the failed result for arguments that cannot be: what is wrong
// with them, and a call that is right.
func Refused(spec tool.Spec, err error) tool.Result {
	var example bytes.Buffer
	if json.Compact(&example, spec.Example) != nil {
		example.Reset()
	}
	return tool.Failed(fmt.Sprintf("%s failed (%s): %s. A good call: %s %s", spec.Name, fetch.BadArgument,
		strings.TrimRight(Line(err.Error(), 5*messageChars), "."), spec.Name, example.String()))
}

// when says when to try again.
func when(wait time.Duration) string {
	if wait <= 0 {
		return "The service did not say for how long; wait a minute (60 s) before the next try."
	}
	return fmt.Sprintf("Try again in %d s.", seconds(wait))
}

func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// tell sorts an error and puts it into words that a program did not make up.
func tell(err error) (kind fetch.Kind, said string, wait time.Duration) {
	var f *fetch.Error
	var path net.Error
	var address *url.Error
	var syntax *json.SyntaxError
	var form *json.UnmarshalTypeError
	switch {
	case errors.As(err, &f):
		said = Line(f.Service, messageChars)
		if f.Status != 0 {
			said += fmt.Sprintf(" answered %d", f.Status)
		}
		if f.Message != "" {
			said += ": " + Line(f.Message, messageChars)
		} else if f.Status == 0 {
			said += " gave no answer"
		}
		return f.Kind, said, f.Wait
	case err == nil:
		return fetch.Upstream, "there is no answer", 0
	case errors.Is(err, context.DeadlineExceeded):
		return fetch.Timeout, "there was no answer in time", 0
	case errors.Is(err, context.Canceled):
		return fetch.Network, "the call was stopped", 0
	case errors.As(err, &syntax), errors.As(err, &form), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fetch.Parse, "the answer does not have the form that was expected", 0
	case errors.As(err, &address), errors.As(err, &path):
		return fetch.Network, "the service could not be reached", 0
	}
	return fetch.Upstream, Line(err.Error(), messageChars), 0
}

// general is what helps with a kind of failure whatever was tried.
func general(kind fetch.Kind) string {
	switch kind {
	case fetch.BadArgument:
		return "Correct the arguments and call again."
	case fetch.NotFound:
		return "Check the spelling, or search for it first."
	case fetch.Unauthorized:
		return "It is private, does not exist, or needs a token with more rights; ask the user, or use another source."
	case fetch.Gated:
		return "The user has to accept its terms on its page first; use another source until then."
	case fetch.RateLimited:
		return "Go on with another source meanwhile."
	case fetch.NotReady:
		return "It is being prepared; try again in half a minute."
	case fetch.TooLarge:
		return "Ask for a smaller part of it."
	case fetch.Upstream:
		return "The service has a problem; try again later or use another source."
	case fetch.Network:
		return "Check the network, or use another source."
	case fetch.Timeout:
		return "Try once more, or use another source."
	case fetch.Blocked:
		return "Use another address or another source."
	case fetch.Parse:
		return "Use another source, or another way to the same facts."
	}
	return ""
}

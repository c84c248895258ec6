// Package fault turns what providers answer when a call fails into
// [llm.Fault]: it reads the many shapes of error bodies, sorts them into
// classes by status, type and code first and by known phrases last, finds how
// long to wait, and words the result for a person. It knows no provider's
// request format, sends nothing and decides no retry.
package fault

import (
	"context"
	"encoding/json"
	"errors"
	"html"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

// ParamThinkingStyle is the Param of a fault that refuses the style in which
// thinking was asked for and not thinking as such: [llm.Adjust.OtherThinking]
// heals it.
const ParamThinkingStyle = "thinking.type"

// maxMessage is how much of a provider's text is kept, in characters.
const maxMessage = 500

// earlyEnd is the message for a stream without its terminal marker.
const earlyEnd = "stream ended early"

// FromResponse reads an answer that is an error: any status of 400 and over,
// or an error body that came with a good status. model is the user's id.
func FromResponse(provider, model string, status int, h http.Header, body []byte) *llm.Fault {
	env := readBody(body)
	f := build(provider, model, status, env)
	if f.RequestID == "" {
		f.RequestID = requestID(h)
	}
	if status >= http.StatusBadRequest {
		f.Wait = waitHint(h, env)
		f.Retry = shouldRetry(h)
	}
	return f
}

// FromStream reads an error object that came inside a stream after a good
// status. raw that is not JSON is a fault of the server.
func FromStream(provider, model string, raw []byte, afterOutput bool) *llm.Fault {
	env := readBody(raw)
	f := build(provider, model, 0, env)
	f.Wait = waitHint(nil, env)
	f.AfterOutput = afterOutput
	if !json.Valid(raw) && f.Class != llm.ClassToolGeneration {
		f.Class = llm.ClassServer
		f.Message = "undecodable data in the stream: " + cut(clean(string(raw)), 200)
	}
	return f
}

// FromTransport reads an error of the connection itself. An early end of a
// stream is given as [io.ErrUnexpectedEOF]. Callers hand on
// [context.Canceled] instead of asking.
func FromTransport(provider, model string, err error, afterOutput bool) *llm.Fault {
	f := &llm.Fault{
		Class: llm.ClassNetwork, Provider: provider, Model: model,
		AfterOutput: afterOutput, Err: err,
	}
	var timeout net.Error
	switch {
	case errors.Is(err, httpx.ErrRedirect), errors.Is(err, httpx.ErrTooLarge):
		f.Class = llm.ClassInvalidRequest
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		f.Class = llm.ClassTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		f.Message = earlyEnd
		return f
	}
	f.Message = clean(err.Error())
	return f
}

func build(provider, model string, status int, env envelope) *llm.Fault {
	f := &llm.Fault{
		Provider: provider, Model: model, Status: status,
		Type: env.kind, Code: env.code, Param: env.param,
		Message: clean(env.message), RequestID: env.requestID,
	}
	classify(f, env)
	return f
}

func requestID(h http.Header) string {
	for _, name := range []string{"Request-Id", "X-Request-Id", "Inference-Id"} {
		if id := h.Get(name); id != "" {
			return cut(id, 200)
		}
	}
	return ""
}

func shouldRetry(h http.Header) *bool {
	var yes bool
	switch strings.ToLower(h.Get("X-Should-Retry")) {
	case "true":
		yes = true
	case "false":
	default:
		return nil
	}
	return &yes
}

// lazy compiles expr at its first use: a program that meets no fault pays
// nothing.
func lazy(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

var (
	// A name such as hf_jobs is not a secret: a token has a digit, a capital
	// or at least 16 characters.
	reSecret = lazy(`(?i:\bbearer\s+[^\s"',;]+)|\bsk-[A-Za-z0-9_*.-]{4,}|` +
		`\bhf_[A-Za-z0-9*]{16,}|\bhf_[a-z]*[A-Z0-9*][A-Za-z0-9*]*`)
	reMarkup = lazy(`(?i)<!doctype|<html|<head|<body|<h[1-6]|<p>|<br`)
	reHidden = lazy(`(?is)<script.*?</script>|<style.*?</style>|<!--.*?-->`)
	reTag    = lazy(`<[^<>]*>`)
)

// clean makes a provider's text fit to be shown: no markup, no secrets, no
// control characters, at most [maxMessage] characters.
func clean(text string) string {
	if reMarkup().MatchString(text) {
		text = reTag().ReplaceAllString(reHidden().ReplaceAllString(text, " "), " ")
		text = html.UnescapeString(text)
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	text = strings.Join(strings.Fields(text), " ")
	return cut(reSecret().ReplaceAllString(text, "[redacted]"), maxMessage)
}

// cut shortens text to n characters, the last of which then is an ellipsis.
func cut(text string, n int) string {
	if len(text) <= n || utf8.RuneCountInString(text) <= n {
		return text
	}
	return excerpt.Head(text, n-1) + "…"
}

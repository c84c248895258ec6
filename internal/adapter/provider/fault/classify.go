package fault

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// The phrases by which an error is known when status, type and code do not
// tell. They are words, never numbers: "500" may be a token count.
var (
	reBilling = lazy(`(?i)credit balance (?:is )?too low|monthly included credits|` +
		`spend(?:ing)? limit|(?:insufficient|out of|exhausted|no|add)(?: \w+){0,2} credits?\b|insufficient (?:balance|funds|quota)|` +
		`payment required|requires more credits|current quota|` +
		`monthly credits? (?:\w+ ){0,2}(?:exhausted|used up|limit)|credits? (?:\w+ ){0,3}exhausted`)
	reRate     = lazy(`(?i)\brate[ _-]?limit|\btoo many requests\b|\btoo many tokens\b|\brequest limit\b|\bthrottl`)
	reTooBig   = lazy(`(?i)request too large for .* on tokens per min`)
	reAuth     = lazy(`(?i)invalid (?:api key|x-api-key|username or password)`)
	reNoModel  = lazy(`(?i)\bmodel\b.{0,200}?(?:does not exist|not found)|server is pinned to .{0,200}requested`)
	reToolJSON = lazy(`(?i)could not parse region as json`) // transformers serve, on a broken tool call
	reServing  = lazy(`(?i)not supported by (?:any )?provider|no provider supports`)
	reBusy     = lazy(`(?i)overloaded|capacity|no available`)
	reSign     = lazy("(?i)invalid `?signature`? in `?thinking`? block|thinking`? blocks.{0,80}cannot be modified")
	reReason   = lazy("(?i)reasoning_content`?(?: is missing|.{0,80}must be passed back)")
	reHistory  = lazy("(?i)without its required following item|`?tool_use`? ids.{0,200}without `?tool_result|" +
		`no tool output found|must be followed by tool messages`)
	reEffort = lazy(`(?i)(?:\b|_)effort\b|\boutput_config\b`)
	reLevel  = lazy(`(?i)invalid|not supported|must be one of|not a valid|unrecognized|unknown|does not support|unsupported`)
	reStyle  = lazy("(?i)thinking\\.type[.`'\" ]+(?:enabled|adaptive)[`'\"]*.{0,40}not supported")
)

// classify sets the class and what belongs to it. The first match of the
// order below counts.
func classify(f *llm.Fault, env envelope) {
	c := &reading{f: f, env: env, status: f.Status, text: f.Message}
	if f.Status < http.StatusBadRequest { // in a stream, or under a good status
		c.inBand, c.status = true, env.status
	}
	c.kinds = []string{strings.ToLower(env.kind), strings.ToLower(env.code)}
	for _, rule := range []func(*reading) llm.Class{
		(*reading).special, (*reading).money, (*reading).rate, (*reading).size,
		(*reading).access, (*reading).healable, (*reading).weather,
	} {
		if class := rule(c); class != "" {
			f.Class = class
			return
		}
	}
	f.Class = llm.ClassInvalidRequest
}

// reading is an error being classed.
type reading struct {
	f      *llm.Fault
	env    envelope
	status int      // of the response, or named inside the body
	kinds  []string // type and code, lower case
	text   string
	inBand bool
}

func (c *reading) is(kinds ...string) bool {
	return slices.ContainsFunc(kinds, func(k string) bool { return slices.Contains(c.kinds, k) })
}

func (c *reading) starts(prefix string) bool {
	return slices.ContainsFunc(c.kinds, func(k string) bool { return strings.HasPrefix(k, prefix) })
}

// special are the two exceptions from everything below: Gemini calls a rate
// limit a quota, and a request over the tokens allowed per minute can never
// succeed by waiting.
func (c *reading) special() llm.Class {
	if c.env.retryInfo {
		return llm.ClassRateLimit
	}
	if reTooBig().MatchString(c.text) {
		c.f.Used, c.f.Limit = tokenCounts(c.text)
		return llm.ClassOverflow
	}
	return ""
}

func (c *reading) money() llm.Class {
	if c.status == http.StatusPaymentRequired || c.is("billing_error", "insufficient_quota") || reBilling().MatchString(c.text) {
		return llm.ClassBilling
	}
	return ""
}

func (c *reading) rate() llm.Class {
	switch {
	case c.status == http.StatusTooManyRequests, c.starts("rate_limit"):
		return llm.ClassRateLimit
	case c.known():
		return "" // the type is exact: "rate limit" in its text is about something else
	case reRate().MatchString(c.text):
		return llm.ClassRateLimit
	}
	return ""
}

// known reports whether type or code name another class beyond doubt.
func (c *reading) known() bool {
	return c.is("exceed_context_size_error", "context_length_exceeded", "authentication_error",
		"permission_error", "not_found_error", "model_not_found", "model_not_supported", "request_too_large") ||
		c.starts("overloaded")
}

func (c *reading) access() llm.Class {
	switch {
	case c.status == 529, c.starts("overload"),
		c.status == http.StatusServiceUnavailable && reBusy().MatchString(c.text),
		c.inBand && c.status == 0 && strings.Contains(strings.ToLower(c.text), "overloaded"):
		return llm.ClassOverloaded
	case c.status == http.StatusUnauthorized, c.is("authentication_error", "invalid_api_key"), reAuth().MatchString(c.text):
		return llm.ClassAuth
	case c.status == http.StatusNotFound, c.is("not_found_error", "model_not_found"), reNoModel().MatchString(c.text):
		return llm.ClassModelNotFound
	case c.is("model_not_supported"), reServing().MatchString(c.text):
		return llm.ClassNotServing
	case c.status == http.StatusForbidden, c.is("permission_error"):
		return llm.ClassPermission
	}
	return ""
}

func (c *reading) healable() llm.Class {
	switch {
	case reSign().MatchString(c.text):
		return llm.ClassThinkingSignature
	case reReason().MatchString(c.text):
		return llm.ClassReasoningMissing
	}
	if class := c.effort(); class != "" {
		return class
	}
	switch {
	case reHistory().MatchString(c.text):
		return llm.ClassToolHistory
	case c.is("tool_use_failed"), reToolJSON().MatchString(c.text):
		return llm.ClassToolGeneration
	}
	return ""
}

// effort tells a refused level of effort from thinking that is refused as
// such, and both from a refused style of asking for it.
func (c *reading) effort() llm.Class {
	if c.status >= http.StatusInternalServerError {
		return ""
	}
	lower := strings.ToLower(c.text)
	switch {
	case reStyle().MatchString(c.text):
		c.f.Param = ParamThinkingStyle
		return llm.ClassNoThinking
	case strings.Contains(lower, "thinking") && strings.Contains(lower, "not supported"):
		return llm.ClassNoThinking
	case (reEffort().MatchString(c.text) || reEffort().MatchString(c.f.Param)) && reLevel().MatchString(c.text):
		c.f.Supported = supportedEfforts(c.text)
		return llm.ClassInvalidEffort
	}
	return ""
}

func (c *reading) weather() llm.Class {
	switch {
	case c.status == http.StatusRequestTimeout, c.status == http.StatusGatewayTimeout, c.is("timeout_error"):
		return llm.ClassTimeout
	case c.status >= 500, c.status == http.StatusConflict, c.is("api_error", "server_error", "internal_server_error"):
		return llm.ClassServer
	}
	return ""
}

var (
	reOffer = lazy(`(?i)supported (?:levels|values)|one of|should be|expected|available`)
	reWord  = lazy(`[a-z]+`)
)

// supportedEfforts returns the levels that a text offers, in its order.
func supportedEfforts(text string) []llm.Effort {
	at := reOffer().FindStringIndex(text)
	if at == nil {
		return nil
	}
	var levels []llm.Effort
	for _, word := range reWord().FindAllString(strings.ToLower(text[at[1]:]), -1) {
		level := llm.Effort(word)
		if slices.Contains(llm.Efforts(), level) && !slices.Contains(levels, level) {
			levels = append(levels, level)
		}
	}
	return levels
}

func number(s string) int {
	n, err := strconv.Atoi(strings.ReplaceAll(s, ",", ""))
	if err != nil {
		return 0
	}
	return n
}

package fault

import (
	"net/http"
	"regexp"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// reOverflow are the ways in which providers say that a conversation does not
// fit their context window.
var reOverflow = lazy(`(?i)prompt is too long|input is too long|exceeds the context window|maximum context length|` +
	`max context length|longer than the model's context length|exceeds (?:the )?maximum allowed input length|` +
	`exceeded model token limit|context window exceeds limit|reduce the length of the messages|` +
	`too large for model with|maximum prompt length is|input token count.{0,80}exceeds the maximum|` +
	`exceeds the available context size|greater than the context length|prompt too long; exceeded|` +
	`context length exceeded|context_length_exceeded|context window exceeded|too many input tokens`)

// The ways in which an answer is said to be too long while the prompt fits.
var (
	reSum   = lazy(`(?i)max_tokens\W+exceed context limit\D+([\d,]+) \+ ([\d,]+) > ([\d,]+)`)
	reAsked = lazy(`(?i)max_(?:completion_)?tokens\W* is too large: [\d,]+\. this model's maximum context length is ([\d,]+) tokens and your request has ([\d,]+) input`)
	reOut   = lazy(`(?i)max_tokens\W+[\d,]+ > ([\d,]+)\b.{0,20}maximum`)
)

// size finds the classes of too much text. Token counts matter only where a
// request can be at fault; a 500 is among them because some servers fall over.
func (c *reading) size() llm.Class {
	if !c.inBand {
		switch c.status {
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity, http.StatusInternalServerError:
		default:
			return ""
		}
	}
	switch {
	case c.answerTooLong():
		return llm.ClassMaxTokensTooLarge
	case c.is("context_length_exceeded", "exceed_context_size_error"), reOverflow().MatchString(c.text):
		c.f.Used, c.f.Limit = tokenCounts(c.text)
		if c.env.limit > 0 {
			c.f.Used, c.f.Limit = c.env.used, c.env.limit
		}
		return llm.ClassOverflow
	case c.status == http.StatusRequestEntityTooLarge, c.is("request_too_large"):
		return llm.ClassRequestTooLarge
	}
	return ""
}

// answerTooLong reads the counts so that Limit − Used is what is left for an
// answer: where the model's largest answer is exceeded, Used is 0.
func (c *reading) answerTooLong() bool {
	if m := reSum().FindStringSubmatch(c.text); m != nil {
		c.f.Used, c.f.Limit = number(m[1]), number(m[3])
	} else if m := reAsked().FindStringSubmatch(c.text); m != nil && number(m[2]) < number(m[1]) {
		c.f.Used, c.f.Limit = number(m[2]), number(m[1])
	} else if m := reOut().FindStringSubmatch(c.text); m != nil {
		c.f.Used, c.f.Limit = 0, number(m[1])
	} else {
		return false
	}
	return true
}

var (
	// Both counts, the used one first.
	reUsedLimit = lazy(`(?i)([\d,]+) tokens?\)? > ([\d,]+) maximum|too long: ([\d,]+), model maximum context length: ([\d,]+)|` +
		`([\d,]+) tokens?\) exceeds the available context size \(([\d,]+)|` +
		`input token count \(?([\d,]+)\)? exceeds the maximum number of tokens allowed \(?([\d,]+)|` +
		`input length:? \(?([\d,]+)\)? exceeds (?:the )?maximum allowed input length:? \(?([\d,]+)|` +
		`input \(([\d,]+) tokens\) is longer than the model's context length \(([\d,]+)`)
	reLimit = lazy(`(?i)(?:context length|prompt length|input length|context window|token limit|\blimit)(?: is| of|:)? ?\(?([\d,]+)|` +
		`with ([\d,]+) maximum context length`)
	reUsed = lazy(`(?i)(?:requested|resulted in|request contains|request has|prompt contains|you passed|your prompt is|requested:) (?:about |at least )?([\d,]+)`)
)

// tokenCounts returns the used and the allowed tokens that a text names, 0
// for what it does not.
func tokenCounts(text string) (used, limit int) {
	if m := firstGroups(reUsedLimit(), text); len(m) == 2 {
		return number(m[0]), number(m[1])
	}
	if m := firstGroups(reLimit(), text); len(m) > 0 {
		limit = number(m[0])
	}
	if m := firstGroups(reUsed(), text); len(m) > 0 {
		used = number(m[0])
	}
	return used, limit
}

// firstGroups returns the groups of the first match that took part in it.
func firstGroups(re *regexp.Regexp, text string) []string {
	var groups []string
	if m := re.FindStringSubmatch(text); m != nil {
		for _, g := range m[1:] {
			if g != "" {
				groups = append(groups, g)
			}
		}
	}
	return groups
}

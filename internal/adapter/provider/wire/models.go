package wire

import (
	"regexp"
	"strconv"
	"strings"
)

var (
	oSeries = regexp.MustCompile(`^o(\d+)`)
	gpt     = regexp.MustCompile(`^gpt-(\d+)`)
)

// firstReasoningGPT is the first GPT generation whose models reason.
const firstReasoningGPT = 5

// Reasons reports whether an OpenAI model name is that of a reasoning model:
// the o series, and gpt-5 and later except gpt-5-chat. Such models take
// max_completion_tokens and the developer role, and refuse max_tokens.
func Reasons(name string) bool {
	name = bareName(name)
	if oSeries.MatchString(name) {
		return true
	}
	m := gpt.FindStringSubmatch(name)
	if m == nil || strings.HasPrefix(name, "gpt-5-chat") {
		return false
	}
	n, err := strconv.Atoi(m[1])
	return err == nil && n >= firstReasoningGPT
}

// Family is the part of an OpenAI model name within which encrypted reasoning
// may be passed on: "gpt-5" for gpt-5.5-mini, "o4" for o4-mini, otherwise the
// whole name.
func Family(name string) string {
	name = bareName(name)
	for _, re := range []*regexp.Regexp{gpt, oSeries} {
		if m := re.FindString(name); m != "" {
			return m
		}
	}
	return name
}

// bareName removes what may stand in front of a model's own name.
func bareName(name string) string {
	name = strings.TrimPrefix(name, "openai/")
	return strings.TrimPrefix(name, "ft:")
}

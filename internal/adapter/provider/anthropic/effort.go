package anthropic

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// style is how a model is asked to think.
type style int

const (
	styleNone     style = iota // the model cannot think
	styleBudget                // thinking gets a number of tokens
	styleAdaptive              // an effort level, and the model decides
)

// Thinking budgets in tokens. The API takes no less than minBudget, and wants
// it to be less than max_tokens.
const (
	minBudget    = 1024
	lowBudget    = 4096
	mediumBudget = 10_000
	highBudget   = 24_000
	// probeLimit leaves a probe in the budget style a few tokens to answer.
	probeLimit = minBudget + 64
)

var claudeVersion = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^claude-(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2}))?(?:[^0-9]|$)`)
})

// styleOf returns how the model of req thinks. A name that is not known is
// taken for a new model.
func styleOf(req llm.Request) style {
	s := styleAdaptive
	if m := claudeVersion().FindStringSubmatch(wireName(req.Model)); m != nil {
		major, _ := strconv.Atoi(m[1])
		minor, _ := strconv.Atoi(m[2])
		switch {
		case major == 3 && minor == 7, major == 4 && minor < 6:
			s = styleBudget
		case major <= 3:
			s = styleNone
		}
	}
	if !req.Adjust.OtherThinking {
		return s
	}
	if s == styleAdaptive {
		return styleBudget
	}
	return styleAdaptive
}

// level returns what the style makes of the effort asked for, and false for a
// level it cannot express.
func level(s style, effort llm.Effort) (llm.Effort, bool) {
	if effort == llm.EffortMinimal {
		effort = llm.EffortLow
	}
	switch {
	case effort == llm.EffortOff:
		return effort, true
	case s == styleNone || !slices.Contains(llm.Efforts(), effort):
		return "", false
	case s == styleBudget && (effort == llm.EffortXHigh || effort == llm.EffortMax):
		return "", false
	}
	return effort, true
}

// refuseEffort is the fault of a strict request for a level that cannot be
// expressed, or nil.
func refuseEffort(req llm.Request) *llm.Fault {
	s := styleOf(req)
	if _, ok := level(s, req.Effort); ok || !req.Strict {
		return nil
	}
	f := &llm.Fault{
		Class: llm.ClassInvalidEffort, Provider: Provider, Model: req.Model, Param: "effort",
		Message: fmt.Sprintf("%s takes no effort level %q", wireName(req.Model), req.Effort),
	}
	if s == styleBudget {
		f.Supported = []llm.Effort{llm.EffortLow, llm.EffortMedium, llm.EffortHigh}
	}
	return f
}

// thinking returns the members of the body that ask for thinking, each with a
// comma in front, and the limit of the answer, which a probe in the budget
// style must raise. open says that the newest turn is in the middle of tool
// calls without replayed thinking: the budget style then must not think.
func thinking(req llm.Request, limit int, open bool) (members string, maxTokens int) {
	s := styleOf(req)
	effort, ok := level(s, req.Effort)
	if !ok || effort == llm.EffortOff || dropped(req, "thinking") {
		return "", limit
	}
	if s == styleBudget {
		if open {
			return "", limit
		}
		return budget(req, effort, limit)
	}
	var b strings.Builder
	// Without display, newer models return empty thinking with a signature.
	if dropped(req, "display") {
		b.WriteString(`,"thinking":{"type":"adaptive"}`)
	} else {
		b.WriteString(`,"thinking":{"type":"adaptive","display":"summarized"}`)
	}
	if !dropped(req, "effort") && !dropped(req, "output_config") {
		fmt.Fprintf(&b, `,"output_config":{"effort":%q}`, effort)
	}
	return b.String(), limit
}

// budget fits the thinking of the budget style into the limit of the answer,
// a quarter of which is left for what is said.
func budget(req llm.Request, effort llm.Effort, limit int) (members string, maxTokens int) {
	n := map[llm.Effort]int{llm.EffortLow: lowBudget, llm.EffortMedium: mediumBudget, llm.EffortHigh: highBudget}[effort]
	if req.Kind == llm.KindEffortProbe {
		n, limit = minBudget, max(limit, probeLimit)
	}
	if limit < probeLimit {
		return "", limit
	}
	n = max(minBudget, min(n, limit/4*3))
	return fmt.Sprintf(`,"thinking":{"type":"enabled","budget_tokens":%d}`, n), limit
}

// dropped reports whether the engine has learned to leave a parameter out.
// The last part of a dotted name counts too: "thinking.display".
func dropped(req llm.Request, name string) bool {
	return slices.ContainsFunc(req.Adjust.Drop, func(d string) bool {
		return d == name || strings.HasSuffix(d, "."+name)
	})
}

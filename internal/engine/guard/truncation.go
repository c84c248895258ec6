package guard

import (
	"fmt"
	"strings"
)

// Limits of cut answers in a row.
const (
	// cutCalls ends the turn with the third answer whose calls were cut.
	cutCalls = 3
	// cutTexts is how often a cut text is continued.
	cutTexts = 3
)

// Truncation counts the answers of a turn that reached the output limit. The
// zero value is ready to use.
type Truncation struct{ calls, texts, thoughts int }

// Whole says that an answer was complete.
func (t *Truncation) Whole() { *t = Truncation{} }

// Calls judges an answer that was cut while it called tools. complete names the
// calls that arrived whole and run, lost those that did not. text is the
// message for the model; when more is false the turn ends and text is its
// final response.
func (t *Truncation) Calls(complete, lost []string) (text string, more bool) {
	if t.calls++; t.calls >= cutCalls {
		return fmt.Sprintf("Stopped: the model's output was cut off %d times in a row before its tool calls were complete%s. "+
			"Ask for smaller steps, or allow longer outputs.", t.calls, lostNames(lost)), false
	}
	var b strings.Builder
	b.WriteString("[SYSTEM: OUTPUT TRUNCATED] Your last answer reached the output limit. ")
	if len(lost) > 0 {
		fmt.Fprintf(&b, "Cut off and NOT run: %s. ", quoted(lost))
	}
	if len(complete) > 0 {
		fmt.Fprintf(&b, "Complete and run: %s; do not repeat what has run. ", quoted(complete))
	}
	b.WriteString("Send what was lost in smaller pieces: write long files in several steps with bash and a quoted heredoc, " +
		"or make several small edits.")
	return b.String(), true
}

func lostNames(lost []string) string {
	if len(lost) == 0 {
		return ""
	}
	return " (" + quoted(lost) + ")"
}

// Text judges an answer of text alone that was cut. text is the message for
// the model, or empty when it has been continued often enough.
func (t *Truncation) Text() (text string, more bool) {
	if t.texts++; t.texts > cutTexts {
		return "", false
	}
	return "[SYSTEM: OUTPUT TRUNCATED] Your answer reached the output limit. Continue exactly where you stopped, " +
		"without repeating anything and without any remark about it.", true
}

// Thoughts judges an answer that was cut before it said anything. retry asks
// for the same call once more with twice the output limit.
func (t *Truncation) Thoughts() (retry bool) {
	t.thoughts++
	return t.thoughts == 1
}

// TruncationLog is the progress line of a cut answer; lost may be empty.
func TruncationLog(lost []string) string {
	if len(lost) == 0 {
		return "Output truncated: continuing"
	}
	return "Output truncated, lost calls: " + strings.Join(lost, ", ")
}

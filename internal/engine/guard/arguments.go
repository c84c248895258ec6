package guard

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Arguments reads the argument text of a call: an object, or nothing at all,
// which means an empty one. Something behind a complete object is left out.
// The error says what is wrong, for [MalformedResult].
func Arguments(text string) (json.RawMessage, error) {
	if strings.TrimSpace(text) == "" {
		return json.RawMessage("{}"), nil
	}
	var raw json.RawMessage
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&raw); err != nil {
		return nil, fmt.Errorf("the arguments are no complete JSON: %w", err)
	}
	if raw[0] != '{' {
		return nil, fmt.Errorf("the arguments must be a JSON object, not %s", kindOf(raw[0]))
	}
	return raw, nil
}

func kindOf(first byte) string {
	switch first {
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	}
	return "a number"
}

// malformed is how the result of a call with unreadable arguments begins.
const (
	malformed    = "ERROR: Tool call to '"
	malformedEnd = "' had malformed JSON arguments"
)

// MalformedResult is the result of a call whose arguments cannot be read. why
// may be nil.
func MalformedResult(name string, why error) string {
	reason := ""
	if why != nil {
		reason = " (" + why.Error() + ")"
	}
	return malformed + name + malformedEnd + reason + ". It was NOT executed. " +
		"Send the call again with valid, smaller arguments: shorter content, written in several steps."
}

// MalformedName returns the tool whose arguments a result says were malformed.
func MalformedName(result string) (string, bool) {
	rest, ok := strings.CutPrefix(result, malformed)
	if !ok {
		return "", false
	}
	name, _, ok := strings.Cut(rest, malformedEnd)
	return name, ok
}

// malformedStreak is how many malformed calls of one tool in a row are enough.
const malformedStreak = 2

// lookBack bounds how many messages the malformed guard walks over.
const lookBack = 100

// Malformed looks for a streak of malformed calls of one tool among the newest
// results, and returns its name and the message for the model. A streak that
// was warned of before is not reported again.
func Malformed(msgs []llm.Message) (name, text string, hit bool) {
	streak := 0
	warnings := map[string]bool{}
	for i := len(msgs) - 1; i >= max(0, len(msgs)-lookBack); i-- {
		m := &msgs[i]
		if m.Synthetic {
			warnings[m.Text] = true
		}
		if m.Role != llm.ToolRole {
			continue
		}
		tool, bad := MalformedName(m.Text)
		if !bad || streak > 0 && tool != name {
			break
		}
		name = tool
		streak++
	}
	text = malformedText(name)
	if streak < malformedStreak || warnings[text] {
		return "", "", false
	}
	return name, text, true
}

func malformedText(name string) string {
	return fmt.Sprintf("[SYSTEM: MALFORMED ARGUMENTS] Your last calls of '%s' were not run because their arguments were no valid JSON, "+
		"most likely because the content is too long. Do not send the same again. Change the strategy: "+
		"write the content in small pieces with bash and a quoted heredoc, or make several small edits, "+
		"each with short and valid JSON arguments.", name)
}

// MalformedLog is the progress line that goes with the message.
func MalformedLog(name string) string {
	return fmt.Sprintf("Repeated malformed arguments for '%s': asking for a different strategy", name)
}

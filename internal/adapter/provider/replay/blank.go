package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// A recorded text may hold blanks: {{tool:CALL_ID:REGEX}} stands for the first
// group of the first match of REGEX (or the whole match, without a group) in
// the result of the call CALL_ID, so that a script reports what this run
// measured. In the arguments of a call the blank stands inside a JSON string.

const (
	blankOpen  = "{{tool:"
	blankClose = "}}"
	// unknown is said where the result or the match is missing.
	unknown = "unknown"
)

// blank is one placeholder of a text.
type blank struct {
	start, end  int // in the text, end exclusive
	call, regex string
}

// nextBlank finds the first blank at or after from. A regex may hold "}}" only
// where more braces follow: the last two of a run of braces close the blank.
func nextBlank(text string, from int) (blank, bool) {
	open := strings.Index(text[from:], blankOpen)
	if open < 0 {
		return blank{}, false
	}
	start := from + open
	body := start + len(blankOpen)
	end := strings.Index(text[body:], blankClose)
	if end < 0 {
		return blank{}, false
	}
	end += body
	for strings.HasPrefix(text[end+1:], blankClose) {
		end++
	}
	call, regex, ok := strings.Cut(text[body:end], ":")
	if !ok {
		return nextBlank(text, end)
	}
	return blank{start: start, end: end + len(blankClose), call: call, regex: regex}, true
}

// replace calls value for every blank of text.
func replace(text string, value func(blank) string) string {
	if !strings.Contains(text, blankOpen) {
		return text
	}
	var out strings.Builder
	at := 0
	for {
		b, ok := nextBlank(text, at)
		if !ok {
			out.WriteString(text[at:])
			return out.String()
		}
		out.WriteString(text[at:b.start])
		out.WriteString(value(b))
		at = b.end
	}
}

// fill fills the blanks of plain text.
func fill(text string, history []llm.Message) string {
	return replace(text, func(b blank) string { return find(b.call, b.regex, history) })
}

// fillJSON fills the blanks inside the strings of a JSON text.
func fillJSON(text string, history []llm.Message) string {
	return replace(text, func(b blank) string { return quote(find(unquote(b.call), unquote(b.regex), history)) })
}

// find looks for regex in the result of a call, the latest first: ids are
// sometimes used twice.
func find(call, regex string, history []llm.Message) string {
	expr, err := regexp.Compile(regex)
	if err != nil {
		return unknown // refused when the recording was loaded
	}
	for i := len(history) - 1; i >= 0; i-- {
		msg := history[i]
		if msg.Role != llm.ToolRole || msg.ToolCallID != call {
			continue
		}
		match := expr.FindStringSubmatch(msg.PlainText())
		switch {
		case match == nil:
			return unknown
		case len(match) > 1:
			return match[1]
		}
		return match[0]
	}
	return unknown
}

// unquote reads a piece of the inside of a JSON string.
func unquote(inside string) string {
	var out string
	if json.Unmarshal([]byte(`"`+inside+`"`), &out) != nil {
		return inside
	}
	return out
}

// quote makes text the inside of a JSON string.
func quote(text string) string {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(text); err != nil { // a string always encodes
		return unknown
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSuffix(buf.String(), "\n"), `"`), `"`)
}

// checkBlanks compiles every regex of a message.
func checkBlanks(message llm.Message) error {
	var bad error
	check := func(text string, decode func(string) string) {
		replace(text, func(b blank) string {
			if _, err := regexp.Compile(decode(b.regex)); err != nil && bad == nil {
				bad = fmt.Errorf("blank %q: %w", text[b.start:b.end], err)
			}
			return ""
		})
	}
	same := func(s string) string { return s }
	check(message.Text, same)
	check(message.ReasoningContent, same)
	for _, call := range message.ToolCalls {
		check(call.Arguments, unquote)
	}
	return bad
}

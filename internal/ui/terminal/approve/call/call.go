// Package call reads one call that waits for a person: its arguments, what it is
// by name, whether it is asked about every time, and which part of it is edited.
// It shows nothing and decides nothing.
package call

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

// HiddenMark begins what stands in a text for a secret that was taken out.
const HiddenMark = "[REDACTED"

// Call is one call with the arguments it would run with.
type Call struct {
	event.GatedCall
	// Args are nil when they are no object.
	Args Arguments
}

// New reads a call as it was asked for.
func New(c event.GatedCall) Call { return Call{GatedCall: c, Args: Read(c.Arguments)} }

// Arguments are those of a call, as they are written.
type Arguments map[string]json.RawMessage

// Read reads an object, also one that is written inside a text; it returns nil
// for anything else.
func Read(raw json.RawMessage) Arguments {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		raw = json.RawMessage(text)
	}
	var args Arguments
	if json.Unmarshal(raw, &args) != nil {
		return nil
	}
	return args
}

// Text returns a value: a text as it is, anything else as JSON on one line, and
// nothing for null.
func (a Arguments) Text(key string) string {
	raw, ok := a[key]
	if !ok || string(raw) == "null" {
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}

// Words returns the texts of a list; a single one is a list of one.
func (a Arguments) Words(key string) []string {
	var list []string
	if json.Unmarshal(a[key], &list) == nil {
		return list
	}
	if s := a.Text(key); s != "" {
		return []string{s}
	}
	return nil
}

// With returns the arguments with one value replaced.
func (a Arguments) With(key string, value any) Arguments {
	out := maps.Clone(a)
	raw, err := event.Encode(value)
	if err != nil { // texts and lists always encode
		return a
	}
	out[key] = raw
	return out
}

// Operation is the named operation of the call, in one form.
func (c Call) Operation() string {
	return strings.ToLower(strings.Join(strings.Fields(c.Args.Text("operation")), " "))
}

// Title names the tool and the operation, fit for one line.
func (c Call) Title() string {
	return strings.TrimSpace(Clean(c.Tool) + " " + Clean(c.Operation()))
}

// Always reports whether the call is asked about in every mode: what starts jobs
// again and again, and what cannot be undone.
func (c Call) Always() bool {
	op := c.Operation()
	switch c.Tool {
	case "hf_jobs":
		if rest, ok := strings.CutPrefix(op, "scheduled "); ok {
			return !slices.Contains([]string{"delete", "suspend", "resume"}, rest)
		}
	case "hf_repo_git":
		if op == "delete_repo" || op == "super_squash" {
			return true
		}
	}
	// The engine blocks such a call without an amount.
	b := c.Block
	return b != nil && b.AutoApprovalBlocked && b.EstimatedCostUSD == nil && b.RemainingCapUSD == nil
}

// SubmitsJob reports whether the call starts a job, or plans some.
func (c Call) SubmitsJob() bool {
	return c.Tool == "hf_jobs" && slices.Contains([]string{"run", "uv", "scheduled run", "scheduled uv"}, c.Operation())
}

// Clean makes a text fit for one line of a terminal: nothing in it controls, and
// a line's end is seen as one.
func Clean(text string) string {
	return strings.NewReplacer("\n", `\n`, "\t", " ").Replace(plain.ForTerminal(text))
}

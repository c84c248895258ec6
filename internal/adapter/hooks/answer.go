package hooks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/hook"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

// Bounds of what counts of an answer, in characters.
const (
	maxReason  = 4000
	maxContext = 10_000
	maxLine    = 500
	maxLabel   = 120
)

// ending is how a command came to its end.
type ending struct {
	exit   int
	signal string
	output []byte
	errors []byte
	// cut says that it printed more than is read.
	cut bool
}

// printed is what a command may print as JSON. Under hookSpecificOutput, and as
// continue, stopReason and systemMessage, are the names that scripts written for
// Claude Code use.
type printed struct {
	Decision      string          `json:"decision"`
	Reason        string          `json:"reason"`
	Context       string          `json:"context"`
	UpdatedInput  json.RawMessage `json:"updated_input"`
	Additional    string          `json:"additionalContext"`
	Continue      *bool           `json:"continue"`
	StopReason    string          `json:"stopReason"`
	SystemMessage string          `json:"systemMessage"`
	Specific      struct {
		Decision     string          `json:"permissionDecision"`
		Reason       string          `json:"permissionDecisionReason"`
		UpdatedInput json.RawMessage `json:"updatedInput"`
		Additional   string          `json:"additionalContext"`
	} `json:"hookSpecificOutput"`
}

// read makes an answer of what a command has printed and how it ended. problem
// says what is wrong, empty for nothing.
func read(moment hook.Moment, e ending) (a hook.Answer, problem string) {
	switch {
	case e.exit == 2 && blocks(moment):
		reason := text(e.errors, maxReason)
		if reason == "" {
			reason = text(e.output, maxReason)
		}
		return hook.Answer{Decision: hook.Deny, Reason: reason}, ""
	case e.exit != 0:
		return hook.Answer{}, failure(e)
	}
	out := bytes.TrimSpace(e.output)
	if len(out) == 0 || out[0] != '{' {
		if speaks(moment) {
			a.Context = text(out, maxContext)
		}
		return a, ""
	}
	if e.cut {
		return a, "printed more JSON than is read (1 MB)"
	}
	var p printed
	if err := json.Unmarshal(out, &p); err != nil {
		return a, "printed JSON that cannot be read: " + history.Cut(history.Line(err.Error()), maxLine)
	}
	return p.answer(moment)
}

// failure says how a command failed.
func failure(e ending) string {
	what := fmt.Sprintf("ended with exit code %d", e.exit)
	if e.signal != "" {
		what = "was ended by " + e.signal
	}
	said := []rune(history.Line(plain.String(string(e.errors))))
	if len(said) > maxLine { // what went wrong stands at the end, as in a traceback
		said = append([]rune("…"), said[len(said)-maxLine+1:]...)
	}
	if len(said) == 0 {
		return what
	}
	return what + ": " + string(said)
}

// answer is what JSON means beside a moment.
func (p printed) answer(moment hook.Moment) (a hook.Answer, problem string) {
	word := strings.ToLower(strings.TrimSpace(p.Decision))
	reason := p.Reason
	if special := strings.ToLower(strings.TrimSpace(p.Specific.Decision)); special != "" {
		word, reason = special, p.Specific.Reason
	}
	switch word {
	case "":
	case "allow", "approve":
		a.Decision = hook.Allow
	case "ask":
		a.Decision = hook.Ask
	case "deny", "block":
		a.Decision = hook.Deny
	default:
		problem = fmt.Sprintf("decided %q, which is none of allow, ask and deny", history.Cut(history.Line(word), maxLabel))
	}
	if p.Continue != nil && !*p.Continue {
		if a.Decision = hook.Deny; p.StopReason != "" {
			reason = p.StopReason
		}
		if moment == hook.Stop { // it wants an end, not more
			a.Decision = ""
		}
	}
	if a.Decision != "" && moment != hook.PreToolUse && (a.Decision != hook.Deny || !blocks(moment)) {
		a.Decision = ""
	}
	if a.Decision != "" {
		a.Reason = text([]byte(reason), maxReason)
	}
	for _, s := range []string{p.Context, p.Additional, p.Specific.Additional} {
		a.Context = joined(a.Context, text([]byte(s), maxContext))
	}
	if said := text([]byte(p.SystemMessage), maxReason); said != "" {
		a.Warnings = append(a.Warnings, said)
	}
	if moment != hook.PreToolUse {
		return a, problem
	}
	changed := p.UpdatedInput
	if len(p.Specific.UpdatedInput) > 0 {
		changed = p.Specific.UpdatedInput
	}
	changed = bytes.TrimSpace(changed)
	switch {
	case len(changed) == 0 || string(changed) == "null":
	case changed[0] != '{':
		problem = "gives arguments that are no JSON object"
	default:
		a.UpdatedInput = changed
	}
	return a, problem
}

// blocks are the moments at which there is something to refuse.
func blocks(moment hook.Moment) bool {
	switch moment {
	case hook.PreToolUse, hook.PostToolUse, hook.UserPromptSubmit, hook.Stop, hook.PreCompact:
		return true
	}
	return false
}

// speaks are the moments at which plain text is meant for the model.
func speaks(moment hook.Moment) bool {
	return moment == hook.UserPromptSubmit || moment == hook.SessionStart || moment == hook.PreCompact
}

// text is what a command says, without control sequences, and bounded.
func text(raw []byte, limit int) string {
	s := strings.TrimSpace(plain.String(string(raw)))
	if cut := excerpt.Head(s, limit); cut != s {
		return cut + "\n… (cut)"
	}
	return s
}

// label names a command in a line.
func label(command string) string { return history.Cut(history.Line(command), maxLabel) }

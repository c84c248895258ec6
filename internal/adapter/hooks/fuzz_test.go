package hooks_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/hooks"
	"github.com/ml-intern/ml-intern/internal/domain/hook"
)

// Whatever a command prints, its answer is bounded plain text, decides only what
// its moment knows, and changes arguments only into an object.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		``, `text`, `{}`, `{"decision":"deny","reason":"no"}`, `{"decision":"allow","updated_input":{"a":1},"context":"c"}`, `{"updated_input":{}}x`,
		`{"hookSpecificOutput":{"permissionDecision":"ask","updatedInput":{"b":[1,2]},"additionalContext":"x"}}`,
		`{"continue":false,"stopReason":"\u001b[31mred","systemMessage":"s"}`, `{"decision":null,"context":null}`, "{\"context\":\"\xff\"}", `{"updated_input":{"a":1,"a":2}}`,
	} {
		for i := range hook.Moments() {
			f.Add(uint8(i), 0, []byte(seed), []byte("errors"))
		}
		f.Add(uint8(0), 2, []byte(seed), []byte("a reason \x1b]0;title\x07"))
		f.Add(uint8(5), 1, []byte(seed), []byte(""))
	}
	f.Fuzz(func(t *testing.T, moment uint8, exit int, output, errors []byte) {
		at := hook.Moments()[int(moment)%len(hook.Moments())]
		a, problem := hooks.Read(at, exit, "", output, errors)
		for _, text := range append([]string{a.Reason, a.Context, problem}, a.Warnings...) {
			if !utf8.ValidString(text) || utf8.RuneCountInString(text) > 31_000 {
				t.Fatalf("%d bytes: %.100q", len(text), text)
			}
			for _, r := range text {
				if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
					t.Fatalf("a control character %q in %.100q", r, text)
				}
			}
		}
		if a.UpdatedInput != nil {
			var object map[string]json.RawMessage
			if at != hook.PreToolUse || json.Unmarshal(a.UpdatedInput, &object) != nil || object == nil {
				t.Fatalf("%s: arguments %q", at, a.UpdatedInput)
			}
		}
		switch a.Decision {
		case "", hook.Deny:
		case hook.Allow, hook.Ask:
			if at != hook.PreToolUse {
				t.Fatalf("%s: %s", at, a.Decision)
			}
		default:
			t.Fatalf("decided %q", a.Decision)
		}
		if exit != 0 && exit != 2 && a.Decided() {
			t.Fatalf("exit code %d decided %+v", exit, a)
		}
	})
}

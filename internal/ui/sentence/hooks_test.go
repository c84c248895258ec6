package sentence_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/sentence"
)

// What hooks decide is told where nothing else shows it, and the ends of background
// commands are.
func TestHooksAndCommands(t *testing.T) {
	zero, three := 0, 3
	for _, c := range []struct {
		in   event.Payload
		want []sentence.Line
	}{
		{event.Hook{Hook: "Stop", Decision: "deny", Reason: "run the\ntests"}, []sentence.Line{{Tone: sentence.Quiet, Text: "a hook sends the agent on: run the tests"}}},
		{event.Hook{Hook: "Stop", Context: "x"}, nil},
		{event.Hook{Hook: "UserPromptSubmit", Decision: "deny", Reason: "no", SubmissionID: "s"}, []sentence.Line{{Tone: sentence.Warning, Text: "a hook keeps the message back: no"}}},
		{event.Hook{Hook: "UserPromptSubmit", Decision: "deny", Reason: "no"}, nil}, // an error tells
		{event.Hook{Hook: "PostToolUse", Decision: "deny", Reason: "lint", Tool: "edit"}, []sentence.Line{{Tone: sentence.Quiet, Text: "a hook objects to edit: lint"}}},
		{event.Hook{Hook: "PreToolUse", UpdatedInput: json.RawMessage(`{}`), Tool: "bash"}, []sentence.Line{{Tone: sentence.Quiet, Text: "a hook changes the arguments of bash"}}},
		{event.Hook{Hook: "PreToolUse", Decision: "deny", Tool: "bash"}, nil}, // its result tells
		{event.Hook{Hook: "PostToolUse", Decision: "deny", Reason: "lint", AgentID: "a"}, nil},
		{event.CommandEnded{ID: "bg1", ExitCode: &zero, WallTimeS: 61}, []sentence.Line{{Tone: sentence.Quiet, Text: "command bg1 is over: exit code 0 · 1m 1s"}}},
		{event.CommandEnded{ID: "bg1", ExitCode: &three}, []sentence.Line{{Tone: sentence.Warning, Text: "command bg1 is over: exit code 3"}}},
		{event.CommandEnded{ID: "bg1", Signal: "SIGKILL"}, []sentence.Line{{Tone: sentence.Warning, Text: "command bg1 is over: ended by SIGKILL"}}},
		{event.CommandEnded{ID: "bg1"}, []sentence.Line{{Tone: sentence.Warning, Text: "command bg1 is over: nobody has seen how"}}},
	} {
		ev, err := event.New("s", "turn_1", time.Time{}, c.in)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, sentence.Of(ev)); diff != "" {
			t.Errorf("%+v: %s", c.in, diff)
		}
	}
}

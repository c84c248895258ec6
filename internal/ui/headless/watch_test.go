package headless_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/ui/headless"
)

// watched shows events, the first of them with the number 1, and returns what
// stands on both outputs and the exit code.
func watched(t *testing.T, o headless.WatchOptions, ps ...event.Payload) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	o.Stdout, o.Stderr = &out, &errs
	w := headless.NewWatch(o)
	for i, p := range ps {
		turn := "turn_1"
		if _, operation := p.(event.NewComplete); operation {
			turn = ""
		}
		ev, err := event.New("s1", turn, time.Unix(0, 0), p)
		if err != nil {
			t.Fatal(err)
		}
		ev.Seq = int64(i + 1)
		w.Event(ev)
	}
	w.Gone("s1")
	return out.String(), errs.String(), w.Code()
}

// The exit code is that of the last turn.
func TestWatchCodes(t *testing.T) {
	begin, done := event.TurnStarted{TurnID: "turn_1"}, event.TurnComplete{StopReason: "answer"}
	gate := event.ApprovalRequired{Count: 1, Tools: []event.GatedCall{{Tool: "bash", ToolCallID: "c1", Arguments: []byte("{}")}}}
	for name, tt := range map[string]struct {
		events []event.Payload
		code   int
		says   string
	}{
		"nothing":           {nil, 0, "has ended"},
		"answered":          {[]event.Payload{begin, done}, 0, "has ended"},
		"limit":             {[]event.Payload{begin, event.TurnComplete{StopReason: "max_iterations"}}, 4, ""},
		"no answer":         {[]event.Payload{begin, event.TurnComplete{StopReason: "doom_loop"}}, 1, ""},
		"interrupted":       {[]event.Payload{begin, event.Interrupted{}}, 130, "interrupted"},
		"failed":            {[]event.Payload{begin, event.Error{Error: "boom", Code: "network"}}, 1, "boom"},
		"no key":            {[]event.Payload{begin, event.Error{Error: "no key", Code: "auth"}}, 3, ""},
		"asks":              {[]event.Payload{begin, gate, event.Shutdown{}}, 6, "ml-intern attach s1"},
		"cap":               {[]event.Payload{begin, event.ApprovalRequired{YoloBudget: true}, event.Shutdown{}}, 5, ""},
		"asks and goes on":  {[]event.Payload{begin, gate, event.Processing{}, done}, 0, ""},
		"refused at a gate": {[]event.Payload{begin, gate, event.Error{Error: "no such model"}}, 6, "no such model"},
		"killed":            {[]event.Payload{begin, event.Processing{}}, 1, "was cut short"},
		"again":             {[]event.Payload{begin, event.Interrupted{}, begin, done}, 0, ""},
		"elsewhere":         {[]event.Payload{begin, done, event.NewComplete{SessionID: "s2"}}, 0, "goes on in session s2"},
	} {
		t.Run(name, func(t *testing.T) {
			_, stderr, code := watched(t, headless.WatchOptions{}, tt.events...)
			if code != tt.code || !strings.Contains(stderr, tt.says) {
				t.Errorf("code %d, want %d; said\n%s", code, tt.code, stderr)
			}
		})
	}
}

// Messages of both sides stand on standard output, from the first that is
// wanted on; nothing in them steers a terminal.
func TestWatchText(t *testing.T) {
	message := func(role llm.Role, text string) event.HistoryMessage {
		return event.HistoryMessage{MessageID: "m", Message: llm.Message{Role: role, Text: text}}
	}
	events := []event.Payload{
		event.InputAccepted{SubmissionID: "s", Text: "look: @a.txt (1 MB of it)", Shown: "look: @a.txt"},
		message(llm.User, "look: @a.txt (1 MB of it)"), message(llm.Assistant, "old answer"),
		message(llm.User, "two\nlines \x1b[2J"), message(llm.Assistant, "an \x1b[31manswer"),
		event.ToolLog{Tool: "bash", Log: "working"},
	}
	stdout, stderr, _ := watched(t, headless.WatchOptions{From: 2}, events...)
	if stdout != "> look: @a.txt\n\nold answer\n\n> two\n> lines [2J\n\nan [31manswer\n" || !strings.Contains(stderr, "bash: working") {
		t.Errorf("%q and %q", stdout, stderr)
	}
	stdout, stderr, _ = watched(t, headless.WatchOptions{From: 6, JSON: true}, events...)
	if !strings.HasPrefix(stdout, `{"type":"event","seq":6,`) || strings.Count(stdout, "\n") != 1 || stderr != "" {
		t.Errorf("%q and %q", stdout, stderr)
	}
}

package slash_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/slash"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog/dialogtest"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript"
)

// journal writes a session of events to where sessions lie.
func (w *world) journal(id string, all ...event.Payload) {
	w.Helper()
	var raw []byte
	for i, p := range all {
		turn := ""
		if _, ok := p.(event.TurnStarted); ok {
			turn = "turn_1"
		}
		ev, err := event.New(id, turn, time.Date(2026, 1, 2, 3, 4, i, 0, time.UTC), p)
		if err != nil {
			w.Fatal(err)
		}
		ev.Seq = int64(i + 1)
		raw = append(ev.AppendJSON(raw, false), '\n')
	}
	dir := filepath.Join(w.app.Loaded.Places.Sessions(), id)
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "journal.jsonl"), raw, 0o600)); err != nil {
		w.Fatal(err)
	}
}

// Ids of a session that is written, and of one that is not there.
const (
	someID = "3f2b8c1e-5d0a-4c7e-9a61-0d4e8f7b2a95"
	noID   = "00000000-0000-4000-8000-000000000000"
)

func message(role llm.Role, text string) event.HistoryMessage {
	return event.HistoryMessage{Message: llm.Message{Role: role, Text: text}}
}

// talkAbout is a conversation of a session on disk.
func talkAbout(t *testing.T, id string, answers ...dialogtest.Answer) *dialogtest.Talk {
	talk := dialogtest.New(t, answers...)
	talk.Session.SessionID = id
	return talk
}

func TestCost(t *testing.T) {
	w := newWorld(t)
	micro := func(n int64) *int64 { return &n }
	call := func(kind llm.Kind, model string, usd *float64) event.LLMCall {
		return event.LLMCall{Model: model, Kind: kind, Prompt: 900, Completion: 100, Total: 1000, CostUSD: usd}
	}
	w.journal(someID,
		call(llm.KindMain, "acme/large", ptr(0.105)), call(llm.KindMain, "acme/large", ptr(0.105)), call(llm.KindResearch, "acme/small", ptr(0.0105)),
		call(llm.KindCompaction, "acme/odd", nil),
		event.Spend{ID: "llm", Kind: event.SpendLLM, State: event.SpendSettled, MicroUSD: micro(220_500)},
		event.Spend{ID: "brought along", Kind: event.SpendLLM, State: event.SpendSettled, MicroUSD: micro(1_000_000)},
		event.Spend{ID: "j1", Kind: event.SpendJob, State: event.SpendReserved, MicroUSD: micro(9_000_000), Ref: "job:bob/1"},
		event.Spend{ID: "j1", Kind: event.SpendJob, State: event.SpendSettled, MicroUSD: micro(3_100_000), Ref: "job:bob/1"},
		event.Spend{ID: "j2", Kind: event.SpendJob, State: event.SpendReserved, MicroUSD: micro(2_000_000), Ref: "job:bob/2"},
		event.Spend{ID: "j3", Kind: event.SpendJob, State: event.SpendReleased, MicroUSD: micro(5_000_000), Ref: "job:bob/3"},
		event.Spend{ID: "j4", Kind: event.SpendJob, State: event.SpendSettled, Ref: "job:bob/4"},
		event.Spend{ID: "s1", Kind: event.SpendSandbox, State: event.SpendSettled, MicroUSD: micro(50_000)},
	)
	golden(t, "cost.txt", w.run(talkAbout(t, someID), "/cost"))
	if said := w.run(talkAbout(t, noID), "/cost"); said != "Spent: $0.00" {
		t.Error(said)
	}
}

func TestStatusAndContext(t *testing.T) {
	w := newWorld(t, "HF_TOKEN=") // nobody is logged in
	w.journal(someID, event.InputAccepted{SubmissionID: "1", Text: "hi"}, event.TurnStarted{TurnID: "turn_1", SubmissionID: "1"},
		message(llm.System, strings.Repeat("rule ", 100)), message(llm.User, "hi"), message(llm.Assistant, "hello"), event.TurnComplete{})
	talk := talkAbout(t, someID)
	talk.Session.Set = event.Settings{Model: "acme/large", Effort: "high", ApprovalMode: "ask", ToolRuntime: "local", Cwd: "/work", MaxCostUSD: ptr(20.0)}
	talk.Session.State = transcript.Status{
		Title: "the title", ContextTokens: 68_000, Window: 200_000, CostMicroUSD: 420_000, JobsMicroUSD: 3_100_000, JobsRunning: 2, JobsEstimated: true, CostIncomplete: true, Queue: 1,
	}
	talk.Session.Said = []dialog.Turn{{ID: "turn_1"}}
	golden(t, "status.txt", w.run(talk, "/status"))
	golden(t, "context.txt", w.run(talk, "/context"))

	talk.Session.State = transcript.Status{}
	talk.Session.SessionID = noID
	if said := w.run(talk, "/context"); said != "The last request and its answer: nothing has been sent yet." {
		t.Error(said)
	}
	talk.Session.State = transcript.Status{ContextTokens: 1234}
	if said := w.run(talk, "/context"); said != "The last request and its answer: 1,234 tokens; how many fit is unknown." {
		t.Error(said)
	}
}

func TestStatusOfALogin(t *testing.T) {
	w := newWorld(t)
	if said := w.run(talkAbout(t, ""), "/status"); !strings.Contains(said, "Login    a token from HF_TOKEN") {
		t.Error(said)
	}
	if who := w.app.User(t.Context(), true); who == nil || *who != "bob" {
		t.Fatal(who)
	}
	if said := w.run(talkAbout(t, ""), "/status"); !strings.Contains(said, "Login    bob, a token from HF_TOKEN") {
		t.Error(said)
	}
}

func TestPlanToolsAndCopy(t *testing.T) {
	all := slash.Commands(&slash.Desk{})
	say := func(talk *dialogtest.Talk, line string) string {
		name, args, _ := dialog.Slash(line)
		said, err := talk.Run(t.Context(), find(t, all, name), args)
		if err != nil {
			said += "error: " + err.Error()
		}
		return said
	}
	empty := dialogtest.New(t)
	for line, want := range map[string]string{
		"/plan": "There is no plan.", "/tools": "No tool has run yet.", "/tools 3": "No tool has run yet.", "/copy": "error: there is no answer to copy yet",
	} {
		if said := say(empty, line); said != want {
			t.Errorf("%s: %s", line, said)
		}
	}
	talk := dialogtest.New(t, dialogtest.Pick("8 read"))
	talk.Session.Steps = []event.PlanItem{{ID: "1", Content: "look", Status: "completed"}, {ID: "2", Content: "[x] train", Status: "in_progress"}, {ID: "3", Content: "report", Status: "pending"}}
	talk.Session.Answer = "# Done\n"
	talk.Session.Results = []transcript.Tool{
		{Number: 7, Name: "bash", Means: "ls", Args: `{"command":"ls"}`, Took: 1500 * time.Millisecond, Size: 2048, OK: true, Output: "a\nb"},
		{Number: 8, Name: "read", Means: "a\nb", Args: `{"path":"a"}`, Output: "no such file"},
	}
	for _, test := range [][2]string{
		{"/plan", "[x] 1. look\n[~] 2. [x] train\n[ ] 3. report\n1/3 done"},
		{"/copy", "Copied 7 characters, if the terminal allows it."},
		{"/tools", "page: 8 read\n{\"path\":\"a\"}\n\nno such file"},
		{"/tools 7", "page: 7 bash\n{\"command\":\"ls\"}\n\na\nb"},
		{"/tools 6", "error: there is no result 6; those that are kept are 7 to 8"},
		{"/tools x", "error: /tools x: give the number of a result"},
		{"/verbose", "Outputs of tools are shown in full."},
		{"/verbose", "Outputs of tools are one line each."},
		{"/verbose ON", "Outputs of tools are shown in full."},
		{"/verbose off", "Outputs of tools are one line each."},
		{"/verbose more", "error: /verbose more: say on or off"},
	} {
		if said := say(talk, test[0]); said != test[1] {
			t.Errorf("%s: %s", test[0], said)
		}
	}
	if talk.Copied() != "# Done\n" {
		t.Errorf("copied %q", talk.Copied())
	}
	items := talk.Menus()[0].Items
	if items[0].Label != "8 read a b" || items[0].Hint != "failed, 0 s, 0 B" || items[1].Hint != "1.5 s, 2.0 kB" {
		t.Errorf("the newest first: %+v", items)
	}
}

// The commands know a session that runs.
func TestOfARunningSession(t *testing.T) {
	w := newWorld(t)
	s := w.session(app.SessionRequest{})
	defer s.Close()
	w.say(s, "hello")
	talk := w.talkTo(s)
	if said := w.run(talk, "/cost"); !strings.Contains(said, ", 1 call, 441 tokens") {
		t.Error(said)
	}
	if said := w.run(talk, "/status"); !strings.Contains(said, "3 context items") {
		t.Error(said)
	}
}

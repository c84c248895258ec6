package guard_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/guard"
)

// turn builds a history round by round.
type turn struct{ msgs []llm.Message }

func (h *turn) ask(text string) *turn {
	h.msgs = append(h.msgs, llm.Message{Role: llm.User, Text: text})
	return h
}

func (h *turn) inject(text string) *turn {
	h.msgs = append(h.msgs, llm.Message{Role: llm.User, Text: text, Synthetic: true})
	return h
}

// does adds one round of calls given as name, arguments, result, name, …
func (h *turn) does(triples ...string) *turn {
	m := llm.Message{Role: llm.Assistant}
	var results []llm.Message
	for i := 0; i < len(triples); i += 3 {
		id := fmt.Sprintf("call_%d_%d", len(h.msgs), i)
		m.ToolCalls = append(m.ToolCalls, llm.ToolCall{ID: id, Name: triples[i], Arguments: triples[i+1]})
		results = append(results, llm.Message{Role: llm.ToolRole, ToolCallID: id, Name: triples[i], Text: triples[i+2]})
	}
	h.msgs = append(append(h.msgs, m), results...)
	return h
}

// Acceptance check 5: two malformed results of one tool in a row.
func TestCheck5_MalformedArguments(t *testing.T) {
	_, why := guard.Arguments("{bad")
	bad := func(name string) string { return guard.MalformedResult(name, why) }
	if !strings.HasPrefix(bad("write"), "ERROR: Tool call to 'write' had malformed JSON arguments") {
		t.Fatalf("result is %q", bad("write"))
	}

	h := new(turn).ask("go").does("write", "{}", bad("write"))
	if _, _, hit := guard.Malformed(h.msgs); hit {
		t.Fatal("hit after one")
	}
	h.does("write", "{}", bad("write"))
	name, text, hit := guard.Malformed(h.msgs)
	if !hit || name != "write" || !strings.HasPrefix(text, llm.SyntheticPrefix) || !strings.Contains(text, "'write'") {
		t.Fatalf("hit %v, name %q, text %q", hit, name, text)
	}
	if !strings.Contains(guard.MalformedLog(name), "write") {
		t.Fatal("the progress line does not name the tool")
	}
	h.inject(text)
	for range 3 {
		if _, _, hit = guard.Malformed(h.msgs); hit {
			t.Fatal("the same streak was reported again")
		}
		h.does("write", "{}", bad("write"))
	}
	h.does("read", "{}", bad("read")).does("read", "{}", bad("read"))
	if name, _, hit = guard.Malformed(h.msgs); !hit || name != "read" {
		t.Fatal("a new streak of another tool was not reported")
	}
	h.does("write", "{}", "fine").does("write", "{}", bad("write")).does("write", "{}", bad("write"))
	if _, _, hit = guard.Malformed(h.msgs); !hit {
		t.Fatal("a new streak of the same tool was not reported")
	}

	for name, h := range map[string]*turn{
		"good between": new(turn).does("write", "{}", bad("write")).does("write", "{}", "ok").does("write", "{}", bad("write")),
		"two tools":    new(turn).does("write", "{}", bad("write")).does("edit", "{}", bad("edit")),
		"nothing":      new(turn),
	} {
		if _, _, hit := guard.Malformed(h.msgs); hit {
			t.Errorf("%s: hit", name)
		}
	}
}

func TestArguments(t *testing.T) {
	for text, want := range map[string]string{
		"": "{}", " \n": "{}", "{}": "{}", ` {"a": [1]} `: `{"a": [1]}`, `{"a":1}</call>`: `{"a":1}`,
	} {
		got, err := guard.Arguments(text)
		if err != nil || string(got) != want {
			t.Errorf("Arguments(%q) = %s, %v; want %s", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"[]": "an array", "null": "null", `"x"`: "a string", "3": "a number", "true": "a boolean", `{"a":`: "no complete JSON",
	} {
		if _, err := guard.Arguments(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Arguments(%q): error %v, want %q", text, err, want)
		}
	}
}

func FuzzArguments(f *testing.F) {
	f.Add(`{"a":1} trailing`)
	f.Add("[1")
	f.Fuzz(func(t *testing.T, text string) {
		raw, err := guard.Arguments(text)
		if (err == nil) != (len(raw) > 0 && raw[0] == '{') {
			t.Fatalf("%q: %s, %v", text, raw, err)
		}
		guard.Hash(text)
		guard.MalformedName(text)
	})
}

// Acceptance check 6: the texts after cut answers.
func TestCheck6_Truncation(t *testing.T) {
	var tr guard.Truncation
	text, more := tr.Calls([]string{"read"}, []string{"write", "edit"})
	if !more || !strings.HasPrefix(text, llm.SyntheticPrefix) ||
		!strings.Contains(text, "NOT run: 'write' and 'edit'") || !strings.Contains(text, "run: 'read'") {
		t.Fatalf("more %v, text %q", more, text)
	}
	if _, more = tr.Calls(nil, []string{"write"}); !more {
		t.Fatal("the second in a row ended the turn")
	}
	if text, more = tr.Calls(nil, []string{"write"}); more || !strings.Contains(text, "'write'") || strings.Contains(text, "[SYSTEM") {
		t.Fatalf("the third in a row: more %v, text %q", more, text)
	}
	tr.Whole()
	if _, more = tr.Calls(nil, []string{"write"}); !more {
		t.Fatal("a whole answer did not reset the count")
	}

	tr = guard.Truncation{}
	for i := range 3 {
		if text, more = tr.Text(); !more || !strings.HasPrefix(text, llm.SyntheticPrefix) {
			t.Fatalf("text %d: more %v, %q", i, more, text)
		}
	}
	if _, more = tr.Text(); more {
		t.Fatal("a text was continued a fourth time")
	}
	if !tr.Thoughts() || tr.Thoughts() {
		t.Fatal("an answer of thoughts alone is repeated exactly once")
	}
	if !strings.Contains(guard.TruncationLog([]string{"write"}), "write") {
		t.Fatal("the progress line does not name the lost call")
	}
}

// Acceptance check 7: the plan guard and its conditions.
func TestCheck7_UnfinishedPlan(t *testing.T) {
	var plan []event.PlanItem
	for i, status := range []string{"completed", "in_progress", "pending", "pending", "pending", "pending", "pending"} {
		plan = append(plan, event.PlanItem{ID: fmt.Sprint(i + 1), Content: "step", Status: status})
	}
	set := guard.PlanState{Plan: plan, Answer: "I will do it.", Touched: true}
	for n := range guard.PlanNudges {
		set.Nudges = n
		text, hit := guard.Plan(set)
		if !hit || !strings.HasPrefix(text, "[SYSTEM: CONTINUATION GUARD]") {
			t.Fatalf("nudge %d: hit %v, %q", n, hit, text)
		}
		for _, want := range []string{"2. step [in_progress]", "5. step [pending]", "and 2 more"} {
			if !strings.Contains(text, want) {
				t.Errorf("the text lacks %q: %s", want, text)
			}
		}
		if strings.Contains(text, "6. step") || strings.Contains(text, "1. step") {
			t.Errorf("the text names too many items: %s", text)
		}
	}
	set.Nudges = 2
	if _, hit := guard.Plan(set); hit {
		t.Error("a third nudge in a row")
	}
	for name, change := range map[string]func(*guard.PlanState){
		"plan of an earlier turn": func(s *guard.PlanState) { s.Touched = false },
		"cancelled":               func(s *guard.PlanState) { s.Cancelled = true },
		"question":                func(s *guard.PlanState) { s.Answer = "Which split? (train/test)" },
		"question with choices":   func(s *guard.PlanState) { s.Answer = "Which **one**?\n\n- A\n- B\n" },
		"finished":                func(s *guard.PlanState) { s.Plan = plan[:1] },
		"no plan":                 func(s *guard.PlanState) { s.Plan = nil },
	} {
		s := set
		s.Nudges = 0
		change(&s)
		if _, hit := guard.Plan(s); hit {
			t.Errorf("%s: hit", name)
		}
	}
	set.Nudges, set.Touched, set.Headless, set.Answer = 0, false, true, "Shall I go on?"
	if _, hit := guard.Plan(set); !hit {
		t.Error("headless: a question or an old plan must not stop the guard")
	}
}

// Acceptance check 8: three equal rounds, written differently.
func TestCheck8_RepeatedCall(t *testing.T) {
	var g guard.Repetition
	h := new(turn).ask("go")
	check := func() (guard.Hit, bool) { return g.Check(h.msgs) }
	h.does("read", `{"path":"a","limit":5}`, "text")
	h.does("read", `{"limit":5,"path":"a"}`, "text")
	if _, hit := check(); hit {
		t.Fatal("hit after two rounds")
	}
	h.does("read", `{ "limit": 5, "path": "a" }`, "text")
	hit, ok := check()
	if !ok || hit.Action != guard.Warn || hit.Count != 1 || !strings.HasPrefix(hit.Text, "[SYSTEM: REPETITION GUARD]") || !strings.Contains(hit.Text, "'read'") {
		t.Fatalf("%v %+v", ok, hit)
	}
	h.inject(hit.Text)
	if _, ok = check(); ok {
		t.Fatal("the same rounds were reported twice")
	}
	for i := range 6 {
		h.does("read", fmt.Sprintf(`{"path":"%d"}`, i), "text")
		if hit, ok = check(); ok {
			t.Fatalf("different call %d: %+v", i, hit)
		}
	}
}

// Acceptance check 9: progress is no loop, cycles are, lists have an order.
func TestCheck9_ProgressAndCycles(t *testing.T) {
	h := new(turn).ask("go")
	for _, size := range []string{"27210", "36454", "45770", "55138"} {
		h.does("bash", `{"command":"wc -c log"}`, size)
	}
	if hit, ok := new(guard.Repetition).Check(h.msgs); ok {
		t.Fatalf("progress: %+v", hit)
	}

	h = new(turn).ask("go")
	for range 2 {
		h.does("a", `{}`, "1").does("b", `{}`, "2")
	}
	hit, ok := new(guard.Repetition).Check(h.msgs)
	if !ok || hit.Pattern != "a → b" || !strings.Contains(hit.Text, "a → b") {
		t.Fatalf("cycle: %v %+v", ok, hit)
	}

	h = new(turn).ask("go")
	for _, list := range []string{"[1,2]", "[2,1]", "[1,2]"} {
		h.does("sum", `{"of":`+list+`}`, "3")
	}
	if hit, ok := new(guard.Repetition).Check(h.msgs); ok {
		t.Fatalf("order of a list: %+v", hit)
	}
	if guard.Hash(`{"a":9007199254740993}`) == guard.Hash(`{"a":9007199254740992}`) {
		t.Error("large numbers are taken for equal")
	}
	if guard.Hash("") != "" || len(guard.Hash("x")) != 12 || guard.Hash("1 2") == guard.Hash("1") {
		t.Error("hash of an empty, a plain or a half JSON text")
	}
}

func TestRepetitionCountsRoundsAndJudgesTheTail(t *testing.T) {
	same := []string{"read", "{}", "x"}
	h := new(turn).ask("go").does(append(append(append([]string{}, same...), same...), same...)...)
	h.does("ls", "{}", "y").does("pwd", "{}", "z")
	if hit, ok := new(guard.Repetition).Check(h.msgs); ok {
		t.Errorf("three equal calls of one answer: %+v", hit)
	}

	h = new(turn).ask("go")
	for range 3 {
		h.does(same...)
	}
	h.does("ls", "{}", "y")
	if hit, ok := new(guard.Repetition).Check(h.msgs); ok {
		t.Errorf("an old triple: %+v", hit)
	}

	h = new(turn).ask("go")
	for range 3 {
		h.does(same...)
	}
	h.ask("go on")
	if hit, ok := new(guard.Repetition).Check(h.msgs); ok {
		t.Errorf("a triple before the person spoke: %+v", hit)
	}

	h = new(turn).ask("go")
	for range 3 {
		h.does("read", "{}", "x", "ls", "{}", "y")
	}
	if hit, ok := new(guard.Repetition).Check(h.msgs); !ok || hit.Pattern != "'read + ls'" {
		t.Errorf("equal rounds of two calls: %v %+v", ok, hit)
	}
}

func TestWaitingMayTakeSixRounds(t *testing.T) {
	for name, calls := range map[string][]string{
		"logs":  {"hf_jobs", `{"operation":" Logs ","job_id":"1"}`, "running"},
		"sleep": {"bash", `{"command":"sleep 60 && tail log"}`, "running"},
	} {
		h := new(turn).ask("go")
		for n := 1; n <= 6; n++ {
			h.does(calls...)
			if hit, ok := new(guard.Repetition).Check(h.msgs); ok != (n == 6) {
				t.Errorf("%s, round %d: %v %+v", name, n, ok, hit)
			}
		}
	}
	h := new(turn).ask("go")
	for n := 1; n <= 6; n++ { // sleep and look, by turns
		if n%2 == 1 {
			h.does("bash", `{"command":"sleep 60"}`, "")
		} else {
			h.does("hf_jobs", `{"operation":"inspect"}`, "RUNNING")
		}
		if hit, ok := new(guard.Repetition).Check(h.msgs); ok != (n == 6) {
			t.Errorf("by turns, round %d: %v %+v", n, ok, hit)
		}
	}
	if guard.PureWait(llm.ToolCall{Name: "hf_jobs", Arguments: `{"operation":"run"}`}) || guard.PureWait(llm.ToolCall{Name: "bash", Arguments: `{"command":"ls; sleep 5"}`}) {
		t.Error("work was taken for waiting")
	}
}

// play runs a turn that repeats pattern, and tells what became of each round.
func play(g *guard.Repetition, pattern []string, rounds int) string {
	h := new(turn).ask("go")
	var log []string
	for i := range rounds {
		name := pattern[i%len(pattern)]
		call := llm.ToolCall{Name: name, Arguments: "{}"}
		switch hit := g.Judge([]llm.ToolCall{call}); hit.Action {
		case guard.End:
			return strings.Join(append(log, "end"), " ")
		case guard.Refuse:
			log = append(log, "refuse")
			h.does(name, "{}", guard.Refusal(hit.Pattern))
		default:
			log = append(log, "run")
			h.does(name, "{}", "same")
		}
		if hit, ok := g.Check(h.msgs); ok {
			log = append(log, fmt.Sprintf("warn%d", hit.Count))
			h.inject(hit.Text)
		}
	}
	return strings.Join(log, " ")
}

func TestRepetitionEscalates(t *testing.T) {
	var g guard.Repetition
	if got, want := play(&g, []string{"read"}, 20), "run run run warn1 run warn2 refuse refuse end"; got != want {
		t.Errorf("one call: %s, want %s", got, want)
	}
	g.Reset()
	if got, want := play(&g, []string{"a", "b"}, 20), "run run run run warn1 run warn2 refuse refuse end"; got != want {
		t.Errorf("a cycle after a reset: %s, want %s", got, want)
	}
}

func TestAnotherCallIsNotRefused(t *testing.T) {
	var g guard.Repetition
	h := new(turn).ask("go")
	for range 4 {
		h.does("read", "{}", "same")
		g.Check(h.msgs)
	}
	if hit := g.Judge([]llm.ToolCall{{Name: "read", Arguments: `{"path":"b"}`}}); hit.Action != guard.Pass {
		t.Fatalf("%+v", hit)
	}
	if hit := g.Judge([]llm.ToolCall{{Name: "read", Arguments: ` { } `}}); hit.Action != guard.Refuse || hit.Count != 3 {
		t.Fatalf("%+v", hit)
	}
}

// The fifth hit ends the turn also when the patterns differ.
func TestFiveDifferentLoopsEndTheTurn(t *testing.T) {
	var g guard.Repetition
	h := new(turn).ask("go")
	for n := range 5 {
		for range 3 {
			h.does("read", fmt.Sprintf(`{"n":%d}`, n), "same")
			hit, ok := g.Check(h.msgs)
			if !ok {
				continue
			}
			if want := guard.Warn; hit.Count < 5 && hit.Action != want || hit.Count == 5 && hit.Action != guard.End {
				t.Fatalf("loop %d: %+v", n, hit)
			}
			if hit.Count == 5 {
				return
			}
		}
	}
	t.Fatal("five loops did not end the turn")
}

func TestDifferentResultsNeverHit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var g guard.Repetition
		h := new(turn).ask("go")
		for i := range rapid.IntRange(0, 40).Draw(t, "rounds") {
			name := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name")
			if hit := g.Judge([]llm.ToolCall{{Name: name, Arguments: "{}"}}); hit.Action != guard.Pass {
				t.Fatalf("judged: %+v", hit)
			}
			h.does(name, "{}", fmt.Sprint(i))
			if hit, ok := g.Check(h.msgs); ok {
				t.Fatalf("round %d: %+v", i, hit)
			}
		}
	})
}

func TestTextsForTheModelAreMarked(t *testing.T) {
	for _, text := range []string{guard.EmptyReply(), guard.Closing(300), guard.Closing(1)} {
		if !strings.HasPrefix(text, llm.SyntheticPrefix) {
			t.Errorf("%q is not marked", text)
		}
	}
	for _, text := range []string{guard.EmptyResponse(), guard.DoomLoop("'read'", 5), guard.Refusal("'read'")} {
		if strings.HasPrefix(text, llm.SyntheticPrefix) {
			t.Errorf("%q is marked", text)
		}
	}
	if !strings.Contains(guard.DoomLoop("'read'", 5), "4 warnings") || !strings.Contains(guard.Closing(1), "1 model call ") {
		t.Error("wrong count")
	}
}

func BenchmarkCheck(b *testing.B) {
	var g guard.Repetition
	h := new(turn).ask("go")
	for i := range 500 {
		h.does("read", fmt.Sprintf(`{"n":%d}`, i), strings.Repeat(`{"a":[1,2,3]} `, 2000))
	}
	for b.Loop() {
		h.msgs = h.msgs[:len(h.msgs):len(h.msgs)]
		g.Check(h.msgs)
		h.does("read", `{}`, strings.Repeat("x", 30_000))
	}
}

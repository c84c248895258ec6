package compact_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/window"
	"github.com/ml-intern/ml-intern/internal/engine/window/compact"
)

const rules = "You are an engineer."

func words(n int) string { return strings.TrimSpace(strings.Repeat("word ", n)) }

// rounds is one request of a person and n tool rounds with outputs of size
// tokens each.
func rounds(n, size int) []llm.Message {
	msgs := []llm.Message{{Role: llm.System, Text: rules}, {Role: llm.User, Text: "Train the model, please."}}
	for i := range n {
		id := fmt.Sprintf("call_%d", i)
		msgs = append(msgs,
			llm.Message{Role: llm.Assistant, Text: fmt.Sprintf("Step %d.", i), ToolCalls: []llm.ToolCall{
				{ID: id, Name: "read", Arguments: fmt.Sprintf(`{"path":"file_%d.py"}`, i)},
			}},
			llm.Message{Role: llm.ToolRole, ToolCallID: id, Name: "read", Text: words(size)})
	}
	return msgs
}

// model answers each summary request with text and remembers the requests.
type model struct {
	text     string
	err      error
	requests [][]llm.Message
	limit    int // requests above it are refused as too long; 0 for none
}

func (m *model) summarise(_ context.Context, msgs []llm.Message, _ int) (string, error) {
	m.requests = append(m.requests, slices.Clone(msgs))
	if m.limit > 0 && size(msgs) > m.limit {
		return "", &llm.Fault{Class: llm.ClassOverflow, Message: "prompt is too long"}
	}
	return m.text, m.err
}

func size(msgs []llm.Message) int {
	n := 0
	for _, m := range msgs {
		n += window.Message(m)
	}
	return n
}

func compactor(t *testing.T, o compact.Options) *compact.Compactor {
	t.Helper()
	c, err := compact.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// whole fails when a call was separated from its results, a provider would not
// take the history, or the sizes are not what they say.
func whole(t testing.TB, r compact.Result, overhead int) {
	t.Helper()
	if out, changed := window.Normalise(r.Messages, nil); changed {
		t.Fatalf("the result needs mending:\n%s", cmp.Diff(r.Messages, out))
	}
	systems := 0
	for _, m := range r.Messages {
		if m.Role == llm.System {
			systems++
		}
	}
	if systems != 1 || r.Messages[0].Role != llm.System || r.Messages[0].Text != rules {
		t.Fatalf("%d system messages, the first message is %q", systems, r.Messages[0].Text)
	}
	if got := size(r.Messages) + overhead; got != r.NewTokens {
		t.Fatalf("NewTokens is %d, counted %d", r.NewTokens, got)
	}
}

func contains(msgs []llm.Message, text string) bool {
	return slices.ContainsFunc(msgs, func(m llm.Message) bool { return strings.Contains(m.PlainText(), text) })
}

const said = `Sure!
## Goal
A trained model.
**Decisions**
Learning rate 2e-5, because 6e-5 diverged.
## Plan
Step 1 is done, see out/eval.json.
## Artifacts
none
### 5. Running jobs and sandbox
job_old still runs
## Next step:
Evaluate.`

// Acceptance check 27: one message of a person and 200 tool rounds.
func TestCheck27_AutonomousRun(t *testing.T) {
	msgs := rounds(200, 900) // about 190,000 tokens
	m := &model{text: said}
	facts := compact.Facts{
		Plan: []event.PlanItem{{ID: "1", Content: "audit", Status: "completed"}, {ID: "2", Content: "train", Status: "in_progress"}},
		Jobs: []string{"job_77 on a10g-large"}, Sandbox: "acme/sandbox-1 (cpu-basic)",
		Files: []string{"train.py"}, Repos: []string{"acme/model"},
	}
	c := compactor(t, compact.Options{
		Window: 200_000, Overhead: 5000, Summarise: m.summarise, Facts: func() compact.Facts { return facts },
	})
	before := fmt.Sprint(msgs)
	r, err := c.Run(t.Context(), msgs, false)
	if err != nil {
		t.Fatal(err)
	}
	whole(t, r, 5000)
	if fmt.Sprint(msgs) != before {
		t.Fatal("the old history was modified")
	}
	if !r.Fits || r.OldTokens <= 180_000 || r.NewTokens > 60_000 || r.NewTokens < 40_000 {
		t.Fatalf("fits %v, %d → %d tokens; want a tail of about 50,000", r.Fits, r.OldTokens, r.NewTokens)
	}
	if diff := cmp.Diff([]compact.Step{compact.StepSummary}, r.Steps); diff != "" {
		t.Fatal(diff)
	}
	if r.Messages[1].Text != "Train the model, please." || r.Messages[2].Role != llm.Assistant {
		t.Fatalf("second and third message: %+v", r.Messages[1:3])
	}
	for _, want := range []string{
		"## Goal\nA trained model.", "## Decisions\nSure!\nLearning rate 2e-5",
		"- [completed] 1. audit\n- [in_progress] 2. train\nStep 1 is done",
		"## Artifacts\nFiles written in this session: train.py\nRepositories changed in this session: acme/model",
		"## Running jobs and sandbox\n- job job_77 on a10g-large\n- sandbox acme/sandbox-1", "## Next step\nEvaluate.",
	} {
		if !strings.Contains(r.Messages[2].Text, want) {
			t.Errorf("the summary lacks %q:\n%s", want, r.Messages[2].Text)
		}
	}
	if strings.Contains(r.Messages[2].Text, "job_old") {
		t.Error("running jobs were taken from the model's memory")
	}
	if diff := cmp.Diff(msgs[len(msgs)-40:], r.Messages[len(r.Messages)-40:]); diff != "" {
		t.Errorf("the newest messages changed:\n%s", diff)
	}
	// The request repeats the conversation as it was, so that it is cached.
	req := m.requests[0]
	if diff := cmp.Diff(msgs[:len(req)-1], req[:len(req)-1]); diff != "" {
		t.Errorf("the request does not repeat the history:\n%s", diff)
	}
	if last := req[len(req)-1]; !last.Synthetic || !strings.HasPrefix(last.Text, llm.SyntheticPrefix) {
		t.Errorf("the instruction is not marked as ours: %+v", last)
	}

	again, err := c.Run(t.Context(), r.Messages, false)
	if err != nil || again.Changed() || len(m.requests) != 1 {
		t.Fatalf("a second run: %v, steps %v, %d requests", err, again.Steps, len(m.requests))
	}
}

// Acceptance check 28: a huge result in the tail.
func TestCheck28_OversizeResult(t *testing.T) {
	msgs := rounds(3, 30_000)
	msgs = append(msgs, rounds(1, 80_000)[2:]...)
	msgs[len(msgs)-2].ToolCalls[0].ID, msgs[len(msgs)-1].ToolCallID = "big", "big"
	msgs[0].Text = rules
	c := compactor(t, compact.Options{Window: 180_000})
	r, err := c.Run(t.Context(), msgs, false)
	if err != nil {
		t.Fatal(err)
	}
	whole(t, r, 0)
	last := r.Messages[len(r.Messages)-1]
	if last.ToolCallID != "big" || last.Name != "read" || !strings.Contains(last.Text, "80004 tokens") || window.Message(last) > 600 {
		t.Fatalf("the huge result became %d tokens: %+v", window.Message(last), last)
	}
	if !r.Fits || r.Steps[0] != compact.StepOversize {
		t.Fatalf("fits %v, steps %v", r.Fits, r.Steps)
	}

	// The system message is never replaced, however long it is.
	msgs[0].Text = words(60_000)
	r, err = c.Run(t.Context(), msgs, false)
	if err != nil || r.Messages[0].Text != msgs[0].Text {
		t.Fatalf("the system message was touched: %v", err)
	}
}

// Acceptance check 28: without a model that answers, a list takes its place.
func TestCheck28_MechanicalFallback(t *testing.T) {
	msgs := rounds(200, 900)
	msgs[5].Text = "ERROR: no such file"
	msgs[7].Text = "uploaded to https://huggingface.co/acme/model. Done"
	msgs = slices.Insert(msgs, 30, llm.Message{Role: llm.User, Text: "Use the small split."})
	m := &model{err: errors.New("no answer")}
	r, err := compactor(t, compact.Options{Window: 200_000, Summarise: m.summarise}).Run(t.Context(), msgs, false)
	if err != nil {
		t.Fatal(err)
	}
	whole(t, r, 0)
	if !r.Fits || !slices.Equal(r.Steps, []compact.Step{compact.StepMechanical}) {
		t.Fatalf("fits %v, steps %v", r.Fits, r.Steps)
	}
	for _, want := range []string{
		"Use the small split.", "ERROR: no such file", "https://huggingface.co/acme/model\n", "path file_140.py (read)", "Step 140.",
	} {
		if !strings.Contains(r.Messages[2].Text, want) {
			t.Errorf("the list lacks %q:\n%s", want, r.Messages[2].Text)
		}
	}
}

// Acceptance check 29: what two forced compactions left too long for the
// provider is cut down to a given limit without asking a model.
func TestCheck29_LastResort(t *testing.T) {
	msgs := rounds(50, 3000)
	m := &model{text: said}
	c := compactor(t, compact.Options{Window: 200_000, Overhead: 3000, Summarise: m.summarise})
	for range 2 {
		r, err := c.Run(t.Context(), msgs, true)
		if err != nil || !r.Changed() || r.NewTokens >= r.OldTokens {
			t.Fatalf("forced: %v, %d → %d", err, r.OldTokens, r.NewTokens)
		}
		msgs = r.Messages
	}
	asked := len(m.requests)
	r := c.RunWithoutModel(msgs, 8000)
	whole(t, r, 3000)
	if !r.Fits || r.NewTokens > 8000 || len(m.requests) != asked {
		t.Fatalf("fits %v, %d tokens, %d more requests, steps %v", r.Fits, r.NewTokens, len(m.requests)-asked, r.Steps)
	}
	if r.Messages[1].Text != "Train the model, please." || !contains(r.Messages, "A trained model.") {
		t.Fatalf("the first message or the earlier summary is gone: %+v", r.Messages)
	}
	if r = c.RunWithoutModel(msgs, 2000); r.Fits {
		t.Fatal("fits into less than the tools need")
	}
}

// Acceptance check 31: a compact asked for far below the threshold.
func TestCheck31_ForcedOnAShortHistory(t *testing.T) {
	m := &model{text: said}
	c := compactor(t, compact.Options{Window: 200_000, Summarise: m.summarise})
	short := rounds(0, 0)
	short = append(short, llm.Message{Role: llm.Assistant, Text: "Hello."})
	r, err := c.Run(t.Context(), short, true)
	if err != nil || r.Changed() || r.OldTokens != r.NewTokens || !r.Fits || len(m.requests) != 0 {
		t.Fatalf("nothing to do: %v, %+v", err, r)
	}
	r, err = c.Run(t.Context(), rounds(8, 500), true)
	if err != nil || !slices.Equal(r.Steps, []compact.Step{compact.StepSummary}) || r.NewTokens >= r.OldTokens {
		t.Fatalf("eight rounds: %v, %d → %d, steps %v", err, r.OldTokens, r.NewTokens, r.Steps)
	}
	whole(t, r, 0)
}

func TestMiddleTooLongForOneRequest(t *testing.T) {
	// Answers of 4,000 tokens that no pruning makes shorter, in a window that
	// holds a fifth of them.
	msgs := rounds(100, 10)
	for i := 2; i < len(msgs); i += 2 {
		msgs[i].Text = fmt.Sprintf("Finding %d. %s", i, words(4000))
	}
	m := &model{text: said}
	r, err := compactor(t, compact.Options{Window: 80_000, Summarise: m.summarise}).Run(t.Context(), msgs, false)
	if err != nil {
		t.Fatal(err)
	}
	whole(t, r, 0)
	if !r.Fits || !slices.Equal(r.Steps, []compact.Step{compact.StepParts}) || len(m.requests) < 5 {
		t.Fatalf("fits %v, steps %v, %d requests", r.Fits, r.Steps, len(m.requests))
	}
	all := ""
	for i, req := range m.requests {
		if got := size(req); got > 72_000-8_000 {
			t.Errorf("request %d is %d tokens long", i, got)
		}
		if out, changed := window.Normalise(req, nil); changed {
			t.Errorf("request %d needs mending:\n%s", i, cmp.Diff(req, out))
		}
		if i > 0 && !strings.Contains(req[1].Text, "Learning rate 2e-5") {
			t.Errorf("request %d lacks the summary so far", i)
		}
		for _, msg := range req {
			all += msg.Text
		}
	}
	for i := 2; i < 150; i += 2 {
		if !strings.Contains(all, fmt.Sprintf("Finding %d.", i)) {
			t.Errorf("finding %d was never shown to the model", i)
		}
	}
}

func TestLongOutputsArePrunedBeforeTheSummary(t *testing.T) {
	m := &model{text: said}
	r, err := compactor(t, compact.Options{Window: 50_000, Summarise: m.summarise}).Run(t.Context(), rounds(40, 5000), false)
	if err != nil || !slices.Equal(r.Steps, []compact.Step{compact.StepSummary}) || len(m.requests) != 1 {
		t.Fatalf("%v, steps %v, %d requests", err, r.Steps, len(m.requests))
	}
	if !contains(m.requests[0], "characters removed to make room") {
		t.Fatal("the request was not pruned")
	}
	whole(t, r, 0)
}

// The provider counts twice what we estimate.
func TestSummaryRequestRefusedAsTooLong(t *testing.T) {
	m := &model{text: said, limit: 60_000}
	r, err := compactor(t, compact.Options{Window: 200_000, Summarise: m.summarise}).Run(t.Context(), rounds(200, 900), true)
	if err != nil || !r.Fits || slices.Contains(r.Steps, compact.StepMechanical) {
		t.Fatalf("%v, fits %v, steps %v", err, r.Fits, r.Steps)
	}
	whole(t, r, 0)
}

func TestCancelledCompactionLeavesTheHistory(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	msgs := rounds(200, 900)
	c := compactor(t, compact.Options{Window: 200_000, Summarise: func(ctx context.Context, _ []llm.Message, _ int) (string, error) {
		cancel()
		return "", ctx.Err()
	}})
	r, err := c.Run(ctx, msgs, false)
	if !errors.Is(err, context.Canceled) || r.Changed() || len(r.Messages) != len(msgs) {
		t.Fatalf("%v, steps %v", err, r.Steps)
	}
}

func TestOversizeFirstMessageKeepsItsEnds(t *testing.T) {
	msgs := rounds(5, 10_000)
	msgs[1].Text = "BEGIN " + words(120_000) + " END"
	r, err := compactor(t, compact.Options{Window: 200_000, Summarise: (&model{text: said}).summarise}).Run(t.Context(), msgs, true)
	if err != nil {
		t.Fatal(err)
	}
	whole(t, r, 0)
	first := r.Messages[1]
	if n := window.Message(first); n > 50_000 || n < 30_000 {
		t.Errorf("the first message is %d tokens long", n)
	}
	if !strings.HasPrefix(first.Text, "BEGIN ") || !strings.HasSuffix(first.Text, " END") || !strings.Contains(first.Text, "about 120006 tokens") {
		t.Errorf("ends or size are missing: %.60q … %.60q", first.Text, first.Text[len(first.Text)-60:])
	}
}

func TestLongArgumentsStayObjects(t *testing.T) {
	content, _ := json.Marshal(words(70_000))
	msgs := rounds(2, 100)
	msgs[2].ToolCalls[0] = llm.ToolCall{ID: "call_0", Name: "write", Arguments: `{"path":"a.txt","content":` + string(content) + `,"n":9007199254740993}`}
	msgs[2].SetItems([]json.RawMessage{json.RawMessage(`{}`)})
	r := compactor(t, compact.Options{Window: 60_000}).RunWithoutModel(msgs, 60_000)
	whole(t, r, 0)
	i := slices.IndexFunc(r.Messages, func(m llm.Message) bool { return len(m.ToolCalls) > 0 && m.ToolCalls[0].Name == "write" })
	if i < 0 {
		return // it was in the middle
	}
	if c := r.Messages[i].ToolCalls[0]; len(c.Arguments) > 1500 || !strings.Contains(c.Arguments, `"a.txt"`) || !strings.Contains(c.Arguments, "9007199254740993") {
		t.Fatalf("arguments became %s", c.Arguments)
	}
	if r.Messages[i].Items() != nil {
		t.Fatal("verbatim items repeat the long arguments")
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []compact.Options{{}, {Window: -1}, {Window: 10, Threshold: 11}, {Window: 10, Threshold: -1}, {Window: 10, Overhead: -1}} {
		if _, err := compact.New(o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

// Whatever the history, the window and the model are like, the result is sound
// and only fails to fit when its fixed parts are too long.
func TestEveryHistoryEndsSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		msgs := []llm.Message{{Role: llm.System, Text: rules}}
		length := rapid.SampledFrom([]int{0, 1, 20, 300, 3000})
		for i := range rapid.IntRange(0, 30).Draw(t, "messages") {
			text := words(length.Draw(t, "length"))
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				msgs = append(msgs, llm.Message{Role: llm.User, Text: text, Synthetic: rapid.Bool().Draw(t, "synthetic")})
			case 1:
				msgs = append(msgs, llm.Message{Role: llm.Assistant, Text: text})
			default:
				m := llm.Message{Role: llm.Assistant, Text: text}
				for k := range rapid.IntRange(1, 3).Draw(t, "calls") {
					m.ToolCalls = append(m.ToolCalls, llm.ToolCall{ID: fmt.Sprintf("c%d_%d", i, k), Name: "read", Arguments: "{}"})
				}
				msgs = append(msgs, m)
				for _, c := range m.ToolCalls {
					msgs = append(msgs, llm.Message{Role: llm.ToolRole, ToolCallID: c.ID, Name: "read", Text: words(length.Draw(t, "output"))})
				}
			}
		}
		msgs, _ = window.Normalise(msgs, nil)
		m := &model{
			text:  rapid.SampledFrom([]string{"", said, words(2000)}).Draw(t, "summary"),
			limit: rapid.SampledFrom([]int{0, 1000}).Draw(t, "limit"),
		}
		win := rapid.IntRange(300, 40_000).Draw(t, "window")
		c, err := compact.New(compact.Options{Window: win, Overhead: 50, Summarise: m.summarise})
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Run(context.Background(), msgs, rapid.Bool().Draw(t, "force"))
		if err != nil {
			t.Fatal(err)
		}
		if out, changed := window.Normalise(r.Messages, nil); changed {
			t.Fatalf("the result needs mending:\n%s", cmp.Diff(r.Messages, out))
		}
		if !r.Fits {
			t.Fatalf("window %d: %d → %d tokens, steps %v", win, r.OldTokens, r.NewTokens, r.Steps)
		}
		if r.Changed() && len(msgs) > 2 && r.Messages[len(r.Messages)-1].Role == llm.Assistant && msgs[len(msgs)-1].Role != llm.Assistant {
			t.Fatal("a history that waited for an answer now ends with one")
		}
	})
}

func BenchmarkRun(b *testing.B) {
	msgs := rounds(1000, 180)
	m := &model{text: said}
	c, err := compact.New(compact.Options{Window: 200_000, Summarise: m.summarise})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := c.Run(context.Background(), msgs, true); err != nil {
			b.Fatal(err)
		}
	}
}

package tags_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/lab/tags"
	"github.com/ml-intern/ml-intern/internal/lab/trajectory"
)

// ev is an event with its data as JSON.
func ev(kind, data string) event.Event {
	return event.Event{Time: time.Date(2026, 4, 24, 10, 0, 0, 0, time.UTC), Type: event.Type(kind), Data: json.RawMessage(data)}
}

func of(rules tags.Rules, model string, events ...event.Event) []string {
	return tags.Of(&trajectory.Session{ID: "s", Model: model, Events: events}, rules)
}

const submitted = `{"flavor":"a100x4","push_to_hub":true,"job_id":"j"}`

var training = []event.Event{
	ev("tool_call", `{"tool":"hf_jobs","tool_call_id":"a","arguments":{"operation":"run","script":"from trl import SFTTrainer\nSFTTrainer(m).train()"}}`),
	ev("hf_job_submit", submitted),
	ev("hf_job_complete", `{"flavor":"a100x4","final_status":"COMPLETED","wall_time_s":60}`),
	ev("tool_output", `{"tool":"hf_jobs","tool_call_id":"a","output":"all is well","success":true}`),
	ev("turn_complete", `{}`),
}

// Acceptance check 34.
func TestCheck34_Training(t *testing.T) {
	for _, rules := range []tags.Rules{tags.Ours, tags.Compat} {
		got := of(rules, "anthropic/claude-opus-4.8", training...)
		for _, want := range []string{
			"gpu:a100", "gpu:multi", "hf_job:push_to_hub", "hf_job:submitted", "hf_job:succeeded", "task:training", "tool:hf_jobs", "outcome:completed", "model:opus",
		} {
			if !slices.Contains(got, want) {
				t.Errorf("%s is missing in %q", want, got)
			}
		}
		if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Errorf("not sorted and unique: %q", got)
		}
	}
}

func TestCheck34_LivingRoom(t *testing.T) {
	room := ev("tool_output", `{"output":"a picture of a living room","success":true}`)
	if got := of(tags.Ours, "", room); slices.Contains(got, "hf_job:oom") {
		t.Errorf("%q", got)
	}
	if got := of(tags.Compat, "", room); !slices.Contains(got, "hf_job:oom") {
		t.Errorf("the original's way: %q", got)
	}
	for output, want := range map[string]bool{
		"OOM": true, "killed by oom-killer": true, "exit (oom).": true, "oom_kill": true, "torch.OutOfMemoryError: x": true, "CUDA out of memory. Tried": true,
		"zoom in, boom, bloom": false, "oomph": false, "room oom": true, "": false, "ooms": false,
	} {
		raw, _ := json.Marshal(map[string]any{"output": output})
		if got := slices.Contains(of(tags.Ours, "", ev("tool_output", string(raw))), "hf_job:oom"); got != want {
			t.Errorf("%q: %v, want %v", output, got, want)
		}
	}
}

func TestCheck34_Empty(t *testing.T) {
	want := []string{"cost:low", "feedback:none", "model:other", "outcome:ongoing", "turns:short"}
	for _, rules := range []tags.Rules{tags.Ours, tags.Compat} {
		if diff := cmp.Diff(want, of(rules, "")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestNamespaces(t *testing.T) {
	call := func(name string) event.Event { return ev("tool_call", `{"tool":"`+name+`","arguments":{}}`) }
	job := func(args string) event.Event { return ev("tool_call", `{"tool":"hf_jobs","arguments":`+args+`}`) }
	submit := func(flavor string) event.Event { return ev("hf_job_submit", `{"flavor":"`+flavor+`"}`) }
	done := func(status string) event.Event { return ev("hf_job_complete", `{"final_status":"`+status+`"}`) }
	cost := func(usd string) event.Event { return ev("llm_call", `{"cost_usd":`+usd+`}`) }
	rate := func(r string) event.Event { return ev("feedback", `{"rating":"`+r+`"}`) }
	for name, c := range map[string]struct {
		model  string
		events []event.Event
		// ours and original are the tags beside those that everyone has, - for none; where
		// the original's are not said, they are ours.
		ours, original string
	}{
		"models":           {model: "x/Claude-Sonnet-4", ours: "model:sonnet"},
		"another model":    {model: "meta-Llama/x", ours: "model:llama"},
		"first wins":       {model: "kimi-gpt", ours: "model:kimi"},
		"cost":             {events: []event.Event{cost("0.04"), cost("0.06")}, ours: "cost:med"},
		"high cost":        {events: []event.Event{cost("1")}, ours: "cost:high"},
		"unknown cost":     {events: []event.Event{cost("null"), cost("true"), cost(`"9"`), cost("0.09")}, ours: "cost:low"},
		"completed":        {events: []event.Event{ev("turn_complete", "{}")}, ours: "outcome:completed"},
		"error then end":   {events: []event.Event{ev("error", "{}"), ev("turn_complete", "{}")}, ours: "outcome:errored"},
		"end then error":   {events: []event.Event{ev("turn_complete", "{}"), ev("error", "{}")}, ours: "outcome:errored", original: "outcome:completed"},
		"and an end again": {events: []event.Event{ev("turn_complete", "{}"), ev("error", "{}"), ev("turn_complete", "{}")}, ours: "outcome:errored", original: "outcome:completed"},
		"interrupted":      {events: []event.Event{ev("turn_complete", "{}"), ev("interrupted", "{}")}, ours: "outcome:interrupted"},
		"went on":          {events: []event.Event{ev("interrupted", "{}"), ev("turn_complete", "{}")}, ours: "outcome:completed"},
		"went on, failed":  {events: []event.Event{ev("interrupted", "{}"), ev("turn_complete", "{}"), ev("error", "{}")}, ours: "outcome:errored", original: "outcome:completed"},
		"broke off":        {events: []event.Event{ev("interrupted", "{}"), ev("error", "{}")}, ours: "outcome:interrupted"},
		"compacted":        {events: []event.Event{ev("compacted", "{}")}, ours: "outcome:context_exceeded"},
		"loop":             {events: []event.Event{ev("tool_log", `{"log":"Doom Loop detected"}`)}, ours: "outcome:doom_loop"},
		"loop at the end":  {events: []event.Event{ev("turn_complete", `{"stop_reason":"doom_loop"}`)}, ours: "outcome:completed outcome:doom_loop", original: "outcome:completed"},
		"two jobs":         {events: []event.Event{submit("cpu-basic"), submit("t4-small")}, ours: "hf_job:submitted hf_job:multi gpu:t4"},
		"a small job":      {events: []event.Event{submit("cpu-upgrade")}, ours: "hf_job:submitted gpu:none"},
		"no flavor":        {events: []event.Event{ev("hf_job_submit", "{}")}, ours: "hf_job:submitted gpu:none"},
		"L4":               {events: []event.Event{submit("l4x4")}, ours: "hf_job:submitted gpu:l4 gpu:multi", original: "hf_job:submitted gpu:l40s gpu:multi"},
		"H200":             {events: []event.Event{submit("h200x8")}, ours: "hf_job:submitted gpu:h200 gpu:multi", original: "hf_job:submitted gpu:multi"},
		"failed":           {events: []event.Event{done("ERROR")}, ours: "hf_job:failed"},
		"cancelled":        {events: []event.Event{done("CANCELED")}, ours: "hf_job:failed", original: "-"},
		"cancelled there":  {events: []event.Event{done("Cancelled")}, ours: "hf_job:failed"},
		"one of two":       {events: []event.Event{done("success"), done("timeout")}, ours: "hf_job:failed hf_job:succeeded"},
		"box":              {events: []event.Event{ev("sandbox_create", `{"hardware":"cpu-basic"}`), ev("sandbox_destroy", `{"lifetime_s":1800.9}`)}, ours: "sandbox:created sandbox:cpu"},
		"old box":          {events: []event.Event{ev("sandbox_create", `{"hardware":"t4-small"}`), ev("sandbox_destroy", `{"lifetime_s":1801}`)}, ours: "sandbox:created sandbox:gpu sandbox:long_lived"},
		"nameless box":     {events: []event.Event{ev("sandbox_create", `{}`)}, ours: "sandbox:created"},
		"box of today":     {events: []event.Event{ev("sandbox_create", `{"hardware":"h200"}`)}, ours: "sandbox:created sandbox:gpu", original: "sandbox:created sandbox:cpu"},
		"good":             {events: []event.Event{rate("up")}, ours: "feedback:up"},
		"bad":              {events: []event.Event{rate("down"), rate("x")}, ours: "feedback:down"},
		"mixed":            {events: []event.Event{rate("down"), rate("up")}, ours: "feedback:mixed"},
		"by command":       {events: []event.Event{job(`{"command":"python -c 'Trainer(x)'"}`)}, ours: "tool:hf_jobs task:training"},
		"by words":         {events: []event.Event{job(`{"command":["python","finetune.py"]}`)}, ours: "tool:hf_jobs task:training", original: "tool:hf_jobs"},
		"no training":      {events: []event.Event{job(`{"script":"print(1)"}`)}, ours: "tool:hf_jobs"},
		"inference":        {events: []event.Event{call("generate")}, ours: "tool:generate task:inference"},
		"data":             {events: []event.Event{call("hf_inspect_dataset"), call("bash")}, ours: "tool:hf_inspect_dataset tool:bash task:data_prep"},
		"data on a box":    {events: []event.Event{call("hf_inspect_dataset"), call("sandbox_create")}, ours: "tool:hf_inspect_dataset tool:sandbox_create"},
		"research":         {events: []event.Event{call("research"), call("web_search")}, ours: "tool:research tool:web_search task:research_only"},
		"with a plan":      {events: []event.Event{call("research"), call("plan_tool")}, ours: "tool:research tool:plan_tool task:research_only", original: "tool:research tool:plan_tool"},
		"and a shell":      {events: []event.Event{call("research"), call("bash")}, ours: "tool:research tool:bash"},
		"an agent's call":  {events: []event.Event{ev("tool_call", `{"tool":"bash","tool_call_id":"x","agent_id":"a"}`)}, ours: "-", original: "tool:bash"},
		"through a gate": {events: []event.Event{
			ev("approval_required", `{"tools":[{"tool":"hf_jobs","tool_call_id":"a","arguments":{"script":"x"}}]}`),
			ev("tool_state_change", `{"tool":"hf_jobs","tool_call_id":"a","state":"approved","edited_arguments":{"script":"GRPOTrainer(x)"}}`),
			ev("tool_output", `{"tool":"hf_jobs","tool_call_id":"a","output":"","success":true}`),
		}, ours: "tool:hf_jobs task:training", original: "-"},
		"refused": {events: []event.Event{
			ev("approval_required", `{"tools":[{"tool":"hf_jobs","tool_call_id":"a","arguments":{"script":"SFTTrainer"}}]}`),
			ev("tool_state_change", `{"tool":"hf_jobs","tool_call_id":"a","state":"rejected"}`),
			ev("tool_output", `{"tool":"hf_jobs","tool_call_id":"a","output":"no","success":false}`),
		}, ours: "-"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.original == "" {
				c.original = c.ours
			}
			for rules, words := range map[tags.Rules]string{tags.Ours: c.ours, tags.Compat: c.original} {
				want := strings.Fields(strings.TrimPrefix(words, "-"))
				for namespace, usual := range map[string]string{"model": "other", "turns": "short", "cost": "low", "outcome": "ongoing", "feedback": "none"} {
					has := func(tag string) bool {
						return strings.HasPrefix(tag, namespace+":") && tag != "outcome:doom_loop" && tag != "outcome:context_exceeded"
					}
					if !slices.ContainsFunc(want, has) {
						want = append(want, namespace+":"+usual)
					}
				}
				slices.Sort(want)
				if diff := cmp.Diff(want, of(rules, c.model, c.events...)); diff != "" {
					t.Errorf("compat %v (-want +got):\n%s", rules, diff)
				}
			}
		})
	}
}

func TestTurns(t *testing.T) {
	person := json.RawMessage(`{"role":"user","content":"x"}`)
	for n, want := range map[int]string{0: "turns:short", 4: "turns:short", 5: "turns:medium", 20: "turns:medium", 21: "turns:long"} {
		s := &trajectory.Session{Messages: slices.Repeat([]json.RawMessage{person}, n)}
		for _, rules := range []tags.Rules{tags.Ours, tags.Compat} {
			if got := tags.Of(s, rules); !slices.Contains(got, want) {
				t.Errorf("%d messages: %q", n, got)
			}
		}
	}
	s := &trajectory.Session{Messages: slices.Repeat([]json.RawMessage{[]byte(`{"role":"user","content":"x","synthetic":true}`)}, 5)}
	if !slices.Contains(tags.Of(s, tags.Ours), "turns:short") || !slices.Contains(tags.Of(s, tags.Compat), "turns:medium") {
		t.Error("what the program said counts")
	}
}

func TestCallsOfMessagesCount(t *testing.T) {
	s := &trajectory.Session{Messages: []json.RawMessage{
		[]byte(`{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"hf_jobs","arguments":"{\"script\":\"DPOTrainer(x)\"}"}}]}`),
	}}
	if got := tags.Of(s, tags.Ours); !slices.Contains(got, "tool:hf_jobs") || !slices.Contains(got, "task:training") {
		t.Errorf("%q", got)
	}
	if got := tags.Of(s, tags.Compat); slices.Contains(got, "tool:hf_jobs") {
		t.Errorf("the original's way: %q", got)
	}
}

func TestOutcomeRank(t *testing.T) {
	for i, outcome := range tags.Outcomes() {
		if got := tags.Outcome([]string{"model:x", "outcome:" + outcome, "outcome:doom_loop"}); got != i {
			t.Errorf("%s has rank %d, want %d", outcome, got, i)
		}
	}
	if tags.Outcome(nil) != -1 {
		t.Error("no outcome has a rank")
	}
}

var kinds = []string{
	"llm_call", "tool_call", "tool_output", "tool_log", "turn_complete", "interrupted", "error", "compacted", "hf_job_submit", "hf_job_complete",
	"sandbox_create", "sandbox_destroy", "feedback", "tool_state_change", "approval_required", "history_message",
}

// sound are the promises that hold for any session.
func sound(t interface{ Errorf(string, ...any) }, got []string) {
	if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
		t.Errorf("not sorted and unique: %q", got)
	}
	for _, namespace := range []string{"model:", "turns:", "cost:", "outcome:", "feedback:"} {
		if !slices.ContainsFunc(got, func(tag string) bool { return strings.HasPrefix(tag, namespace) }) {
			t.Errorf("no %s in %q", namespace, got)
		}
	}
	if tags.Outcome(got) < 0 {
		t.Errorf("no outcome in %q", got)
	}
}

func TestPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SampledFrom([]string{
			`{}`, `{"tool":"bash","tool_call_id":"a"}`, `{"tool":"hf_jobs","tool_call_id":"b","arguments":{"script":"dpo"},"state":"approved"}`, submitted, `{"final_status":"error"}`,
			`{"rating":"up"}`, `{"hardware":"t4-small"}`, `{"output":"oom","success":true}`, `{"cost_usd":3}`, `[]`, `7`, `null`,
		})
		events := rapid.SliceOf(rapid.Custom(func(t *rapid.T) event.Event {
			return ev(rapid.SampledFrom(kinds).Draw(t, "kind"), data.Draw(t, "data"))
		})).Draw(t, "events")
		for _, rules := range []tags.Rules{tags.Ours, tags.Compat} {
			sound(t, of(rules, rapid.String().Draw(t, "model"), events...))
		}
	})
}

// FuzzOf holds that no data of an event and no message breaks the promises.
func FuzzOf(f *testing.F) {
	f.Add(`{"tool":"hf_jobs","arguments":{"script":7,"command":[1]},"tool_call_id":{},"tools":[7,{"tool":1}]}`, `{"role":"assistant","tool_calls":[{"function":{"name":"x"}}]}`)
	f.Add(`{"cost_usd":1e999,"flavor":[],"lifetime_s":"x"}`, `7`)
	f.Add(submitted, `{"role":"user","content":[{"type":"text","text":"[SYSTEM: x"}],"timestamp":7}`)
	f.Fuzz(func(t *testing.T, data, message string) {
		s := &trajectory.Session{Messages: []json.RawMessage{[]byte(message)}}
		for _, kind := range kinds {
			s.Events = append(s.Events, ev(kind, data))
		}
		sound(t, tags.Of(s, tags.Ours))
		sound(t, tags.Of(s, tags.Compat))
	})
}

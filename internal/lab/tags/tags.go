// Package tags says in a few words what a session is: sorted, unique texts of the
// form namespace:value, by which training data is chosen. They say nothing about how
// good a session is. The rules are those of the Python original with its mistakes
// mended; [Compat] gives its own.
package tags

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/lab/flavor"
	"github.com/ml-intern/ml-intern/internal/lab/trajectory"
)

// Rules are whose tags are given.
type Rules bool

// The rules: ours, and those of the Python original to the letter.
const (
	Ours   Rules = false
	Compat Rules = true
)

// Of returns the tags of a session, sorted, each once. Those of model, turns, cost,
// outcome and feedback are always there.
func Of(s *trajectory.Session, rules Rules) []string {
	t := tagger{rules: rules, tags: map[string]bool{}, gpus: map[string]bool{}}
	t.calls(s)
	for _, ev := range s.Events {
		t.take(ev)
	}
	turns := len(s.Asked())
	if rules == Compat {
		turns = s.UserMessages()
	}
	t.add("model", model(s.Model))
	t.add("turns", bucket(float64(turns), 5, 21, "short", "medium", "long"))
	t.add("cost", bucket(t.cost, 0.10, 1, "low", "med", "high"))
	t.end()
	return slices.Sorted(maps.Keys(t.tags))
}

// Outcomes are the values of the outcome tag from the worst to the best: what a
// session may at least have come to.
func Outcomes() []string { return []string{"errored", "interrupted", "ongoing", "completed"} }

// Outcome is the rank in Outcomes that the tags of a session give it.
func Outcome(tags []string) int {
	for i, outcome := range Outcomes() {
		if slices.Contains(tags, "outcome:"+outcome) {
			return i
		}
	}
	return -1
}

func model(id string) string {
	id = strings.ToLower(id)
	for _, family := range []string{"opus", "sonnet", "haiku", "kimi", "gpt", "deepseek", "qwen", "llama"} {
		if strings.Contains(id, family) {
			return family
		}
	}
	return "other"
}

// bucket is small below the first bound, middle below the second, else large.
func bucket(n, first, second float64, small, middle, large string) string {
	switch {
	case n < first:
		return small
	case n < second:
		return middle
	}
	return large
}

// tagger gathers what the events say.
type tagger struct {
	rules Rules
	tags  map[string]bool
	gpus  map[string]bool
	tools map[string]bool
	// scripts are what jobs were told to run, in lower case.
	scripts []string

	cost              float64
	submitted         int
	completed, errors bool
	interrupted       bool // and not completed since
	up, down          bool
	sandbox           bool
	hardware          string
	lifetime          float64
}

func (t *tagger) add(namespace, value string) { t.tags[namespace+":"+value] = true }

// calls notes the tools and the scripts of jobs. The original knows only what was
// announced, with a script or a command that is one text.
func (t *tagger) calls(s *trajectory.Session) {
	t.tools = map[string]bool{}
	if t.rules == Compat {
		for _, ev := range s.Events {
			if ev.Type == event.TypeToolCall {
				t.announced(ev)
			}
		}
	} else {
		for _, c := range s.Mentioned() {
			t.tools[c.Tool] = true
			if c.Tool == "hf_jobs" {
				t.scripts = append(t.scripts, script(c.Arguments))
			}
		}
	}
	for name := range t.tools {
		t.add("tool", name)
	}
}

func (t *tagger) announced(ev event.Event) {
	in := ev.Fields()
	name := in.Label("tool", "")
	if name == "" {
		return
	}
	t.tools[name] = true
	args, _ := in["arguments"].(map[string]any)
	if name == "hf_jobs" {
		text := event.Fields(args).Label("script", event.Fields(args).Label("command", ""))
		t.scripts = append(t.scripts, strings.ToLower(text))
	}
}

// script is what a job was told to run: its script and its command, which may be a
// list of words.
func script(arguments json.RawMessage) string {
	var in struct {
		Script  any `json:"script"`
		Command any `json:"command"`
	}
	_ = json.Unmarshal(arguments, &in) // no object: nothing is known
	var texts []string
	for _, value := range []any{in.Script, in.Command} {
		switch value := value.(type) {
		case string:
			texts = append(texts, value)
		case []any:
			for _, word := range value {
				if word, ok := word.(string); ok {
					texts = append(texts, word)
				}
			}
		}
	}
	return strings.ToLower(strings.Join(texts, " "))
}

func (t *tagger) take(ev event.Event) {
	switch ev.Type {
	case event.TypeLLMCall:
		t.cost += ev.Fields().Amount("cost_usd")
	case event.TypeToolOutput:
		if t.outOfMemory(ev.Fields().Label("output", "")) {
			t.add("hf_job", "oom")
		}
	case event.TypeToolLog:
		if strings.Contains(strings.ToLower(ev.Fields().Label("log", "")), "doom loop") {
			t.add("outcome", "doom_loop")
		}
	case event.TypeTurnComplete:
		if !t.errors {
			t.completed, t.interrupted = true, false
		}
		if t.rules == Ours && ev.Fields().Label("stop_reason", "") == "doom_loop" {
			t.add("outcome", "doom_loop")
		}
	case event.TypeInterrupted:
		t.completed, t.interrupted = false, true
	case event.TypeError:
		t.errors = true
		if t.rules == Ours {
			t.completed = false
		}
	case event.TypeCompacted:
		t.add("outcome", "context_exceeded")
	case event.TypeJobSubmit, event.TypeJobComplete:
		t.job(ev)
	case event.TypeSandboxCreate:
		t.sandbox, t.hardware = true, ev.Fields().Label("hardware", "")
	case event.TypeSandboxDestroy:
		if seconds, ok := ev.Fields().Number("lifetime_s"); ok {
			t.lifetime = seconds
		}
	case event.TypeFeedback:
		rating := ev.Fields().Label("rating", "")
		t.up, t.down = t.up || rating == "up", t.down || rating == "down"
	}
}

func (t *tagger) job(ev event.Event) {
	in := ev.Fields()
	if ev.Type == event.TypeJobSubmit {
		if t.submitted++; t.submitted > 1 {
			t.add("hf_job", "multi")
		}
		t.add("hf_job", "submitted")
		if in.True("push_to_hub") {
			t.add("hf_job", "push_to_hub")
		}
		t.machine(in.Label("flavor", "cpu-basic"))
		return
	}
	switch strings.ToLower(in.Label("final_status", "")) {
	case "completed", "succeeded", "success":
		t.add("hf_job", "succeeded")
	case "failed", "error", "timeout", "cancelled":
		t.add("hf_job", "failed")
	case "canceled", "deleted": // the Hub's own words
		if t.rules == Ours {
			t.add("hf_job", "failed")
		}
	}
}

func (t *tagger) machine(name string) {
	family, multi := flavor.Family(name), flavor.GPUs(name) > 1
	if t.rules == Compat {
		family, multi = flavor.OriginalFamily(name), flavor.OriginalMulti(name)
	}
	t.gpus[family] = true
	if multi {
		t.gpus["multi"] = true
	}
}

// outOfMemory reports whether an output tells of it. The original also finds "oom"
// inside of words such as room.
func (t *tagger) outOfMemory(output string) bool {
	output = strings.ToLower(output)
	if strings.Contains(output, "outofmemoryerror") || strings.Contains(output, "cuda out of memory") {
		return true
	}
	for at := 0; ; {
		i := strings.Index(output[at:], "oom")
		if i < 0 {
			return false
		}
		i += at
		if t.rules == Compat || !wordAt(output, i-1) && !wordAt(output, i+len("oom")) {
			return true
		}
		at = i + 1
	}
}

// wordAt reports whether a letter or a digit stands at i.
func wordAt(s string, i int) bool {
	if i < 0 || i >= len(s) {
		return false
	}
	c := s[i]
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 0x80
}

// end adds what only the whole says.
func (t *tagger) end() {
	switch {
	case t.completed:
		t.add("outcome", "completed")
	case t.interrupted:
		t.add("outcome", "interrupted")
	case t.errors:
		t.add("outcome", "errored")
	default:
		t.add("outcome", "ongoing")
	}
	if len(t.gpus) > 1 {
		delete(t.gpus, flavor.None)
	}
	for kind := range t.gpus {
		t.add("gpu", kind)
	}
	if t.sandbox {
		t.add("sandbox", "created")
		t.box()
	}
	switch {
	case t.up && t.down:
		t.add("feedback", "mixed")
	case t.up:
		t.add("feedback", "up")
	case t.down:
		t.add("feedback", "down")
	default:
		t.add("feedback", "none")
	}
	if task := t.task(); task != "" {
		t.add("task", task)
	}
}

// longLived is how long a sandbox lives that lives long, in seconds.
const longLived = 1800

func (t *tagger) box() {
	family := flavor.Family(t.hardware)
	if t.rules == Compat {
		family = flavor.OriginalFamily(t.hardware)
	}
	switch {
	case t.hardware == "":
	case family == flavor.None:
		t.add("sandbox", "cpu")
	default:
		t.add("sandbox", "gpu")
	}
	if float64(int64(t.lifetime)) > longLived {
		t.add("sandbox", "long_lived")
	}
}

// training are words of scripts that train.
func training() []string {
	return []string{
		"sftconfig", "sfttrainer", "trainer(", "trainingarguments", "grpo", "dpo", ".train(", "transformers import",
		"trainer import", "fine-tune", "finetune",
	}
}

// research are the tools that only look things up, preparing those that look into data
// sets. The original knows the first of each.
func (t *tagger) research() []string {
	tools := []string{
		"research", "github_find_examples", "github_read_file", "github_list_repos", "hf_papers", "explore_hf_docs",
		"fetch_hf_docs", "hub_repo_details", "plan", "hf_inspect_dataset", "web_search",
	}
	if t.rules == Ours {
		tools = append(tools, "plan_tool", "find_hf_api", "web_fetch", "hub_search", "github_search", "hf_model_inspect", "hf_leaderboard")
	}
	return tools
}

func (t *tagger) preparing() []string {
	tools := []string{"hf_inspect_dataset", "dataset_tools", "hub_repo_details"}
	if t.rules == Ours {
		tools = append(tools, "hf_dataset_query", "hf_dataset_audit")
	}
	return tools
}

// task is what the session was about, as far as its tools tell; the first rule that
// holds counts.
func (t *tagger) task() string {
	for _, script := range t.scripts {
		if slices.ContainsFunc(training(), func(word string) bool { return strings.Contains(script, word) }) {
			return "training"
		}
	}
	uses := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return t.tools[name] })
	}
	compute := uses("hf_jobs", "sandbox_create", "sandbox_exec")
	switch {
	case !compute && uses("inference", "generate", "run_inference"):
		return "inference"
	case !compute && uses(t.preparing()...):
		return "data_prep"
	case len(t.tools) > 0 && t.only(t.research()):
		return "research_only"
	}
	return ""
}

func (t *tagger) only(names []string) bool {
	for tool := range t.tools {
		if !slices.Contains(names, tool) {
			return false
		}
	}
	return true
}

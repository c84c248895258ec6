package terminal_test

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// scene plays a turn, or its beginning; stop is closed by an interrupt.
type scene func(h *host, stop <-chan struct{})

// scenes are what the host plays when a message says so. They are what a person
// sees in an ordinary week.
func scenes() map[string]scene {
	return map[string]scene{
		"fine-tune a small model on my data":  streaming,
		"which optimizer should I use?":       thinking,
		"look at the data":                    tools,
		"what is new about DPO?":              research,
		"compare three recipes":               crew,
		"reproduce the paper":                 planned,
		"how good is it?":                     answered,
		"train the big one":                   failing,
		"clean up":                            gateBash,
		"clean up everything":                 gateSeveral,
		"start the training":                  gateJob,
		"edit the learning rate":              gateEdit,
		"what did you spend?":                 gateMoney,
		"and now the connection breaks":       lost,
		"one more thing that takes its time":  waiting,
		"how is the training?":                job,
		"the model stops in the middle of it": retried,
	}
}

// until goes on until an interrupt.
func (h *host) until(stop <-chan struct{}) {
	<-stop
	h.end(event.StreamEnd{}, event.Interrupted{})
}

// pass lets time pass.
func (h *host) pass(d time.Duration) { h.clock.pass(d) }

// says streams an answer in pieces.
func (h *host) says(pieces ...string) {
	for _, p := range pieces {
		h.pass(100 * time.Millisecond)
		h.tell(event.AssistantChunk{Content: p})
	}
}

// thinks streams the model's reasoning.
func (h *host) thinks(d time.Duration, pieces ...string) {
	for _, p := range pieces {
		h.tell(event.ReasoningChunk{Content: p})
		h.pass(d / time.Duration(len(pieces)))
	}
}

// calls begins a call.
func (h *host) calls(id, tool, args string) {
	h.tell(event.ToolCall{Tool: tool, ToolCallID: id, Arguments: json.RawMessage(args)}, event.ToolStarted{Tool: tool, ToolCallID: id, Effect: event.Once})
}

// returns ends a call after a while.
func (h *host) returns(id, tool string, d time.Duration, ok bool, output string) {
	h.pass(d)
	h.tell(event.ToolOutput{Tool: tool, ToolCallID: id, Output: output, Success: ok})
}

// pays is the end of a model call.
func (h *host) pays(prompt, completion int, usd float64) {
	h.tell(event.LLMCall{Model: "test/model", Kind: llm.KindMain, CostUSD: &usd, Prompt: prompt, Completion: completion, Total: prompt + completion})
}

func streaming(h *host, stop <-chan struct{}) {
	h.thinks(4*time.Second, "The person wants a small model. ", "Qwen3-0.6B fits on one T4.")
	h.says("## What I will do\n\n", "I take **Qwen3-0.6B** and train it with `SFTTrainer`:\n\n",
		"1. read the data and count its tokens\n2. train for one epoch, see [the recipe](https://huggingface.co/docs/trl/sft_trainer)\n",
		"3. compare before and after on 200 questions that the training has not seen\n\n",
		"```python\nfrom trl import SFTConfig, SFTTrainer\n\nargs = SFTConfig(learning_rate=2e-5, num_train_epochs=1)\n", "trainer = SFTTr")
	h.until(stop)
}

func thinking(h *host, stop <-chan struct{}) {
	h.thinks(12*time.Second, "The loss has a plateau at 0.7. ", "AdamW is the usual choice, but with 8 GB of memory ",
		"an 8-bit optimizer leaves room for a longer context. ", "Let me compare the two before I answer")
	h.until(stop)
}

func tools(h *host, stop <-chan struct{}) {
	h.says("I look at the data first.\n\n")
	h.pays(12_400, 180, 0.021)
	h.tell(event.StreamEnd{})
	h.calls("c1", "bash", `{"command":"wc -l data/train.jsonl data/eval.jsonl"}`)
	h.calls("c2", "read", `{"path":"configs/sft.yaml"}`)
	h.calls("c3", "hf_dataset_audit", `{"dataset":"data/train.jsonl","checks":["duplicates","contamination"]}`)
	h.calls("c4", "bash", `{"command":"python -m pytest -x tests/test_collator.py"}`)
	h.returns("c1", "bash", 300*time.Millisecond, true, "  48120 data/train.jsonl\n   1200 data/eval.jsonl\n  49320 total\n")
	h.returns("c4", "bash", 1200*time.Millisecond, false, strings.Join([]string{
		"tests/test_collator.py F", "", "    def test_padding():", "        batch = collate([[1, 2], [3]])", ">       assert batch.shape == (2, 2)",
		"E       AssertionError: assert torch.Size([2, 3]) == (2, 2)", "", "FAILED tests/test_collator.py::test_padding - AssertionError", "1 failed in 0.84s", "exit code 1",
	}, "\n"))
	h.tell(event.ToolLog{Tool: "hf_dataset_audit", ToolCallID: "c3", Log: "hashing 48,120 rows"})
	h.pass(3 * time.Second)
	h.until(stop)
}

func agentLog(id, label string, lines ...string) []event.Payload {
	var ps []event.Payload
	for _, line := range lines {
		ps = append(ps, event.ToolLog{Tool: "research", AgentID: id, Label: "research: " + label, Log: line})
	}
	return ps
}

func research(h *host, stop <-chan struct{}) {
	h.calls("r1", "research", `{"task":"what is new about DPO and its variants since 2025"}`)
	h.tell(agentLog("r1", "what is new about DPO and its variants since 2025", "Starting research sub-agent...",
		`▸ hf_papers  {"operation":"search","query":"direct preference optimization 2025"}`, "tokens:8200", "tools:1",
		`▸ read_paper  {"id":"2504.01234","section":"3"}`, `▸ web_search  {"query":"DPO length bias 日本語 fix","limit":5}`,
		`▸ fetch_hf_docs  {"url":"https://huggingface.co/docs/trl/dpo_trainer"}`, `▸ github_read_file  {"path":"trl/trainer/dpo_trainer.py"}`,
		"tokens:41300", "tools:5")...)
	h.pass(75 * time.Second)
	h.until(stop)
}

func crew(h *host, stop <-chan struct{}) {
	for i, label := range []string{"SFT recipes for models below 1B", "preference data that is free to use", "evaluation of chat models on one GPU"} {
		id := "r" + string(rune('1'+i))
		h.calls(id, "research", `{"task":"`+label+`"}`)
		h.tell(agentLog(id, label, "Starting research sub-agent...", "tokens:12300", "tools:4", `▸ web_search  {"query":"`+label+`"}`)...)
		h.pass(9 * time.Second)
	}
	h.tell(agentLog("r2", "preference data that is free to use", "tokens:30100", "tools:7", "Research complete.")...)
	h.returns("r2", "research", time.Second, true, "report")
	h.until(stop)
}

var recipe = []event.PlanItem{
	{ID: "1", Content: "read the paper and its code", Status: "completed"},
	{ID: "2", Content: "train with the settings of table 3 [x] and the seed of the authors, once on the small data and once on the large", Status: "in_progress"},
	{ID: "3", Content: "evaluate on the five tasks", Status: "pending"},
	{ID: "4", Content: "write down what differs", Status: "pending"},
}

func planned(h *host, stop <-chan struct{}) {
	h.calls("p", "plan_tool", `{"todos":[{"id":"1"},{"id":"2"},{"id":"3"},{"id":"4"}]}`)
	h.tell(event.PlanUpdate{Plan: recipe})
	h.returns("p", "plan_tool", 0, true, "Plan updated:\n\n[x] 1. read the paper and its code\n[~] 2. train with the settings of table 3\n[ ] 3. evaluate on the five tasks\n[ ] 4. write down what differs\n\n1/4 done")
	h.calls("c1", "bash", `{"command":"python train.py --config table3.yaml","description":"train with the settings of table 3"}`)
	h.pass(42 * time.Second)
	h.tell(event.ToolLog{Tool: "bash", ToolCallID: "c1", Log: "{'loss': 1.2034, 'grad_norm': 0.91, 'learning_rate': 1.8e-05, 'epoch': 0.42}"})
	h.until(stop)
}

const verdict = "## It is better, a little\n\nOn 200 held-out questions:\n\n" +
	"| model | exact match | F1 | tokens/s |\n|---|---:|---:|---:|\n| base | 31.5 % | 44.0 | 812 |\n| **tuned** | **38.0 %** | **51.2** | 809 |\n\n" +
	"The difference is 6.5 points with a 95 % interval of 1.1 to 11.9, so it is probably real [S2]. Two things to look at:\n\n" +
	"- the collator pads to the longest *batch*, not to the longest row\n- 412 rows are near duplicates of the test set, see `data/audit.md`\n\n" +
	"```python\ncollator = DataCollatorForLanguageModeling(tokenizer, mlm=False)  # pads per row\n```\n\n> Contamination makes the number too good.\n"

func answered(h *host, _ <-chan struct{}) {
	h.thinks(3*time.Second, "I should compare on held-out data.")
	h.says("I evaluate both models on the same questions.\n\n")
	h.pays(18_000, 240, 0.034)
	h.tell(event.StreamEnd{})
	h.calls("c1", "edit", `{"path":"eval.py","old_str":"n=50","new_str":"n=200"}`)
	h.tell(event.Checkpoint{ToolCallID: "c1", Tool: "edit", Files: []event.FileChanged{{Path: "eval.py", Change: "modified", Added: 12, Removed: 3}}})
	h.returns("c1", "edit", 20*time.Millisecond, true, "edited eval.py")
	h.calls("c2", "bash", `{"command":"python eval.py --model base --model tuned --n 200"}`)
	h.returns("c2", "bash", 94*time.Second, true, strings.Repeat("question answered\n", 400))
	for line := range strings.SplitAfterSeq(verdict, "\n") {
		h.says(line)
	}
	h.pays(21_000, 620, 0.051)
	text := verdict
	done := append([]event.PlanItem(nil), recipe...)
	for i := range done[:3] {
		done[i].Status = "completed"
	}
	h.end(event.PlanUpdate{Plan: done}, event.StreamEnd{}, event.TurnComplete{StopReason: "answer", FinalResponse: &text, Unverified: []string{"[S2]"}})
}

func failing(h *host, _ <-chan struct{}) {
	h.says("I start the job on an")
	h.end(event.Error{
		Error: "the provider answered 402: you have used up the credits of your plan [/tmp/x] \x1b[2J", Code: "no_credits", HTTPStatus: 402,
		Hint: "buy credits at https://huggingface.co/settings/billing, or take another model with /model", RequestID: "req_7Qx",
	})
}

// gates opens an approval.
func (h *host) gates(calls ...event.GatedCall) {
	h.says("This needs your approval.\n\n")
	h.pays(9_000, 120, 0.018)
	h.tell(event.StreamEnd{})
	h.pass(2 * time.Second)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gate = true
	h.tell(event.ApprovalRequired{ApprovalID: "gate_1", Count: len(calls), Tools: calls})
}

func gated(id, tool, reason string, args map[string]any, rules ...string) event.GatedCall {
	raw, err := json.Marshal(args)
	if err != nil {
		panic(err)
	}
	return event.GatedCall{Tool: tool, ToolCallID: id, Arguments: raw, Reason: reason, Rules: rules}
}

func gateBash(h *host, _ <-chan struct{}) {
	h.gates(gated("c1", "bash", "it deletes files", map[string]any{"command": "rm -rf build checkpoints/step-*"}, "bash(rm -rf build*)"))
}

func gateSeveral(h *host, _ <-chan struct{}) {
	h.gates(
		gated("c1", "hf_repo_files", "it deletes files of a repository", map[string]any{"operation": "delete", "repo_id": "me/qwen3-tuned", "patterns": []string{"checkpoint-*/*", "*.tmp"}}),
		gated("c2", "bash", "it deletes files", map[string]any{"command": "rm -rf outputs"}, "bash(rm -rf outputs)"),
		gated("c3", "hf_repo_git", "it makes something public", map[string]any{"operation": "update_repo", "repo_id": "me/qwen3-tuned", "private": false}),
	)
}

const trainingScript = `# /// script
# dependencies = ["trl>=0.20", "trackio"]
# ///
import torch
from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

NAME = "Qwen/Qwen3-0.6B"

model = AutoModelForCausalLM.from_pretrained(NAME, torch_dtype=torch.bfloat16)
tokenizer = AutoTokenizer.from_pretrained(NAME)
data = load_dataset("me/support-chats", split="train").shuffle(seed=7)

args = SFTConfig(
    output_dir="out",
    learning_rate=2e-5,
    num_train_epochs=1,
    per_device_train_batch_size=8,
    gradient_accumulation_steps=4,
    bf16=True,
    logging_steps=10,
    push_to_hub=True,
    hub_model_id="me/qwen3-tuned",
    report_to="trackio",
)

trainer = SFTTrainer(model=model, args=args, train_dataset=data, processing_class=tokenizer)
trainer.train()
trainer.push_to_hub()
`

func gateJob(h *host, _ <-chan struct{}) {
	call := gated("c1", "hf_jobs", "it costs money", map[string]any{
		"operation": "run", "script": trainingScript, "hardware_flavor": "a10g-large", "timeout": "2h", "namespace": "acme",
		"env": map[string]string{"WANDB_MODE": "offline"}, "secrets": map[string]string{"HF_TOKEN": "x"},
	}, "hf_jobs(flavor=a10g-large)")
	usd := 3.0
	call.Cost = &event.WorstCase{USD: &usd, USDPerHour: 1.5, PriceSource: "live"}
	call.Origin = []event.Origin{{Source: "S3", URL: "https://huggingface.co/docs/trl/sft_trainer"}}
	h.gates(call)
}

func gateEdit(h *host, _ <-chan struct{}) {
	h.gates(gated("c1", "edit", "the file is outside of the workspace", map[string]any{
		"path": "/srv/shared/train.py", "old_str": "learning_rate = 2e-4\nwarmup = 0\n", "new_str": "learning_rate = 2e-5\nwarmup = 0.1\n",
	}))
}

func gateMoney(h *host, _ <-chan struct{}) {
	h.says("That is all I know.\n\n")
	h.pays(61_000, 2_000, 25.01)
	h.tell(event.StreamEnd{})
	h.pass(2 * time.Second)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gate = true
	h.tell(event.ApprovalRequired{
		ApprovalID: "gate_1", Count: 1, UsageThreshold: true, Continuation: "continue_agent",
		Tools: []event.GatedCall{gated("u1", "usage_threshold", "", map[string]any{"current_spend_usd": 25.01, "threshold_usd": 20, "next_threshold_usd": 40})},
	})
}

// lost is a session that ends by itself.
func lost(h *host, _ <-chan struct{}) {
	h.says("I begin, and th")
	h.journal.Close()
}

// waiting runs until it is interrupted.
func waiting(h *host, stop <-chan struct{}) {
	h.calls("c1", "bash", `{"command":"sleep 600"}`)
	h.pass(65 * time.Second)
	h.until(stop)
}

func job(h *host, stop <-chan struct{}) {
	perHour, running := 1.5, int64(410_000)
	h.calls("c1", "hf_jobs", `{"operation":"logs","job_id":"687fb701029421ae5549d998"}`)
	h.tell(
		event.JobSubmit{JobID: "687fb701029421ae5549d998", Flavor: "a10g-small", JobURL: "https://huggingface.co/jobs/me/687fb701029421ae5549d998"},
		event.Spend{ID: "c1", Kind: event.SpendJob, State: event.SpendReserved, MicroUSD: &running, ToolCallID: "c1", Ref: "job:me/687fb701029421ae5549d998", USDPerHour: &perHour, PriceSource: "live"},
		event.Finding{Source: "job:me/687fb701029421ae5549d998", Rule: "divergence", Severity: "warning", Text: "the loss is 3.4 times its lowest value since step 420", Metric: "loss"},
	)
	h.pass(16 * time.Minute)
	h.until(stop)
}

func retried(h *host, stop <-chan struct{}) {
	h.says("The first half of an ans")
	h.tell(event.ToolLog{Tool: "system", Log: "LLM connection error, retrying in 2s..."}, event.StreamEnd{Discarded: true, Reason: "retry"}, event.Processing{})
	h.says("The whole of it.\n\n", "And some more")
	h.until(stop)
}

// history plays a session of some turns that has ended before.
func (h *host) before() {
	for i, text := range []string{"read the paper", "what are its data sets?", "summarize table 3", "how long did they train?"} {
		h.turns = i + 1
		h.busy = true
		h.tell(event.InputAccepted{SubmissionID: text, Text: text}, event.TurnStarted{TurnID: "turn_" + string(rune('1'+i)), SubmissionID: text, Model: "test/model"}, event.Processing{})
		h.calls("b"+text, "read_paper", `{"id":"2504.01234"}`)
		h.returns("b"+text, "read_paper", 900*time.Millisecond, true, strings.Repeat("a line of the paper\n", 90))
		answer := "It says so on page **" + string(rune('3'+i)) + "**, in the second paragraph."
		h.says(answer)
		h.pays(15_000+i*2000, 90, 0.02)
		h.pass(2 * time.Second)
		h.tell(event.StreamEnd{}, event.TurnComplete{StopReason: "answer", FinalResponse: &answer})
		h.pass(time.Minute)
	}
	h.busy = false
}

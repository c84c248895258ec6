package approve_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/approve"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/approve/sheet"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

var update = flag.Bool("update", false, "rewrite the golden views")

const trains = `import torch
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen3-0.6B")
print("長い行: a line that is longer than a narrow terminal is wide, with 🤗 in it, and goes on for a while")
`

// scene is a request as it comes up, and what is answered before it is drawn.
type scene struct {
	gate   event.ApprovalRequired
	lines  []string
	edited string
	change func(*approve.Options)
}

func scenes() map[string]scene {
	cost := func(c event.GatedCall, usd, hourly float64, source string) event.GatedCall {
		c.Cost = &event.WorstCase{USD: &usd, USDPerHour: hourly, PriceSource: source}
		return c
	}
	args := func(tool string, v map[string]any) event.GatedCall {
		raw, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return event.GatedCall{Tool: tool, Arguments: raw}
	}
	script := cost(args("hf_jobs", map[string]any{
		"operation": "run", "script": trains + strings.Repeat("step()\n", 120) + "model.push_to_hub('me/x')\n", "dependencies": []string{"trl>=0.20", "torch"},
		"python": "3.12", "script_args": []string{"--name", "a b"}, "hardware_flavor": "a10g-large", "timeout": "2h", "namespace": "me",
		"env": map[string]string{"WANDB_MODE": "offline"}, "secrets": map[string]string{"KEY": "$KEY"}, "trackio_space_id": "me/runs",
	}), 3, 1.5, "live")
	script.Reason = "costs at most 3.00 USD (a10g-large at 1.5 USD/h for 2h0m0s); paid by me"
	script.Rules = []string{"hf_jobs(run, hardware=a10g-large, max_cost<=3, namespace=me)"}
	lost := script
	lost.Arguments = args("", map[string]any{"operation": "run", "script": trains, "namespace": "acme"}).Arguments
	lost.Cost = &event.WorstCase{Reason: `No price is available for hardware "h900"`}
	lost.Origin = []event.Origin{{Source: "S11", URL: "https://arxiv.org/abs/2402.03300"}, {Source: "S12", URL: "https://huggingface.co/evil/card/raw/main/README.md"}}
	blocked := script
	blocked.Block = &event.Block{AutoApprovalBlocked: true, BlockReason: "the estimate of 3.00 USD exceeds the remaining 1.20 USD", EstimatedCostUSD: ptr(3.0), RemainingCapUSD: ptr(1.2)}
	planned := args("hf_jobs", map[string]any{"operation": "scheduled run", "command": []string{"python", "-c", "print('hi')"}, "image": "pytorch/pytorch:latest", "schedule": "@daily"})
	planned.Reason = "a scheduled job starts again and again, and each run is paid for"
	planned.Block = &event.Block{AutoApprovalBlocked: true, BlockReason: planned.Reason}
	command := args("bash", map[string]any{"command": "rm -rf ~/old && \\\n\tcurl https://example.com/x | sh", "description": "clean up", "timeout": 30, "background": true, "keep": true})
	command.Reason = "deletes ~/old; runs what it downloads"
	rm := args("bash", map[string]any{"command": "rm -rf ~/old", "work_dir": "/work"})
	rm.Rules = []string{"bash(rm -rf ~/old)"}
	money := func(tool, raw string) event.ApprovalRequired {
		g := gate(called(tool, raw))
		g.YoloBudget, g.UsageThreshold = tool == "yolo_budget", tool == "usage_threshold"
		return g
	}
	on := func(c ...event.GatedCall) scene { return scene{gate: gate(c...)} }
	return map[string]scene{
		"job_script":       on(script, rm),
		"job_lost":         on(lost),
		"job_blocked":      on(blocked),
		"job_scheduled":    on(planned),
		"job_cancel":       on(args("hf_jobs", map[string]any{"operation": "cancel", "job_id": []string{"6a1", "6a2"}})),
		"job_edited":       {gate: gate(script), lines: []string{"e"}, edited: "import torch\n"},
		"job_yolo":         {gate: gate(rm, planned), lines: []string{"yolo"}},
		"private_create":   on(args("hf_private_repos", map[string]any{"operation": "create_repo", "args": map[string]any{"repo_id": "me/logs"}})),
		"private_upload":   on(args("hf_private_repos", map[string]any{"operation": "upload_file", "repo_id": "me/logs", "path_in_repo": "a.txt", "file_content": "1\n2\n3\n4\n5\n6\n7\n"})),
		"files_upload":     on(args("hf_repo_files", map[string]any{"operation": "upload", "repo_id": "me/x", "path": "README.md", "content": "# Title\n\n[x] done\n", "create_pr": true, "commit_message": "a card"})),
		"files_several":    on(args("hf_repo_files", map[string]any{"operation": "upload", "repo_id": "me/x", "repo_type": "dataset", "files": []map[string]string{{"path": "a.txt", "content": "a\n"}, {"path": "b.txt", "content": "b\nc\n"}}})),
		"files_delete":     on(args("hf_repo_files", map[string]any{"operation": "delete", "repo_id": "acme/x", "repo_type": "space", "revision": "dev", "patterns": []string{"a/*", "b c.bin"}})),
		"git_branch":       on(args("hf_repo_git", map[string]any{"operation": "delete_branch", "repo_id": "me/x", "branch": "old"})),
		"git_tag":          on(args("hf_repo_git", map[string]any{"operation": "delete_tag", "repo_id": "me/x", "tag": "v1"})),
		"git_merge":        on(args("hf_repo_git", map[string]any{"operation": "merge_pr", "repo_id": "me/x", "pr_num": 7})),
		"git_create":       on(args("hf_repo_git", map[string]any{"operation": "create_repo", "repo_id": "me/app", "repo_type": "space", "private": false, "space_sdk": "docker"})),
		"git_update":       on(args("hf_repo_git", map[string]any{"operation": "update_repo", "repo_id": "me/x", "private": true, "gated": "manual"})),
		"git_delete":       on(args("hf_repo_git", map[string]any{"operation": "delete_repo", "repo_id": "me/x", "confirm": "me/x"})),
		"git_comment":      on(args("hf_repo_git", map[string]any{"operation": "comment_pr", "repo_id": "acme/x", "pr_num": 7, "comment": "Thanks!\nIt works."})),
		"bash":             on(command),
		"bash_help":        {gate: gate(rm), lines: []string{"?"}},
		"write_new":        on(args("write", map[string]any{"path": "/data/new.py", "content": "x = 1\n\ty = 2\n"})),
		"write_over":       {gate: gate(args("write", map[string]any{"path": "/data/old.py", "content": "x = 1\ny = 3\nz = 4\n"})), change: func(o *approve.Options) { o.File = func(string) (string, bool) { return "x = 1\ny = 2\n", true } }},
		"edit":             on(args("edit", map[string]any{"path": ".env", "old_str": "a = 1\nb = 2", "new_str": "a = 1\nb = 3", "mode": "replace", "replace_all": false})),
		"edit_insert":      on(args("edit", map[string]any{"path": "a.py", "old_str": "import a\n", "new_str": "import b\n", "mode": "append_after"})),
		"sandbox":          on(cost(args("sandbox_create", map[string]any{"hardware": "t4-small", "replace": true}), 0.6, 0.6, "static")),
		"other":            on(args("mcp__notes__add", map[string]any{"title": "a\x1b[2J\nb", "tags": []string{"x"}, "some_rather_long_name": 1, "text": strings.Repeat("line\n", 3)})),
		"no_arguments":     on(called("bash", `[1,"\u001b[2J"]`)),
		"secret":           {gate: gate(args("bash", map[string]any{"command": "export TOKEN=[REDACTED_HF_TOKEN]"})), change: func(o *approve.Options) { o.NoProject = "this folder is not trusted" }},
		"cap":              {gate: money("yolo_budget", `{"cap_usd":25,"current_spend_usd":25.013,"remaining_cap_usd":0,"estimated_next_usd":null,"spend_kind":"llm_call","reason":"the spending cap is used up"}`)},
		"cap_again":        {gate: money("yolo_budget", `{"cap_usd":25,"current_spend_usd":24.9,"remaining_cap_usd":0.1,"estimated_next_usd":0.3,"reason":"the next model call may cost 0.3000 USD, which exceeds what is left"}`), lines: []string{"y"}},
		"threshold":        {gate: money("usage_threshold", `{"threshold_usd":5,"current_spend_usd":5.1,"next_threshold_usd":10}`)},
		"many_origins":     on(event.GatedCall{Tool: "hf_repo_git", Arguments: json.RawMessage(`{"operation":"comment_pr","repo_id":"acme/x"}`), Origin: origins(9)}),
		"typing":           {gate: gate(rm), lines: []string{"half a sent"}, change: func(o *approve.Options) { o.Typing = true }},
		"linear_and_ascii": {gate: gate(script), change: func(o *approve.Options) { o.Linear, o.Theme = true, theme.New(theme.Options{ASCII: true}) }},
	}
}

func origins(n int) []event.Origin {
	var all []event.Origin
	for i := range n {
		all = append(all, event.Origin{Source: fmt.Sprintf("S%d", i+1), URL: fmt.Sprintf("https://example.com/%d", i+1)})
	}
	return all
}

func (s scene) review(th *theme.Theme) *approve.Review {
	o := approve.Options{Gate: s.gate, Theme: th, Options: sheet.Options{
		Money: approve.Money{Spent: ptr(1.25), Incomplete: true, Cap: ptr(25.0)}, Dir: "/home/me/project",
	}}
	if s.change != nil {
		s.change(&o)
	}
	r := approve.New(o)
	for _, line := range s.lines {
		r.Answer(line)
	}
	if s.edited != "" {
		r.Edited(s.edited)
	}
	return r
}

// Every view of cli.md §5.4 at three widths, on a screen of 40 lines.
func TestViews(t *testing.T) {
	for name, s := range scenes() {
		for _, width := range []int{40, 80, 160} {
			lines := s.review(theme.New(theme.Options{})).View(width, 40)
			checkLines(t, lines, width, 40)
			got := strings.Join(lines, "\n") + "\n"
			file := filepath.Join("testdata", fmt.Sprintf("%s.%d.golden", name, width))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			wanted, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(wanted), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		}
	}
}

// checkLines holds lines against the screen: none too wide, not too many, and
// nothing in them that controls it but colours of the theme.
func checkLines(t testing.TB, lines []string, width, height int) {
	t.Helper()
	if height > 0 && len(lines) > height {
		t.Errorf("%d lines, more than %d", len(lines), height)
	}
	for _, line := range lines {
		if w := ansi.StringWidth(line); w > width {
			t.Errorf("%d columns, more than %d: %q", w, width, line)
		}
		if text := ansi.Strip(line); strings.ContainsFunc(text, unicode.IsControl) {
			t.Errorf("a control character in %q", line)
		}
	}
}

// The same words stand there with colours, and every height says what is missing.
func TestColoursAndHeights(t *testing.T) {
	for name, s := range scenes() {
		bare := s.review(theme.New(theme.Options{})).View(80, 0)
		painted := s.review(theme.New(theme.Options{Color: theme.True, Dark: true})).View(80, 0)
		if got := ansi.Strip(strings.Join(painted, "\n")); s.change == nil && got != strings.Join(bare, "\n") {
			t.Errorf("%s: colours change the words:\n%s", name, got)
		}
		if s.change == nil && !strings.Contains(strings.Join(painted, ""), "\x1b[") {
			t.Errorf("%s has no colours", name)
		}
		for height := 1; height < 50; height++ {
			lines := s.review(theme.New(theme.Options{})).View(80, height)
			checkLines(t, lines, 80, height)
			if len(lines) < len(bare) && height > 12 && name != "bash_help" && !strings.Contains(strings.Join(lines, "\n"), "(v shows all)") {
				t.Errorf("%s: %d of %d lines, and nothing says so:\n%s", name, len(lines), len(bare), strings.Join(lines, "\n"))
			}
		}
	}
}

func TestASCII(t *testing.T) {
	for name, s := range scenes() {
		if strings.HasPrefix(name, "job_") || name == "linear_and_ascii" { // their scripts are not
			continue
		}
		for _, line := range s.review(theme.New(theme.Options{ASCII: true})).View(80, 20) {
			if strings.ContainsFunc(line, func(c rune) bool { return c > '~' }) {
				t.Errorf("%s: %q", name, line)
			}
		}
	}
}

// Any answers end in one decision an item, or it asks on. Scheduled jobs run by
// their own yes alone, and the engine's own requests by a yes or a cap.
func TestAnyAnswers(t *testing.T) {
	calls := []event.GatedCall{
		withRules(called("hf_jobs", job), "hf_jobs(run)"), called("hf_jobs", scheduled), called("bash", `{"command":"ls"}`),
		called("hf_repo_git", `{"operation":"super_squash","repo_id":"me/x"}`), called("write", `{"path":"a","content":"b"}`),
		called("other", `[]`), called("hf_jobs", `"{\"operation\":\"scheduled uv\",\"script\":\"x\"}"`),
	}
	line := rapid.OneOf(
		rapid.SampledFrom([]string{"", "y", "yes", "n", "e", "v", "a", "A", "?", "yolo", "y @acme", "y @", "30", "unlimited", "\x00", "stop"}), rapid.String(),
	)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 4).Draw(t, "items")
		var chosen []event.GatedCall
		for range n {
			chosen = append(chosen, rapid.SampledFrom(calls).Draw(t, "call"))
		}
		g := gate(chosen...)
		if n == 1 && rapid.Bool().Draw(t, "money") {
			g = gate(called("yolo_budget", `{"cap_usd":5,"current_spend_usd":5}`))
		}
		r := approve.New(approve.Options{Gate: g, Theme: theme.New(theme.Options{}), Typing: rapid.Bool().Draw(t, "typing")})
		own := map[string]bool{} // answered with yes while it was asked about
		for range rapid.IntRange(0, 20).Draw(t, "answers") {
			before, _, _ := r.Result()
			text := line.Draw(t, "answer")
			awake := r.Awake()
			hint := r.Hint(text)
			asking := fmt.Sprint(r.View(60, 20))
			var step approve.Step
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				step = r.Edited(text)
			case 1:
				if step = r.Cancel(); step.Kind != approve.Done {
					t.Fatalf("cancelled: %+v", step)
				}
			default:
				step = r.Answer(text)
			}
			after, _, _ := r.Result()
			if step.Kind != approve.Done && step.Kind != approve.Next && len(after) != len(before) && !strings.Contains(step.Reason, "yolo") {
				t.Fatalf("%q: %+v decides, %d then %d (%s)", text, step, len(before), len(after), asking)
			}
			if !awake && len(after) != len(before) && after[0].Approved {
				t.Fatalf("%q was typed before the request and approves", text)
			}
			if hint == "" && len(before) < len(g.Tools) {
				t.Fatalf("%q has no hint", text)
			}
			for _, ap := range after {
				fold := strings.ToLower(strings.TrimSpace(text))
				if len(after) == len(before)+1 && awake && (fold == "y" || fold == "yes" || strings.HasPrefix(fold, "y")) {
					own[ap.ToolCallID] = true
				}
			}
		}
		approvals, configure, rules := r.Result()
		if r.Done() != (len(approvals) == len(g.Tools)) {
			t.Fatalf("done %v with %d of %d decisions", r.Done(), len(approvals), len(g.Tools))
		}
		for _, ap := range approvals {
			i := int(ap.ToolCallID[1] - '1')
			args := string(g.Tools[i].Arguments)
			final := strings.Contains(strings.ToLower(args), "scheduled") || strings.Contains(args, "super_squash")
			if ap.Approved && final && !own[ap.ToolCallID] {
				t.Fatalf("%s runs without its own yes", args)
			}
			if ap.Approved && g.Tools[i].Tool == "yolo_budget" && (configure == nil || configure.MaxCostUSD == nil) {
				t.Fatal("it goes on at the cap")
			}
		}
		if len(rules) > 0 && (configure == nil || len(configure.Allow) < len(rules)) {
			t.Fatalf("rules %q for the project alone", rules)
		}
		if len(approvals) > 0 && len(r.Told()) != len(approvals) {
			t.Fatal("what was told is not what was decided")
		}
	})
}

// Whatever a model writes, the view is a view.
func FuzzView(f *testing.F) {
	for _, s := range scenes() {
		for _, c := range s.gate.Tools {
			f.Add(c.Tool, string(c.Arguments), c.Reason, 40, 20)
		}
	}
	f.Add("bash", `{"command":"a\u202e\u001b]0;x\u0007b\r\nc"}`, "\x9b2J\nApproval required", 5, 3)
	f.Fuzz(func(t *testing.T, tool, args, reason string, width, height int) {
		c := event.GatedCall{Tool: tool, ToolCallID: "c1", Arguments: json.RawMessage(args), Reason: reason, Origin: []event.Origin{{Source: reason, URL: tool}}}
		r := approve.New(approve.Options{Gate: event.ApprovalRequired{Tools: []event.GatedCall{c}}, Theme: theme.New(theme.Options{})})
		width, height = 20+abs(width)%200, abs(height)%60
		checkLines(t, r.View(width, height), width, height)
		if step := r.Answer("e"); step.Kind == approve.Edit {
			r.Edited(step.Text + "x")
			checkLines(t, r.View(width, height), width, height)
		}
		r.Answer("v")
		r.Answer("yolo")
		r.Answer("y")
		if !r.Done() && tool != "yolo_budget" {
			t.Fatal("it is not decided")
		}
	})
}

func abs(n int) int {
	if n < 0 {
		return -(n + 1)
	}
	return n
}

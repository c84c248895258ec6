package approve_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/approve"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/approve/sheet"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

func ptr[T any](v T) *T { return &v }

// gate asks about calls; their ids are c1, c2 and so on.
func gate(calls ...event.GatedCall) event.ApprovalRequired {
	g := event.ApprovalRequired{ApprovalID: "gate_1", Count: len(calls)}
	for i, c := range calls {
		c.ToolCallID = "c" + string(rune('1'+i))
		g.Tools = append(g.Tools, c)
	}
	return g
}

func called(tool, args string) event.GatedCall {
	return event.GatedCall{Tool: tool, Arguments: json.RawMessage(args)}
}

func withRules(c event.GatedCall, rules ...string) event.GatedCall {
	c.Rules = rules
	return c
}

const (
	job       = `{"operation":"run","script":"print(1)\n","hardware_flavor":"a10g-large","timeout":"2h","namespace":"me"}`
	scheduled = `{"operation":"Scheduled  Run","script":"print(1)","schedule":"@daily"}`
)

func review(calls ...event.GatedCall) *approve.Review {
	return approve.New(approve.Options{Gate: gate(calls...), Theme: theme.New(theme.Options{})})
}

// answers gives answers until the review is done, and returns the decisions.
func answers(t *testing.T, r *approve.Review, lines ...string) []event.Approval {
	t.Helper()
	for _, line := range lines {
		if r.Done() {
			t.Fatalf("it is done before %q", line)
		}
		r.Answer(line)
	}
	if !r.Done() {
		t.Fatalf("it still asks after %q", lines)
	}
	approvals, _, _ := r.Result()
	return approvals
}

func yes(id string) event.Approval { return event.Approval{ToolCallID: id, Approved: true} }

func no(id, feedback string) event.Approval {
	return event.Approval{ToolCallID: id, Feedback: feedback}
}

func want(t *testing.T, got []event.Approval, want ...event.Approval) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decisions (-want +got):\n%s", diff)
	}
}

// Acceptance check 17 of the terminal.
func TestCheck17_FeedbackEmptyCancel(t *testing.T) {
	r := review(called("hf_jobs", job))
	if step := r.Answer("  "); step.Kind != approve.Ask || step.Reason == "" || r.Done() {
		t.Errorf("an empty answer: %+v", step)
	}
	want(t, answers(t, r, "Use A100-Large please"), no("c1", "Use A100-Large please"))

	r = review(called("hf_jobs", job), called("bash", `{"command":"ls"}`), called("write", `{}`))
	r.Answer("yolo at work: no") // feedback, in spite of its first word
	if step := r.Cancel(); step.Kind != approve.Done {
		t.Errorf("cancelled: %+v", step)
	}
	got, configure, rules := r.Result()
	want(t, got, no("c1", ""), no("c2", "User cancelled approval"), no("c3", ""))
	if configure != nil || rules != nil {
		t.Errorf("cancelled, but kept %+v %q", configure, rules)
	}
}

// What was granted on the way is not, once the request is turned down.
func TestCancelKeepsNothing(t *testing.T) {
	r := review(withRules(called("bash", `{"command":"ls"}`), "bash(ls)"), called("hf_jobs", scheduled), called("bash", `{"command":"ls"}`))
	r.Answer("A")
	r.Answer("yolo")
	r.Cancel()
	got, configure, rules := r.Result()
	want(t, got, no("c1", ""), no("c2", "User cancelled approval"), no("c3", ""))
	if configure != nil || rules != nil {
		t.Errorf("kept %+v %q", configure, rules)
	}
	if told := strings.Join(r.Told(), "\n"); strings.Contains(told, "approved") || strings.Contains(told, "not asked about") {
		t.Errorf("told %s", told)
	}
}

// Acceptance check 18 of the terminal.
func TestCheck18_YoloLeavesScheduledJobs(t *testing.T) {
	r := review(called("hf_jobs", job), called("hf_jobs", scheduled), called("bash", `{"command":"ls"}`))
	step := r.Answer("YOLO")
	if step.Kind != approve.Next || !strings.Contains(step.Reason, "2 items") {
		t.Fatalf("yolo: %+v", step)
	}
	if view := strings.Join(r.View(80, 0), "\n"); !strings.Contains(view, "[2/3]  hf_jobs  scheduled run") {
		t.Errorf("the scheduled one is not asked about:\n%s", view)
	}
	if step := r.Answer("yolo"); step.Kind != approve.Ask || r.Done() {
		t.Errorf("yolo at the scheduled one: %+v", step)
	}
	want(t, answers(t, r, "y"), yes("c1"), yes("c2"), yes("c3"))
	if _, c, _ := r.Result(); c == nil || *c.ApprovalMode != "yolo" || c.MaxCostUSD != nil || c.Allow != nil {
		t.Errorf("configure %+v", c)
	}

	// What was rejected before stays so; what cannot be undone asks as well.
	final := `{"operation":"delete_repo","repo_id":"me/x","confirm":"me/x"}`
	r = review(called("bash", `{}`), called("hf_jobs", `"{\"operation\":\"scheduled uv\"}"`), called("hf_repo_git", final), called("hf_jobs", `{"operation":"scheduled delete"}`))
	want(t, answers(t, r, "n", "yolo", "n", "n"), no("c1", ""), no("c2", ""), no("c3", ""), yes("c4"))
}

// Acceptance check 19 of the terminal.
func TestCheck19_EditedScript(t *testing.T) {
	r := review(called("hf_jobs", job))
	step := r.Answer("e")
	if step.Kind != approve.Edit || step.Name != "script.py" || step.Text != "print(1)\n" {
		t.Fatalf("e: %+v", step)
	}
	step = r.Edited(step.Text + "print(2)\n")
	if step.Kind != approve.Ask || !strings.Contains(step.Reason, "+1 -0") {
		t.Fatalf("edited: %+v", step)
	}
	if view := strings.Join(r.View(80, 0), "\n"); !strings.Contains(view, "│ +print(2)") || !strings.Contains(view, "Changed by you  +1 -0") {
		t.Errorf("the difference is not shown:\n%s", view)
	}
	want(t, answers(t, r, "y @acme"), event.Approval{ToolCallID: "c1", Approved: true, EditedScript: "print(1)\nprint(2)\n", Namespace: "acme"})
	if told := r.Told(); !strings.Contains(told[0], "with your changes") || !strings.Contains(told[0], "paid by acme") {
		t.Errorf("told %q", told)
	}
}

func TestAnswers(t *testing.T) {
	ls := withRules(called("bash", `{"command":"ls ~"}`), "bash(ls ~)")
	for name, c := range map[string]struct {
		calls   []event.GatedCall
		lines   []string
		want    []event.Approval
		allow   []string
		project []string
	}{
		"yes and no":            {[]event.GatedCall{ls, ls}, []string{" Yes ", "NO"}, []event.Approval{yes("c1"), no("c2", "")}, nil, nil},
		"for the session":       {[]event.GatedCall{ls, ls}, []string{"a", "a"}, []event.Approval{yes("c1"), yes("c2")}, []string{"bash(ls ~)"}, nil},
		"for the project":       {[]event.GatedCall{ls}, []string{"A"}, []event.Approval{yes("c1")}, []string{"bash(ls ~)"}, []string{"bash(ls ~)"}},
		"no rule to keep":       {[]event.GatedCall{called("bash", `{}`)}, []string{"a", "A", "n"}, []event.Approval{no("c1", "")}, nil, nil},
		"a rule with a secret":  {[]event.GatedCall{withRules(called("bash", `{}`), "bash(x [REDACTED])")}, []string{"a", "n"}, []event.Approval{no("c1", "")}, nil, nil},
		"scheduled has no rule": {[]event.GatedCall{withRules(called("hf_jobs", scheduled), "hf_jobs")}, []string{"a", "A", "y"}, []event.Approval{yes("c1")}, nil, nil},
		"feedback as it is":     {[]event.GatedCall{ls}, []string{" A100, not `y`! "}, []event.Approval{no("c1", " A100, not `y`! ")}, nil, nil},
		"long feedback":         {[]event.GatedCall{ls}, []string{"y but not today"}, []event.Approval{no("c1", "y but not today")}, nil, nil},
		"namespace of no job":   {[]event.GatedCall{ls}, []string{"y @acme", "y"}, []event.Approval{yes("c1")}, nil, nil},
		"no namespace":          {[]event.GatedCall{called("hf_jobs", job)}, []string{"y @-x", "y @a/b", "YES@acme-1"}, []event.Approval{{ToolCallID: "c1", Approved: true, Namespace: "acme-1"}}, nil, nil},
		"mail is feedback":      {[]event.GatedCall{called("hf_jobs", job)}, []string{"y @ acme please"}, []event.Approval{no("c1", "y @ acme please")}, nil, nil},
		"help and view":         {[]event.GatedCall{ls}, []string{"?", "v", "V", "y"}, []event.Approval{yes("c1")}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := review(c.calls...)
			want(t, answers(t, r, c.lines...), c.want...)
			_, configure, project := r.Result()
			var allow []string
			if configure != nil {
				allow = configure.Allow
			}
			if diff := cmp.Diff([][]string{c.allow, c.project}, [][]string{allow, project}); diff != "" {
				t.Errorf("rules (-want +got):\n%s", diff)
			}
		})
	}
}

// A project that is not trusted gets no rule, and the answer says why.
func TestNoRuleForTheProject(t *testing.T) {
	r := approve.New(approve.Options{
		Gate: gate(withRules(called("bash", `{"command":"ls"}`), "bash(ls)")), Theme: theme.New(theme.Options{}), NoProject: "this folder is not trusted",
	})
	if step := r.Answer("A"); step.Kind != approve.Ask || !strings.Contains(step.Reason, "not trusted") {
		t.Fatalf("A: %+v", step)
	}
	if view := strings.Join(r.View(80, 0), "\n"); strings.Contains(view, "A in this project") {
		t.Errorf("it is offered:\n%s", view)
	}
	want(t, answers(t, r, "a"), yes("c1"))
}

// What a person was typing when the request came up answers nothing.
func TestTypingIsNoAnswer(t *testing.T) {
	for _, typed := range []string{"", "y", "please stop", "yolo"} {
		r := approve.New(approve.Options{Gate: gate(called("bash", `{"command":"ls"}`)), Theme: theme.New(theme.Options{}), Typing: true})
		if r.Awake() || !strings.Contains(r.Hint("y"), "show the question") {
			t.Error("it is awake at once")
		}
		if step := r.Answer(typed); step.Kind != approve.Ask || r.Done() || !r.Awake() {
			t.Errorf("%q: %+v", typed, step)
		}
		want(t, answers(t, r, "y"), yes("c1"))
	}
}

func TestEdits(t *testing.T) {
	for name, c := range map[string]struct {
		call                event.GatedCall
		file, before, after string
		want                event.Approval // without the id
		refused             string
	}{
		"command":              {called("bash", `{"command":"ls","timeout":5}`), "command.sh", "ls", "ls -l\n", event.Approval{EditedArguments: json.RawMessage(`{"command":"ls -l","timeout":5}`)}, ""},
		"content":              {called("write", `{"path":"src/a b.py","content":"x = 1\n"}`), "content.txt", "x = 1\n", "", event.Approval{EditedArguments: json.RawMessage(`{"content":"","path":"src/a b.py"}`)}, ""},
		"replacement":          {called("edit", `{"path":"/w/a.py","old_str":"a","new_str":"b"}`), "a.py", "b", "c", event.Approval{EditedArguments: json.RawMessage(`{"new_str":"c","old_str":"a","path":"/w/a.py"}`)}, ""},
		"upload":               {called("hf_repo_files", `{"operation":"upload","repo_id":"me/x","path":"README.md","content":"# <x>"}`), "README.md", "# <x>", "# <y>", event.Approval{EditedArguments: json.RawMessage(`{"content":"# <y>","operation":"upload","path":"README.md","repo_id":"me/x"}`)}, ""},
		"arguments":            {called("sandbox_create", `{"hardware":"h200"}`), "arguments.json", "{\n  \"hardware\": \"h200\"\n}\n", `{"hardware":"t4-small","n":1.0}`, event.Approval{EditedArguments: json.RawMessage(`{"hardware":"t4-small","n":1.0}`)}, ""},
		"foreign line ends":    {called("bash", `{"command":"a\nb\n"}`), "command.sh", "a\nb\n", "a\r\nc\r\n", event.Approval{EditedArguments: json.RawMessage(`{"command":"a\nc\n"}`)}, ""},
		"nothing is left":      {called("bash", `{"command":"ls"}`), "command.sh", "ls", " \n", event.Approval{}, "empty"},
		"no script any more":   {called("hf_jobs", job), "script.py", "print(1)\n", "", event.Approval{}, "empty"},
		"no object any more":   {called("other", `{"a":1}`), "arguments.json", "{\n  \"a\": 1\n}\n", "[1]", event.Approval{}, "no JSON object"},
		"as it was":            {called("bash", `{"command":"ls"}`), "command.sh", "ls", "ls\n", event.Approval{}, "nothing is changed"},
		"script at an address": {called("hf_jobs", `{"operation":"run","script":"https://x.example/a.py"}`), "arguments.json", "{\n  \"operation\": \"run\",\n  \"script\": \"https://x.example/a.py\"\n}\n", `{"operation":"run","script":"print(1)"}`, event.Approval{EditedArguments: json.RawMessage(`{"operation":"run","script":"print(1)"}`)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := review(c.call)
			step := r.Answer("e")
			if step.Kind != approve.Edit || step.Name != c.file || step.Text != c.before {
				t.Fatalf("e: %+v", step)
			}
			step = r.Edited(c.after)
			if step.Kind != approve.Ask || !strings.Contains(step.Reason, c.refused) {
				t.Errorf("edited: %+v", step)
			}
			c.want.ToolCallID, c.want.Approved = "c1", true
			want(t, answers(t, r, "y"), c.want)
		})
	}
}

// Edits go on from the last one, are taken back by the text as it was, and end a
// rule that stands for something else.
func TestEditAgain(t *testing.T) {
	r := review(withRules(called("bash", `{"command":"ls"}`), "bash(ls)"))
	r.Answer("e")
	r.Edited("ls -l")
	if step := r.Answer("e"); step.Text != "ls -l" {
		t.Errorf("the second time: %+v", step)
	}
	if step := r.Answer("a"); step.Kind != approve.Ask || !strings.Contains(step.Reason, "as it was asked for") {
		t.Errorf("a rule for a changed call: %+v", step)
	}
	r.Edited("ls")
	want(t, answers(t, r, "a"), yes("c1"))
}

// An edit cannot bring a secret back that is not shown.
func TestEditOfHiddenSecrets(t *testing.T) {
	r := review(called("hf_jobs", `{"operation":"run","command":["x"],"secrets":{"K":"[REDACTED]"}}`))
	if step := r.Answer("e"); step.Kind != approve.Ask || !strings.Contains(step.Reason, "secret") {
		t.Errorf("all arguments: %+v", step)
	}
	r = review(called("bash", `{"command":"echo [REDACTED_HF_TOKEN]"}`))
	r.Answer("e")
	if step := r.Edited("echo  [REDACTED_HF_TOKEN]"); !strings.Contains(step.Reason, "does not come back") {
		t.Errorf("the command: %+v", step)
	}
	r = review(called("bash", `[1]`))
	if step := r.Answer("e"); step.Kind != approve.Ask {
		t.Errorf("no arguments: %+v", step)
	}
}

func TestPage(t *testing.T) {
	r := review(called("hf_jobs", `{"operation":"run","script":"`+strings.Repeat(`print(1)\n`, 500)+`","env":{"A":"hidden"}}`))
	view := r.View(80, 24)
	if len(view) > 24 || !strings.Contains(strings.Join(view, "\n"), "more lines (v shows all)") {
		t.Errorf("%d lines:\n%s", len(view), strings.Join(view, "\n"))
	}
	step := r.Answer("v")
	if step.Kind != approve.Page || strings.Count(step.Text, "print(1)\n") != 500 || strings.Contains(step.Text, "hidden") || step.Title != "hf_jobs run" {
		t.Errorf("page %q: %d bytes", step.Title, len(step.Text))
	}
}

// What Enter would do is said before it is pressed.
func TestHints(t *testing.T) {
	r := review(withRules(called("hf_jobs", job), "hf_jobs(run, hardware=a10g-large)"))
	for text, want := range map[string]string{
		"": "type an answer", "y": "run it", "n": "do not run it", "e": "edit", "v": "view", "?": "explain",
		"a": "allow hf_jobs(run, hardware=a10g-large) for this session", "A": "in this project", "yolo": "ask no more",
		"y @acme": "paid by acme", "y @-": "only a job", "A100 please": "tell the model why", "always": "tell the model why",
	} {
		if got := r.Hint(text); !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	r.Cancel()
	if r.Hint("y") != "" || r.View(80, 0) != nil || r.Answer("y").Kind != approve.Done || r.Edited("x").Kind != approve.Done || r.Cancel().Kind != approve.Done {
		t.Error("it goes on behind its end")
	}
}

func TestWithoutItems(t *testing.T) {
	if r := review(); !r.Done() {
		t.Error("an empty request asks")
	}
}

func moneyReview(tool, args string) *approve.Review {
	g := gate(called(tool, args))
	g.YoloBudget, g.UsageThreshold = tool == "yolo_budget", tool == "usage_threshold"
	return approve.New(approve.Options{Gate: g, Theme: theme.New(theme.Options{})})
}

func TestMoneyGates(t *testing.T) {
	const (
		used   = `{"cap_usd":25,"current_spend_usd":25.01,"remaining_cap_usd":0,"estimated_next_usd":null,"spend_kind":"llm_call","reason":"the spending cap is used up"}`
		tight  = `{"cap_usd":25,"current_spend_usd":24.9,"remaining_cap_usd":0.1,"estimated_next_usd":0.3,"reason":"the next model call may cost 0.3000 USD"}`
		raised = `{"cap_usd":30,"current_spend_usd":25.01,"remaining_cap_usd":4.99,"estimated_next_usd":0.3,"reason":"x"}`
		passed = `{"threshold_usd":5,"current_spend_usd":5.1,"next_threshold_usd":10,"billing_source":"app_telemetry_session"}`
	)
	for name, c := range map[string]struct {
		tool, args string
		lines      []string
		want       event.Approval
		limit      *float64
	}{
		"yes does not help":    {"yolo_budget", used, []string{"y", "", "?", "yolo", "e", "25.01", "0", "-3", "1e9", "NaN", "y @x", "n"}, no("c1", ""), nil},
		"a higher cap":         {"yolo_budget", used, []string{"$30"}, yes("c1"), ptr(30.0)},
		"unlimited":            {"yolo_budget", used, []string{"Unlimited"}, yes("c1"), ptr(0.0)},
		"next does not fit":    {"yolo_budget", tight, []string{"y", "25.2", "25.5 usd"}, yes("c1"), ptr(25.5)},
		"raised meanwhile":     {"yolo_budget", raised, []string{"y"}, yes("c1"), nil},
		"a threshold":          {"usage_threshold", passed, []string{"a", "v", "yes"}, yes("c1"), nil},
		"a threshold and stop": {"usage_threshold", passed, []string{"no"}, no("c1", ""), nil},
		"a threshold, a cap":   {"usage_threshold", passed, []string{"5", "8"}, yes("c1"), ptr(8.0)},
		"nothing is known":     {"yolo_budget", `{}`, []string{"y"}, yes("c1"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := moneyReview(c.tool, c.args)
			want(t, answers(t, r, c.lines...), c.want)
			told := r.Told()[0]
			if strings.Contains(told, "stopped") == c.want.Approved || strings.Contains(told, "with a cap of") != (c.limit != nil && *c.limit > 0) {
				t.Errorf("told %q", told)
			}
			_, configure, _ := r.Result()
			var limit *float64
			if configure != nil {
				limit = configure.MaxCostUSD
			}
			if diff := cmp.Diff(c.limit, limit); diff != "" {
				t.Errorf("cap (-want +got):\n%s", diff)
			}
		})
	}
	r := moneyReview("yolo_budget", used)
	for text, want := range map[string]string{"30": "with a cap of $30.00", "unlimited": "without a cap", "y": "a higher cap, such as 30", "n": "stop here", "?": "explain"} {
		if got := r.Hint(text); !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	r.Cancel()
	got, _, _ := r.Result()
	want(t, got, no("c1", "User cancelled approval"))
}

// Nothing of a call is hidden but values that may be secrets.
func TestEverythingIsShown(t *testing.T) {
	r := approve.New(approve.Options{
		Gate:  gate(called("hf_jobs", `{"operation":"run","command":["sh","-c","echo 'a b'"],"env":{"A":"value1"},"secrets":{"B":"value2"},"ssh":true,"volumes":[{"source":"me/data"}],"expose":[8080]}`)),
		Theme: theme.New(theme.Options{}),
		Options: sheet.Options{Secret: func(s string) string {
			if strings.Contains(s, "echo") {
				return "hf token"
			}
			return ""
		}},
	})
	view := strings.Join(r.View(100, 0), "\n")
	for _, text := range []string{`sh -c 'echo '\''a b'\'''`, "python:3.12", "cpu-basic", "30m", "A", "B", "ssh", "me/data", "8080", "looks like a secret: hf token", "Cost        unknown", "Spent       unknown"} {
		if !strings.Contains(view, text) {
			t.Errorf("%q is missing in\n%s", text, view)
		}
	}
	if strings.Contains(view, "value1") || strings.Contains(view, "value2") {
		t.Errorf("a value is shown:\n%s", view)
	}
}

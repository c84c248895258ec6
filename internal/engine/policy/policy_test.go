package policy_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
	"github.com/ml-intern/ml-intern/internal/engine/policy/danger"
)

func surroundings(o policy.Options) danger.Surroundings {
	return danger.Surroundings{Workspace: o.Workspace, Home: o.Home, Owned: o.OwnProcess}
}

// call mimics what a tool declares about one of its calls.
func call(name, args string, r tool.Risk) policy.Call {
	if r.Effect == "" {
		r.Effect = event.Once
	}
	return policy.Call{ID: "c", Name: name, Args: json.RawMessage(args), Risk: r}
}

func job(args string) policy.Call {
	gate, reason, effect := tool.Ask, "starts a job that costs money", event.Keyed
	switch {
	case strings.Contains(args, "scheduled ps"):
		gate, reason, effect = tool.Open, "", event.Read
	case strings.Contains(args, "scheduled run"):
		gate, reason = tool.Always, "scheduled jobs always need a person's approval"
	case strings.Contains(args, `"ps"`):
		gate, reason, effect = tool.Open, "", event.Read
	}
	return call("hf_jobs", args, tool.Risk{Gate: gate, Reason: reason, Effect: effect})
}

func write(path string) policy.Call {
	args, _ := json.Marshal(map[string]string{"path": path, "content": ""})
	return call("write", string(args), tool.Risk{Effect: event.Keyed, Writes: []string{path}})
}

// Decision table of the modes: what each does with each sort of call.
func TestModes(t *testing.T) {
	readOnly := call("read", `{"path":"a.py"}`, tool.Risk{Effect: event.Read})
	table := []struct {
		name string
		call policy.Call
		want string // plan, ask, auto-edit, upstream, yolo
	}{
		{"read-only", readOnly, "run run run run run"},
		{"plan tool", call("plan_tool", `{}`, tool.Risk{Effect: event.Pure}), "run run run run run"},
		{"harmless command", bash("ls -la"), "refuse run run run run"},
		{"dangerous command", bash("sudo ls"), "refuse ask ask run run"},
		{"broken command", bash("ls ("), "refuse ask ask run run"},
		{"redirection outside", bash("echo x > /data/x"), "refuse ask run run run"},
		{"redirection to a protected place", bash("echo x > ~/.ssh/x"), "refuse ask ask run run"},
		{"write inside", write(root + "/src/a.py"), "refuse run run run run"},
		{"write to the temp folder", write("/tmp/session/a"), "refuse run run run run"},
		{"write outside", write("/data/a.py"), "refuse ask run run run"},
		{"write beside", write(root + "-other/a.py"), "refuse ask run run run"},
		{"write to .git", write(root + "/.git/config"), "refuse ask ask run run"},
		{"write to .env", write(root + "/.env"), "refuse ask ask run run"},
		{"write to .env.local", write(root + "/x/.env.local"), "refuse ask ask run run"},
		{"write to .env.example", write(root + "/.env.example"), "refuse run run run run"},
		{"write to .bashrc", write(home + "/.bashrc"), "refuse ask ask run run"},
		{"write to .config", write(home + "/.config/x"), "refuse ask ask run run"},
		{"gated call", job(`{"operation":"run","hardware_flavor":"a100-large"}`), "refuse ask ask ask run"},
		{"scheduled run", job(`{"operation":"scheduled run"}`), "refuse ask ask ask ask"},
		{"scheduled ps", job(`{"operation":"scheduled ps"}`), "run run run run run"},
		{"open writing call", call("notify", `{}`, tool.Risk{}), "refuse run run run run"},
	}
	for _, c := range table {
		wants := strings.Fields(c.want)
		for i, m := range policy.Modes() {
			p := newPolicy(t, func(o *policy.Options) { o.Mode = m })
			if v := p.Judge(c.call); v.Action.String() != wants[i] {
				t.Errorf("%s in mode %s: %s (%s), want %s", c.name, m, v.Action, v.Reason, wants[i])
			}
		}
	}
}

// Acceptance check 16 of the agent: scheduled runs ask in yolo mode too, and
// no rule waives that; looking at them is free.
func TestCheck16_ScheduledRuns(t *testing.T) {
	p := newPolicy(t, func(o *policy.Options) {
		o.Mode = policy.ModeYolo
		o.Allow = []string{"hf_jobs", "hf_jobs(scheduled*)", "*"}
	})
	v := p.Judge(job(`{"operation":"scheduled run"}`))
	if v.Action != policy.Ask || !v.Always || !strings.Contains(v.Reason, "scheduled jobs") {
		t.Errorf("scheduled run: %+v", v)
	}
	if b := policy.Manual(v.Reason); !b.AutoApprovalBlocked || !strings.Contains(b.BlockReason, "scheduled jobs") {
		t.Errorf("block %+v", b)
	}
	if v := p.Judge(job(`{"operation":"scheduled ps"}`)); v.Action != policy.Run {
		t.Errorf("scheduled ps: %+v", v)
	}
	p = newPolicy(t, func(o *policy.Options) { o.Mode = policy.ModeYolo; o.Headless = true })
	if v := p.Judge(job(`{"operation":"scheduled run"}`)); v.Action != policy.Refuse || !v.Gated || !v.Always {
		t.Errorf("scheduled run headless: %+v", v)
	}
}

// Acceptance check 17 of the agent.
func TestCheck17_CPUJobsAndSandboxes(t *testing.T) {
	p := newPolicy(t, func(o *policy.Options) { o.ConfirmCPUJobs = false })
	for args, want := range map[string]policy.Action{
		`{"operation":"run"}`: policy.Run,
		`{"operation":"run","hardware_flavor":"cpu-upgrade"}`:     policy.Run,
		`{"operation":"run","hardware_flavor":"t4-small"}`:        policy.Ask,
		`{"operation":"scheduled run","flavor":"cpu-basic"}`:      policy.Ask,
		`{"operation":"cancel","hardware_flavor":"cpu-basic"}`:    policy.Ask,
		`{"operation":"run","hardware_flavor":"cpu-performance"}`: policy.Ask,
	} {
		if v := p.Judge(job(args)); v.Action != want {
			t.Errorf("%s: %+v, want %s", args, v, want)
		}
	}
	p = newPolicy(t, nil)
	if v := p.Judge(job(`{"operation":"run"}`)); v.Action != policy.Ask {
		t.Errorf("a confirmed CPU job: %+v", v)
	}
	if v := p.Judge(call("sandbox_create", `{}`, tool.Risk{})); v.Action != policy.Run {
		t.Errorf("a free sandbox: %+v", v)
	}
	if v := p.Judge(call("sandbox_create", `{"hardware":"a10g-large"}`, tool.Risk{Gate: tool.Ask})); v.Action != policy.Ask {
		t.Errorf("a paid sandbox: %+v", v)
	}
}

func TestOwnNamespaces(t *testing.T) {
	gated := tool.Risk{Gate: tool.Ask}
	p := newPolicy(t, func(o *policy.Options) { o.AutoFileUpload = true })
	for _, c := range []struct {
		name, args string
		want       policy.Action
	}{
		{"hf_repo_files", `{"operation":"upload","repo_id":"me/x"}`, policy.Run},
		{"hf_repo_files", `{"operation":"upload","repo_id":"team/x"}`, policy.Ask},
		{"hf_repo_files", `{"operation":"upload","repo_id":"x"}`, policy.Ask},
		{"hf_repo_files", `{"operation":"delete","repo_id":"me/x"}`, policy.Ask},
		{"hf_repo_git", `{"operation":"create_pr","repo_id":"team/x"}`, policy.Run},
		{"hf_repo_git", `{"operation":"create_pr","repo_id":"other/x"}`, policy.Ask},
		{"hf_repo_git", `{"operation":"merge_pr","repo_id":"me/x"}`, policy.Ask},
	} {
		if v := p.Judge(call(c.name, c.args, gated)); v.Action != c.want {
			t.Errorf("%s %s: %+v, want %s", c.name, c.args, v, c.want)
		}
	}
}

func TestRules(t *testing.T) {
	gated := func(micro int64, known bool) tool.Risk {
		return tool.Risk{Gate: tool.Ask, Cost: &tool.Cost{MicroUSD: micro, Known: known}}
	}
	for _, c := range []struct {
		rule    string
		call    policy.Call
		allowed bool // as an allow rule
		denied  bool // as a deny rule
	}{
		{"hf_jobs", call("hf_jobs", `{"operation":"run"}`, gated(1, true)), true, true},
		{"hf_jobs", call("hf_repo_git", `{}`, gated(1, true)), false, false},
		{"hf_*", call("hf_jobs", `{}`, gated(1, true)), true, true},
		{"hf_jobs(flavor=cpu-*)", call("hf_jobs", `{"operation":"run","hardware_flavor":"cpu-xl"}`, gated(1, true)), true, true},
		{"hf_jobs(flavor=cpu-*)", call("hf_jobs", `{"operation":"run"}`, gated(1, true)), true, true},
		{"hf_jobs(flavor=cpu-*)", call("hf_jobs", `{"operation":"run","hardware_flavor":"t4-small"}`, gated(1, true)), false, false},
		{"hf_jobs(flavor=cpu-*)", call("hf_jobs", `{"operation":"cancel","hardware_flavor":"cpu-basic"}`, gated(1, true)), false, false},
		{"hf_jobs(max_cost<=5)", call("hf_jobs", `{"operation":"run"}`, gated(5_000_000, true)), true, true},
		{"hf_jobs(max_cost<=5)", call("hf_jobs", `{"operation":"run"}`, gated(5_000_001, true)), false, false},
		{"hf_jobs(max_cost<=5)", call("hf_jobs", `{"operation":"run"}`, gated(0, false)), false, true},
		{"hf_jobs(max_cost>5)", call("hf_jobs", `{"operation":"run"}`, gated(0, false)), false, true},
		{"hf_jobs(flavor=t4-*, max_cost<=5)", call("hf_jobs", `{"operation":"run","hardware_flavor":"t4-small"}`, gated(1, true)), true, true},
		{"hf_jobs(flavor=t4-*, max_cost<=5)", call("hf_jobs", `{"operation":"run","hardware_flavor":"t4-small"}`, gated(9e6, true)), false, false},
		{"hf_repo_git(merge_pr)", call("hf_repo_git", `{"operation":"merge_pr"}`, gated(0, true)), true, true},
		{"hf_repo_git(merge_pr)", call("hf_repo_git", `{"operation":"delete_tag"}`, gated(0, true)), false, false},
		{"hf_repo_git(delete_*)", call("hf_repo_git", `{"operation":"delete_tag"}`, gated(0, true)), true, true},
		{"hf_repo_files(repo_id=me/*)", call("hf_repo_files", `{"operation":"upload","repo_id":"me/x"}`, gated(0, true)), true, true},
		{"mcp__srv__do", call("mcp__srv__do", `{}`, gated(0, true)), true, true},
		{"mcp__srv", call("mcp__srv__do", `{}`, gated(0, true)), true, true},
		{"mcp__srv", call("mcp__srv2__do", `{}`, gated(0, true)), false, false},
		{"mcp__srv__*", call("mcp__srv__do", `{}`, gated(0, true)), true, true},
		{"hf_jobs(max_cost<0.5)", call("hf_jobs", `{}`, gated(400_000, true)), true, true},
		{"hf_jobs(max_cost>=$2)", call("hf_jobs", `{}`, gated(2_000_000, true)), true, true},
		{"hf_jobs(max_cost=0)", call("hf_jobs", `{}`, tool.Risk{Gate: tool.Ask}), true, true},
		{"x(n>3)", call("x", `{"n":4}`, gated(0, true)), true, true},
		{"x(n>3)", call("x", `{"n":"many"}`, gated(0, true)), false, true},
		{"x(n!=3)", call("x", `{"n":4}`, gated(0, true)), true, true},
		{"x(n!=3)", call("x", `{}`, gated(0, true)), false, true},
		{"edit(/data/a?/*.p?)", write("/data/ab/x.py"), true, true},
		{"edit(/data/a?/*.p?)", write("/data/a/x.py"), false, false},
		{"edit(/data/**)", write("/data/a/b"), true, true},
		{"edit", write("/data/a/b"), true, true},
		{"write(/data/**)", write("/data/a/b"), true, true},
		{"write(/data/**)", call("edit", `{}`, tool.Risk{Writes: []string{"/data/a"}}), false, false},
		{"edit(/data/*)", write("/data/a/b"), false, true}, // a denied folder covers what is below
		{"edit(~/notes/*.md)", write(home + "/notes/a.md"), true, true},
		{"edit(src/**)", write(root + "/src/.git/a"), false, true},
		{"edit(src/.git/*)", write(root + "/src/.git/a"), true, true},
		{"edit(**)", write(root + "/.env"), false, true},
		{"edit(.env)", write(root + "/.env"), true, true},
		{"edit(.env)", write("/data/.env"), false, true},
		{"edit(src/**)", write("/data/src/a"), false, false},
	} {
		p := newPolicy(t, func(o *policy.Options) { o.Allow = []string{c.rule} })
		v := p.Judge(c.call)
		if got := v.Action == policy.Run && v.Rule == c.rule; got != c.allowed {
			t.Errorf("allow %s for %s %s %v: %+v, want %v", c.rule, c.call.Name, c.call.Args, c.call.Risk.Writes, v, c.allowed)
		}
		p = newPolicy(t, func(o *policy.Options) { o.Mode = policy.ModeYolo; o.Deny = []string{c.rule} })
		if v := p.Judge(c.call); (v.Action == policy.Refuse) != c.denied {
			t.Errorf("deny %s for %s %s %v: %+v, want %v", c.rule, c.call.Name, c.call.Args, c.call.Risk.Writes, v, c.denied)
		}
	}
}

func TestPrecedence(t *testing.T) {
	c := bash("git status")
	both := func(mode policy.Mode, allow, ask, deny string) policy.Verdict {
		return newPolicy(t, func(o *policy.Options) {
			o.Mode = mode
			for list, text := range map[*[]string]string{&o.Allow: allow, &o.Ask: ask, &o.Deny: deny} {
				if text != "" {
					*list = []string{text}
				}
			}
		}).Judge(c)
	}
	for _, m := range policy.Modes() {
		if v := both(m, "bash", "bash", "bash(git *)"); v.Action != policy.Refuse || v.Rule != "bash(git *)" {
			t.Errorf("deny in mode %s: %+v", m, v)
		}
	}
	if v := both(policy.ModeAsk, "bash", "bash(git *)", ""); v.Action != policy.Ask || v.Rule != "bash(git *)" {
		t.Errorf("ask over allow: %+v", v)
	}
	if v := both(policy.ModeYolo, "", "bash(git *)", ""); v.Action != policy.Run {
		t.Errorf("ask in yolo mode: %+v", v)
	}
	p := newPolicy(t, func(o *policy.Options) { o.Mode = policy.ModePlan })
	for _, r := range []tool.Risk{{Effect: event.Read, Command: "touch x", Dir: "/w"}, {Effect: event.Read}} { // here, and in a sandbox
		if v := p.Judge(call("bash", `{"command":"touch x"}`, r)); v.Action != policy.Refuse {
			t.Errorf("a shell for sub-agents in plan mode: %+v", v)
		}
	}
	if v := both(policy.ModePlan, "bash", "", ""); v.Action != policy.Refuse || v.Gated {
		t.Errorf("allow in plan mode: %+v", v)
	}
}

func TestHeadlessNamesTheMode(t *testing.T) {
	p := newPolicy(t, func(o *policy.Options) { o.Headless = true })
	for _, c := range []struct {
		call policy.Call
		mode string
	}{{write("/data/x"), "auto-edit"}, {bash("sudo ls"), "upstream"}, {job(`{"operation":"run"}`), "yolo"}} {
		v := p.Judge(c.call)
		if v.Action != policy.Refuse || !v.Gated || !strings.Contains(v.Hint, "mode "+c.mode) {
			t.Errorf("%s: %+v, want mode %s named", c.call.Name, v, c.mode)
		}
	}
	if v := p.Judge(bash("ls")); v.Action != policy.Run {
		t.Errorf("ls: %+v", v)
	}
}

func TestNewNamesEveryBadRule(t *testing.T) {
	o := options()
	o.Mode = "maybe"
	o.Allow = []string{"bash(git", "ok"}
	o.Deny = []string{"edit()", "hf_jobs(max_cost<=much)", "two words", `bash("x)`, "edit(../x)", "hf_jobs(a=b,)"}
	o.Workspace = []string{"relative"}
	_, err := policy.New(o)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`"maybe"`, "allow[0]", "deny[0]", "deny[1]", "deny[2]", "deny[3]", "deny[4]", "deny[5]", "bash(git", "two words", `"relative"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

func TestSessionRulesAndModes(t *testing.T) {
	p := newPolicy(t, nil)
	c := bash("sudo apt-get install git")
	if v := p.Judge(c); v.Action != policy.Ask {
		t.Fatalf("before: %+v", v)
	}
	if err := p.Allow("bash(sudo apt-get install *)"); err != nil {
		t.Fatal(err)
	}
	if v := p.Judge(c); v.Action != policy.Run {
		t.Errorf("after the rule: %+v", v)
	}
	if p.Allow("bash(") == nil || p.SetMode("x") == nil {
		t.Error("bad input is taken")
	}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			_ = p.SetMode(policy.Modes()[i%5])
			_ = p.Allow("bash(ls *)")
			p.Judge(bash("ls; sudo ls"))
			_ = p.Mode()
		})
	}
	group.Wait()
}

func TestSandboxShellIsNotLocal(t *testing.T) {
	c := call("bash", `{"command":"sudo rm -rf /"}`, tool.Risk{})
	if v := newPolicy(t, nil).Judge(c); v.Action != policy.Run {
		t.Errorf("in a sandbox: %+v", v)
	}
	p := newPolicy(t, func(o *policy.Options) { o.Deny = []string{"bash(sudo *)"} })
	if v := p.Judge(c); v.Action != policy.Refuse {
		t.Errorf("denied in a sandbox: %+v", v)
	}
}

// A tool of another server is known to rules by its alias too, whatever the model
// calls it, and is suggested by it; text from outside makes it ask.
func TestAliases(t *testing.T) {
	c := call("search", `{"q":"x"}`, tool.Risk{Effect: event.Once, Gate: tool.Ask, Alias: "mcp__docs__search"})
	for _, row := range []struct {
		o    policy.Options
		want policy.Action
	}{
		{policy.Options{}, policy.Ask},
		{policy.Options{Allow: []string{"mcp__docs__search"}}, policy.Run},
		{policy.Options{Allow: []string{"mcp__docs"}}, policy.Run},
		{policy.Options{Allow: []string{"search"}}, policy.Run},
		{policy.Options{Allow: []string{"mcp__doc"}}, policy.Ask},
		{policy.Options{Allow: []string{"search"}, Deny: []string{"mcp__docs"}}, policy.Refuse},
		{policy.Options{Mode: policy.ModeYolo, Deny: []string{"mcp__docs__*"}}, policy.Refuse},
	} {
		if row.o.Mode == "" {
			row.o.Mode = policy.ModeAsk
		}
		p, err := policy.New(row.o)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Judge(c); got.Action != row.want {
			t.Errorf("allow %v deny %v: %v, want %v", row.o.Allow, row.o.Deny, got.Action, row.want)
		}
	}
	p, err := policy.New(policy.Options{Mode: policy.ModeAsk, Allow: []string{"search"}})
	if err != nil {
		t.Fatal(err)
	}
	if rules := p.Suggest(c); len(rules) == 0 || rules[0] != "mcp__docs__search" {
		t.Errorf("suggested: %v", rules)
	}
	c.Outside = []event.Origin{{Source: "S1"}}
	if got := p.Judge(c); got.Action != policy.Ask {
		t.Errorf("after text from outside: %v", got.Action)
	}
}

// Rules for one turn permit like the session's own, together with them, and go.
func TestRulesOfATurn(t *testing.T) {
	o := options()
	o.Allow = []string{"bash(sudo ls)"}
	p, err := policy.New(o)
	if err != nil {
		t.Fatal(err)
	}
	judged := func() policy.Action { return p.Judge(bash("sudo ls && sudo make")).Action }
	if got := judged(); got != policy.Ask {
		t.Errorf("without a rule: %v", got)
	}
	if err := p.ForTurn([]string{"bash(sudo make)"}); err != nil || judged() != policy.Run {
		t.Errorf("with a rule of the turn: %v, %v", judged(), err)
	}
	if err := p.ForTurn([]string{"bash(sudo make)", "bash("}); err == nil || judged() != policy.Ask {
		t.Errorf("with a wrong rule: %v, %v", judged(), err)
	}
	if err := p.ForTurn(nil); err != nil || judged() != policy.Ask {
		t.Errorf("behind the turn: %v, %v", judged(), err)
	}
}

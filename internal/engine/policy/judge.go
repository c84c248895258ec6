package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// Judge decides about one call: deny rules come before everything, then plan
// mode, gates that need a person, hooks that ask, ask rules, yolo mode, acts that
// reach others after text from outside was read, hooks that allow and allow rules,
// and last what the mode itself asks about. Headless, what would ask is refused.
func (p *Policy) Judge(c Call) Verdict {
	f := p.facts(c)
	p.mu.RLock()
	defer p.mu.RUnlock()
	v := p.verdict(f, p.mode)
	if v.Action != Ask || !p.options.Headless {
		return v
	}
	v.Action, v.Gated = Refuse, true
	v.Hint = "nobody is there to approve it; run it interactively"
	if v.Always {
		return v
	}
	for _, m := range []Mode{ModeAutoEdit, ModeUpstream, ModeYolo} {
		if p.verdict(f, m).Action == Run {
			v.Hint = fmt.Sprintf("nobody is there to approve it; approval mode %s would allow it", m)
			return v
		}
	}
	return v
}

// JudgeSub decides about one call of a sub-agent, which reads more of what others
// write than anybody looks at: its commands are judged as mode ask would,
// whatever the mode. What would ask is for it a refusal.
func (p *Policy) JudgeSub(c Call) Verdict {
	f := p.facts(c)
	p.mu.RLock()
	defer p.mu.RUnlock()
	m := p.mode
	if f.isShell && m != ModePlan {
		m = ModeAsk
	}
	return p.verdict(f, m)
}

func (p *Policy) verdict(f *facts, m Mode) Verdict {
	if r, ok := concerned(p.deny, f); ok {
		return denied(r, f)
	}
	// A shell that sub-agents may use says that it only looks; what a command
	// does is not known.
	if m == ModePlan && (!f.Risk.ReadOnly() || f.isShell) {
		return Verdict{
			Reason: fmt.Sprintf("plan mode only looks: %s would change something", f.Name),
			Hint:   "finish the plan first; a person then leaves plan mode",
		}
	}
	if f.Risk.Gate == tool.Always {
		reason := f.Risk.Reason
		if reason == "" {
			reason = f.Name + " needs a person's approval every time"
		}
		return Verdict{Action: Ask, Reason: reason, Always: true}
	}
	if f.Asks != "" {
		return Verdict{Action: Ask, Reason: f.Asks}
	}
	if m != ModeYolo {
		if r, ok := concerned(p.ask, f); ok {
			return Verdict{Action: Ask, Reason: "the rule " + r.text + " asks", Rule: r.text}
		}
	}
	if m == ModeYolo {
		return Verdict{Action: Run}
	}
	if reasons := f.outward(); len(reasons) > 0 {
		return p.base(f, m, reasons...)
	}
	if f.Permitted {
		return Verdict{Action: Run, Reason: "a hook allows it"}
	}
	if text, ok := permits(p.permitting(), f); ok {
		return Verdict{Action: Run, Rule: text, Reason: "the rule " + text + " allows it"}
	}
	return p.base(f, m)
}

// outward says why the call reaches others, where text from outside was read
// since the user's last message: such text may be what asks for it, so a person
// decides, whatever a rule or a setting allows. Changes of the workspace, runs
// on the Hub and calls that only look are not meant.
func (f *facts) outward() []string {
	if len(f.Outside) == 0 {
		return nil
	}
	var acts []string
	switch {
	case f.Risk.ReadOnly():
	case f.Name == "hf_jobs":
		if f.operation == "cancel" && f.Risk.Gate != tool.Open {
			acts = append(acts, "cancels what this session did not start")
		}
	case f.Name == "notify":
		acts = append(acts, "sends a message")
	case f.foreign() != "":
		acts = append(acts, "acts on another server")
	case f.Risk.Outward:
		acts = append(acts, "acts where others see it")
	}
	if acts = append(acts, f.report.Sends...); f.Tells != "" {
		acts = append(acts, "tells "+f.Tells+" what was read here")
	}
	for i := range acts {
		acts[i] += ", and since your last message text from outside was read: " + f.origins()
	}
	return acts
}

// shownOrigins is how many of the texts from outside a reason names.
const shownOrigins = 3

// origins names the newest texts from outside.
func (f *facts) origins() string {
	var names []string
	for _, o := range slices.Backward(f.Outside) {
		if len(names) == shownOrigins {
			names = append(names, fmt.Sprintf("%d more", len(f.Outside)-shownOrigins))
			break
		}
		names = append(names, strings.TrimSpace(o.Source+" "+o.URL))
	}
	return strings.Join(names, ", ")
}

func concerned(rules []rule, f *facts) (rule, bool) {
	i := slices.IndexFunc(rules, func(r rule) bool { return r.may(f) })
	if i < 0 {
		return rule{}, false
	}
	return rules[i], true
}

func denied(r rule, f *facts) Verdict {
	v := Verdict{Action: Refuse, Reason: "the rule " + r.text + " denies it", Rule: r.text}
	if r.kind == commandRule && len(f.script.Hidden) > 0 {
		v.Reason = fmt.Sprintf("the rule %s denies some commands, and %s", r.text, f.script.Hidden[0])
		v.Hint = "write every command out plainly"
	}
	return v
}

// base is what a mode asks about when no rule decided, beside the reasons that
// there are already.
func (p *Policy) base(f *facts, m Mode, reasons ...string) Verdict {
	if f.Risk.Gate == tool.Ask && !p.waived(f) {
		reason := f.Risk.Reason
		if reason == "" {
			reason = f.Name + " asks before it acts"
		}
		reasons = append(reasons, reason)
	}
	if m == ModeAsk || m == ModeAutoEdit {
		if f.Risk.Command != "" {
			reasons = append(reasons, f.report.Hazards...)
		}
		reasons = append(reasons, p.writeReasons(f, m)...)
	}
	if len(reasons) == 0 {
		return Verdict{Action: Run}
	}
	slices.Sort(reasons)
	return Verdict{Action: Ask, Reason: strings.Join(slices.Compact(reasons), "; ")}
}

// writeReasons says which of the files a call changes need a question.
func (p *Policy) writeReasons(f *facts, m Mode) []string {
	var reasons []string
	for _, file := range f.Risk.Writes {
		if why := f.around.Protected(file); why != "" {
			reasons = append(reasons, "changes "+why)
		} else if m == ModeAsk && !f.around.Inside(file) {
			reasons = append(reasons, "writes outside the workspace: "+file)
		}
	}
	if m != ModeAsk || f.Risk.Command == "" {
		return reasons
	}
	for _, w := range f.report.Writes {
		switch {
		case w.Protected != "":
		case w.Path == "":
			reasons = append(reasons, "writes where it cannot be told: "+w.Text)
		case !f.around.Inside(w.Path):
			reasons = append(reasons, "writes outside the workspace: "+w.Text)
		}
	}
	return reasons
}

// waived reports whether a setting or the owner of a namespace makes a gated
// call free.
func (p *Policy) waived(f *facts) bool {
	own := func(withOrgs bool) bool {
		namespace, _, ok := strings.Cut(f.text("repo_id"), "/")
		if !ok || namespace == "" || p.options.Owner == nil {
			return false
		}
		user, orgs := p.options.Owner()
		return namespace == user || withOrgs && slices.Contains(orgs, namespace)
	}
	switch f.Name {
	case "hf_jobs":
		cpu := slices.Contains([]string{"cpu-basic", "cpu-upgrade"}, f.hardware())
		return !p.options.ConfirmCPUJobs && cpu && (f.operation == "run" || f.operation == "uv")
	case "hf_repo_files":
		return p.options.AutoFileUpload && f.operation == "upload" && own(false)
	case "hf_repo_git":
		visible := []string{
			"create_pr", "comment_pr", "close_pr", "change_pr_status", "rename_pr", "create_branch", "create_tag",
		}
		return slices.Contains(visible, f.operation) && own(true)
	}
	return false
}

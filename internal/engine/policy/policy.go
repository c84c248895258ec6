package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/policy/danger"
	"github.com/ml-intern/ml-intern/internal/engine/policy/shell"
)

// Mode says what happens to calls that no rule is about.
type Mode string

// The modes, from the most careful to the least.
const (
	// ModePlan runs read-only calls and refuses the others.
	ModePlan Mode = "plan"
	// ModeAsk asks for gated calls, dangerous commands, and writes outside the
	// workspace or to protected files.
	ModeAsk Mode = "ask"
	// ModeAutoEdit is ModeAsk without the question for writes outside the
	// workspace.
	ModeAutoEdit Mode = "auto-edit"
	// ModeUpstream asks for gated calls alone.
	ModeUpstream Mode = "upstream"
	// ModeYolo runs everything but calls whose gate is Always.
	ModeYolo Mode = "yolo"
)

// Modes lists the modes, from the most careful to the least.
func Modes() []Mode { return []Mode{ModePlan, ModeAsk, ModeAutoEdit, ModeUpstream, ModeYolo} }

// Means says what the mode comes to, for a person.
func (m Mode) Means() string {
	return map[Mode]string{
		ModePlan:     "look only: whatever changes something is refused",
		ModeAsk:      "ask before what is dangerous, paid or seen by others",
		ModeAutoEdit: "as ask, but files outside the workspace may be written",
		ModeUpstream: "ask where the Python original did: no local commands",
		ModeYolo:     "ask before scheduled jobs only",
	}[m]
}

// check returns an error that lists the modes when m is none of them.
func (m Mode) check() error {
	if slices.Contains(Modes(), m) {
		return nil
	}
	names := make([]string, 0, len(Modes()))
	for _, known := range Modes() {
		names = append(names, string(known))
	}
	return fmt.Errorf("approval mode %q is unknown, want one of %s", m, strings.Join(names, ", "))
}

// Options is what a policy starts from.
type Options struct {
	Mode             Mode
	Allow, Ask, Deny []string
	// Workspace lists real absolute folders, the session's temp folder among
	// them. Relative paths in rules are about each of them.
	Workspace []string
	Home      string // the user's home folder, empty when unknown
	// Headless says that nobody can be asked: what would ask is refused.
	Headless bool
	// ConfirmCPUJobs false lets Hub jobs on CPU hardware run without asking.
	ConfirmCPUJobs bool
	// AutoFileUpload lets uploads into the user's own namespace run without
	// asking.
	AutoFileUpload bool
	// Owner returns the Hub namespaces that belong to the user: his name and his
	// organisations, as far as they are known; nil knows none.
	Owner func() (user string, orgs []string)
	// OwnProcess reports whether the session started a process; nil means none.
	OwnProcess func(pid int) bool
}

// Policy judges calls. It is safe for concurrent use.
type Policy struct {
	options Options

	mu    sync.RWMutex
	mode  Mode
	allow []rule
	turn  []rule // they permit too, for the running turn
	ask   []rule
	deny  []rule
}

// New checks o. Every wrong rule, folder and mode is named in the error.
func New(o Options) (*Policy, error) {
	p := &Policy{options: o, mode: o.Mode}
	errs := []error{o.Mode.check()}
	var err error
	for _, list := range []struct {
		name  string
		texts []string
		into  *[]rule
	}{{"allow", o.Allow, &p.allow}, {"ask", o.Ask, &p.ask}, {"deny", o.Deny, &p.deny}} {
		*list.into, err = parseRules(list.name, list.texts)
		errs = append(errs, err)
	}
	for _, dir := range o.Workspace {
		if !path.IsAbs(dir) {
			errs = append(errs, fmt.Errorf("workspace folder %q is not absolute", dir))
		}
	}
	if o.Home != "" && !path.IsAbs(o.Home) {
		errs = append(errs, fmt.Errorf("home folder %q is not absolute", o.Home))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return p, nil
}

// Mode returns the mode in force.
func (p *Policy) Mode() Mode {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.mode
}

// SetMode changes the mode for the calls judged from now on.
func (p *Policy) SetMode(m Mode) error {
	if err := m.check(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = m
	return nil
}

// Allow adds a rule that permits, for the rest of the session.
func (p *Policy) Allow(text string) error {
	r, err := parseRule(text)
	if err != nil {
		return fmt.Errorf("rule %q is wrong: %w", text, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.allow = append(slices.Clip(p.allow), r)
	return nil
}

// ForTurn replaces the rules that permit for the running turn alone. Where one
// is wrong none does, and the error names it.
func (p *Policy) ForTurn(texts []string) error {
	rules, err := parseRules("allow", texts)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.turn = rules; err != nil {
		p.turn = nil
	}
	return err
}

// permitting are the rules that permit now.
func (p *Policy) permitting() []rule {
	if len(p.turn) == 0 {
		return p.allow
	}
	return slices.Concat(p.allow, p.turn)
}

func (p *Policy) around() danger.Surroundings {
	return danger.Surroundings{Workspace: p.options.Workspace, Home: p.options.Home, Owned: p.options.OwnProcess}
}

// Call is a model's request after its arguments were checked.
type Call struct {
	ID   string
	Name string
	Args json.RawMessage
	Risk tool.Risk
	// Outside is the text from outside that was read since the user's last
	// message: what the call does may have been asked for there.
	Outside []event.Origin
	// Tells is the host that would learn, by the address it is asked for, what
	// was read on this machine; empty for none.
	Tells string
	// Permitted says that a command of the user's own, beside calls, lets it run:
	// it counts as much as an allow rule. Asks is why such a command wants a
	// person to decide, in every mode; empty for none.
	Permitted bool
	Asks      string
}

// Action is what is to be done with a call.
type Action int

// The actions. The zero value is the careful one.
const (
	Refuse Action = iota
	Ask
	Run
)

// String names the action.
func (a Action) String() string {
	switch a {
	case Run:
		return "run"
	case Ask:
		return "ask"
	}
	return "refuse"
}

// Verdict is the judgement of one call.
type Verdict struct {
	Action Action
	// Reason says why, for people and for the model; empty for Run without a rule.
	Reason string
	// Rule is the rule that decided, if one did.
	Rule string
	// Hint says what would let a refused call run.
	Hint string
	// Always marks calls that need a person in every mode.
	Always bool
	// Gated marks a call that would have asked, had there been somebody to ask.
	Gated bool
}

// Dangerous returns the reasons why a person should be asked before command
// runs in dir; none means that it is not dangerous.
func Dangerous(command, dir string, around danger.Surroundings) []string {
	return danger.Judge(shell.Read(command, dir, around.Home), around).Hazards
}

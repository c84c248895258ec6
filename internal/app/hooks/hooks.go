// Package hooks makes what runs the user's hooks from the settings: for the agent,
// which asks them, for the journal of a session, which only shows them something,
// and for people who want to see them. Hooks of a project are those of a trusted
// folder; that they are new, or have changed, is said.
package hooks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hooks"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/config/environ"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/hook"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

// Desk has the hooks of the settings. The zero Desk has none.
type Desk struct {
	Loaded *config.Loaded
	// Closed says that everything outside is simulated: then nothing runs.
	Closed bool
	// Transcript is the file with a session's journal, empty for none.
	Transcript func(session string) string
	// Warn tells a person a line.
	Warn func(line string)

	once   sync.Once
	runner *hooks.Runner // nil without hooks
}

// open makes the runner when it is first wanted.
func (d *Desk) open() *hooks.Runner {
	d.once.Do(func() {
		if d.Loaded == nil || len(List(d.Loaded)) == 0 {
			return
		}
		if d.Closed {
			d.Warn("hooks do not run in a simulation: they could reach what is not simulated")
			return
		}
		var err error
		if d.runner, err = NewRunner(d.Loaded, d.Transcript, d.Warn); err != nil {
			d.runner = nil
			d.Warn(err.Error())
		}
	})
	return d.runner
}

// NewRunner makes what runs the hooks of the settings.
func NewRunner(l *config.Loaded, transcript func(session string) string, warn func(line string)) (*hooks.Runner, error) {
	o := hooks.Options{Dir: l.Workspace, Environ: Environ(l), Transcript: transcript, Warn: warn}
	for _, r := range List(l) {
		o.Hooks = append(o.Hooks, hooks.Hook{
			Moment: r.Moment, Matcher: r.Matcher, Command: r.Command, Timeout: time.Duration(r.Timeout) * time.Second, Async: r.Async,
		})
	}
	return hooks.New(o)
}

// Environ is what hooks find in their environment: that of the agent's commands
// without any credential, and where the project is.
func Environ(l *config.Loaded) []string {
	out := proc.Environ(l.Environ(), proc.EnvRule{Allow: l.Config.BashEnvAllow, Drop: environ.SecretNames()})
	return append(out, "ML_INTERN_PROJECT_DIR="+l.Workspace, "CLAUDE_PROJECT_DIR="+l.Workspace)
}

// Close ends hooks that nobody waits for.
func (d *Desk) Close() {
	d.once.Do(func() {}) // nothing is opened any more
	if d.runner != nil {
		d.runner.Close()
	}
}

// Session is what the agent of a session asks; nil without hooks. What a project
// brings and was not there before is said.
func (d *Desk) Session() agent.Hooks {
	r := d.open()
	if r == nil {
		return nil
	}
	for _, line := range d.introduce() {
		d.Warn(line)
	}
	return port{d, r}
}

// Calls is Session for calls without a conversation: only what stands beside calls
// runs.
func (d *Desk) Calls() agent.Hooks {
	p, ok := d.Session().(port)
	if !ok || !p.runner.Any(hook.PreToolUse, hook.PostToolUse) {
		return nil
	}
	return calls{p}
}

// port is a runner as an agent asks it.
type port struct {
	desk   *Desk
	runner *hooks.Runner
}

// Ask runs the hooks of a moment. At the end of a session its journal takes
// nothing more: what has gone wrong is told to the person.
func (p port) Ask(ctx context.Context, in hook.Input) hook.Answer {
	a := p.runner.Ask(ctx, in)
	if in.Moment == hook.SessionEnd {
		for _, line := range a.Warnings {
			p.desk.Warn(line)
		}
		a.Warnings = nil
	}
	return a
}

type calls struct{ port }

func (c calls) Ask(ctx context.Context, in hook.Input) hook.Answer {
	if in.Moment != hook.PreToolUse && in.Moment != hook.PostToolUse {
		return hook.Answer{}
	}
	return c.port.Ask(ctx, in)
}

// Row is a hook as people see it.
type Row struct {
	Moment  hook.Moment `json:"event"`
	Matcher string      `json:"matcher,omitempty"`
	Command string      `json:"command"`
	Timeout int         `json:"timeout"` // seconds
	Async   bool        `json:"async,omitempty"`
	Layer   string      `json:"from"` // "user", "project", …
}

// List lists the hooks of the settings, in the order of the moments.
func List(l *config.Loaded) []Row {
	var rows []Row
	for _, moment := range hook.Moments() {
		for _, h := range l.Config.Hooks[string(moment)] {
			rows = append(rows, Row{moment, h.Matcher, h.Command, h.Timeout, h.Async, h.Layer})
		}
	}
	return rows
}

// Of says of a list which moments it is about: "PreToolUse and Stop".
func Of(rows []Row) string {
	var names []string
	for _, r := range rows {
		if !slices.Contains(names, string(r.Moment)) {
			names = append(names, string(r.Moment))
		}
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}

// Project lists the hooks that a project brings.
func Project(l *config.Loaded) []Row { return OfProject(List(l)) }

// OfProject are those of a list that a project brings.
func OfProject(rows []Row) []Row {
	return slices.DeleteFunc(rows, func(r Row) bool { return r.Layer != "project" })
}

// mark tells one list of hooks from another.
func mark(rows []Row) string {
	raw, err := event.Encode(rows)
	if err != nil { // texts and numbers always encode
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// introduce says what a project's hooks are when they are new or have changed, and
// keeps that it was said.
func (d *Desk) introduce() []string {
	l := d.Loaded
	rows := Project(l)
	if len(rows) == 0 {
		return nil
	}
	now := mark(rows)
	known, err := l.TrustList().Known(l.Root())
	if err == nil && known == now {
		return nil
	}
	text := fmt.Sprintf("this project runs %s beside %s: ml-intern hooks lists what", amount.Count(len(rows), "command"), Of(rows))
	if known != "" {
		text = fmt.Sprintf("this project's hooks have changed; %s now beside %s: ml-intern hooks lists what runs", amount.Count(len(rows), "command"), Of(rows))
	}
	if err := Know(l); err != nil {
		text += " (" + err.Error() + ")"
	}
	return []string{text}
}

// Know keeps the hooks of a trusted project as known. A folder that is trusted for
// one run is not remembered.
func Know(l *config.Loaded) error {
	list := l.TrustList()
	if ok, err := list.Trusted(l.Root()); !ok || err != nil {
		return err
	}
	return list.Know(l.Root(), mark(Project(l)))
}

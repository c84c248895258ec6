// Package offer says what other agents are offered: the tools that look things
// up, those that act where the user allows it, and a whole run of the agent. It
// joins the tools to the rules they are called under; how they are served is
// not its concern.
package offer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/skills"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/skillset"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent/direct"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
	"github.com/ml-intern/ml-intern/internal/ui/mcpserver"
)

// Options say what is offered.
type Options struct {
	App *app.App
	// Environ is what the processes of runs get; nil is the process's.
	Environ []string
	// Root is the folder in and below which runs may work.
	Root string
	// Writes offers calls that change something, not only those that look.
	Writes bool
	// Only are the names of the tools to offer; empty is all.
	Only []string
	// Settings are those of the command line, by key: they bound what a run may
	// ask for.
	Settings map[string][]string
}

// Offer are the tools, and what they share. Close it when nothing is called any
// more.
type Offer struct {
	Tools   []mcpserver.Tool
	Prompts []mcpserver.Prompt

	opts    Options
	session *direct.Session
	runs    *runs
}

// New makes what is offered.
func New(ctx context.Context, o Options) (*Offer, error) {
	session, err := o.App.Direct(ctx, !o.Writes)
	if err != nil {
		return nil, err
	}
	all := &Offer{opts: o, session: session}
	if all.runs, err = newRuns(o); err != nil {
		return nil, errors.Join(err, all.close())
	}
	for _, t := range session.Tools() {
		if offered(t, o.Writes) {
			all.Tools = append(all.Tools, mcpserver.Offer(t, !o.Writes, all.call(t.Spec().Name)))
		}
	}
	all.Tools = append(all.Tools, all.runs.tool())
	if err := all.pick(); err != nil {
		return nil, errors.Join(err, all.close())
	}
	all.Prompts = prompts(o.App)
	return all, nil
}

// prompts are the built-in skills. Those of a person or a project are for our own
// agent.
func prompts(a *app.App) []mcpserver.Prompt {
	var all []mcpserver.Prompt
	for _, e := range skillset.Load(a.Loaded).Entries {
		if e.Origin == skills.BuiltIn {
			all = append(all, mcpserver.Prompt{Name: e.Name, Description: e.Description, Hint: e.Hint, Text: func(given string) (string, error) {
				body, err := e.Body()
				return skills.Fill(body, given), err
			}})
		}
	}
	return all
}

// planTool keeps the plan of a conversation.
const planTool = "plan_tool"

// offered reports whether a tool is of use to another agent. The plan is that of
// our own conversations; hands another agent has itself, and gets ours only on
// purpose.
func offered(t tool.Tool, writes bool) bool {
	name := t.Spec().Name
	if name == planTool {
		return false
	}
	hands := []string{"bash", "bash_jobs", "read", "write", "edit", "sandbox_create", "sandbox_delete"}
	return writes || !slices.Contains(hands, name) && mcpserver.Reads(t)
}

// pick leaves the tools that were asked for.
func (o *Offer) pick() error {
	if len(o.opts.Only) == 0 {
		return nil
	}
	var there []string
	for _, t := range o.Tools {
		there = append(there, t.Name)
	}
	for _, name := range o.opts.Only {
		if slices.Contains(there, name) {
			continue
		}
		known := slices.ContainsFunc(o.session.Tools(), func(t tool.Tool) bool { return t.Spec().Name == name })
		if known && name != planTool {
			return &app.UsageError{Err: fmt.Errorf("--tools: %s is offered only with --allow-writes", name)}
		}
		return &app.UsageError{Err: fmt.Errorf("--tools: there is no tool %q to offer; there are %s", name, strings.Join(there, ", "))}
	}
	o.Tools = slices.DeleteFunc(o.Tools, func(t mcpserver.Tool) bool { return !slices.Contains(o.opts.Only, t.Name) })
	return nil
}

// call calls one of the agent's own tools.
func (o *Offer) call(name string) mcpserver.Call {
	return func(ctx context.Context, args json.RawMessage, report func(string)) (mcpserver.Result, error) {
		scrub := o.opts.App.Scrub
		out := o.session.Call(ctx, name, args, func(line string) { report(scrub(line)) })
		text := scrub(out.Output)
		switch {
		case out.Refused:
			return mcpserver.Fail("refused", strings.TrimSpace(text+" "+way(out.Verdict, out.Capped))), nil
		case out.Invalid:
			return mcpserver.Fail("invalid_arguments", text), nil
		case !out.OK:
			return mcpserver.Fail("failed", text), nil
		}
		return mcpserver.Result{Text: text}, nil
	}
}

// way says what would let a refused call run.
func way(v policy.Verdict, capped bool) string {
	switch {
	case v.Reason == "": // a hook's
		return ""
	case capped:
		return "The cap of this server is set where it is started: ml-intern mcp serve --max-cost USD."
	case v.Always:
		return "Nobody can be asked here: give it to ml-intern in a terminal."
	case v.Action == policy.Refuse && v.Rule != "":
		return "The rule stands in permissions.deny."
	case v.Action == policy.Refuse:
		return "This server only looks: ml-intern mcp serve --allow-writes also offers what changes something."
	}
	return "Nobody can be asked here: ml-intern mcp serve --approval-mode yolo, or a rule in permissions.allow, lets it run."
}

// closeWait bounds the end of what tools hold: sandboxes are deleted.
const closeWait = 30 * time.Second

// Close ends what runs and gives back what the tools hold. Runs go on or end as
// detach_on_hangup says.
func (o *Offer) Close() error {
	o.runs.wait()
	return o.close()
}

func (o *Offer) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	return o.session.Close(ctx)
}

// Package research is the tool that gives a question to a sub-agent. It says
// which tools the sub-agent has and what it is told, and makes the report that
// the caller reads: with the sources of the calls that were made, and a remark
// behind references that none of them stands behind. How a sub-agent runs, and
// what it may do, is the engine's.
package research

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

//go:embed research.json
var description []byte

//go:embed system.md
var system string

// Limits of sub-agents where the options do not say otherwise.
const (
	atOnce       = 4      // sub-agents of a session
	parallel     = 6      // calls of one
	room         = 20_000 // characters of one call's output
	rounds       = 60
	timeLimit    = 15 * time.Minute
	reportLimit  = 24_000 // characters of the whole result
	sourcesLimit = 6_000  // of them, for the sources
)

// Options say what sub-agents work with.
type Options struct {
	// Tools gives the session's tools; sub-agents get those of them that look
	// things up. It is called once a task.
	Tools func() []tool.Tool
	// Bash is a shell without credentials for sub-agents, nil for none.
	Bash tool.Tool
	// Workspace lists the real folders below which read may read, absolute.
	Workspace []string
	// Model is the sub-agents' own model; empty is the session's.
	Model string
	// Rounds and Time bound one sub-agent; 0 is 60 and 15 minutes.
	Rounds int
	Time   time.Duration
}

// Tool is research.
type Tool struct {
	opts Options
	spec tool.Spec
	// places are taken by the sub-agents at work.
	places chan struct{}
}

var _ tool.Tool = (*Tool)(nil)

// New returns the tool of one session.
func New(o Options) (*Tool, error) {
	switch {
	case o.Tools == nil:
		return nil, errors.New("make research: Tools is missing")
	case o.Rounds < 0 || o.Time < 0:
		return nil, fmt.Errorf("make research: Rounds is %d and Time %v, want 0 or more", o.Rounds, o.Time)
	}
	for _, dir := range o.Workspace {
		if !absolute(dir) {
			return nil, fmt.Errorf("make research: the folder %q of Workspace is not absolute", dir)
		}
	}
	spec, err := tool.ParseSpec(description, reportLimit)
	if err != nil {
		return nil, err
	}
	o.Rounds, o.Time = cmp.Or(o.Rounds, rounds), cmp.Or(o.Time, timeLimit)
	return &Tool{opts: o, spec: spec, places: make(chan struct{}, atOnce)}, nil
}

// Params are the arguments of research.
type Params struct {
	Task    string `json:"task"`
	Context string `json:"context,omitempty"`
}

// Spec describes the tool.
func (t *Tool) Spec() tool.Spec { return t.spec }

// Risk is that of reading: what comes back is text from outside.
func (t *Tool) Risk(json.RawMessage) tool.Risk {
	return tool.Risk{Effect: event.Read, Outside: true}
}

// Run gives the task to a sub-agent, once a place is free.
func (t *Tool) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	var p Params
	if err := tool.Decode(args, &p); err != nil {
		return tool.Failed("research: " + err.Error()), nil
	}
	p.Task, p.Context = strings.TrimSpace(p.Task), strings.TrimSpace(p.Context)
	if p.Task == "" {
		return tool.Failed("research: task is empty: say what to find out"), nil
	}
	select {
	case t.places <- struct{}{}:
		defer func() { <-t.places }()
	case <-ctx.Done():
		return tool.Result{}, ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return tool.Result{}, err
	}
	report := env.Delegate(ctx, tool.Delegation{
		Tool: t.spec.Name, Label: label(p.Task), System: system, Task: p.text(), Tools: t.tools(),
		Model: t.opts.Model, Kind: llm.KindResearch,
		Rounds: t.opts.Rounds, Parallel: parallel, Room: room, Time: t.opts.Time,
	})
	if ctx.Err() != nil && !tool.Interrupted(ctx) {
		return tool.Result{}, ctx.Err() // the program ends: the next run does the task again
	}
	return result(report), nil
}

// text is the sub-agent's first message.
func (p Params) text() string {
	text := "Research task: " + p.Task
	if p.Context != "" {
		text = "Context: " + p.Context + "\n\n" + text
	}
	return text
}

// labelLength is how much of a task its label shows, in characters.
const labelLength = 50

// label names a task to people. A long word is not torn: half of a token would
// not be recognised as one.
func label(task string) string {
	task = strings.Join(strings.Fields(task), " ")
	runes := []rune(task)
	if len(runes) <= labelLength {
		return "research: " + task
	}
	head := string(runes[:labelLength])
	word, _, _ := strings.Cut(task[strings.LastIndexByte(head, ' ')+1:], " ")
	if len(word) > longWord {
		head = strings.TrimRight(excerpt.Head(task, labelLength), " ")
	}
	return "research: " + head + "…"
}

// longWord is from how many bytes on a word could be a token.
const longWord = 15

// lookups are the tools that sub-agents may have. Which of their calls may run
// follows from what each declares.
func lookups() []string {
	return []string{
		"read", "explore_hf_docs", "fetch_hf_docs", "find_hf_api", "hf_papers", "github_find_examples", "github_list_repos",
		"github_read_file", "web_search", "hf_inspect_dataset", "hf_repo_files", "web_fetch", "hub_search", "hf_model_inspect",
		"hf_dataset_query", "hf_dataset_audit", "hf_leaderboard", "github_search",
	}
}

// tools are those a sub-agent has.
func (t *Tool) tools() []tool.Tool {
	var out []tool.Tool
	for _, each := range t.opts.Tools() {
		switch name := each.Spec().Name; {
		case name == "read":
			out = append(out, confined{Tool: each, folders: t.opts.Workspace})
		case name == "hf_dataset_audit":
			out = append(out, audited{each})
		case slices.Contains(lookups(), name):
			out = append(out, each)
		}
	}
	if t.opts.Bash != nil {
		out = append(out, shell{t.opts.Bash})
	}
	return out
}

// Close ends what the sub-agents' shell left running.
func (t *Tool) Close(ctx context.Context) error {
	if c, ok := t.opts.Bash.(tool.Closer); ok {
		return c.Close(ctx)
	}
	return nil
}

// shell is a shell that sub-agents may use: the setting that gives it to them
// says so, whatever a command does. Rules and what commands send are judged all
// the same.
type shell struct{ tool.Tool }

func (s shell) Risk(args json.RawMessage) tool.Risk {
	r := s.Tool.Risk(args)
	if r.Effect == event.Once {
		r.Effect = event.Read
	}
	return r
}

package shell

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

const (
	// defaultLines and maxLines bound what tail shows.
	defaultLines = 40
	maxLines     = 1000
	// shownCommand is how many characters of a command line list shows.
	shownCommand = 80
)

// jobsParams are the arguments of bash_jobs.
type jobsParams struct {
	Operation string `json:"operation"`
	ID        string `json:"id,omitempty"`
	Lines     int    `json:"lines,omitempty"`
}

type jobsTool struct{ shell *Shell }

func (t *jobsTool) Spec() tool.Spec { return t.shell.jobs }

func (t *jobsTool) Risk(args json.RawMessage) tool.Risk {
	var p jobsParams
	if err := tool.Decode(args, &p); err != nil {
		return tool.Risk{Effect: event.Once} // the call fails
	}
	if p.Operation == "list" || p.Operation == "tail" {
		return tool.Risk{Effect: event.Read, Operation: p.Operation, Poll: true}
	}
	return tool.Risk{Effect: event.Once, Operation: p.Operation}
}

func (t *jobsTool) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	var p jobsParams
	if err := tool.Decode(args, &p); err != nil {
		return tool.Failed(err.Error()), nil
	}
	if !slices.Contains([]string{"list", "tail", "kill"}, p.Operation) {
		return tool.Failed(fmt.Sprintf("operation %q: it must be list, tail or kill", p.Operation)), nil
	}
	place, err := t.shell.opts.Workspace(ctx)
	if err != nil && ctx.Err() == nil {
		return tool.Failed(err.Error()), nil
	}
	if err != nil {
		return tool.Result{}, err
	}
	jobs, err := place.Jobs(ctx, env.SessionID())
	if err != nil {
		return failed(ctx, "bash_jobs", err)
	}
	if p.Operation == "list" {
		return tool.Success(table(jobs)), nil
	}
	i := slices.IndexFunc(jobs, func(j workspace.Status) bool { return j.ID == p.ID })
	if i < 0 {
		return tool.Failed(fmt.Sprintf("id %q: there is no such job.\n%s", p.ID, table(jobs))), nil
	}
	if p.Operation == "kill" {
		return kill(ctx, place, env.SessionID(), jobs[i])
	}
	return show(ctx, place, env.SessionID(), p)
}

func table(jobs []workspace.Status) string {
	if len(jobs) == 0 {
		return "No background jobs in this session."
	}
	var b strings.Builder
	for _, j := range jobs {
		fmt.Fprintf(&b, "%s: %s, pid %d, started %v ago: %s", j.ID, state(j), j.PID,
			j.Age.Round(time.Second), oneLine(j.Command))
		if j.Log != "" {
			fmt.Fprintf(&b, " (log %s)", j.Log)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func oneLine(command string) string {
	text := strings.Join(strings.Fields(plain.String(command)), " ")
	if short := excerpt.Head(text, shownCommand-1); len(short) < len(text) {
		return short + "…"
	}
	return text
}

// state says in a word or two how a job is.
func state(j workspace.Status) string {
	if j.Running {
		return "running"
	}
	how := "finished"
	if j.Exit.Signal != "" {
		how = "killed by " + j.Exit.Signal
	} else if !j.Exit.OK() {
		how = fmt.Sprintf("failed with exit code %d", j.Exit.Code)
	}
	if j.Alive {
		return how + ", child processes still run"
	}
	return how
}

// show returns the last lines of a job's output and how it is.
func show(ctx context.Context, place workspace.Workspace, session string, p jobsParams) (tool.Result, error) {
	if p.Lines <= 0 {
		p.Lines = defaultLines
	}
	text, j, err := place.Tail(ctx, session, p.ID, min(p.Lines, maxLines))
	if err != nil {
		return failed(ctx, "bash_jobs", err)
	}
	if strings.TrimSpace(text) == "" {
		text = "(no output yet)"
	}
	return tool.Success(fmt.Sprintf("%s\n[%s: %s]", text, j.ID, state(j))), nil
}

// kill ends j and waits for it, unless ctx is done before.
func kill(ctx context.Context, place workspace.Workspace, session string, j workspace.Status) (tool.Result, error) {
	if !j.Alive {
		return tool.Success(fmt.Sprintf("%s had already ended: %s", j.ID, state(j))), nil
	}
	now, err := place.Kill(ctx, session, j.ID)
	switch {
	case ctx.Err() != nil:
		return tool.Failed(fmt.Sprintf("%s is being killed; cancelled before its end was seen.", j.ID)), nil
	case err != nil:
		return failed(ctx, "bash_jobs", err)
	case now.Alive:
		return tool.Failed(fmt.Sprintf("%s was killed, but a process of it has not ended yet (it may hang in a driver).", j.ID)), nil
	}
	return tool.Success(fmt.Sprintf("%s and all its processes have been killed.", j.ID)), nil
}

// Attach says who is told what goes wrong in the numbers of commands.
func (t *jobsTool) Attach(s tool.Session) { t.shell.watcher.attach(s) }

// Close ends all commands of the session but those to be kept.
func (t *jobsTool) Close(ctx context.Context) error { return t.shell.Close(ctx) }

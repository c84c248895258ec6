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
	jobs := t.shell.jobsOf(env.SessionID())
	if p.Operation == "list" {
		return tool.Success(table(jobs)), nil
	}
	if p.Operation != "tail" && p.Operation != "kill" {
		return tool.Failed(fmt.Sprintf("operation %q: it must be list, tail or kill", p.Operation)), nil
	}
	i := slices.IndexFunc(jobs, func(j *job) bool { return j.id == p.ID })
	if i < 0 {
		return tool.Failed(fmt.Sprintf("id %q: there is no such job.\n%s", p.ID, table(jobs))), nil
	}
	if p.Operation == "kill" {
		return kill(ctx, jobs[i]), nil
	}
	return jobs[i].show(p.Lines), nil
}

// jobsOf returns the background jobs of a session, oldest first.
func (s *Shell) jobsOf(session string) []*job {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*job
	for _, j := range s.live {
		if j.id != "" && j.session == session {
			out = append(out, j)
		}
	}
	return out
}

func table(jobs []*job) string {
	if len(jobs) == 0 {
		return "No background jobs in this session."
	}
	var b strings.Builder
	for _, j := range jobs {
		fmt.Fprintf(&b, "%s: %s, pid %d, started %v ago: %s", j.id, j.state(), j.proc.Group().ID,
			time.Since(j.began).Round(time.Second), oneLine(j.command))
		if j.log != "" {
			fmt.Fprintf(&b, " (log %s)", j.log)
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

// show returns the last lines of j's output and how j is.
func (j *job) show(lines int) tool.Result {
	if lines <= 0 {
		lines = defaultLines
	}
	text, err := j.tail(min(lines, maxLines))
	if err != nil {
		return tool.Failed(fmt.Sprintf("bash_jobs error: %v", err))
	}
	if strings.TrimSpace(text) == "" {
		text = "(no output yet)"
	}
	return tool.Success(fmt.Sprintf("%s\n[%s: %s]", text, j.id, j.state()))
}

// kill ends j and waits for it, unless ctx is done before.
func kill(ctx context.Context, j *job) tool.Result {
	if j.finished() {
		return tool.Success(fmt.Sprintf("%s had already ended: %s", j.id, j.state()))
	}
	select {
	case <-j.proc.Stop():
		if j.finished() {
			return tool.Success(fmt.Sprintf("%s and all its processes have been killed.", j.id))
		}
		return tool.Failed(fmt.Sprintf("%s was killed, but a process of it has not ended yet (it may hang in a driver).", j.id))
	case <-ctx.Done():
		return tool.Failed(fmt.Sprintf("%s is being killed; cancelled before its end was seen.", j.id))
	}
}

// Close ends all commands of the session but those to be kept.
func (t *jobsTool) Close(ctx context.Context) error { return t.shell.Close(ctx) }

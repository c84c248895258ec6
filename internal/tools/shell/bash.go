package shell

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

const (
	// defaultTimeout and maxTimeout are seconds.
	defaultTimeout = 120
	maxTimeout     = 36000
	// farewell is how long a cancelled call waits for its processes, so that
	// their last words are in the result. They are ended in any case.
	farewell = 500 * time.Millisecond
)

// bashParams are the arguments of bash.
type bashParams struct {
	Command     string `json:"command"`
	Description string `json:"description,omitempty"`
	WorkDir     string `json:"work_dir,omitempty"`
	Timeout     int    `json:"timeout,omitempty"`
	Background  bool   `json:"background,omitempty"`
	Keep        bool   `json:"keep,omitempty"`
}

// limit is how long the command may take; 0 is for ever.
func (p bashParams) limit() time.Duration {
	seconds := min(p.Timeout, maxTimeout)
	if seconds <= 0 && p.Background {
		return 0
	}
	if seconds <= 0 {
		seconds = defaultTimeout
	}
	return time.Duration(seconds) * time.Second
}

type bashTool struct{ shell *Shell }

func (b *bashTool) Spec() tool.Spec { return b.shell.bash }

// onlySleeps matches commands that do nothing but wait.
const onlySleeps = `^\s*sleep(\s+[\d.]+[smhd]?)+\s*((;|&&|\n)\s*sleep(\s+[\d.]+[smhd]?)+\s*)*;?\s*$`

func (b *bashTool) Risk(args json.RawMessage) tool.Risk {
	var p bashParams
	if err := tool.Decode(args, &p); err != nil {
		return tool.Risk{Effect: event.Once} // the call fails
	}
	return tool.Risk{
		Effect: event.Once, Command: p.Command, Dir: b.shell.resolve(p.WorkDir),
		Poll: regexp.MustCompile(onlySleeps).MatchString(p.Command),
	}
}

func (b *bashTool) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	if err := ctx.Err(); err != nil {
		return tool.Result{}, err
	}
	var p bashParams
	if err := tool.Decode(args, &p); err != nil {
		return tool.Failed(err.Error()), nil
	}
	if strings.TrimSpace(p.Command) == "" {
		return tool.Failed("command is empty: give the command line to run"), nil
	}
	if p.Background {
		return b.background(env, p)
	}
	var j *job
	log := newStream(env.Log, func() string { return j.where() }, func() int64 { return j.size() })
	j, err := b.shell.start(env.SessionID(), p, log)
	if err != nil {
		return failedStart(err)
	}
	go log.run()
	if err := env.Effect(j.proc.Group().String()); err != nil {
		log.end()
		j.proc.Stop()
		b.shell.leave(j, true)
		return tool.Failed(fmt.Sprintf("bash error: the command was ended because its start could not be recorded: %v", err)), nil
	}
	end := j.wait(ctx, p.limit())
	log.end()
	r := j.report(end, p.limit())
	if id := b.shell.leave(j, end != ended); id != "" {
		r.Output += fmt.Sprintf("\n[process group %d of this command still runs, as background job %s: see bash_jobs]", j.proc.Group().ID, id)
	}
	return r, nil
}

// failedStart turns an error into a result, but for a session that is over.
func failedStart(err error) (tool.Result, error) {
	if errors.Is(err, errClosed) {
		return tool.Result{}, err
	}
	return tool.Failed("bash error: " + err.Error()), nil
}

func (b *bashTool) background(env tool.Env, p bashParams) (tool.Result, error) {
	j, err := b.shell.start(env.SessionID(), p, nil)
	if err != nil {
		return failedStart(err)
	}
	b.shell.mu.Lock()
	id := j.id
	b.shell.watch(j, p.limit())
	b.shell.mu.Unlock()
	if err := env.Effect(j.proc.Group().String()); err != nil {
		j.proc.Stop()
		return tool.Failed(fmt.Sprintf("bash error: the command was ended because its start could not be recorded: %v", err)), nil
	}
	stay := "It ends with the session."
	if p.Keep {
		stay = "It stays when the session ends."
	}
	return tool.Success(fmt.Sprintf("id: %s\npid: %d\nlog: %s\nStarted in the background. See its output with bash_jobs "+
		`{"operation":"tail","id":"%s"}, end it with operation kill. %s`, id, j.proc.Group().ID, j.log, id, stay)), nil
}

// Close ends all commands of the session but those to be kept.
func (b *bashTool) Close(ctx context.Context) error { return b.shell.Close(ctx) }

// ending is why a call stopped waiting.
type ending int

const (
	ended ending = iota
	timedOut
	cancelled
)

// wait waits for the command, for its time limit or for ctx; in the last two
// cases it ends the command's group.
func (j *job) wait(ctx context.Context, limit time.Duration) ending {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-j.proc.Settled():
		return ended
	case <-timer.C:
		select {
		case <-j.proc.Stop():
			return timedOut
		case <-ctx.Done():
		}
	case <-ctx.Done():
	}
	select {
	case <-j.proc.Stop():
	case <-time.After(farewell):
	}
	return cancelled
}

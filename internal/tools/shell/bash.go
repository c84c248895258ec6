package shell

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
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
func (o Options) limit(p bashParams) time.Duration {
	if p.Timeout <= 0 && p.Background {
		return 0
	}
	if p.Timeout <= 0 {
		return o.DefaultTimeout
	}
	most := o.MaxTimeout
	if p.Background {
		most = MaxTimeout
	}
	return time.Duration(min(int64(p.Timeout), int64(most/time.Second))) * time.Second
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
	risk := tool.Risk{Effect: event.Once, Poll: regexp.MustCompile(onlySleeps).MatchString(p.Command)}
	if b.shell.opts.Dir == "" { // it runs on no machine of the user's
		return risk
	}
	risk.Command, risk.Dir = p.Command, filepath.Join(b.shell.opts.Dir, p.WorkDir)
	if filepath.IsAbs(p.WorkDir) {
		risk.Dir = filepath.Clean(p.WorkDir)
	}
	return risk
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
	place, err := b.shell.opts.Workspace(ctx)
	if err != nil && ctx.Err() != nil {
		return tool.Result{}, err
	}
	if err != nil {
		return tool.Failed(err.Error()), nil
	}
	c := workspace.Command{
		Session: env.SessionID(), Line: p.Command, Dir: p.WorkDir, Limit: b.shell.opts.limit(p),
		Background: p.Background, Keep: p.Keep,
	}
	if p.Background {
		return b.background(ctx, env, place, c)
	}
	return b.foreground(ctx, env, place, c)
}

func (b *bashTool) foreground(ctx context.Context, env tool.Env, place workspace.Workspace, c workspace.Command) (tool.Result, error) {
	var started workspace.Process
	glance := b.shell.watcher.glance(env.Log)
	log := newStream(env.Log,
		func() string { _, file := started.Progress(); return file },
		func() int64 { n, _ := started.Progress(); return n },
		func() { glance.tell(started.Status().PID) })
	c.Output = func(p []byte) {
		log.write(p)
		glance.write(p)
	}
	var err error
	if started, err = place.Start(ctx, c); err != nil {
		return b.shell.opts.failed(ctx, err)
	}
	go log.run()
	if err := env.Effect(started.Ref()); err != nil {
		log.end()
		started.Stop()
		return unrecorded(err), nil
	}
	out, err := started.Wait(ctx)
	log.end()
	if err != nil {
		return b.shell.opts.unknown(out, err), nil
	}
	r := b.shell.opts.report(out, c.Limit)
	if out.Left != nil {
		b.shell.watcher.follow(place, env.SessionID(), *out.Left)
		r.Output += fmt.Sprintf("\n[process group %d of this command still runs, as background job %s: see bash_jobs]", out.Left.PID, out.Left.ID)
	}
	return r, nil
}

func unrecorded(err error) tool.Result {
	return tool.Failed(fmt.Sprintf("bash error: the command was ended because its start could not be recorded: %v", err))
}

func (b *bashTool) background(ctx context.Context, env tool.Env, place workspace.Workspace, c workspace.Command) (tool.Result, error) {
	started, err := place.Start(ctx, c)
	if err != nil {
		return b.shell.opts.failed(ctx, err)
	}
	if err := env.Effect(started.Ref()); err != nil {
		started.Stop()
		return unrecorded(err), nil
	}
	stay := "It ends with the session."
	if c.Keep {
		stay = "It stays when the session ends."
	}
	j := started.Status()
	b.shell.watcher.follow(place, env.SessionID(), j)
	return tool.Success(fmt.Sprintf("id: %s\npid: %d\nlog: %s\nStarted in the background. See its output with bash_jobs "+
		`{"operation":"tail","id":"%s"}, end it with operation kill. %s`, j.ID, j.PID, j.Log, j.ID, stay)), nil
}

// Close ends all commands of the session but those to be kept.
func (b *bashTool) Close(ctx context.Context) error { return b.shell.Close(ctx) }

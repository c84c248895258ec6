package space

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec/flavor"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec/meter"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec/stream"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec/volume"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
	"github.com/ml-intern/ml-intern/internal/hubsim/space/dockerfile"
)

// sdk is what kind of app a Space has, by its card, else by its settings.
func (sp *space) sdk(oid string) string {
	if s, ok := sp.repo.Card(oid)["sdk"].(string); ok && s != "" {
		return s
	}
	return sp.repo.Settings().SDK
}

// appFile is the file without which there is nothing to build.
func (sp *space) appFile(oid, sdk string) string {
	if sdk == "docker" {
		return "Dockerfile"
	}
	if s, ok := sp.repo.Card(oid)["app_file"].(string); ok && s != "" {
		return s
	}
	return "app.py"
}

// read returns a file of a commit; empty when there is none.
func (sp *space) read(oid, path string) (text string, ok bool) {
	f, _, err := sp.repo.Open(context.Background(), oid, path)
	if err != nil {
		return "", false
	}
	defer f.Close()
	raw, err := io.ReadAll(f)
	return string(raw), err == nil
}

// set changes the stage and tells it. The lock is held.
func (ss *Spaces) set(sp *space, stage, message string) {
	sp.Stage, sp.Error = stage, message
	sp.events.Add(stream.JSON("", sp.runtime()))
}

// clear ends everything that runs for a Space and begins a new play. The lock
// is held; what is returned must be called without it.
func (ss *Spaces) clear(sp *space) (after func()) {
	ss.plays++
	sp.play = ss.plays
	timers, process, m := sp.timers, sp.process, sp.meter
	sp.timers, sp.process, sp.meter, sp.stuck, sp.Current = nil, nil, nil, "", ""
	return func() {
		for _, t := range timers {
			t.Stop()
		}
		if process != nil {
			process.Cancel()
		}
		if m != nil {
			ss.settle(sp, m.Stop())
		}
	}
}

// halt stops a Space in a stage.
func (ss *Spaces) halt(sp *space, stage, message string) {
	ss.mu.Lock()
	after := ss.clear(sp)
	ss.set(sp, stage, message)
	run := sp.run
	ss.mu.Unlock()
	after()
	run.End()
}

// rebuild takes a Space through its stages from the beginning.
func (ss *Spaces) rebuild(sp *space) {
	oid, err := sp.repo.Head("main")
	if err != nil {
		return
	}
	sdk := sp.sdk(oid)
	text, found := sp.read(oid, sp.appFile(oid, sdk))
	now := ss.o.Clock.Stamp()
	ss.mu.Lock()
	if ss.closed {
		ss.mu.Unlock()
		return
	}
	after := ss.clear(sp)
	sp.build.End()
	sp.run.End()
	sp.build, sp.run = &stream.Log{}, &stream.Log{}
	sp.SHA, sp.Static = oid, sdk == "static"
	switch {
	case sp.Static:
		ss.set(sp, Running, "")
	case !found:
		ss.set(sp, NoAppFile, "")
	default:
		ss.set(sp, Building, "")
		ss.buildLines(sp, now, sdk, text)
		play := sp.play
		sp.timers = append(sp.timers, ss.o.Clock.AfterFunc(ss.o.Build, func() { ss.built(sp, play) }))
	}
	ss.mu.Unlock()
	after()
}

// buildLines writes the log of a build. The lock is held.
func (ss *Spaces) buildLines(sp *space, now time.Time, sdk, text string) {
	lines := []string{fmt.Sprintf("===== Build Queued at %s / Commit SHA: %s =====", now.UTC().Format(time.DateTime), sp.SHA[:7]), ""}
	steps := []string{"FROM " + sdk}
	if sdk == "docker" {
		steps = dockerfile.Parse(text).Steps
	}
	for _, s := range steps {
		lines = append(lines, "--> "+s, "DONE 0.0s")
	}
	for _, l := range lines {
		sp.build.Add(stream.Line(l, now))
	}
}

// due reports whether a step of a play is still to be done: the Space is in the
// stage from, and nothing holds it there. The lock is held.
func (ss *Spaces) due(sp *space, play int, from string) bool {
	return !ss.closed && sp.play == play && sp.Stage == from && sp.stuck != from
}

// built begins to start the app.
func (ss *Spaces) built(sp *space, play int) {
	ss.mu.Lock()
	if !ss.due(sp, play, Building) {
		ss.mu.Unlock()
		return
	}
	sp.build.End()
	ss.set(sp, AppStarting, "")
	sp.timers = append(sp.timers, ss.o.Clock.AfterFunc(ss.o.Start, func() { ss.started(sp, play) }))
	ss.mu.Unlock()
	ss.launch(sp, play)
}

// launch starts the app and the meter.
func (ss *Spaces) launch(sp *space, play int) {
	f, _ := flavor.FindSpace(sp.Requested)
	now := ss.o.Clock.Stamp()
	ss.mu.Lock()
	if sp.play != play {
		ss.mu.Unlock()
		return
	}
	sp.Current, sp.used = sp.Requested, now
	if f.MicroUSD > 0 && sp.Since.IsZero() {
		sp.Since = now
	}
	run := sp.run
	ss.mu.Unlock()
	run.Add(stream.Line("===== Application Startup at "+now.UTC().Format(time.DateTime)+" =====", now))
	if f.MicroUSD > 0 {
		m := meter.Start(meter.Options{
			Clock: ss.o.Clock,
			Book:  func(minutes int64) bool { return ss.book(sp, minutes) },
			Empty: func() { ss.halt(sp, Paused, "Insufficient credits") },
		})
		ss.mu.Lock()
		if sp.play != play {
			ss.mu.Unlock()
			m.Stop()
			return
		}
		sp.meter = m
		ss.mu.Unlock()
	}
	ss.exec(sp, play, f, run)
}

// exec runs the app's command, if there is one.
func (ss *Spaces) exec(sp *space, play int, f flavor.Flavor, run *stream.Log) {
	ss.mu.Lock()
	spec, ok := ss.spec(sp, f)
	ss.mu.Unlock()
	if !ok {
		return
	}
	spec.Line = func(text string, at time.Time) { run.Add(stream.Line(text, at)) }
	spec.Done = func(e exec.Exit) { ss.exited(sp, play, e, run) }
	ctx := account.With(context.Background(), ss.o.Accounts.As(sp.repo.Creator()))
	spec.Mounts = volume.Mounts(ctx, ss.o.Volumes, sp.Volumes)
	p := ss.o.Runner.Start(ctx, spec)
	if p == nil {
		return // all is closing
	}
	ss.mu.Lock()
	over := sp.play != play
	if !over {
		sp.process = p
	}
	ss.mu.Unlock()
	if over {
		p.Cancel()
	}
}

// spec is how the app of a docker Space is run. The lock is held.
func (ss *Spaces) spec(sp *space, f flavor.Flavor) (exec.Spec, bool) {
	oid := sp.SHA
	if sp.sdk(oid) != "docker" {
		return exec.Spec{}, false
	}
	text, _ := sp.read(oid, "Dockerfile")
	d := dockerfile.Parse(text)
	if len(d.Command) == 0 {
		return exec.Spec{}, false
	}
	id := sp.repo.ID()
	namespace, name, _ := strings.Cut(id, "/")
	s := exec.Spec{
		ID: sp.Hex, Command: d.Command, GPU: f.Listing(), Environment: map[string]string{}, Secrets: map[string]string{},
		System: f.Variables(map[string]string{
			"SYSTEM": "spaces", "SPACE_ID": id, "SPACE_AUTHOR_NAME": namespace, "SPACE_REPO_NAME": name,
			"SPACE_HOST": repo.Subdomain(id) + ".hf.space",
		}),
		Dir:     func(ctx context.Context, dir string) error { return sp.repo.Checkout(ctx, oid, "", dir) },
		Aliases: d.Places, Ports: []int{sp.port(oid)},
	}
	maps.Copy(s.Environment, d.Environment)
	for k, v := range sp.Variables {
		s.Environment[k] = v.Value
	}
	for k, v := range sp.Secrets {
		s.Secrets[k] = v.Value
	}
	return s, true
}

// port is the one the app declares.
func (sp *space) port(oid string) int {
	const standard = 7860
	switch n := sp.repo.Card(oid)["app_port"].(type) {
	case int:
		return n
	case float64:
		return int(n)
	}
	return standard
}

// exited hears that the app has ended, which it never should.
func (ss *Spaces) exited(sp *space, play int, e exec.Exit, run *stream.Log) {
	if e.Err != nil {
		run.Add(stream.Line(e.Err.Error(), ss.o.Clock.Stamp()))
	}
	ss.mu.Lock()
	ours := !ss.closed && sp.play == play && slices.Contains([]string{AppStarting, Running}, sp.Stage)
	ss.mu.Unlock()
	if ours {
		ss.halt(sp, RuntimeError, fmt.Sprintf("Exit code: %d. Reason: application does not seem to be initialized", e.Code))
	}
	run.End()
}

// started says that the app runs, and watches it for idleness.
func (ss *Spaces) started(sp *space, play int) {
	now := ss.o.Clock.Now()
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if !ss.due(sp, play, AppStarting) {
		return
	}
	sp.used = now
	ss.set(sp, Running, "")
	ss.watch(sp, play)
}

// gc is how long the app runs without a request; 0 is for ever.
func (sp *space) gc() time.Duration {
	switch {
	case sp.Static || sp.Sleep < 0:
		return 0
	case sp.Requested == basic:
		return basicSleep
	}
	return time.Duration(sp.Sleep) * time.Second
}

// watch puts the app to sleep when it is idle for long enough. The lock is held.
func (ss *Spaces) watch(sp *space, play int) {
	limit := sp.gc()
	if limit <= 0 {
		return
	}
	left := sp.used.Add(limit).Sub(ss.o.Clock.Now())
	sp.timers = append(sp.timers[:0:0], ss.o.Clock.AfterFunc(max(left, time.Millisecond), func() {
		ss.mu.Lock()
		ours := ss.due(sp, play, Running)
		idle := ours && ss.o.Clock.Now().Sub(sp.used) >= sp.gc()
		if ours && !idle {
			ss.watch(sp, play)
		}
		ss.mu.Unlock()
		if idle {
			ss.halt(sp, Sleeping, "")
		}
	}))
}

// wake starts the app of a sleeping Space, or one whose process has gone with
// an earlier run of the simulator.
func (ss *Spaces) wake(sp *space) {
	now := ss.o.Clock.Stamp()
	ss.mu.Lock()
	if ss.closed || sp.Stage != Sleeping && !(sp.Stage == Running && sp.process == nil && sp.meter == nil && sp.used.IsZero()) {
		ss.mu.Unlock()
		return
	}
	ss.plays++
	sp.play = ss.plays
	play := sp.play
	sp.run.End()
	sp.run, sp.used, sp.Current = &stream.Log{}, now, sp.Requested
	ss.set(sp, Running, "")
	ss.watch(sp, play)
	ss.mu.Unlock()
	ss.launch(sp, play)
}

// book charges the owner for the started minutes of the present meter.
func (ss *Spaces) book(sp *space, minutes int64) bool {
	owner, ok := ss.o.Accounts.Find(sp.repo.Namespace())
	if !ok || !canPay(owner) {
		return false
	}
	ss.mu.Lock()
	c := sp.charge(minutes)
	ss.mu.Unlock()
	ss.o.Accounts.Charge(c)
	return true
}

// charge is what was used up to now. The lock is held.
func (sp *space) charge(minutes int64) account.Charge {
	f, _ := flavor.FindSpace(sp.Requested)
	return account.Charge{
		Entity: sp.repo.Namespace(), Product: product, Ref: sp.repo.ID(), Flavor: sp.Requested,
		Minutes: sp.Minutes + minutes, NanoUSD: sp.NanoUSD + minutes*f.MicroUSD*1000, StartedAt: sp.Since,
	}
}

// settle adds the minutes of a meter that has stopped to what is paid.
func (ss *Spaces) settle(sp *space, minutes int64) {
	now := ss.o.Clock.Now()
	ss.mu.Lock()
	c := sp.charge(minutes)
	c.EndedAt = now
	sp.Minutes, sp.NanoUSD = c.Minutes, c.NanoUSD
	ss.mu.Unlock()
	ss.o.Accounts.Charge(c)
}

// Faults lets stickStage and failStage play in requests that build Spaces
// without this package seeing them: commits, creations, duplicates.
func (ss *Spaces) Faults(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := fault.From(r.Context())
		if f.StickStage == "" && f.FailStage == "" {
			next.ServeHTTP(w, r)
			return
		}
		ss.mu.Lock()
		before := ss.plays
		ss.mu.Unlock()
		next.ServeHTTP(w, r)
		ss.mu.Lock()
		var met []*space
		for _, sp := range ss.spaces {
			if sp.play > before {
				met = append(met, sp)
			}
		}
		ss.mu.Unlock()
		for _, sp := range met {
			ss.suffer(sp, f)
		}
	})
}

// suffer plays a fault on a Space.
func (ss *Spaces) suffer(sp *space, f fault.Do) {
	if f.StickStage != "" {
		ss.mu.Lock()
		sp.stuck = f.StickStage
		ss.mu.Unlock()
	}
	if f.FailStage == "" {
		return
	}
	now := ss.o.Clock.Stamp()
	message := "The Space has failed"
	ss.mu.Lock()
	if f.FailStage == BuildError {
		message = "Job failed with exit code: 1"
		sp.build.Add(stream.Line(`--> ERROR: process "/bin/sh -c pip install -r requirements.txt" did not complete successfully: exit code: 1`, now))
		sp.build.Add(stream.Line("Build failed with exit code: 1", now))
	}
	build := sp.build
	ss.mu.Unlock()
	build.End()
	ss.halt(sp, f.FailStage, message)
}

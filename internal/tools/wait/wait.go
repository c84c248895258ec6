// Package wait is the tool wait_for: it waits for jobs, processes, files, what
// they print, and times, so that no model call is made meanwhile. It knows
// neither what is waited for nor who started it, and it changes nothing.
package wait

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/lab/curve"
)

//go:embed wait_for.json
var description []byte

// maxOutput is the most characters of a result.
const maxOutput = 8000

// Options of the tool.
type Options struct {
	// Workspace is where processes and files are; nil has none. Here says that it
	// is this machine, and Resolve is then the real path of a file.
	Workspace func(ctx context.Context) (workspace.Workspace, error)
	Here      bool
	Resolve   func(path string) string
	// Jobs are those of the Hub; nil has none. Namespace finds whose jobs are
	// meant where a call names nobody: the user's.
	Jobs      *job.API
	Namespace func(ctx context.Context, requested string) (string, error)
	// Scrub takes secrets out of a text; nil leaves it as it is.
	Scrub func(text string) string
	// Dir is where a session keeps what a call needs to go on after a restart;
	// "" keeps nothing.
	Dir func(session string) string
}

// Tool is wait_for. It is safe for concurrent use.
type Tool struct {
	opts Options
	spec tool.Spec
}

// New returns the tool.
func New(o Options) (*Tool, error) {
	if o.Jobs != nil && o.Namespace == nil {
		return nil, errors.New("make wait_for: Jobs need Namespace")
	}
	if o.Scrub == nil {
		o.Scrub = func(text string) string { return text }
	}
	spec, err := tool.ParseSpec(description, maxOutput)
	return &Tool{opts: o, spec: spec}, err
}

// Spec describes the tool.
func (t *Tool) Spec() tool.Spec { return t.spec }

// Risk judges a call: it only looks, and what it does is waiting.
func (t *Tool) Risk(args json.RawMessage) tool.Risk {
	r := tool.Risk{Effect: event.Read, Poll: true}
	var p Params
	if tool.Decode(args, &p) != nil || t.opts.Resolve == nil {
		return r
	}
	for _, c := range p.Conditions {
		if real := t.opts.Resolve(c.Path); c.Path != "" && real != "" {
			r.Reads = append(r.Reads, real)
		}
	}
	return r
}

// Run waits.
func (t *Tool) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	if err := ctx.Err(); err != nil {
		return tool.Result{}, err
	}
	var p Params
	if err := tool.Decode(args, &p); err != nil {
		return tool.Failed("wait_for: " + err.Error()), nil
	}
	dir := ""
	if t.opts.Dir != nil {
		if dir = t.opts.Dir(env.SessionID()); dir != "" {
			dir = filepath.Join(dir, "waits")
		}
	}
	w := &waiting{tool: t, env: env, session: env.SessionID(), note: p.Note, memory: recall(dir, env.CallID()), started: time.Now()}
	if err := w.plan(ctx, p, w.started); err != nil {
		return t.refuse(ctx, err)
	}
	r, err := w.run(ctx)
	if err == nil || tool.Interrupted(ctx) {
		w.memory.forget()
	}
	return r, err
}

// refuse is the result of a call that cannot wait, unless it was cancelled.
func (t *Tool) refuse(ctx context.Context, err error) (tool.Result, error) {
	if ctx.Err() != nil {
		return tool.Result{}, ctx.Err()
	}
	return tool.Failed(t.clean("wait_for: " + err.Error())), nil
}

// waiting is one call.
type waiting struct {
	tool       *Tool
	env        tool.Env
	session    string
	note       string
	memory     *memory
	conditions []*condition
	sources    []*source
	followers  []follower

	started  time.Time
	findings []event.Finding
	told     time.Time // the newest progress line
	said     string
	saved    time.Time
}

// plan understands the conditions and looks whether their sources are there.
func (w *waiting) plan(ctx context.Context, p Params, now time.Time) error {
	if n := len(p.Conditions); n < 1 || n > maxConditions {
		return fmt.Errorf("conditions: there must be 1 to %d, not %d", maxConditions, n)
	}
	timeout := defaultTimeout
	if p.Timeout != "" {
		var err error
		if timeout, err = span("timeout", p.Timeout); err != nil {
			return err
		}
	}
	if !w.memory.old {
		w.memory.Began, w.memory.Deadline = now, now.Add(timeout)
	}
	times := 0
	for i, c := range p.Conditions {
		kind, name, err := c.kindOf()
		var understood *condition
		if err == nil {
			understood, err = c.understand(kind, name, w.memory.Began)
		}
		if err == nil && kind != "time" {
			err = w.attach(ctx, understood, kind, name)
		}
		if err != nil {
			return fmt.Errorf("conditions[%d]: %w", i, err)
		}
		if kind == "time" {
			if times == len(w.memory.Times) {
				w.memory.Times = append(w.memory.Times, understood.when)
			}
			understood.when = w.memory.Times[times]
			times++
		}
		w.conditions = append(w.conditions, understood)
	}
	for _, s := range w.sources {
		f, err := w.tool.open(ctx, w, s)
		if err != nil {
			return err
		}
		w.followers = append(w.followers, f)
	}
	return nil
}

// attach gives a condition its source.
func (w *waiting) attach(ctx context.Context, c *condition, kind, name string) error {
	ns, id := "", name
	if kind == "job" {
		ns, id, _ = strings.Cut(strings.TrimPrefix(name, "job:"), "/")
		if id == "" {
			ns, id = "", ns
		}
		if w.tool.opts.Jobs == nil {
			return errors.New("there are no jobs here")
		}
		var err error
		if ns, err = w.tool.opts.Namespace(ctx, ns); err != nil {
			return err
		}
		name = ns + "/" + id
	}
	key := sourceKey(kind, name)
	var s *source
	for _, other := range w.sources {
		if other.key == key {
			s = other
		}
	}
	if s == nil {
		s = &source{
			kind: kind, key: key, name: strings.Replace(key, ":", " ", 1), ns: ns, id: id, remember: w.memory.source(key),
			run: curve.New(curve.Options{Source: key, NumbersFirst: kind == "process"}),
		}
		s.caught = s.remember.Taken > 0
		w.sources = append(w.sources, s)
	}
	if c.source = s; c.form == metric || c.form == logged {
		s.reads = true
		c.text += " in the log of " + s.name
	} else {
		c.text = s.name + map[form]string{
			over: " is over", running: " runs", exists: " exists", gone: " is gone", changed: " changes", grown: fmt.Sprintf(" has %d bytes", c.size),
		}[c.form]
	}
	s.conditions = append(s.conditions, c)
	return nil
}

// step is how often times are looked at.
const step = time.Second

// run waits until something holds.
func (w *waiting) run(ctx context.Context) (tool.Result, error) {
	if err := w.memory.save(); err != nil {
		w.env.Log("this waiting would begin anew after a restart: " + err.Error())
	}
	looking, stop := context.WithCancel(ctx)
	type fresh struct {
		source *source
		news   news
	}
	all := make(chan fresh)
	var followers sync.WaitGroup
	for i, follow := range w.followers {
		followers.Go(func() {
			follow(looking, func(n news) {
				select {
				case all <- fresh{w.sources[i], n}:
				case <-looking.Done():
				}
			})
		})
	}
	defer followers.Wait()
	defer stop()
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	seen := map[*source]bool{}
	for {
		now := time.Now()
		// Every source is asked once before time runs out, for the program may
		// have been restarted late, and, as far as that is quick, before anything
		// is told.
		asked := len(seen) == len(w.sources)
		if why := w.over(now, asked || now.Sub(w.started) > catchTime); why != nil && (asked || now.Sub(w.started) >= step) {
			return w.result(now, *why), nil
		}
		select {
		case f := <-all:
			w.take(f.source, f.news, time.Now())
			seen[f.source] = true
		case now := <-ticker.C:
			w.tick(now)
		case <-w.env.Steered():
			return w.result(time.Now(), ending{title: "Stopped waiting: the user has said something.", ok: true}), nil
		case <-ctx.Done():
			_ = w.memory.save() // the next run goes on from an older place then
			return tool.Result{}, ctx.Err()
		}
	}
}

// take takes what a follower has learnt.
func (w *waiting) take(s *source, n news, now time.Time) {
	if n.state != "" {
		s.state = n.state
	}
	for _, l := range n.lines {
		w.line(s, l, now)
	}
	if n.caught && !s.caught {
		w.catchUp(s, now)
	}
	if n.on != nil {
		n.on(s, now)
	}
	if n.ended != "" {
		s.ended = n.ended
		s.run.End()
	}
	s.lost = n.lost
}

// line holds conditions against a line of a log.
func (w *waiting) line(s *source, l line, now time.Time) {
	if !s.caught && !l.at.IsZero() && l.at.After(w.memory.Began) {
		w.catchUp(s, now)
	}
	text := w.tool.clean(lastPart(l.text))
	s.show(text)
	found := s.run.Line(now, l.text)
	if l.n < s.last {
		s.remember.Taken = 0 // it begins anew
	}
	s.newest, s.last = now, l.n
	if l.n <= s.remember.Taken { // an earlier run has looked at it
		w.findings = append(w.findings, found...)
		return
	}
	w.found(found, s)
	s.remember.Taken = l.n
	for _, c := range s.conditions {
		if c.form == logged && c.regexp.MatchString(text) {
			c.hold(now, fmt.Sprintf("%s printed %q", s.name, cut(text)))
		}
	}
	if s.caught {
		w.compare(s, now)
	}
}

// catchUp says that what a log had in the beginning was read: of its numbers
// only the newest counts.
func (w *waiting) catchUp(s *source, now time.Time) {
	s.caught = true
	w.compare(s, now)
}

// compare holds conditions against the newest numbers.
func (w *waiting) compare(s *source, now time.Time) {
	for _, c := range s.conditions {
		if c.form != metric || c.held {
			continue
		}
		if v, ok := s.run.Value(c.name); ok && c.compares(v) {
			c.hold(now, fmt.Sprintf("%s of %s is %s", c.name, s.name, curve.Number(v)))
		}
	}
}

// found tells what the rules have found. Jobs and processes are looked at by
// their own tools too, which tell people; nobody else looks at a file.
func (w *waiting) found(found []event.Finding, s *source) {
	for _, f := range found {
		w.env.Log(f.String())
		if s.kind == "path" {
			w.env.Emit(f)
		}
	}
	w.findings = append(w.findings, found...)
}

// How long what a log had in the beginning may take.
const (
	quiet     = 2 * time.Second
	catchTime = time.Minute
	// progressEvery and saveEvery are how often it is told and kept how the
	// waiting goes.
	progressEvery, saveEvery = time.Minute, 30 * time.Second
)

// tick looks at the time.
func (w *waiting) tick(now time.Time) {
	for _, s := range w.sources {
		if !s.caught && (!s.newest.IsZero() && now.Sub(s.newest) >= quiet || now.Sub(w.memory.Began) >= catchTime) {
			w.catchUp(s, now)
		}
		if s.reads || s.kind != "path" && s.state != string(job.Scheduling) {
			w.found(s.run.Tick(now), s)
		}
	}
	if now.Sub(w.told) >= progressEvery {
		w.progress(now)
	}
	if now.Sub(w.saved) >= saveEvery {
		w.saved = now
		_ = w.memory.save() // the next try may work; without it a restart looks at more
	}
}

// ending is why the waiting is over.
type ending struct {
	title string
	ok    bool
}

// over returns why the waiting is over, nil while it goes on.
func (w *waiting) over(now time.Time, asked bool) *ending {
	var held []string
	for i, c := range w.conditions {
		if c.form == at && !now.Before(c.when) {
			c.hold(c.when, "it is "+clock(c.when))
		}
		if c.held {
			held = append(held, fmt.Sprintf("Condition %d holds since %s: %s.", i+1, clock(c.since), c.detail))
		}
	}
	if len(held) > 0 {
		return &ending{title: strings.Join(held, "\n"), ok: true}
	}
	for _, s := range w.sources {
		switch {
		case s.lost != "":
			return &ending{title: fmt.Sprintf("Stopped waiting: %s can no longer be looked at: %s", s.name, words(s.lost))}
		case s.ended != "":
			return &ending{title: fmt.Sprintf("Stopped waiting: %s is %s, and no condition held before.", s.name, words(s.ended)), ok: true}
		}
	}
	if asked && !now.Before(w.memory.Deadline) {
		return &ending{title: fmt.Sprintf("The time of %s ran out: no condition holds.", took(w.memory.Deadline.Sub(w.memory.Began))), ok: true}
	}
	return nil
}

// passing reports whether a failure of the Hub may be over later.
func passing(err error) bool {
	var e *wire.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Kind {
	case wire.Unreachable, wire.Server, wire.RateLimited, wire.Unexpected:
		return true
	}
	return false
}

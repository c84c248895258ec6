// Package hooks runs the commands that people have put beside the moments of a
// session: each gets the moment as JSON on its standard input and answers with its
// exit code and what it prints. It knows neither settings nor what follows from an
// answer.
package hooks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/hook"
)

const (
	// DefaultTimeout is how long a command may run unless it says otherwise.
	DefaultTimeout = 30 * time.Second
	// maxParallel bounds the commands that run at once, of those that are waited for
	// and of the others.
	maxParallel = 16
	// closeWait is how long commands that nobody waits for may go on at the end.
	closeWait = 5 * time.Second
)

// Hook is one command.
type Hook struct {
	Moment hook.Moment
	// Matcher is a regular expression that the whole of a tool's name, or of what
	// kind a moment is, must match, in any letter case; empty and "*" match all.
	Matcher string
	Command string
	Timeout time.Duration // 0 is DefaultTimeout
	// Async lets it run beside the session: what it answers counts for nothing.
	Async bool
}

// Options make a Runner.
type Options struct {
	Hooks []Hook
	// Dir is the folder that commands run in, absolute; Environ their environment.
	Dir     string
	Environ []string
	// Transcript is the file with a session's journal, empty for none; nil has
	// none.
	Transcript func(session string) string
	// Warn receives what has gone wrong with commands that nobody waits for.
	Warn func(line string)
}

// Runner runs commands. It is safe for concurrent use.
type Runner struct {
	opts  Options
	hooks []*command
	// Commands that nobody waits for have places of their own: they may take long.
	slots, besides chan struct{}

	ctx     context.Context // of commands that nobody waits for
	stop    context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	closed bool
}

// command is a hook with its matcher.
type command struct {
	Hook
	matches *regexp.Regexp // nil matches everything

	mu     sync.Mutex
	warned bool
}

// New checks o. A runner without hooks answers nothing.
func New(o Options) (*Runner, error) {
	if !filepath.IsAbs(o.Dir) {
		return nil, fmt.Errorf("make hooks: the folder %q must be absolute", o.Dir)
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	if o.Transcript == nil {
		o.Transcript = func(string) string { return "" }
	}
	r := &Runner{opts: o, slots: make(chan struct{}, maxParallel), besides: make(chan struct{}, maxParallel)}
	r.ctx, r.stop = context.WithCancel(context.Background())
	var errs []error
	for _, h := range o.Hooks {
		h.Timeout = cmp.Or(max(h.Timeout, 0), DefaultTimeout)
		c := &command{Hook: h}
		var err error
		if c.matches, err = matcher(h.Matcher); err != nil {
			errs = append(errs, fmt.Errorf("%s hook %q: %w", h.Moment, h.Command, err))
		}
		r.hooks = append(r.hooks, c)
	}
	return r, errors.Join(errs...)
}

// matcher compiles what a name must match; nil matches everything.
func matcher(text string) (*regexp.Regexp, error) {
	if text == "" || text == "*" {
		return nil, nil
	}
	re, err := regexp.Compile("(?i)^(?:" + text + ")$")
	if err != nil {
		return nil, fmt.Errorf("the matcher %q is no regular expression: %w", text, err)
	}
	return re, nil
}

// Any reports whether a command stands beside one of the moments.
func (r *Runner) Any(moments ...hook.Moment) bool {
	return slices.ContainsFunc(r.hooks, func(c *command) bool { return slices.Contains(moments, c.Moment) })
}

// fits reports whether a command is about a moment.
func (c *command) fits(in hook.Input) bool {
	if c.Moment != in.Moment {
		return false
	}
	names := append([]string{in.Tool, in.Alias, in.Kind}, in.Kinds...)
	names = slices.DeleteFunc(names, func(name string) bool { return name == "" })
	return c.matches == nil || len(names) == 0 || slices.ContainsFunc(names, c.matches.MatchString)
}

// picked are the commands that run, in order; the same one runs once.
func (r *Runner) picked(in hook.Input) []*command {
	var out []*command
	for _, c := range r.hooks {
		if c.fits(in) && !slices.ContainsFunc(out, func(other *command) bool { return other.Command == c.Command }) {
			out = append(out, c)
		}
	}
	return out
}

// Ran is what has become of one command.
type Ran struct {
	Hook
	// Exit is its exit code, -1 where there is none; Took how long it ran.
	Exit   int
	Took   time.Duration
	Output string // what it printed
	Errors string // what it printed as errors
	Answer hook.Answer
	// Problem says what went wrong, empty for nothing.
	Problem string

	from *command
}

// Ask runs the commands beside a moment side by side, and puts together, in their
// order, what they decide. It returns at once when ctx is done.
func (r *Runner) Ask(ctx context.Context, in hook.Input) hook.Answer {
	picked := r.picked(in)
	if len(picked) == 0 {
		return hook.Answer{}
	}
	input, err := message(in, r.opts.Transcript(in.SessionID))
	if err != nil { // arguments that are no JSON: nobody could have made them
		return hook.Answer{Warnings: []string{err.Error()}}
	}
	var waited []*command
	for _, c := range picked {
		if c.Async {
			r.beside(c, in.Moment, input)
		} else {
			waited = append(waited, c)
		}
	}
	return compose(in.Moment, r.all(ctx, waited, in.Moment, input), (*command).once)
}

// Try is Ask that tells of each command, those that run beside included.
func (r *Runner) Try(ctx context.Context, in hook.Input) ([]Ran, hook.Answer, error) {
	input, err := message(in, r.opts.Transcript(in.SessionID))
	if err != nil {
		return nil, hook.Answer{}, err
	}
	ran := r.all(ctx, r.picked(in), in.Moment, input)
	return ran, compose(in.Moment, ran, func(*command) bool { return true }), nil
}

// Message is what a command is told of a moment.
func (r *Runner) Message(in hook.Input) ([]byte, error) {
	return message(in, r.opts.Transcript(in.SessionID))
}

func (r *Runner) all(ctx context.Context, picked []*command, moment hook.Moment, input []byte) []Ran {
	ran := make([]Ran, len(picked))
	var all sync.WaitGroup
	for i, c := range picked {
		all.Go(func() { ran[i] = r.run(ctx, r.slots, c, moment, input) })
	}
	all.Wait()
	return ran
}

// beside runs a command that nobody waits for.
func (r *Runner) beside(c *command, moment hook.Moment, input []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	r.running.Go(func() {
		if ran := r.run(r.ctx, r.besides, c, moment, input); ran.Problem != "" && c.once() {
			r.opts.Warn(ran.Problem)
		}
	})
}

// once reports whether something may be said about a command that has failed.
func (c *command) once() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := !c.warned
	c.warned = true
	return first
}

// Close ends the commands that nobody waits for, after five seconds, and waits for
// all of them.
func (r *Runner) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	late := time.AfterFunc(closeWait, r.stop)
	defer late.Stop()
	r.running.Wait()
	r.stop()
}

// compose puts together what commands have decided, in their order: to refuse wins,
// then to ask; the last new arguments count.
func compose(moment hook.Moment, ran []Ran, tell func(*command) bool) hook.Answer {
	var out hook.Answer
	rank := []hook.Decision{"", hook.Allow, hook.Ask, hook.Deny}
	changed := ""
	for _, one := range ran {
		if one.Problem != "" && tell(one.from) {
			out.Warnings = append(out.Warnings, one.Problem)
		}
		a := one.Answer
		out.Warnings = append(out.Warnings, a.Warnings...)
		out.Context = joined(out.Context, a.Context)
		switch was, is := slices.Index(rank, out.Decision), slices.Index(rank, a.Decision); {
		case is > was:
			out.Decision, out.Reason, out.By = a.Decision, a.Reason, label(one.Command)
		case is == was && is > 0:
			out.Reason = joined(out.Reason, a.Reason)
		}
		if a.UpdatedInput == nil {
			continue
		}
		if changed != "" && tell(one.from) {
			out.Warnings = append(out.Warnings, fmt.Sprintf("two %s hooks change the arguments of one call: those of %q count", moment, label(one.Command)))
		}
		out.UpdatedInput, changed = a.UpdatedInput, label(one.Command)
	}
	if out.Decision == hook.Deny {
		out.UpdatedInput = nil
	}
	out.By = cmp.Or(out.By, changed)
	return out
}

func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "\n" + b
}

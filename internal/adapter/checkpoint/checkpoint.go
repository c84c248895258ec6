// Package checkpoint remembers what calls change in a workspace, in a git store
// that lies outside of it, and takes changes back. It is asked before and after
// each call that may change files; what changed in between was the call's,
// everything else somebody else's and is never overwritten. It knows neither
// what a call is nor what was said. Files that git ignores there, large ones,
// and what trainers leave behind are not remembered.
package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// Options of the checkpoints of one session.
type Options struct {
	// Workspace is the folder that is watched over, absolute.
	Workspace string
	// Store is the folder of the git store; sessions of one workspace share it.
	Store string
	// Log is the session's file of what calls have changed.
	Log string
	// Session names the session within the store.
	Session string
	// Warn is told, once, why nothing can be remembered; nil drops it.
	Warn func(text string)
	// Debug is told what went wrong otherwise; nil drops it.
	Debug func(text string)
}

// Checkpoints are those of one session. Its methods may be called from any
// goroutine.
type Checkpoints struct {
	o Options

	mu      sync.Mutex // one look at the workspace at a time
	git     *git       // nil until the first call
	off     bool       // nothing can be remembered
	tree    string     // the workspace as it was seen last
	running []*call
	log     *log
}

// call is one call while it runs.
type call struct {
	turn, id string
	spans    []span
}

// New returns the checkpoints of a session. Nothing is looked at before the
// first call.
func New(o Options) *Checkpoints {
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	if o.Debug == nil {
		o.Debug = func(string) {}
	}
	return &Checkpoints{o: o}
}

// Begin notes the workspace before a call; the function it returns notes what
// has become of it.
func (c *Checkpoints) Begin(ctx context.Context, turnID string, risk tool.Risk, callID string) func(context.Context, string) *event.Checkpoint {
	c.mu.Lock()
	defer c.mu.Unlock()
	nothing := func(context.Context, string) *event.Checkpoint { return nil }
	if risk.ReadOnly() || risk.Command == "" && len(risk.Writes) == 0 || !c.ready(ctx) {
		return nothing
	}
	before, err := c.git.snapshot(ctx)
	if err != nil {
		c.fail(ctx, err)
		return nothing
	}
	// What changed while others run is theirs: the one that began first has it.
	if len(c.running) > 0 && before != c.tree {
		c.running[0].spans = append(c.running[0].spans, span{c.tree, before})
	}
	c.tree = before
	running := &call{turn: turnID, id: callID}
	c.running = append(c.running, running)
	return func(ctx context.Context, toolName string) *event.Checkpoint {
		return c.end(context.WithoutCancel(ctx), running, toolName)
	}
}

// end notes what a call has changed.
func (c *Checkpoints) end(ctx context.Context, done *call, toolName string) *event.Checkpoint {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = slices.DeleteFunc(c.running, func(other *call) bool { return other == done })
	if c.off {
		return nil
	}
	after, err := c.git.snapshot(ctx)
	if err != nil {
		c.fail(ctx, err)
		return nil
	}
	if after != c.tree {
		done.spans = append(done.spans, span{c.tree, after})
		c.tree = after
	}
	if len(done.spans) == 0 {
		return nil
	}
	out := &event.Checkpoint{ToolCallID: done.id, Tool: toolName, Before: done.spans[0].Before, After: done.spans[len(done.spans)-1].After}
	if out.Files, err = c.changed(ctx, done.spans); err == nil {
		err = c.log.add(entry{Turn: done.turn, Call: done.id, Spans: done.spans})
	}
	if err != nil {
		c.fail(ctx, err)
		return nil
	}
	return out
}

// changed sums the changes of spans up by file.
func (c *Checkpoints) changed(ctx context.Context, spans []span) ([]event.FileChanged, error) {
	var all []event.FileChanged
	for _, s := range spans {
		changes, err := c.git.diff(ctx, s.Before, s.After)
		if err != nil {
			return nil, err
		}
		for _, ch := range changes {
			i := slices.IndexFunc(all, func(f event.FileChanged) bool { return f.Path == ch.path })
			if i < 0 {
				all = append(all, event.FileChanged{Path: ch.path, Change: ch.word(), Added: ch.added, Removed: ch.removed})
				continue
			}
			all[i].Added, all[i].Removed = all[i].Added+ch.added, all[i].Removed+ch.removed
			all[i].Change = joined(all[i].Change, ch.word())
		}
	}
	return slices.DeleteFunc(all, func(f event.FileChanged) bool { return f.Change == "" }), nil
}

// joined is what two changes of a file come to; empty where it is gone again.
func joined(first, second string) string {
	switch {
	case first == added && second == deleted:
		return ""
	case first == added:
		return added
	case second == deleted:
		return deleted
	}
	return modified
}

// ready makes the store at the first call.
func (c *Checkpoints) ready(ctx context.Context) bool {
	if c.off {
		return false
	}
	if c.git != nil {
		return true
	}
	if err := c.prepare(ctx); err != nil {
		c.git = nil
		if ctx.Err() == nil {
			c.turnOff(err)
		}
		return false
	}
	return true
}

func (c *Checkpoints) prepare(ctx context.Context) error {
	if home, err := os.UserHomeDir(); err == nil && c.o.Workspace == home || filepath.Dir(c.o.Workspace) == c.o.Workspace {
		return errors.New("the working directory is no project but everything you have")
	}
	var err error
	if c.log, err = openLog(c.o.Log); err != nil {
		return err
	}
	c.git, err = openGit(ctx, c.o)
	return err
}

func (c *Checkpoints) turnOff(err error) {
	c.off = true
	c.o.Warn(fmt.Sprintf("changes of files cannot be undone here: %v", err))
}

// fail gives up after an error that will not pass by itself.
func (c *Checkpoints) fail(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	var large *tooLargeError
	if errors.As(err, &large) {
		c.turnOff(err)
		return
	}
	c.o.Debug("checkpoint: " + err.Error())
}

// Diff is the unified difference between two states.
func (c *Checkpoints) Diff(ctx context.Context, before, after string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ready(ctx) {
		return "", errors.New("changes of files are not remembered here")
	}
	return c.git.text(ctx, before, after)
}

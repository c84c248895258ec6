package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// workspace is a folder of texts with checkpoints. It outlives the program.
type workspace struct {
	mu      sync.Mutex
	files   map[string]string
	saved   []savedCall
	undos   []undone // the newest last, those that were taken back gone
	begun   int
	ended   int
	asked   []string // turn ids that were to be undone
	onEnd   func(ctx context.Context)
	onBegin func()
	broken  string
}

// savedCall is what one call has changed.
type savedCall struct {
	turn, call string
	before     map[string]string
	after      map[string]string
	undone     bool
}

// undone is an undo that has put files back.
type undone struct {
	turns []string
	calls []int
	swaps []swap
}

// swap is a file that was put back.
type swap struct{ path, from, to string }

func newWorkspace() *workspace { return &workspace{files: map[string]string{}} }

func (w *workspace) Begin(_ context.Context, turn string, _ tool.Risk, call string) func(context.Context, string) *event.Checkpoint {
	if w.onBegin != nil {
		w.onBegin()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begun++
	before := maps.Clone(w.files)
	return func(ctx context.Context, name string) *event.Checkpoint {
		if w.onEnd != nil {
			w.onEnd(ctx)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ended++
		if ctx.Err() != nil {
			return nil
		}
		made := savedCall{turn: turn, call: call, before: map[string]string{}, after: map[string]string{}}
		cp := &event.Checkpoint{ToolCallID: call, Tool: name, Before: fmt.Sprint("b", len(w.saved)), After: fmt.Sprint("a", len(w.saved))}
		for _, path := range slices.Sorted(maps.Keys(w.files)) {
			if old := before[path]; old != w.files[path] {
				made.before[path], made.after[path] = old, w.files[path]
				cp.Files = append(cp.Files, event.FileChanged{Path: path, Change: "modified", Added: 1})
			}
		}
		if len(cp.Files) == 0 {
			return nil
		}
		w.saved = append(w.saved, made)
		return cp
	}
}

func (w *workspace) Undo(_ context.Context, turns []string) (r event.Restored) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, turns...)
	if w.broken != "" {
		r.Problem = w.broken
		return r
	}
	done := undone{turns: turns}
	for i := len(w.saved) - 1; i >= 0; i-- {
		call := &w.saved[i]
		if call.undone || !slices.Contains(turns, call.turn) {
			continue
		}
		for path, after := range call.after {
			if w.files[path] != after {
				r.Conflicts = append(r.Conflicts, path)
				continue
			}
			w.files[path] = call.before[path]
			call.undone, done.calls = true, append(done.calls, i)
			done.swaps = append(done.swaps, swap{path, after, call.before[path]})
			r.Files = append(r.Files, path)
		}
	}
	if len(done.swaps) > 0 {
		w.undos = append(w.undos, done)
	}
	return r
}

func (w *workspace) Redo(_ context.Context, turns []string) (r event.Restored) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.undos) == 0 || !slices.Equal(w.undos[len(w.undos)-1].turns, turns) {
		return r // all were conflicts
	}
	last := w.undos[len(w.undos)-1]
	w.undos = w.undos[:len(w.undos)-1]
	for _, s := range slices.Backward(last.swaps) {
		if w.files[s.path] != s.to {
			r.Conflicts = append(r.Conflicts, s.path)
			continue
		}
		w.files[s.path] = s.from
		r.Files = append(r.Files, s.path)
	}
	for _, i := range last.calls {
		w.saved[i].undone = false
	}
	return r
}

func (w *workspace) set(path, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files[path] = text
}

func (w *workspace) text(path string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.files[path]
}

// writer writes {"path","text"}; "fail" makes the call fail behind it.
func (w *workspace) writer() *fake {
	f := newFake("write", func(_ context.Context, _ tool.Env, args json.RawMessage) (tool.Result, error) {
		var in struct {
			Path, Text string
			Fail       bool
		}
		if err := json.Unmarshal(args, &in); err != nil {
			return tool.Result{}, err
		}
		w.set(in.Path, in.Text)
		if in.Fail {
			return tool.Failed("the disk is full"), nil
		}
		return tool.Success("written"), nil
	})
	f.risk = func(json.RawMessage) tool.Risk { return tool.Risk{Effect: event.Once} }
	return f
}

// writing asks for one call that writes.
func writing(id, path, text string) step {
	return use(call(id, "write", fmt.Sprintf(`{"path":%q,"text":%q}`, path, text)))
}

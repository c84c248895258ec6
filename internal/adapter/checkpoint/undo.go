package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// wanted is how a file should become, if it still is as it was left.
type wanted struct {
	path     string
	now, to  state
	conflict bool // somebody has changed it in between: only the newer part goes back
}

// Undo puts back what the calls of turns have changed.
func (c *Checkpoints) Undo(ctx context.Context, turnIDs []string) event.Restored {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ready(ctx) {
		return event.Restored{}
	}
	plan, err := c.plan(ctx, c.log.spans(turnIDs))
	if err != nil {
		return event.Restored{Problem: err.Error()}
	}
	return c.put(ctx, plan, func(puts []put) entry { return entry{Undo: turnIDs, Puts: puts} })
}

// plan follows each file back through spans, as far as the changes join.
func (c *Checkpoints) plan(ctx context.Context, spans []span) ([]wanted, error) {
	var plan []wanted
	for i := len(spans) - 1; i >= 0; i-- {
		changes, err := c.git.diff(ctx, spans[i].Before, spans[i].After)
		if err != nil {
			return nil, err
		}
		for _, ch := range changes {
			at := slices.IndexFunc(plan, func(w wanted) bool { return w.path == ch.path })
			switch {
			case at < 0:
				plan = append(plan, wanted{path: ch.path, now: ch.after, to: ch.before})
			case plan[at].conflict:
			case plan[at].to == ch.after:
				plan[at].to = ch.before
			default: // somebody else's change stands between the two
				plan[at].conflict = true
			}
		}
	}
	return plan, nil
}

// Redo takes the newest undo of exactly these turns back.
func (c *Checkpoints) Redo(ctx context.Context, turnIDs []string) event.Restored {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ready(ctx) {
		return event.Restored{}
	}
	undone := c.log.undone()
	at := newest(undone, turnIDs)
	if at < 0 {
		return event.Restored{}
	}
	var plan []wanted
	for _, p := range undone[at].Puts {
		plan = append(plan, wanted{path: p.Path, now: parseState(p.To), to: parseState(p.From)})
	}
	return c.put(ctx, plan, func([]put) entry { return entry{Redo: turnIDs} })
}

// put brings files to where they should be. Those that are not as they were left
// are conflicts and stay.
func (c *Checkpoints) put(ctx context.Context, plan []wanted, record func([]put) entry) event.Restored {
	var r event.Restored
	if len(plan) == 0 {
		return r
	}
	now, err := c.git.snapshot(ctx)
	if err != nil {
		return event.Restored{Problem: err.Error()}
	}
	paths := make([]string, len(plan))
	for i, w := range plan {
		paths[i] = w.path
	}
	current, err := c.git.look(ctx, now, paths)
	if err != nil {
		return event.Restored{Problem: err.Error()}
	}
	root, err := os.OpenRoot(c.o.Workspace)
	if err != nil {
		return event.Restored{Problem: err.Error()}
	}
	defer root.Close()
	var puts []put
	for _, w := range plan {
		is := current[w.path]
		if is == w.to && !w.conflict {
			continue // it is so already
		}
		if is != w.now {
			r.Conflicts = append(r.Conflicts, w.path)
			continue
		}
		if err := c.write(ctx, root, w.path, w.to); err != nil {
			r.Problem = err.Error()
			break
		}
		puts = append(puts, put{Path: w.path, From: is.text(), To: w.to.text()})
		if w.conflict {
			r.Conflicts = append(r.Conflicts, w.path)
		} else {
			r.Files = append(r.Files, w.path)
		}
	}
	slices.Sort(r.Files)
	slices.Sort(r.Conflicts)
	if err := c.log.add(record(puts)); err != nil {
		r.Problem = err.Error()
	}
	if tree, err := c.git.snapshot(ctx); err == nil {
		c.tree = tree
	}
	return r
}

// write puts one file in its place. The root keeps links from leading elsewhere.
func (c *Checkpoints) write(ctx context.Context, root *os.Root, name string, to state) error {
	local := filepath.FromSlash(name)
	if to == (state{}) {
		if err := root.Remove(local); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("put %s back: %w", name, err)
		}
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) { // folders that were made for it
			if root.Remove(filepath.FromSlash(dir)) != nil {
				break
			}
		}
		return nil
	}
	data, err := c.git.blob(ctx, to.blob)
	if err != nil {
		return err
	}
	if dir := path.Dir(name); dir != "." {
		if err := root.MkdirAll(filepath.FromSlash(dir), 0o755); err != nil {
			return fmt.Errorf("put %s back: %w", name, err)
		}
	}
	if err := replace(root, local, data, to.mode); err != nil {
		return fmt.Errorf("put %s back: %w", name, err)
	}
	return nil
}

// Modes of git.
const (
	executable = "100755"
	symlink    = "120000"
)

// replace writes a file so that nobody sees half of it.
func replace(root *os.Root, name string, data []byte, mode string) error {
	fresh := name + ".ml-intern-undo"
	_ = root.Remove(fresh) // of an earlier run that was killed
	if mode == symlink {
		if err := root.Symlink(string(data), fresh); err != nil {
			return err
		}
		return root.Rename(fresh, name)
	}
	bits := os.FileMode(0o644)
	if mode == executable {
		bits = 0o755
	}
	if info, err := root.Stat(name); err == nil && mode != executable {
		bits = info.Mode().Perm() &^ 0o111
	}
	if err := root.WriteFile(fresh, data, bits); err != nil {
		return err
	}
	return root.Rename(fresh, name)
}

func (s state) text() string {
	if s == (state{}) {
		return ""
	}
	return s.mode + " " + s.blob
}

func parseState(text string) state {
	mode, blob, ok := strings.Cut(text, " ")
	if !ok {
		return state{}
	}
	return state{mode, blob}
}

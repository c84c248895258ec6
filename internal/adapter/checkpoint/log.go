package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// span is a stretch of time between two looks at the workspace: what changed in
// it was a call's.
type span struct {
	Before string `json:"before"`
	After  string `json:"after"`
}

// put is a file that was put back.
type put struct {
	Path string `json:"path"`
	// From and To are the file before and after, as "mode blob"; empty for none.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// entry is one line of a session's log: what a call has changed, an undo, or a
// redo.
type entry struct {
	Turn  string `json:"turn,omitempty"`
	Call  string `json:"call,omitempty"`
	Spans []span `json:"spans,omitempty"`

	Undo []string `json:"undo,omitempty"` // the turns
	Puts []put    `json:"puts,omitempty"`
	Redo []string `json:"redo,omitempty"` // takes the newest undo of these turns back
}

// log is the session's memory; it outlives the program.
type log struct {
	path    string
	entries []entry
}

func openLog(path string) (*log, error) {
	l := &log{path: path}
	raw, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the checkpoints: %w", err)
	}
	for line := range bytes.Lines(raw) {
		var e entry
		if json.Unmarshal(line, &e) == nil { // a torn last line is left out
			l.entries = append(l.entries, e)
		}
	}
	return l, nil
}

// add writes an entry.
func (l *log) add(e entry) error {
	raw, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(l.path), 0o700); err != nil {
		return fmt.Errorf("keep a checkpoint: %w", err)
	}
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("keep a checkpoint: %w", err)
	}
	_, err = f.Write(append(raw, '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("keep a checkpoint: %w", err)
	}
	l.entries = append(l.entries, e)
	return nil
}

// undone are the undos that hold, oldest first.
func (l *log) undone() []entry {
	var stack []entry
	for _, e := range l.entries {
		switch {
		case len(e.Redo) > 0:
			if at := newest(stack, e.Redo); at >= 0 {
				stack = slices.Delete(stack, at, at+1)
			}
		case len(e.Undo) > 0:
			stack = append(stack, e)
		}
	}
	return stack
}

// newest is the place of the newest undo of exactly these turns, or -1.
func newest(undone []entry, turns []string) int {
	for i, e := range slices.Backward(undone) {
		if slices.Equal(e.Undo, turns) {
			return i
		}
	}
	return -1
}

// spans are those of turns that are not undone, oldest first.
func (l *log) spans(turns []string) []span {
	gone := map[string]bool{}
	for _, u := range l.undone() {
		for _, turn := range u.Undo {
			gone[turn] = true
		}
	}
	var all []span
	for _, e := range l.entries {
		if e.Turn != "" && slices.Contains(turns, e.Turn) && !gone[e.Turn] {
			all = append(all, e.Spans...)
		}
	}
	return all
}

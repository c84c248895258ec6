package tell

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/ui/acp/protocol"
)

const (
	// textMost is the most bytes of a file, or a part of one, that an editor is
	// shown before and after a change.
	textMost = 256 << 10
	// filesMost is the most files, and partsMost the most places, of one change.
	filesMost = 20
	partsMost = 100
)

// Intended is what a call of write or edit would make of a file: with the whole
// file where it can be read before the call runs, else as far as the arguments
// tell. File may be nil.
func Intended(dir string, file func(path string) (string, bool), tool string, args json.RawMessage) []protocol.Content {
	if tool != "write" && tool != "edit" {
		return nil
	}
	var in arguments
	if json.Unmarshal(args, &in) != nil || in.Path == "" {
		return nil
	}
	d := protocol.Diff{Path: absolute(dir, in.Path), NewText: in.Content}
	now, readable := "", false
	if file != nil {
		now, readable = file(in.Path)
	}
	switch {
	case tool == "edit" && readable && strings.Contains(now, in.Old) && in.Old != "":
		times := 1
		if in.All || in.Mode == "replace_all" {
			times = -1
		}
		d.OldText, d.NewText = &now, strings.Replace(now, in.Old, in.put(), times)
	case tool == "edit":
		d.OldText, d.NewText = &in.Old, in.put()
	case readable:
		d.OldText = &now
	}
	if len(d.NewText) > textMost || d.OldText != nil && len(*d.OldText) > textMost {
		return nil
	}
	return []protocol.Content{shownDiff(d)}
}

// arguments are those of write and edit.
type arguments struct {
	Path    string `json:"path"`
	Content string `json:"content"`
	Old     string `json:"old_str"`
	New     string `json:"new_str"`
	Mode    string `json:"mode"`
	All     bool   `json:"replace_all"`
}

// put is what stands in the place of the old text.
func (a arguments) put() string {
	switch a.Mode {
	case "append_after":
		return a.Old + a.New
	case "prepend_before":
		return a.New + a.Old
	}
	return a.New
}

// shownDiff is a difference without what could steer a screen.
func shownDiff(d protocol.Diff) protocol.Content {
	d.NewText = plain.ForTerminal(d.NewText)
	if d.OldText != nil {
		old := plain.ForTerminal(*d.OldText)
		d.OldText = &old
	}
	return protocol.Changed(d)
}

// parts reads a difference in git's form and keeps that of the named files: each
// place as a difference of its own, a new file as a whole.
func (t *Teller) parts(text string, files []event.FileChanged) []protocol.Content {
	r := reader{added: map[string]bool{}}
	for _, f := range files[:min(len(files), filesMost)] {
		r.added[f.Path] = f.Change == "added"
	}
	for line := range strings.Lines(text) {
		r.line(line)
	}
	r.end()
	var all []protocol.Content
	for _, d := range r.diffs {
		d.Path = t.path(d.Path)
		all = append(all, shownDiff(d))
	}
	return all
}

// reader reads a unified difference in git's form.
type reader struct {
	added map[string]bool // the files that are wanted; true for new ones
	diffs []protocol.Diff
	size  int

	path          string
	wanted        bool // the file at hand is
	open          bool // in the middle of a place
	before, after strings.Builder
	last          byte // sign of the newest line
}

func (r *reader) line(line string) {
	switch sign := line[0]; {
	case !r.open || sign == 'd' || sign == '@':
		r.head(line)
	case sign == '\\': // the line before has no end
		r.cutEnd()
	case sign == ' ', sign == '-', sign == '+':
		r.last = sign
		r.size += len(line)
		if sign != '+' {
			r.before.WriteString(line[1:])
		}
		if sign != '-' {
			r.after.WriteString(line[1:])
		}
	default:
		r.end() // a note that the rest is left out
	}
}

// head reads what stands between the places.
func (r *reader) head(line string) {
	r.end()
	switch {
	case strings.HasPrefix(line, "diff --git "):
		r.wanted = false
	case strings.HasPrefix(line, "--- ") || strings.HasPrefix(line, "+++ "):
		if name := fileName(line[4:]); name != "" {
			r.path = name
			_, r.wanted = r.added[name]
		}
	case strings.HasPrefix(line, "@@ "):
		r.open = r.wanted
	}
}

// end closes a place.
func (r *reader) end() {
	if r.open && len(r.diffs) < partsMost && r.size <= textMost {
		d := protocol.Diff{Path: r.path, NewText: r.after.String()}
		if old := r.before.String(); !r.added[r.path] {
			d.OldText = &old
		}
		r.diffs = append(r.diffs, d)
	}
	r.open = false
	r.before.Reset()
	r.after.Reset()
}

func (r *reader) cutEnd() {
	for _, side := range []struct {
		b    *strings.Builder
		sign byte
	}{{&r.before, '+'}, {&r.after, '-'}} {
		if r.last != side.sign {
			text := strings.TrimSuffix(side.b.String(), "\n")
			side.b.Reset()
			side.b.WriteString(text)
		}
	}
}

// fileName is the name in a line that names a file; empty for none.
func fileName(name string) string {
	name = strings.TrimRight(name, "\t\n")
	if strings.HasPrefix(name, `"`) {
		name, _ = strconv.Unquote(name) // empty for what git has not written
	}
	if !strings.HasPrefix(name, "a/") && !strings.HasPrefix(name, "b/") {
		return ""
	}
	return name[2:]
}

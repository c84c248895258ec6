package trainformat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	// maxCode is how many lines a code block has at most.
	maxCode = 15
	// maxListed is how many columns are listed by name.
	maxListed = 8
	nameSize  = 80 // characters of a column's name that are shown
)

// What a conversion costs; the cheapest way is taken.
const (
	costNative = 1
	costRename = 2
	costMap    = 20
	never      = 1 << 20
)

// plan is the cheapest way to a trainer.
type plan struct {
	trainer trainer
	typ     typ
	steps   []conversion
	cost    int
	after   shapes
}

func (p plan) possible() bool { return p.cost < never }

func (p plan) fits() string {
	switch {
	case !p.possible():
		return "no"
	case p.cost >= costMap:
		return "after map"
	case p.cost >= costRename:
		return "after rename"
	}
	return "yes"
}

// plan looks for a way of at most two conversions.
func (j *judge) plan(t trainer) plan {
	best := plan{trainer: t, cost: never}
	try := func(s shapes, steps []conversion, cost int) {
		if cost >= best.cost {
			return
		}
		fit := j.rules.types(s)
		for _, name := range t.Takes {
			if i := slices.IndexFunc(fit, func(t typ) bool { return t.Name == name }); i >= 0 {
				best = plan{trainer: t, typ: fit[i], steps: steps, cost: cost, after: s}
				return
			}
		}
	}
	try(j.shapes, nil, 0)
	for _, one := range j.rules.Conversion {
		s, cost, ok := one.apply(j.shapes, t)
		if !ok || cost >= best.cost {
			continue
		}
		try(s, []conversion{one}, cost)
		for _, two := range j.rules.Conversion {
			if s, more, ok := two.apply(s, t); ok && cost+more < best.cost {
				try(s, []conversion{one, two}, cost+more)
			}
		}
	}
	return best
}

// apply returns the columns after a conversion, where it can be done.
func (c conversion) apply(s shapes, t trainer) (shapes, int, bool) {
	if !s.have(c.Needs) || slices.Contains(c.Except, t.ID) || len(c.Only) > 0 && !slices.Contains(c.Only, t.ID) {
		return nil, 0, false
	}
	for _, name := range c.Without {
		if _, there := s[name]; there {
			return nil, 0, false
		}
	}
	after := maps.Clone(s)
	if c.Renames != nil {
		for from, to := range c.Renames {
			if _, there := s[to]; there {
				return nil, 0, false
			}
			delete(after, from)
			after[to] = s[from]
		}
		return after, costRename, true
	}
	for name := range c.Needs {
		delete(after, name)
	}
	maps.Copy(after, c.Gives)
	if slices.Contains(c.Native, t.ID) {
		return after, costNative, true
	}
	return after, costMap, true
}

// advice says what to do for a trainer.
func (j *judge) advice(p plan) string {
	if !p.possible() {
		return "needs " + p.trainer.Needs
	}
	var parts []string
	for _, c := range p.steps {
		renames := c.renamed()
		switch {
		case slices.Contains(c.Native, p.trainer.ID):
			parts = append(parts, c.NativeNote)
		case c.Note != "":
			parts = append(parts, strings.ReplaceAll(c.Note, "{renames}", renames))
		default:
			parts = append(parts, renames)
		}
	}
	parts = append(parts, p.remarks()...)
	if rest := j.unused(p); len(rest) > 0 && p.trainer.Rewards {
		parts = append(parts, "the other columns reach the reward functions")
	} else if len(rest) > 0 {
		parts = append(parts, "ignores "+listed(rest))
	}
	return strings.Join(parts, "; ")
}

// remarks say what a trainer does with pairs.
func (p plan) remarks() []string {
	if p.typ.Name != "preference" {
		return nil
	}
	var parts []string
	prompt, there := p.after["prompt"]
	switch {
	case there && prompt == "text" && p.after["chosen"] == "messages":
		parts = append(parts, "TRL extracts the prompt anew from chosen and rejected")
	case there && p.trainer.Explicit != "":
		parts = append(parts, p.trainer.Explicit)
	case !there && p.trainer.Implicit != "":
		parts = append(parts, p.trainer.Implicit)
	}
	if p.trainer.Unpairs {
		parts = append(parts, "TRL takes the pairs apart: chosen is labelled true, rejected false")
	}
	return parts
}

// renamed tells the renames, in order.
func (c conversion) renamed() string {
	var parts []string
	for _, from := range slices.Sorted(maps.Keys(c.Renames)) {
		parts = append(parts, fmt.Sprintf("rename %s to %s", quote(from), quote(c.Renames[from])))
	}
	return strings.Join(parts, ", ")
}

// unused are the columns that the trainer has no use for.
func (j *judge) unused(p plan) []string {
	var rest []string
	for _, c := range j.Columns {
		if _, kept := p.after[c.Name]; kept && !slices.Contains(p.wanted(), c.Name) {
			rest = append(rest, c.Name)
		}
	}
	return rest
}

// wanted are the columns that the trainer reads after the conversions.
func (p plan) wanted() []string {
	names := []string{"tools", "image", "images", "chat_template_kwargs"}
	for name := range p.typ.Columns {
		names = append(names, name)
	}
	for name := range p.typ.Optional {
		names = append(names, name)
	}
	return names
}

// code writes how to load the split and bring it into shape.
func (j *judge) code(p plan) string {
	args := []string{python(j.Dataset)}
	if j.Config != "" && j.Config != "default" {
		args = append(args, python(j.Config))
	}
	split := j.Split
	if split == "" {
		split = "train"
	}
	lines := []string{
		"from datasets import load_dataset",
		fmt.Sprintf("ds = load_dataset(%s, split=%s)", strings.Join(args, ", "), python(split)),
	}
	for _, c := range p.steps {
		if c.Renames == nil {
			if !slices.Contains(c.Native, p.trainer.ID) {
				lines = append(lines, c.Code...)
			}
			continue
		}
		var pairs []string
		for _, from := range slices.Sorted(maps.Keys(c.Renames)) {
			pairs = append(pairs, python(from)+": "+python(c.Renames[from]))
		}
		lines = append(lines, "ds = ds.rename_columns({"+strings.Join(pairs, ", ")+"})")
	}
	if rest := j.unused(p); len(rest) > 0 && !p.trainer.Rewards {
		names := make([]string, 0, len(rest))
		for _, name := range rest {
			names = append(names, python(name))
		}
		if len(rest) <= maxListed {
			lines = append(lines, "ds = ds.remove_columns(["+strings.Join(names, ", ")+"])")
		} else {
			keep := slices.DeleteFunc(slices.Sorted(slices.Values(p.wanted())), func(n string) bool { _, there := p.after[n]; return !there })
			for i := range keep {
				keep[i] = python(keep[i])
			}
			lines = append(lines, "ds = ds.remove_columns([c for c in ds.column_names if c not in ("+strings.Join(keep, ", ")+",)])")
		}
	}
	return strings.Join(lines[:min(len(lines), maxCode)], "\n")
}

// python writes a text as Python does; JSON's escapes are Python's.
func python(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s)
	return strings.ReplaceAll(strings.TrimSpace(b.String()), "`", `\x60`)
}

// listed names columns, the first of many.
func listed(names []string) string {
	more := ""
	if len(names) > maxListed {
		more = fmt.Sprintf(" and %d more", len(names)-maxListed)
		names = names[:maxListed]
	}
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = quote(n)
	}
	return strings.Join(quoted, ", ") + more
}

// quote shows a column's name in one cell of a table.
func quote(name string) string {
	if r := []rune(name); len(r) > nameSize {
		name = string(r[:nameSize]) + "…"
	}
	return "`" + strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r == '`' || r == '|' || r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, name)), " ") + "`"
}

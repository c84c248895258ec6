package git

import (
	"maps"
	"slices"
)

// Changed is a file that differs between two trees; nil stands for no file.
type Changed struct {
	Path     string
	Old, New *Entry
}

// Diff lists the files that differ between two trees, by path. What is equal is
// not descended into.
func (o *Objects) Diff(a, b string) ([]Changed, error) { return o.diff(a, b, "") }

func (o *Objects) diff(a, b, prefix string) ([]Changed, error) {
	if a == b {
		return nil, nil
	}
	old, err := o.byName(a)
	if err != nil {
		return nil, err
	}
	now, err := o.byName(b)
	if err != nil {
		return nil, err
	}
	names := maps.Clone(old)
	maps.Copy(names, now)
	var all []Changed
	for _, name := range slices.Sorted(maps.Keys(names)) {
		x, y := old[name], now[name]
		if x == y {
			continue
		}
		c := Changed{Path: prefix + name}
		below := [2]string{EmptyTree, EmptyTree}
		for i, e := range []Entry{x, y} {
			switch {
			case e.OID == "":
			case e.Dir():
				below[i] = e.OID
			case i == 0:
				c.Old = &x
			default:
				c.New = &y
			}
		}
		if c.Old != nil || c.New != nil {
			all = append(all, c)
		}
		deeper, err := o.diff(below[0], below[1], prefix+name+"/")
		if err != nil {
			return nil, err
		}
		all = append(all, deeper...)
	}
	return all, nil
}

func (o *Objects) byName(tree string) (map[string]Entry, error) {
	entries, err := o.Tree(tree)
	if err != nil {
		return nil, err
	}
	m := make(map[string]Entry, len(entries))
	for _, e := range entries {
		m[e.Name] = e
	}
	return m, nil
}

func same(x, y *Entry) bool {
	return x == nil && y == nil || x != nil && y != nil && x.OID == y.OID && x.Mode == y.Mode
}

// Merge applies what theirs changed since base to ours. Paths both sides
// changed, differently, are conflicts; then there is no tree.
func (o *Objects) Merge(base, ours, theirs string) (tree string, conflicts []string, err error) {
	mine, err := o.Diff(base, ours)
	if err != nil {
		return "", nil, err
	}
	others, err := o.Diff(base, theirs)
	if err != nil {
		return "", nil, err
	}
	touched := map[string]Changed{}
	for _, c := range mine {
		touched[c.Path] = c
	}
	edits := map[string]*Entry{}
	for _, c := range others {
		if m, both := touched[c.Path]; both {
			if !same(m.New, c.New) {
				conflicts = append(conflicts, c.Path)
			}
			continue
		}
		edits[c.Path] = c.New
	}
	if len(conflicts) > 0 {
		return "", conflicts, nil
	}
	tree, err = o.Edit(ours, edits)
	return tree, nil, err
}

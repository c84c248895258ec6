// Package skills reads what people have written for the agent beside its
// instructions: skills (folders with a SKILL.md, in the Agent Skills layout) and
// commands (Markdown files), their own, a project's and the built-in ones. It
// checks them, bounds them and keeps them in their folders. Whether a project
// may be read at all is for its caller to know; it runs nothing.
package skills

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
)

// Kind is what a file is.
type Kind string

// The kinds.
const (
	Skill   Kind = "skill"
	Command Kind = "command"
)

// Origin is whose an entry is.
type Origin string

// The origins, the nearest first: of two entries with one name the nearer counts.
const (
	Project Origin = "project"
	User    Origin = "user"
	BuiltIn Origin = "built-in"
)

func (o Origin) rank() int { return slices.Index([]Origin{Project, User, BuiltIn}, o) }

// Place is a folder of skills or commands.
type Place struct {
	Dir    string
	Origin Origin
	// Within is the folder that no link may lead out of; empty is for a place of
	// the person's own, where a skill or a command may be a link to elsewhere.
	Within string
}

// Options are where to look.
type Options struct {
	// Skills and Commands are looked through in this order: of two entries with
	// one name and one origin the first counts.
	Skills, Commands []Place
	// BuiltIn holds the built-in skills, one a folder; nil for none.
	BuiltIn fs.FS
	// Reserved reports names that a person cannot call an entry by, because they
	// are taken; nil for none.
	Reserved func(name string) bool
	// Rules says what is wrong with rules that permit; nil takes all.
	Rules func(rules []string) error
}

// Entry is a skill or a command.
type Entry struct {
	Kind   Kind
	Name   string
	Origin Origin
	// Description is one line; Hint shows what it takes, such as "[dataset]".
	Description, Hint string
	// Path is its file, Dir the folder of a skill on this machine; both are empty
	// for what is built in.
	Path, Dir string
	// Model and Allow hold for the turn of who calls it by name: the model, empty
	// for the session's, and rules that permit.
	Model string
	Allow []string
	// License, Compatibility and Metadata are what its front matter says.
	License, Compatibility string
	Metadata               map[string]string
	// ForModel and ForPerson say who may call it: the model loads skills, a
	// person gives a name behind a slash.
	ForModel, ForPerson bool

	open func() (*folder, error)
	file string // its file in the folder
}

// Problem is something that is wrong with a file, in plain lines.
type Problem struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
	// Remark marks what costs nothing: the entry works.
	Remark bool `json:"remark,omitempty"`
}

// String is one line.
func (p Problem) String() string { return p.Path + ": " + p.Reason }

// Library is what was found.
type Library struct {
	// Entries are all of them, the nearest first, then by kind and name; hidden
	// ones too.
	Entries  []Entry
	Problems []Problem
}

// Load reads what there is. What cannot be used is left out and told.
func Load(o Options) *Library {
	l := &loading{Options: o}
	for _, p := range o.Skills {
		l.skills(p)
	}
	for _, p := range o.Commands {
		l.commands(p)
	}
	if o.BuiltIn != nil {
		l.builtIn()
	}
	slices.SortStableFunc(l.Entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Origin.rank(), b.Origin.rank()), cmp.Compare(b.Kind, a.Kind), cmp.Compare(a.Name, b.Name))
	})
	l.compare()
	return &l.Library
}

// loading is the work of Load.
type loading struct {
	Options
	Library
}

func (l *loading) problem(path, format string, args ...any) {
	l.Problems = append(l.Problems, Problem{Path: oneLine(path), Reason: oneLine(fmt.Sprintf(format, args...))})
}

func (l *loading) remark(path, format string, args ...any) {
	l.problem(path, format, args...)
	l.Problems[len(l.Problems)-1].Remark = true
}

// add takes an entry that is sound in itself.
func (l *loading) add(e Entry) {
	if l.Rules != nil {
		if err := l.Rules(e.Allow); err != nil {
			l.problem(e.at(), "allowed-tools is left out: %v", err)
			e.Allow = nil
		}
	}
	if e.ForPerson && l.Reserved != nil && l.Reserved(e.Name) {
		e.ForPerson = false
		l.problem(e.at(), "/%s is a command of the program, so this %s cannot be called by that name: give it another", e.Name, e.Kind)
	}
	l.Entries = append(l.Entries, e)
}

// compare tells of entries of one origin that hide each other.
func (l *loading) compare() {
	first := map[string]Entry{}
	for _, e := range l.Entries {
		key := string(e.Origin) + " " + e.Name
		if before, there := first[key]; there {
			l.remark(e.at(), "%s has the same name and counts instead", before.at())
			continue
		}
		first[key] = e
	}
}

// at is where an entry stands, for people.
func (e Entry) at() string { return cmp.Or(e.Path, string(BuiltIn)+" "+e.Name) }

// Skills are those that the model may load, each name once.
func (l *Library) Skills() []Entry {
	return l.first(func(e Entry) bool { return e.Kind == Skill && e.ForModel })
}

// Callable are those that a person may call, each name once.
func (l *Library) Callable() []Entry {
	return l.first(func(e Entry) bool { return e.ForPerson })
}

// Called is what a person means by a name.
func (l *Library) Called(name string) (Entry, bool) { return find(l.Callable(), name) }

// Skill is the skill that the model means by a name.
func (l *Library) Skill(name string) (Entry, bool) { return find(l.Skills(), name) }

// Hidden reports whether others of its name stand before e everywhere.
func (l *Library) Hidden(e Entry) bool {
	same := func(o Entry) bool {
		return o.Kind == e.Kind && o.Origin == e.Origin && o.Path == e.Path && o.Name == e.Name
	}
	return !slices.ContainsFunc(l.Callable(), same) && !slices.ContainsFunc(l.Skills(), same)
}

func (l *Library) first(fits func(Entry) bool) []Entry {
	var out []Entry
	seen := map[string]bool{}
	for _, e := range l.Entries {
		if fits(e) && !seen[e.Name] {
			seen[e.Name] = true
			out = append(out, e)
		}
	}
	return out
}

func find(entries []Entry, name string) (Entry, bool) {
	i := slices.IndexFunc(entries, func(e Entry) bool { return e.Name == name })
	if i < 0 {
		return Entry{}, false
	}
	return entries[i], true
}

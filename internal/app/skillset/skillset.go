// Package skillset says which skills and commands count for a run of the
// program: a project's only where its folder is trusted, the person's own, and
// the built-in ones. It makes the tool that loads skills. How they are read is
// the adapter's.
package skillset

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/skills"
	"github.com/ml-intern/ml-intern/internal/adapter/skills/builtin"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/config/place"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// Set is what counts for a run.
type Set struct {
	*skills.Library
	// Passed are the project's folders that are not read, because it is not
	// trusted.
	Passed []string
}

// own is the folder of the program's in a project; shared are those that others
// use for skills in the same layout.
const own = ".ml-intern"

func shared() []string { return []string{".agents", ".claude"} }

// Load reads what counts.
func Load(l *config.Loaded) *Set {
	o := Options(nil)
	s := &Set{}
	s.places(l, &o)
	o.Skills = append(o.Skills, skills.Place{Dir: UserSkills(l), Origin: skills.User})
	o.Commands = append(o.Commands, skills.Place{Dir: UserCommands(l), Origin: skills.User})
	o.BuiltIn = builtin.Files()
	s.Library = skills.Load(o)
	return s
}

// Untrusted is the set of which only Passed is known: no skill is read for it.
func Untrusted(l *config.Loaded) *Set {
	s := &Set{}
	s.places(l, &skills.Options{})
	return s
}

// places takes the project's folders.
func (s *Set) places(l *config.Loaded, o *skills.Options) {
	for _, dir := range place.Between(l.Dir, l.RepoRoot) {
		for i, name := range append([]string{own}, shared()...) {
			at := func(kind string) skills.Place {
				return skills.Place{Dir: filepath.Join(dir, name, kind), Origin: skills.Project, Within: l.Root()}
			}
			s.project(l, &o.Skills, at("skills"))
			if i == 0 {
				s.project(l, &o.Commands, at("commands"))
			}
		}
	}
}

// project takes a folder of the project's, where it is trusted.
func (s *Set) project(l *config.Loaded, into *[]skills.Place, p skills.Place) {
	if l.Trusted {
		*into = append(*into, p)
	} else if _, err := os.Lstat(p.Dir); err == nil {
		s.Passed = append(s.Passed, p.Dir)
	}
}

// Options are how skills and commands are read and checked, whoever they are of.
func Options(places []skills.Place) skills.Options {
	return skills.Options{Skills: places, Reserved: Reserved, Rules: func(rules []string) error {
		_, err := policy.New(policy.Options{Mode: policy.ModeAsk, Allow: rules})
		return err
	}}
}

// UserSkills is the person's own folder of skills, and the others accordingly.
// None need exist.
func UserSkills(l *config.Loaded) string { return filepath.Join(l.Places.Config, "skills") }

// UserCommands is the person's own folder of commands.
func UserCommands(l *config.Loaded) string { return filepath.Join(l.Places.Config, "commands") }

// ProjectSkills is the project's folder of skills.
func ProjectSkills(l *config.Loaded) string { return filepath.Join(l.Root(), own, "skills") }

// ProjectCommands is the project's folder of commands.
func ProjectCommands(l *config.Loaded) string { return filepath.Join(l.Root(), own, "commands") }

// Own are those of Passed that were written for this program.
func (s *Set) Own() []string {
	var passed []string
	for _, dir := range s.Passed {
		if filepath.Base(filepath.Dir(dir)) == own {
			passed = append(passed, dir)
		}
	}
	return passed
}

// Warnings are lines for the person: what is left out and why. A project that
// others have written for is told of only where it has something of this
// program's.
func (s *Set) Warnings() []string {
	var lines []string
	if passed := s.Own(); len(passed) > 0 {
		lines = append(lines, fmt.Sprintf("%s: not read, because this folder is not trusted (ml-intern trust)", strings.Join(passed, ", ")))
	}
	for _, p := range s.Problems {
		if !p.Remark {
			lines = append(lines, p.String())
		}
	}
	return lines
}

// Reserved reports names of the program's own commands in a conversation.
func Reserved(name string) bool {
	return slices.Contains(strings.Fields(`help ? new clear resume sessions fork rename export undo redo rewind diff compact model effort
		permissions yolo budget status cost context jobs plan tools verbose copy init memory skills commands hooks mcp login doctor
		share-traces detach quit exit picture`), name)
}

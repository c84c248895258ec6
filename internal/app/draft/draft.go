// Package draft looks at a project and at the machine, and drafts the
// instructions that an agent should have: what is there to compute with, where
// the data is, how training and tests are run. It reads names and sizes, and the
// lists of dependencies; it runs nothing of the project and writes nothing.
package draft

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

// Facts are what was found.
type Facts struct {
	Name    string
	Machine []string
	Python  []string
	Data    []Folder
	// Partial says that the tree was too large to be looked at as a whole.
	Partial bool
	// Train, Evaluate and Test are scripts and commands.
	Train, Evaluate, Test []string
	// Tracking are the tools for experiments that the project depends on.
	Tracking []string
}

// Folder is a folder with data.
type Folder struct {
	Path    string         // relative, with slashes; "." is the project itself
	Formats map[string]int // files by format
	Bytes   int64
}

// How much is listed.
const (
	mostFolders = 12
	mostScripts = 8
)

// Look looks at the project in a folder.
func Look(ctx context.Context, dir string) Facts {
	t := walk(ctx, dir)
	f := Facts{Name: filepath.Base(dir), Machine: machine(ctx), Data: t.folders(), Partial: t.partial}
	deps := t.dependencies()
	f.Python = t.python(ctx, deps)
	f.Train, f.Evaluate, f.Test = t.scripts(training), t.scripts(evaluation), t.tests(deps)
	f.Tracking = tracking(deps)
	return f
}

// Markdown is the draft; push says what may be pushed.
func (f Facts) Markdown(push string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\nInstructions for agents, drafted from what is in this folder. Correct what is wrong and\nadd what cannot be seen: what the work is for, and what counts as success.\n", line(f.Name))
	section := func(title string, items []string, none string) {
		fmt.Fprintf(&b, "\n## %s\n\n", title)
		if len(items) == 0 {
			items = []string{none}
		}
		for _, it := range items {
			b.WriteString("- " + it + "\n")
		}
	}
	section("Hardware", f.Machine, "unknown")
	section("Python", f.Python, "no environment and no list of dependencies was found")
	section("Data", f.data(), "no data files were found here")
	section("Training", code(f.Train), "no training script was found")
	if len(f.Evaluate) > 0 {
		section("Evaluation", code(f.Evaluate), "")
	}
	section("Tests", code(f.Test), "none were found")
	section("Tracking", f.Tracking, "no tool for tracking experiments is among the dependencies")
	section("Pushing", []string{push}, "")
	return b.String()
}

func (f Facts) data() []string {
	var items []string
	for _, folder := range f.Data {
		var formats []string
		for _, name := range slices.SortedFunc(maps.Keys(folder.Formats), func(a, b string) int {
			return cmp.Or(cmp.Compare(folder.Formats[b], folder.Formats[a]), cmp.Compare(a, b))
		}) {
			formats = append(formats, amount.Count(folder.Formats[name], name+" file"))
		}
		items = append(items, fmt.Sprintf("`%s`: %s, %s", line(folder.Path), strings.Join(formats, ", "), amount.Bytes(folder.Bytes)))
	}
	if f.Partial {
		items = append(items, "the folder is large: not all of it was looked at")
	}
	return items
}

func code(items []string) []string {
	var out []string
	for _, it := range items {
		out = append(out, "`"+line(it)+"`")
	}
	return out
}

// line is a foreign name that cannot leave its place.
func line(text string) string {
	return strings.ReplaceAll(history.Line(plain.ForTerminal(text)), "`", "'")
}

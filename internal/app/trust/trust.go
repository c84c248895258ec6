// Package trust tells a person what a folder brings along that counts only once
// the folder is trusted, and asks whether it is. Before the answer nothing of it
// is used.
package trust

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/app/hooks"
	"github.com/ml-intern/ml-intern/internal/app/skillset"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

// Give puts the folder of a configuration on the list of trusted ones and shows
// the commands that run from then on. O is how it was loaded.
func Give(ctx context.Context, out io.Writer, l *config.Loaded, o config.Options) error {
	if err := give(out, l); err != nil {
		return err
	}
	return hooks.Greet(ctx, out, o)
}

func give(out io.Writer, l *config.Loaded) error {
	if err := l.TrustList().Trust(l.Root()); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s is trusted\n", plain.ForTerminal(l.Root()))
	return nil
}

// Ask asks about a folder that has something to trust, unless it was refused for
// good. O is how l was loaded; who uses the folder loads it again.
func Ask(ctx context.Context, in io.Reader, out io.Writer, l *config.Loaded, o config.Options) error {
	if l.Trusted {
		return nil
	}
	if refused, err := l.TrustList().Refused(l.Root()); err != nil || refused {
		return nil // a list that cannot be read is told of as a warning
	}
	set := skillset.Untrusted(l)
	if len(l.Withheld()) == 0 && len(set.Own()) == 0 {
		return nil
	}
	o.Trust = true
	trusted, err := config.Load(ctx, o)
	if trusted == nil { // faulty settings show what can be read
		return err
	}
	lines := brought(l, trusted, set)
	fmt.Fprintf(out, "%s brings along what counts only once you trust the folder:\n", plain.ForTerminal(l.Root()))
	for _, text := range lines {
		fmt.Fprintf(out, "  %s\n", plain.ForTerminal(history.Line(text)))
	}
	const question = "Trust it? Say yes only if you know who wrote it. [yes / No / never]"
	for {
		switch answer := ask(in, out, question); strings.ToLower(answer) {
		case "y", "yes":
			if err := give(out, l); err != nil {
				return err
			}
			return hooks.Know(trusted) // they have just been shown
		case "never":
			fmt.Fprintln(out, "You are not asked again here; `ml-intern trust` changes that.")
			return l.TrustList().Refuse(l.Root())
		case "", "n", "no":
			return nil
		}
	}
}

// ask reads one line and nothing behind it; the end of the input is an empty one.
func ask(in io.Reader, out io.Writer, question string) string {
	fmt.Fprint(out, question+" ")
	var text []byte
	for b := make([]byte, 1); ; text = append(text, b[0]) { // what follows is the conversation's
		if _, err := io.ReadFull(in, b); err != nil || b[0] == '\n' {
			return strings.TrimSpace(string(text))
		}
	}
}

// brought says what would count in a trusted folder: the names that are held
// back, the commands behind them, and folders of skills and commands.
func brought(l, trusted *config.Loaded, set *skillset.Set) []string {
	var lines []string
	for _, w := range l.Withheld() {
		lines = append(lines, relative(l, w.Path)+": "+strings.Join(w.Names, ", "))
	}
	if len(lines) > 0 {
		for _, row := range hooks.OfProject(hooks.Shown(trusted)) {
			lines = append(lines, "runs at "+row.Title()+": "+row.Command)
		}
		lines = append(lines, servers(trusted)...)
	}
	for _, dir := range set.Passed {
		lines = append(lines, relative(l, dir))
	}
	return lines
}

// servers are the MCP servers of a project.
func servers(l *config.Loaded) []string {
	var lines []string
	scrub := hooks.Scrub(l)
	for _, name := range slices.Sorted(maps.Keys(l.Config.MCPServers)) {
		s := l.Config.MCPServers[name]
		switch {
		case s.Layer != "project":
		case s.Command != "":
			lines = append(lines, scrub("starts the MCP server "+name+": "+strings.Join(append([]string{s.Command}, s.Args...), " ")))
		default:
			lines = append(lines, scrub("uses the MCP server "+name+" at "+s.URL))
		}
	}
	return lines
}

func relative(l *config.Loaded, path string) string {
	if short, err := filepath.Rel(l.Root(), path); err == nil && filepath.IsLocal(short) {
		return short
	}
	return path
}

package console

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
)

// usageColumns is how wide the explanations of flags are, for old terminals.
const usageColumns = 80

// PrintUsage prints how a command is used, as Cobra does it, but with flags
// explained in few columns. A template would do it too, and keep every method of
// every type of the program in the binary, because it looks them up by name.
func PrintUsage(c *cobra.Command) error {
	var b strings.Builder
	part := func(title, text string) {
		if text != "" {
			fmt.Fprintf(&b, "\n\n%s:\n%s", title, text)
		}
	}
	b.WriteString("Usage:")
	if c.Runnable() {
		b.WriteString("\n  " + c.UseLine())
	}
	if c.HasAvailableSubCommands() {
		b.WriteString("\n  " + c.CommandPath() + " [command]")
	}
	if len(c.Aliases) > 0 {
		part("Aliases", "  "+c.NameAndAliases())
	}
	part("Examples", c.Example)
	part("Available Commands", commands(c))
	if c.HasAvailableLocalFlags() {
		part("Flags", strings.TrimRightFunc(c.LocalFlags().FlagUsagesWrapped(usageColumns), unicode.IsSpace))
	}
	if c.HasAvailableInheritedFlags() {
		part("Global Flags", strings.TrimRightFunc(c.InheritedFlags().FlagUsagesWrapped(usageColumns), unicode.IsSpace))
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n\nUse %q for more information about a command.", c.CommandPath()+" [command] --help")
	}
	_, err := fmt.Fprintln(c.OutOrStderr(), b.String())
	return err
}

// commands lists the commands below c.
func commands(c *cobra.Command) string {
	var lines []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() || sub.Name() == "help" {
			lines = append(lines, fmt.Sprintf("  %-*s %s", sub.NamePadding(), sub.Name(), sub.Short))
		}
	}
	return strings.Join(lines, "\n")
}

package manual

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/config/environ"
	"github.com/ml-intern/ml-intern/internal/ui/headless"
)

// Page is the manual page of a command.
func Page(cmd *cobra.Command) string {
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	p := &page{}
	p.put(".TH ", quoted(strings.ToUpper(name(cmd))), ` 1 "" `, quoted("ml-intern "+app.Version()), ` "ML Intern"`)
	p.section("NAME")
	p.put(escaped(name(cmd)), ` \- `, escaped(cmd.Short))
	p.section("SYNOPSIS")
	for i, use := range synopsis(cmd) {
		if i > 0 {
			p.put(".br")
		}
		p.put(".B ", escaped(use))
	}
	p.section("DESCRIPTION")
	p.prose(cmp.Or(cmd.Long, cmd.Short+"."))
	p.commands(cmd)
	p.options("OPTIONS", cmd.NonInheritedFlags())
	p.options("OPTIONS OF THE COMMANDS ABOVE IT", cmd.InheritedFlags())
	if cmd.Example != "" {
		p.section("EXAMPLES")
		p.verbatim(strings.Split(cmd.Example, "\n"))
	}
	if !cmd.HasParent() {
		p.exits()
		p.environment()
		p.files()
	}
	p.related(cmd)
	return p.String()
}

// synopsis are the ways to call a command.
func synopsis(cmd *cobra.Command) []string {
	var all []string
	if cmd.Runnable() {
		all = append(all, cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		all = append(all, cmd.CommandPath()+" COMMAND")
	}
	return all
}

// page is a page in the making.
type page struct{ strings.Builder }

// put adds one line, as it is.
func (p *page) put(parts ...string) {
	for _, part := range parts {
		p.WriteString(part)
	}
	p.WriteByte('\n')
}

func (p *page) section(title string) { p.put(".SH ", title) }

// item begins an entry of a list.
func (p *page) item(parts ...string) {
	p.put(".TP")
	p.put(parts...)
}

// prose sets paragraphs; indented lines in them stay as they are.
func (p *page) prose(text string) {
	for i, block := range strings.Split(strings.Trim(text, "\n"), "\n\n") {
		if i > 0 {
			p.put(".PP")
		}
		if lines := strings.Split(block, "\n"); strings.HasPrefix(block, "  ") {
			p.verbatim(lines)
		} else {
			for _, line := range lines {
				p.put(marked(line))
			}
		}
	}
}

// verbatim sets lines as they are.
func (p *page) verbatim(lines []string) {
	p.put(".nf")
	for _, line := range lines {
		p.put(escaped(line))
	}
	p.put(".fi")
}

func (p *page) commands(cmd *cobra.Command) {
	if !cmd.HasAvailableSubCommands() {
		return
	}
	p.section("COMMANDS")
	for _, below := range cmd.Commands() {
		if !hidden(below) {
			p.item(".B ", escaped(below.Name()))
			p.put(marked(below.Short), ".")
		}
	}
}

func (p *page) options(title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	p.section(title)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		kind, help := pflag.UnquoteUsage(f)
		head := ""
		if f.Shorthand != "" {
			head = `\fB` + escaped("-"+f.Shorthand) + `\fR, `
		}
		head += `\fB` + escaped("--"+f.Name) + `\fR`
		switch {
		case kind == "":
		case f.NoOptDefVal != "":
			head += `[=\fI` + escaped(kind) + `\fR]`
		default:
			head += ` \fI` + escaped(kind) + `\fR`
		}
		p.item(head)
		p.put(marked(help + fallback(f)))
	})
}

// fallback is a flag's default, where help would show it.
func fallback(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "false", "0", "0s", "[]":
		return ""
	}
	if strings.Contains(f.Usage, "(default") {
		return ""
	}
	return " (default " + f.DefValue + ")"
}

// exits are the exit codes.
func (p *page) exits() {
	p.section("EXIT STATUS")
	for _, row := range []struct {
		code  int
		means string
	}{
		{headless.ExitOK, "the turn was completed"},
		{headless.ExitFailure, "the agent, a provider or a tool failed"},
		{headless.ExitUsage, "a mistake in flags, settings or the model's id, or no prompt"},
		{headless.ExitAuth, "a key or a token is missing or not valid"},
		{headless.ExitIterations, "the limit of model calls was reached first"},
		{headless.ExitBudget, "the spending cap was reached"},
		{headless.ExitApproval, "an approval was needed that nobody could give"},
		{headless.ExitTimeout, "--timeout was reached"},
		{headless.ExitInterrupt, "interrupted by SIGINT"},
		{headless.ExitTerminated, "ended by SIGTERM"},
	} {
		p.item(".B ", strconv.Itoa(row.code))
		p.put(marked(row.means), ".")
	}
}

// environment are the variables that the program reads.
func (p *page) environment() {
	p.section("ENVIRONMENT")
	for _, v := range environ.Variables {
		if strings.HasPrefix(v.Name, "_") || strings.HasPrefix(v.Effect, "server only") {
			continue
		}
		p.item(".B ", escaped(v.Name))
		text := v.Effect
		if v.Default != "" {
			text += " (default " + v.Default + ")"
		}
		p.put(marked(text), ".")
	}
}

// files are what the program reads and writes.
func (p *page) files() {
	p.section("FILES")
	for _, row := range [][2]string{
		{"~/.config/ml-intern/cli_agent_config.json", "the user's settings; ml-intern config path tells where they lie"},
		{"~/.config/ml-intern/.env", "the user's variables"},
		{"~/.config/ml-intern/skills, commands", "the user's skills and commands"},
		{".ml-intern/config.json", "the settings of a project; beside harmless ones they count in a trusted folder alone"},
		{"AGENTS.md", "what the agent is told about a project"},
		{"~/.local/state/ml-intern/sessions", "saved sessions, a folder each"},
		{"~/.local/state/ml-intern/debug.log", "what only an operator should see"},
		{"~/.cache/ml-intern", "what can be fetched again"},
	} {
		p.item(".I ", escaped(row[0]))
		p.put(marked(row[1]), ".")
	}
	p.put(".PP")
	p.put(marked("`XDG_CONFIG_HOME`, `XDG_STATE_HOME` and `XDG_CACHE_HOME` move these folders; with `ML_INTERN_HOME` all are below that."))
}

// related names the pages above, beside and below.
func (p *page) related(cmd *cobra.Command) {
	var names []string
	if parent := cmd.Parent(); parent != nil {
		names = append(names, name(parent))
	}
	for _, below := range cmd.Commands() {
		if !hidden(below) {
			names = append(names, name(below))
		}
	}
	if len(names) == 0 {
		return
	}
	p.section("SEE ALSO")
	for i, n := range names {
		end := ","
		if i == len(names)-1 {
			end = ""
		}
		p.put(".BR ", escaped(n), " (1)", end)
	}
}

// escaped is text in which nothing means anything to the formatter.
func escaped(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "^", `\(ha`, "~", `\(ti`, "`", `\(ga`, "'", `\(aq`).Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}

// quoted is an argument of a request.
func quoted(text string) string { return `"` + strings.ReplaceAll(escaped(text), `"`, `\(dq`) + `"` }

// marked is escaped, with what stands in backquotes bold.
func marked(line string) string {
	parts := strings.Split(strings.TrimSpace(line), "`")
	if len(parts)%2 == 0 { // one is alone
		return escaped(strings.TrimSpace(line))
	}
	var b strings.Builder
	for i, part := range parts {
		text := escaped(part)
		if i > 0 && strings.HasPrefix(part, ".") {
			text = strings.TrimPrefix(text, `\&`)
		}
		if i%2 == 1 {
			text = `\fB` + text + `\fR`
		}
		b.WriteString(text)
	}
	return b.String()
}

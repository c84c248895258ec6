package slash

import (
	"context"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/app/slash/desk"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// keys are those that a person should know of.
func keys() [][2]string {
	return [][2]string{
		{"Enter", "send; while a turn runs, for the next one"},
		{"Ctrl-Enter, Ctrl-S", "send into the running turn"},
		{"Alt-Enter, Ctrl-J", "a new line; so does \\ at the end"},
		{"Esc", "end what runs; twice at rest, go back in time"},
		{"Ctrl-C", "the same, or empty the input; twice leaves"},
		{"Ctrl-D", "leave"},
		{"Ctrl-B d", "leave the session running and go"},
		{"Shift-Tab", "the next approval mode"},
		{"Tab", "complete a command, a path, a model"},
		{"Ctrl-O, Ctrl-T", "outputs of tools in full; the plan"},
		{"Ctrl-R", "search what was typed before"},
		{"Ctrl-G", "write in your editor"},
		{"Ctrl-V", "add the picture on the clipboard"},
	}
}

// lines are the same for the line mode.
func lines() [][2]string {
	return [][2]string{
		{"Enter", "send; while a turn runs, for the next one"},
		{"\\ at the end", "the message goes on in the next line"},
		{"Ctrl-C", "end what runs; twice leaves"},
		{"Ctrl-D", "leave"},
	}
}

// signs are the beginnings of texts that mean something.
func signs() [][2]string {
	return [][2]string{
		{"@path", "a file, folder or picture; @hf:org/name a repository"},
		{"!command", "run a command; its output goes with the next message"},
		{"#text", "remember a line in the project's AGENTS.md"},
	}
}

// help lists the commands.
func help(list []dialog.Command, plain bool) dialog.Command {
	return dialog.Command{
		Name: "help", Aliases: []string{"?"}, Args: "[command]", Help: "list the commands and keys",
		Complete: func(context.Context, string) []dialog.Option {
			var out []dialog.Option
			for _, c := range list {
				if !c.Hidden {
					out = append(out, dialog.Option{Value: c.Name, Hint: c.Help})
				}
			}
			return out
		},
		Run: func(_ context.Context, talk dialog.Talk, args string) error {
			columns, _ := talk.Size()
			if args != "" {
				c := dialog.Find(list, strings.ToLower(strings.TrimPrefix(args, "/")))
				if c == nil {
					return fmt.Errorf("there is no command %s; /help lists them", args)
				}
				row := [2]string{title(*c), meaning(*c, plain)}
				if len(c.Aliases) > 0 {
					row[1] += "; also /" + strings.Join(c.Aliases, ", /")
				}
				talk.Print(desk.Table([][2]string{row}, columns))
				return nil
			}
			var rows, called [][2]string
			for _, c := range list {
				switch {
				case c.Message:
					called = append(called, [2]string{title(c), c.Help})
				case !c.Hidden:
					rows = append(rows, [2]string{title(c), meaning(c, plain)})
				}
			}
			more := keys()
			if plain {
				more = lines()
			}
			text := desk.Table(rows, columns)
			if len(called) > 0 {
				text += "\n\nSkills, and commands of yours and the project's:\n" + desk.Table(called, columns)
			}
			talk.Print(text + "\n\n" + desk.Table(append(more, signs()...), columns))
			return nil
		},
	}
}

// meaning is the help of a command; the key in brackets at its end is left out
// where there are none.
func meaning(c dialog.Command, plain bool) string {
	if at := strings.LastIndex(c.Help, " ("); plain && at > 0 && strings.HasSuffix(c.Help, ")") {
		return c.Help[:at]
	}
	return c.Help
}

func title(c dialog.Command) string { return strings.TrimSpace("/" + c.Name + " " + c.Args) }

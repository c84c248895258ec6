package project

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	mcpserver "github.com/ml-intern/ml-intern/internal/adapter/mcp/server"
	"github.com/ml-intern/ml-intern/internal/app/saved"
	"github.com/ml-intern/ml-intern/internal/app/servers"
	"github.com/ml-intern/ml-intern/internal/app/slash/desk"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// MCP shows the MCP servers of the session, connects to them again, and logs in.
func MCP(d *desk.Desk) dialog.Command {
	return dialog.Command{
		Name: "mcp", Args: "[name|retry|login]", Help: "show the MCP servers, connect again, or log in at one",
		Complete: func(_ context.Context, args string) []dialog.Option {
			names := d.App.Servers(func(string) {}, nil).Names()
			first, _, more := strings.Cut(args, " ")
			if more && (first == "retry" || first == "login") {
				var out []dialog.Option
				for _, name := range names {
					out = append(out, dialog.Option{Value: first + " " + name, Label: name})
				}
				return out
			}
			return desk.Options(append(names, "retry", "login")...)
		},
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			word, rest, _ := strings.Cut(args, " ")
			rest = strings.TrimSpace(rest)
			switch word {
			case "":
				return showServers(ctx, d, talk, event.Servers{})
			case "retry":
				if rest == "" {
					rest = "*"
				}
				return showServers(ctx, d, talk, event.Servers{Retry: rest})
			case "login":
				return logIn(ctx, d, talk, rest)
			}
			return showServer(ctx, talk, args)
		},
	}
}

// states asks the session how things stand.
func states(ctx context.Context, talk dialog.Talk, op event.Servers) ([]event.ServerState, error) {
	ev, err := talk.Conversation().Do(ctx, op, event.TypeServers)
	if err != nil {
		return nil, err
	}
	told, err := event.Decode[event.ServerStates](ev)
	return told.Servers, err
}

func showServers(ctx context.Context, d *desk.Desk, talk dialog.Talk, op event.Servers) error {
	all, err := states(ctx, talk, op)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		talk.Print("There is no MCP server: ml-intern mcp add adds one.")
		return nil
	}
	var rows [][2]string
	var calls []string
	for _, s := range all {
		rows = append(rows, [2]string{saved.Line(s.Name), saved.Line(servers.Line(s))})
		for _, p := range s.Prompts {
			calls = append(calls, saved.Line("/"+s.Name+dialog.Foreign+p.Name))
		}
	}
	columns, _ := talk.Size()
	talk.Print(desk.Table(rows, columns))
	if len(calls) > 0 {
		talk.Print("\nPrompts of theirs: " + strings.Join(calls, ", "))
	}
	talk.Print("\n/mcp NAME shows one, /mcp retry connects to those that are away.")
	return nil
}

// showServer shows what one server offers.
func showServer(ctx context.Context, talk dialog.Talk, name string) error {
	all, err := states(ctx, talk, event.Servers{})
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(s event.ServerState) bool { return strings.EqualFold(s.Name, name) })
	if i < 0 {
		return fmt.Errorf("/mcp %s: there is no such server", name)
	}
	s := all[i]
	lines := []string{s.Where, servers.Line(s)}
	if s.Title != "" {
		lines = append(lines, fmt.Sprintf("it says it is %s %s, protocol %s", s.Title, s.Version, s.Protocol))
	}
	for _, t := range s.Tools {
		line := "tool " + t.Name
		if t.Alias != "" {
			line += " (here: " + t.Alias + ")"
		}
		lines = append(lines, line)
	}
	for _, p := range s.Prompts {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("prompt /%s%s%s %s", s.Name, dialog.Foreign, p.Name, strings.Join(p.Arguments, " ")))+" "+p.Description)
	}
	lines = append(lines, s.Notes...)
	for i, line := range lines {
		lines[i] = saved.Line(line)
	}
	return talk.Page(ctx, saved.Line(s.Name), strings.Join(lines, "\n"))
}

// logIn logs in at a server and has the session connect to it.
func logIn(ctx context.Context, d *desk.Desk, talk dialog.Talk, name string) error {
	if name == "" {
		return errors.New("/mcp login: say at which server")
	}
	o := d.App.Servers(func(string) {}, nil)
	err := o.Login(ctx, name, 0, func(address string, _ func(string) error) {
		talk.Print("Open this address in a browser on this machine to log in at " + saved.Line(name) + " (elsewhere: ml-intern mcp login " + saved.Line(name) + "):\n" + saved.Line(address))
	})
	if err != nil {
		return err
	}
	talk.Print("Logged in at " + saved.Line(name) + ".")
	return showServers(ctx, d, talk, event.Servers{Retry: name})
}

// Prompts brings a prompt of a server into the input line, where a person reads it
// before it is sent: /server:prompt, with arguments in their order or as name=value.
func Prompts() dialog.Command {
	return dialog.Command{
		Name: dialog.Foreign, Help: "take a prompt of an MCP server: /server:prompt", Hidden: true,
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			name, rest, _ := strings.Cut(args, " ")
			server, prompt, _ := strings.Cut(name, dialog.Foreign)
			all, err := states(ctx, talk, event.Servers{})
			if err != nil {
				return err
			}
			s, p, ok := findPrompt(all, server, prompt)
			if !ok {
				if i := slices.IndexFunc(all, func(s event.ServerState) bool { return strings.EqualFold(s.Name, server) }); i >= 0 && all[i].State != string(mcpserver.Ready) {
					return fmt.Errorf("/%s: the server is not there: %s", name, saved.Line(servers.Line(all[i])))
				}
				return fmt.Errorf("there is no prompt /%s here; /mcp lists them", name)
			}
			given, err := arguments(ctx, talk, p, rest)
			if err != nil {
				return err
			}
			ev, err := talk.Conversation().Do(ctx, event.Prompt{Server: s.Name, Name: p.Name, Arguments: given}, event.TypeServerPrompt)
			if err != nil {
				return err
			}
			told, err := event.Decode[event.ServerPrompt](ev)
			if err != nil {
				return err
			}
			talk.Print("What the server " + saved.Line(s.Name) + " says stands in the input line: read it before you send it.")
			talk.Fill(worded(s.Name, told.Text))
			return nil
		},
	}
}

// worded is the text of a prompt as a message: one that would be a command, of this
// program or of the shell, begins with where it is from.
func worded(server, text string) string {
	line := strings.TrimSpace(text)
	word := strings.ToLower(line)
	if line != "" && strings.ContainsAny(line[:1], "/"+dialog.Shell+dialog.Remember) || word == "exit" || word == "quit" || word == "?" {
		return "The MCP server " + saved.Line(server) + " says:\n" + text
	}
	return text
}

// findPrompt finds a prompt; a typed name has small letters only.
func findPrompt(all []event.ServerState, server, prompt string) (event.ServerState, event.ServerOffer, bool) {
	for _, s := range all {
		for _, p := range s.Prompts {
			if strings.EqualFold(s.Name, server) && strings.EqualFold(p.Name, prompt) {
				return s, p, true
			}
		}
	}
	return event.ServerState{}, event.ServerOffer{}, false
}

// arguments are those of a prompt: what was typed, and for the rest that it needs the
// person is asked.
func arguments(ctx context.Context, talk dialog.Talk, p event.ServerOffer, typed string) (map[string]string, error) {
	given := map[string]string{}
	var loose []string
	for _, word := range words(typed) {
		name, value, named := strings.Cut(word, "=")
		if named && slices.Contains(p.Arguments, name) {
			given[name] = value
			continue
		}
		loose = append(loose, word)
	}
	open := slices.DeleteFunc(slices.Clone(p.Arguments), func(name string) bool { _, has := given[name]; return has })
	for i, name := range open {
		switch {
		case len(loose) == 0:
			continue
		case i == len(open)-1:
			given[name], loose = strings.Join(loose, " "), nil
		default:
			given[name], loose = loose[0], loose[1:]
		}
	}
	for _, name := range p.Required {
		if given[name] != "" {
			continue
		}
		answer, err := talk.Ask(ctx, dialog.Question{Text: saved.Line(name) + ":"})
		if err != nil {
			return nil, err
		}
		given[name] = answer
	}
	return given, nil
}

// words splits a line at blanks; double quotes keep them.
func words(line string) []string {
	var out []string
	var word strings.Builder
	quoted, begun := false, false
	for _, r := range line {
		switch {
		case r == '"':
			quoted, begun = !quoted, true
		case (r == ' ' || r == '\t' || r == '\n') && !quoted:
			if begun {
				out = append(out, word.String())
				word.Reset()
				begun = false
			}
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if begun {
		out = append(out, word.String())
	}
	return out
}

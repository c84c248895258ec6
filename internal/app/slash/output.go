package slash

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// tools lists the last results of tools, or shows one in full.
func tools() dialog.Command {
	return dialog.Command{
		Name: "tools", Args: "[n]", Help: "the last results of tools; with a number, one of them in full",
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			all := talk.Conversation().Tools()
			if len(all) == 0 {
				talk.Print("No tool has run yet.")
				return nil
			}
			n := 0
			if args != "" {
				var err error
				if n, err = strconv.Atoi(args); err != nil {
					return fmt.Errorf("/tools %s: give the number of a result", args)
				}
			} else {
				menu := dialog.Menu{Title: "Which result?", Filter: true}
				for i := len(all) - 1; i >= 0; i-- {
					t := all[i]
					mark := ""
					if !t.OK {
						mark = "failed, "
					}
					menu.Items = append(menu.Items, dialog.Option{
						Label: fmt.Sprintf("%d %s %s", t.Number, t.Name, oneLine(t.Means, 60)),
						Hint:  mark + t.Took.Round(100*time.Millisecond).String() + ", " + amount.Bytes(int64(t.Size)),
					})
				}
				i, err := talk.Choose(ctx, menu)
				if err != nil {
					return err
				}
				n = all[len(all)-1-i].Number
			}
			for _, t := range all {
				if t.Number == n {
					return talk.Page(ctx, fmt.Sprintf("%d %s %s", t.Number, t.Name, t.Args), t.Output)
				}
			}
			return fmt.Errorf("there is no result %d any more; the last ones are %d to %d", n, all[0].Number, all[len(all)-1].Number)
		},
	}
}

// verbose shows outputs in full, or not.
func verbose() dialog.Command {
	return dialog.Command{
		Name: "verbose", Args: "[on|off]", Help: "show the outputs of tools in full, or one line each (Ctrl-O)",
		Complete: func(context.Context, string) []dialog.Option { return options([]string{"on", "off"}) },
		Run: func(_ context.Context, talk dialog.Talk, args string) error {
			switch args {
			case "on", "off":
				talk.Verbose(args == "on")
			case "":
				before := talk.Verbose(true)
				talk.Verbose(!before)
				args = map[bool]string{true: "off", false: "on"}[before]
			default:
				return fmt.Errorf("/verbose %s: say on or off", args)
			}
			talk.Print("Outputs of tools in full: " + args)
			return nil
		},
	}
}

// plan shows the agent's plan.
func plan() dialog.Command {
	return dialog.Command{
		Name: "plan", Help: "show the agent's plan (Ctrl-T keeps it on the screen)",
		Run: func(_ context.Context, talk dialog.Talk, _ string) error {
			items := talk.Conversation().Plan()
			if len(items) == 0 {
				talk.Print("There is no plan.")
				return nil
			}
			marks := map[string]string{"completed": "[x]", "in_progress": "[~]", "pending": "[ ]"}
			var b strings.Builder
			done := 0
			for _, it := range items {
				if it.Status == "completed" {
					done++
				}
				fmt.Fprintf(&b, "%s %s. %s\n", marks[it.Status], it.ID, it.Content)
			}
			talk.Print(fmt.Sprintf("%s%d/%d done", b.String(), done, len(items)))
			return nil
		},
	}
}

// copyReply puts the last answer on the clipboard.
func copyReply() dialog.Command {
	return dialog.Command{
		Name: "copy", Help: "put the last answer on the clipboard",
		Run: func(_ context.Context, talk dialog.Talk, _ string) error {
			reply := talk.Conversation().Reply()
			if reply == "" {
				return errors.New("there is no answer to copy yet")
			}
			if err := talk.Copy(reply); err != nil {
				return err
			}
			talk.Print("Copied " + amount.Grouped(len([]rune(reply))) + " characters, if the terminal allows it.")
			return nil
		},
	}
}

// forms are the forms of an export, by the ending of a file.
func forms() map[string]string {
	return map[string]string{"md": "markdown", "html": "html", "json": "json", "jsonl": "jsonl"}
}

// export writes the conversation to a file.
func export(d *Desk) dialog.Command {
	return dialog.Command{
		Name: "export", Args: "[md|html|json|jsonl] [file]", Help: "write this conversation to a file",
		Complete: func(context.Context, string) []dialog.Option { return options([]string{"md ", "html ", "json ", "jsonl "}) },
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			ending, path, _ := strings.Cut(args, " ")
			if forms()[ending] == "" && path == "" && ending != "" { // a file alone
				ending, path = strings.TrimPrefix(filepath.Ext(args), "."), args
			}
			if ending == "" {
				ending = "md"
			}
			form := forms()[ending]
			if form == "" {
				return fmt.Errorf("/export %s: the forms are md, html, json and jsonl", args)
			}
			id := talk.Conversation().ID()
			if path = strings.TrimSpace(path); path == "" {
				path = "session-" + id[:min(8, len(id))] + "." + ending
			}
			path = d.absolute(path)
			if _, err := os.Stat(path); err == nil {
				i, err := talk.Choose(ctx, dialog.Menu{Title: path + " exists.", Items: options([]string{"leave it", "write over it"})})
				if err != nil || i == 0 {
					return dialog.ErrCancelled
				}
			}
			if err := d.write(ctx, id, form, path); err != nil {
				return err
			}
			talk.Print("Written to " + path)
			return nil
		},
	}
}

// write exports a session; what it replaces stays until it is complete.
func (d *Desk) write(ctx context.Context, id, form, path string) error {
	lib, err := d.App.Library()
	if err != nil {
		return err
	}
	entry, err := lib.Resolve(ctx, id)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".export-*")
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	err = errors.Join(lib.Export(ctx, entry, form, f), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("export: %w", err), os.Remove(f.Name()))
	}
	return nil
}

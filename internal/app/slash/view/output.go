package view

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/app/slash/desk"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript"
)

// Tools lists the last results of tools, or shows one in full.
func Tools() dialog.Command {
	return dialog.Command{
		Name: "tools", Args: "[n]", Help: "the last results of tools; with a number, one in full",
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			all := talk.Conversation().Tools()
			if len(all) == 0 {
				talk.Print("No tool has run yet.")
				return nil
			}
			if args == "" {
				menu := dialog.Menu{Title: "Which result?", Filter: true}
				for i := len(all) - 1; i >= 0; i-- {
					menu.Items = append(menu.Items, toolOption(all[i]))
				}
				i, err := talk.Choose(ctx, menu)
				if err != nil {
					return err
				}
				return showTool(ctx, talk, all[len(all)-1-i])
			}
			n, err := strconv.Atoi(args)
			if err != nil {
				return fmt.Errorf("/tools %s: give the number of a result", args)
			}
			for _, t := range all {
				if t.Number == n {
					return showTool(ctx, talk, t)
				}
			}
			return fmt.Errorf("there is no result %d; those that are kept are %d to %d", n, all[0].Number, all[len(all)-1].Number)
		},
	}
}

func toolOption(t transcript.Tool) dialog.Option {
	hint := amount.Took(t.Took) + ", " + amount.Bytes(int64(t.Size))
	if !t.OK {
		hint = "failed, " + hint
	}
	return dialog.Option{Label: fmt.Sprintf("%d %s %s", t.Number, t.Name, desk.OneLine(t.Means, 60)), Hint: hint}
}

func showTool(ctx context.Context, talk dialog.Talk, t transcript.Tool) error {
	return talk.Page(ctx, fmt.Sprintf("%d %s", t.Number, t.Name), t.Args+"\n\n"+t.Output)
}

// Verbose shows outputs in full, or not.
func Verbose() dialog.Command {
	return dialog.Command{
		Name: "verbose", Args: "[on|off]", Help: "show outputs of tools in full, or a line each (Ctrl-O)",
		Complete: desk.Offers("on", "off"),
		Run: func(_ context.Context, talk dialog.Talk, args string) error {
			on := strings.ToLower(args) == "on"
			switch strings.ToLower(args) {
			case "on", "off":
				talk.Verbose(on)
			case "":
				on = !talk.Verbose(true)
				talk.Verbose(on)
			default:
				return fmt.Errorf("/verbose %s: say on or off", args)
			}
			talk.Print(map[bool]string{true: "Outputs of tools are shown in full.", false: "Outputs of tools are one line each."}[on])
			return nil
		},
	}
}

// Plan shows the agent's plan.
func Plan() dialog.Command {
	return dialog.Command{
		Name: "plan", Help: "show the agent's plan (Ctrl-T keeps it in view)",
		Run: func(_ context.Context, talk dialog.Talk, _ string) error {
			items := talk.Conversation().Plan()
			if len(items) == 0 {
				talk.Print("There is no plan.")
				return nil
			}
			talk.Print(planText(items))
			return nil
		},
	}
}

// planText writes a plan as plan_tool does.
func planText(items []event.PlanItem) string {
	var b strings.Builder
	done := 0
	for _, it := range items {
		mark := "[ ]"
		switch it.Status {
		case "completed":
			mark = "[x]"
			done++
		case "in_progress":
			mark = "[~]"
		}
		fmt.Fprintf(&b, "%s %s. %s\n", mark, it.ID, it.Content)
	}
	return fmt.Sprintf("%s%d/%d done", b.String(), done, len(items))
}

// Copy puts the last answer on the clipboard.
func Copy() dialog.Command {
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
			talk.Print("Copied " + amount.Count(len([]rune(reply)), "character") + ", if the terminal allows it.")
			return nil
		},
	}
}

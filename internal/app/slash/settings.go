package slash

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// configure changes a setting and waits for it to hold.
func configure(ctx context.Context, talk dialog.Talk, c event.Configure) error {
	_, err := talk.Conversation().Do(ctx, c, event.TypeSettings)
	return err
}

// efforts are the levels a person can choose.
func efforts() []string {
	return []string{"minimal", "low", "medium", "high", "xhigh", "max", "off"}
}

// effort shows or sets how hard the model thinks.
func effort() dialog.Command {
	return dialog.Command{
		Name: "effort", Args: "[level]", Help: "show or set how hard the model thinks: " + strings.Join(efforts(), ", "),
		Complete: func(context.Context, string) []dialog.Option { return options(efforts()) },
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			level := strings.ToLower(args)
			switch {
			case level == "":
				talk.Print("Effort: " + talk.Conversation().Settings().Effort + ". Levels: " + strings.Join(efforts(), ", "))
				return nil
			case !slices.Contains(efforts(), level):
				return fmt.Errorf("/effort %s: the levels are %s", args, strings.Join(efforts(), ", "))
			case level == "off":
				level = string(llm.Effort(""))
			}
			return configure(ctx, talk, event.Configure{Effort: &level})
		},
	}
}

// permissions shows or sets the approval mode.
func permissions() dialog.Command {
	var modes []string
	for _, m := range policy.Modes() {
		modes = append(modes, string(m))
	}
	return dialog.Command{
		Name: "permissions", Args: "[mode|allow RULE]", Help: "show or set what asks: " + strings.Join(modes, ", ") + "; Shift-Tab goes through the first ones",
		Complete: func(context.Context, string) []dialog.Option { return options(append(slices.Clone(modes), "allow ")) },
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			word, rest, _ := strings.Cut(args, " ")
			switch {
			case args == "":
				talk.Print("Approval mode: " + talk.Conversation().Settings().ApprovalMode + ". Modes: " + strings.Join(modes, ", ") +
					".\n/permissions allow 'bash(python *)' adds a rule for this session.")
				return nil
			case word == "allow" && strings.TrimSpace(rest) != "":
				return configure(ctx, talk, event.Configure{Allow: []string{strings.Trim(strings.TrimSpace(rest), `'"`)}})
			case !slices.Contains(modes, args):
				return fmt.Errorf("/permissions %s: the modes are %s", args, strings.Join(modes, ", "))
			}
			return configure(ctx, talk, event.Configure{ApprovalMode: &args})
		},
	}
}

// yolo turns approvals off and on.
func yolo() dialog.Command {
	return dialog.Command{
		Name: "yolo", Args: "[on|off] [--cap USD]", Help: "run everything without asking, but scheduled jobs; a cap bounds what it spends",
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			now := talk.Conversation().Settings()
			on := now.ApprovalMode != "yolo"
			var c event.Configure
			words := strings.Fields(args)
			for i := 0; i < len(words); i++ {
				switch word := words[i]; {
				case word == "on" || word == "off":
					on = word == "on"
				case word == "--cap" && i+1 < len(words):
					usd, err := dollars(words[i+1])
					if err != nil {
						return fmt.Errorf("/yolo --cap: %w", err)
					}
					c.MaxCostUSD = &usd
					i++
				default:
					return fmt.Errorf("/yolo %s: say on, off, or --cap and an amount", args)
				}
			}
			mode, said := "ask", "OFF"
			if on {
				mode, said = "yolo", "ON"
			}
			c.ApprovalMode = &mode
			if err := configure(ctx, talk, c); err != nil {
				return err
			}
			talk.Print("YOLO mode: " + said)
			return nil
		},
	}
}

// budget shows or sets the spending cap.
func budget() dialog.Command {
	return dialog.Command{
		Name: "budget", Args: "[USD]", Help: "show or set the most this session may spend, over models, jobs and sandboxes; 0 is unlimited",
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			if args == "" {
				limit := talk.Conversation().Settings().MaxCostUSD
				text := "There is no cap on what this session spends."
				if limit != nil {
					text = fmt.Sprintf("This session may spend %.2f USD.", *limit)
				}
				talk.Print(text + " Spent so far: " + spent(talk.Conversation().Status()) + ".")
				return nil
			}
			usd, err := dollars(args)
			if err != nil {
				return fmt.Errorf("/budget: %w", err)
			}
			return configure(ctx, talk, event.Configure{MaxCostUSD: &usd})
		},
	}
}

// dollars reads an amount.
func dollars(text string) (float64, error) {
	usd, err := strconv.ParseFloat(strings.TrimPrefix(text, "$"), 64)
	if err != nil || !(usd >= 0 && usd < 1e6) {
		return 0, fmt.Errorf("%q is no amount in dollars, such as 20", text)
	}
	return usd, nil
}

func options(values []string) []dialog.Option {
	var out []dialog.Option
	for _, v := range values {
		out = append(out, dialog.Option{Value: v})
	}
	return out
}

// rename gives the session a title.
func rename() dialog.Command {
	return dialog.Command{
		Name: "rename", Args: "TITLE", Help: "give this session a title",
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			if args == "" {
				return fmt.Errorf("/rename needs a title")
			}
			_, err := talk.Conversation().Do(ctx, event.Rename{Title: args}, event.TypeRenamed)
			return err
		},
	}
}

// compact shortens the history now.
func compact() dialog.Command {
	return dialog.Command{
		Name: "compact", Args: "[what to keep]", Help: "shorten the history now, keeping what you say",
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			ev, err := talk.Conversation().Do(ctx, event.Compact{Instructions: args}, event.TypeCompacted)
			if err != nil {
				return err
			}
			if c, err := event.Decode[event.Compacted](ev); err == nil && c.OldTokens == c.NewTokens {
				talk.Print("There was nothing to shorten.")
			}
			return nil
		},
	}
}

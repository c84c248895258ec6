// Package settings is the commands that show and change what a session runs
// with: its model, its approvals, its money.
package settings

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/app/slash/desk"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// configure changes settings and returns those that hold then. What has changed
// is told by the conversation.
func configure(ctx context.Context, talk dialog.Talk, c event.Configure) (event.Settings, error) {
	ev, err := talk.Conversation().Do(ctx, c, event.TypeSettings)
	if err != nil {
		return event.Settings{}, err
	}
	return event.Decode[event.Settings](ev)
}

// efforts are the levels a person can choose.
func efforts() []string {
	return []string{"minimal", "low", "medium", "high", "xhigh", "max", "off"}
}

// Effort shows or sets how hard the model thinks.
func Effort() dialog.Command {
	return dialog.Command{
		Name: "effort", Args: "[level]", Help: "show or set how hard the model thinks",
		Complete: desk.Offers(efforts()...),
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			now, levels := talk.Conversation().Settings().Effort, strings.Join(efforts(), ", ")
			level := strings.ToLower(args)
			switch {
			case level == "":
				talk.Print("Effort: " + now + ". The levels are " + levels + "; a model that lacks one takes the next below.")
				return nil
			case !slices.Contains(efforts(), level):
				return fmt.Errorf("/effort %s: the levels are %s", args, levels)
			case level == now:
				talk.Print("The effort is " + now + " already.")
				return nil
			}
			_, err := configure(ctx, talk, event.Configure{Effort: &level})
			return err
		},
	}
}

// modes are the approval modes and what they mean.
func modes() [][2]string {
	var out [][2]string
	for _, m := range policy.Modes() {
		out = append(out, [2]string{string(m), m.Means()})
	}
	return out
}

// Permissions shows or sets the approval mode, and adds rules.
func Permissions() dialog.Command {
	var names []string
	for _, m := range modes() {
		names = append(names, m[0])
	}
	return dialog.Command{
		Name: "permissions", Args: "[mode|allow RULE]", Help: "show or set what asks first (Shift-Tab changes the mode)",
		Complete: desk.Offers(append(slices.Clone(names), "allow ")...),
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			word, rest, _ := strings.Cut(args, " ")
			word = strings.ToLower(word)
			now := talk.Conversation().Settings().ApprovalMode
			switch {
			case args == "":
				columns, _ := talk.Size()
				talk.Print("The approval mode is " + now + ". There are:\n\n" + desk.Table(modes(), columns) +
					"\n\n/permissions allow bash(python *) lets what matches pass for this session. ml-intern config show lists the rules of the settings.")
				return nil
			case word == "allow":
				return allow(ctx, talk, strings.Trim(strings.TrimSpace(rest), `'"`))
			case rest != "" || !slices.Contains(names, word):
				return fmt.Errorf("/permissions %s: the modes are %s", args, strings.Join(names, ", "))
			case word == now:
				talk.Print("The approval mode is " + now + " already.")
				return nil
			}
			_, err := configure(ctx, talk, event.Configure{ApprovalMode: &word})
			return err
		},
	}
}

// allow adds a rule for the session.
func allow(ctx context.Context, talk dialog.Talk, rule string) error {
	if rule == "" {
		return errors.New("/permissions allow: give a rule, such as bash(git status*)")
	}
	if _, err := configure(ctx, talk, event.Configure{Allow: []string{rule}}); err != nil {
		return err
	}
	talk.Print("What matches " + rule + " passes without a question until the session ends.")
	return nil
}

// Yolo turns approvals off and on.
func Yolo() dialog.Command {
	return dialog.Command{
		Name: "yolo", Args: "[on|off] [--cap USD]", Help: "run all but scheduled jobs without asking, up to a cap",
		Complete: desk.Offers("on", "off", "on --cap "),
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			c, err := yoloWords(strings.Fields(args), talk.Conversation().Settings().ApprovalMode)
			if err != nil {
				return err
			}
			set, err := configure(ctx, talk, c)
			if err != nil {
				return err
			}
			if set.ApprovalMode != string(policy.ModeYolo) {
				talk.Print("YOLO mode: OFF")
				return nil
			}
			limit := "without a cap"
			if set.MaxCostUSD != nil {
				limit = "up to " + desk.USD(*set.MaxCostUSD) + " in all"
			}
			talk.Print("YOLO mode: ON, " + limit)
			return nil
		},
	}
}

// yoloWords reads the argument of /yolo; with nothing but a cap it is turned on.
func yoloWords(words []string, now string) (event.Configure, error) {
	on := now != string(policy.ModeYolo)
	var c event.Configure
	for i := 0; i < len(words); i++ {
		amount, isCap := strings.CutPrefix(words[i], "--cap=")
		if words[i] == "--cap" && i+1 < len(words) {
			i++
			amount, isCap = words[i], true
		}
		switch {
		case isCap:
			limit, err := dollars(amount)
			if err != nil {
				return c, fmt.Errorf("/yolo --cap: %w", err)
			}
			c.MaxCostUSD = &limit
			on = on || len(words) <= 2
		case words[i] == "on" || words[i] == "off":
			on = words[i] == "on"
		default:
			return c, fmt.Errorf("/yolo %s: say on, off, or --cap and an amount", strings.Join(words, " "))
		}
	}
	mode := string(policy.ModeAsk)
	if on {
		mode = string(policy.ModeYolo)
	}
	c.ApprovalMode = &mode
	return c, nil
}

// Budget shows or sets the spending cap.
func Budget() dialog.Command {
	return dialog.Command{
		Name: "budget", Args: "[USD]", Help: "show or set what the session may spend; 0 is no limit",
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			now := talk.Conversation().Settings().MaxCostUSD
			if args == "" {
				text := "There is no cap on what this session spends."
				if now != nil {
					text = "This session may spend " + desk.USD(*now) + " in all, over models, jobs and sandboxes."
				}
				talk.Print(text + " So far: " + desk.Spent(talk.Conversation().Status()) + ".")
				return nil
			}
			limit, err := dollars(args)
			if err != nil {
				return fmt.Errorf("/budget: %w", err)
			}
			set, err := configure(ctx, talk, event.Configure{MaxCostUSD: &limit})
			if err == nil && (now == nil) == (set.MaxCostUSD == nil) && (now == nil || *now == *set.MaxCostUSD) {
				talk.Print("That is what held before.")
			}
			return err
		},
	}
}

// dollars reads an amount.
func dollars(text string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(text), "$"), 64)
	if err != nil || !(v >= 0 && v < 1e6) {
		return 0, fmt.Errorf("%q is no amount in dollars, such as 20", text)
	}
	return v, nil
}

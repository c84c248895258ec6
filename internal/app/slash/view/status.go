package view

import (
	"context"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/app/slash/desk"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/window"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript"
)

// Status tells what the session runs with.
func Status(d *desk.Desk) dialog.Command {
	return dialog.Command{
		Name: "status", Help: "model, mode, turns, context and money of this session",
		Run: func(ctx context.Context, talk dialog.Talk, _ string) error {
			c := talk.Conversation()
			s, set := c.Status(), c.Settings()
			rows := [][2]string{
				{"Session", strings.TrimSpace(s.Title + " " + c.ID())},
				{"Model", set.Model + ", effort " + set.Effort},
				{"Mode", set.ApprovalMode},
				{"Runtime", runtime(set.ToolRuntime) + ", in " + set.Cwd},
				{"Turns", fmt.Sprintf("%d, %s", len(c.Turns()), items(ctx, d, c.ID()))},
				{"Context", contextText(s)},
				{"Spent", money(s, set)},
			}
			if s.Queue > 0 {
				rows = append(rows, [2]string{"Queue", amount.Count(s.Queue, "message") + " waiting"})
			}
			login := "nobody"
			if state := d.App.Login().State(); state.Token != "" {
				login = "a token from " + state.Source
				if who := d.App.User(ctx, false); who != nil {
					login = *who + ", " + login
				}
			}
			rows = append(rows, [2]string{"Login", login}, [2]string{"Version", d.Version})
			columns, _ := talk.Size()
			talk.Print(desk.Table(rows, columns))
			refusals(ctx, d, talk)
			return nil
		},
	}
}

// refusals tells once of a data set that takes no sessions.
func refusals(ctx context.Context, d *desk.Desk, talk dialog.Talk) {
	uploads, err := d.App.Traces()
	if err != nil {
		return
	}
	lines, err := uploads.Queue().Tell(ctx)
	if err != nil {
		d.App.Debug("uploads: " + err.Error())
	}
	for _, line := range lines {
		talk.Warn("sessions are not uploaded to " + line)
	}
}

func runtime(name string) string {
	if name == "sandbox" {
		return "HF sandbox"
	}
	return "local filesystem"
}

// items tells how many items the model's context holds.
func items(ctx context.Context, d *desk.Desk, id string) string {
	state, err := d.State(ctx, id)
	if err != nil {
		return "context items unknown: " + err.Error()
	}
	return amount.Count(len(state.Messages), "context item")
}

// money is what was spent and what may be.
func money(s transcript.Status, set event.Settings) string {
	text := desk.Spent(s)
	if s.JobsRunning > 0 {
		text += ", " + amount.Count(s.JobsRunning, "job") + " running"
	}
	if set.MaxCostUSD == nil {
		return text + "; no cap"
	}
	return text + "; the cap is " + desk.USD(*set.MaxCostUSD)
}

// contextText tells how full the model's context is.
func contextText(s transcript.Status) string {
	if s.ContextTokens == 0 {
		return "nothing has been sent yet"
	}
	if percent, ok := s.Percent(); ok {
		return fmt.Sprintf("%s of %s tokens, %d %%", amount.Grouped(s.ContextTokens), amount.Grouped(s.Window), percent)
	}
	return amount.Grouped(s.ContextTokens) + " tokens; how many fit is unknown"
}

// Context tells how full the model's context is, and of what.
func Context(d *desk.Desk) dialog.Command {
	return dialog.Command{
		Name: "context", Help: "how full the model's context is, and of what",
		Run: func(ctx context.Context, talk dialog.Talk, _ string) error {
			c := talk.Conversation()
			text := "The last request and its answer: " + contextText(c.Status()) + "."
			if _, ok := c.Status().Percent(); ok {
				text += " At 90 % older turns are summed up by themselves; /compact does it now."
			}
			talk.Print(text)
			state, err := d.State(ctx, c.ID())
			if err != nil || len(state.Messages) == 0 {
				return err
			}
			columns, _ := talk.Size()
			talk.Print("\nBy estimate the conversation holds:\n" + desk.Table(shares(state.Messages), columns))
			return nil
		},
	}
}

// shares are the estimated sizes of the parts of a conversation.
func shares(messages []llm.Message) [][2]string {
	type part struct {
		name          string
		count, tokens int
	}
	parts := []part{{name: "system prompt"}, {name: "your messages"}, {name: "answers and calls"}, {name: "results of tools"}}
	for _, m := range messages {
		p := &parts[map[llm.Role]int{llm.System: 0, llm.User: 1, llm.Assistant: 2, llm.ToolRole: 3}[m.Role]]
		p.count++
		p.tokens += window.Message(m)
	}
	var rows [][2]string
	for _, p := range parts {
		if p.count > 0 {
			rows = append(rows, [2]string{p.name, fmt.Sprintf("~%s tokens in %s", amount.Grouped(p.tokens), amount.Count(p.count, "item"))})
		}
	}
	return rows
}

package slash

import (
	"context"
	"fmt"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// status tells what the session runs with.
func status(d *Desk) dialog.Command {
	return dialog.Command{
		Name: "status", Help: "model, effort, runtime, turns, context, money",
		Run: func(_ context.Context, talk dialog.Talk, _ string) error {
			c := talk.Conversation()
			set := c.Settings()
			talk.Print(fmt.Sprintf("model    %s\neffort   %s\nruntime  %s\nturns    %d\nsession  %s\nversion  %s",
				set.Model, set.Effort, set.ToolRuntime, len(c.Turns()), c.ID(), d.Version))
			return nil
		},
	}
}

package project

import (
	"context"

	"github.com/ml-intern/ml-intern/internal/app/hooks"
	"github.com/ml-intern/ml-intern/internal/app/saved"
	"github.com/ml-intern/ml-intern/internal/app/slash/desk"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// Hooks lists the commands beside a session's moments.
func Hooks(d *desk.Desk) dialog.Command {
	return dialog.Command{
		Name: "hooks", Help: "list your commands beside calls, messages and jobs",
		Run: func(_ context.Context, talk dialog.Talk, _ string) error {
			var rows [][2]string
			for _, r := range hooks.Shown(d.App.Loaded) {
				rows = append(rows, [2]string{saved.Line(r.Title()), saved.Line(r.Text())})
			}
			if len(rows) == 0 {
				talk.Print(hooks.Empty)
				return nil
			}
			columns, _ := talk.Size()
			talk.Print(desk.Table(rows, columns) + "\n\nml-intern hooks test EVENT runs them by hand.")
			return nil
		},
	}
}

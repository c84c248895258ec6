// Package project is the commands about what is around a session: the project
// and its instructions, servers, the login, the machine.
package project

import (
	"context"
	"fmt"

	"github.com/ml-intern/ml-intern/internal/app/doctor"
	"github.com/ml-intern/ml-intern/internal/app/doctor/visit"
	"github.com/ml-intern/ml-intern/internal/app/saved"
	"github.com/ml-intern/ml-intern/internal/app/slash/desk"
	"github.com/ml-intern/ml-intern/internal/app/welcome"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// Login logs in to the Hub.
func Login(d *desk.Desk) dialog.Command {
	return dialog.Command{
		Name: "login", Help: "log in to Hugging Face with a code or a token",
		Run: func(ctx context.Context, talk dialog.Talk, _ string) error {
			return (&welcome.Desk{App: d.App}).Login(ctx, talk)
		},
	}
}

// Doctor looks at settings, keys, services and this machine.
func Doctor(d *desk.Desk) dialog.Command {
	return dialog.Command{
		Name: "doctor", Help: "check settings, keys, services and this machine",
		Run: func(ctx context.Context, talk dialog.Talk, _ string) error {
			o := visit.Options(ctx, d.App)
			o.OutTTY = true
			o.Width, _ = talk.Size()
			findings := doctor.Examine(ctx, o)
			if err := ctx.Err(); err != nil {
				return dialog.ErrCancelled
			}
			var rows [][2]string
			count := map[doctor.Status]int{}
			for _, f := range findings {
				count[f.Status]++
				text := saved.Line(f.Detail)
				if f.Hint != "" && f.Status != doctor.OK {
					text += "\n→ " + saved.Line(f.Hint)
				}
				rows = append(rows, [2]string{map[doctor.Status]string{doctor.OK: "ok   ", doctor.Warning: "warn ", doctor.Failure: "FAIL "}[f.Status] + f.Name, text})
			}
			talk.Print(desk.Table(rows, o.Width))
			if failed := count[doctor.Failure]; failed > 0 {
				talk.Warn(fmt.Sprintf("%s of %s failed", amount.Grouped(failed), amount.Count(len(findings), "check")))
				return nil
			}
			talk.Print("\nNothing is broken; " + amount.Count(count[doctor.Warning], "warning") + ".")
			return nil
		},
	}
}

package command

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/modelid"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/doctor"
	"github.com/ml-intern/ml-intern/internal/ui/headless"
)

func newDoctor(s *console.Streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check settings, keys, services and this machine",
		Long: `Check settings, keys, services and this machine. Exit code 1 when something is
broken; being offline is a warning.`,
		Args: cobra.NoArgs,
		RunE: console.Do(func(ctx context.Context, _ []string) error {
			return runDoctor(ctx, s, asJSON)
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

func runDoctor(ctx context.Context, s *console.Streams, asJSON bool) error {
	o := doctor.Options{OutTTY: s.OutTTY}
	if out, ok := s.Out.(*os.File); ok && s.OutTTY {
		o.Width, _, _ = term.GetSize(int(out.Fd())) // 0 is unknown
	}
	if o.Loaded, o.Faults = s.Config(ctx); o.Loaded == nil {
		return console.UsageOf(o.Faults)
	}
	a, err := app.New(ctx, app.Options{Dir: s.Dir, Environ: s.Environ, Lenient: true})
	if err == nil {
		defer a.Close()
		o.HTTP, o.Whoami, o.Login = a.HTTP(), a.Whoami, a.FreshToken
		o.Model = a.Model()
		route, err := a.Models.Resolve(ctx, o.Model)
		o.ModelErr, o.ModelLabel = err, route.Label
		if err == nil && route.ID.Local() {
			o.ModelURL = o.Loaded.URL(localVariable(route.ID.Prefix)).Value
		}
	} else if o.Faults == nil {
		o.Faults = err
	}
	return report(s, doctor.Examine(ctx, o), asJSON)
}

// localVariable is the variable with the address of a local model server.
func localVariable(prefix string) string {
	if prefix == modelid.LMStudio {
		return "LMSTUDIO_BASE_URL"
	}
	return strings.ToUpper(prefix) + "_BASE_URL"
}

func report(s *console.Streams, findings []doctor.Finding, asJSON bool) error {
	failed := doctor.Failed(findings)
	if asJSON {
		err := s.PrintJSON(struct {
			OK       bool             `json:"ok"`
			Version  string           `json:"version"`
			Findings []doctor.Finding `json:"findings"`
		}{!failed, app.Version(), findings})
		if err != nil {
			return err
		}
	} else {
		marks := map[doctor.Status]string{doctor.OK: "ok  ", doctor.Warning: "warn", doctor.Failure: "FAIL"}
		fmt.Fprintf(s.Out, "      %-14s %s\n", "version", console.VersionLine())
		for _, f := range findings {
			fmt.Fprintf(s.Out, "%s  %-14s %s\n", marks[f.Status], f.Name, console.OneLine(f.Detail))
			if f.Hint != "" && f.Status != doctor.OK {
				fmt.Fprintf(s.Out, "      %-14s → %s\n", "", console.OneLine(f.Hint))
			}
		}
	}
	if failed {
		return console.Silent(headless.ExitFailure)
	}
	return nil
}

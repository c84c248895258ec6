package command

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/doctor"
	"github.com/ml-intern/ml-intern/internal/app/doctor/visit"
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
	loaded, faults := s.Config(ctx)
	if loaded == nil {
		return console.UsageOf(faults)
	}
	o := doctor.Options{Loaded: loaded}
	a, err := app.New(ctx, app.Options{Dir: s.Dir, Environ: s.Environ, Lenient: true})
	if err == nil {
		defer a.Close()
		o = visit.Options(ctx, a)
	} else if faults == nil {
		faults = err
	}
	o.Faults, o.OutTTY = faults, s.OutTTY
	if out, ok := s.Out.(*os.File); ok && s.OutTTY {
		o.Width, _, _ = term.GetSize(int(out.Fd())) // 0 is unknown
	}
	return report(s, doctor.Examine(ctx, o), asJSON)
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

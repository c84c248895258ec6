package inspect

import (
	"context"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
)

// Version makes the command.
func Version(s *console.Streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: console.Do(func(context.Context, []string) error {
			if !asJSON {
				_, err := fmt.Fprintln(s.Out, console.VersionLine())
				return err
			}
			return s.PrintJSON(struct {
				Version string `json:"version"`
				OS      string `json:"os"`
				Arch    string `json:"arch"`
				Go      string `json:"go"`
			}{app.Version(), runtime.GOOS, runtime.GOARCH, runtime.Version()})
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

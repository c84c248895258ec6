package command

import (
	"context"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app"
)

func newVersion(s *Streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: do(func(context.Context, []string) error {
			if !asJSON {
				_, err := fmt.Fprintln(s.Out, versionLine())
				return err
			}
			return s.printJSON(struct {
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

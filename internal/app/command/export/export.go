// Package export is the command that makes files of many sessions: key figures, training
// data and rows of telemetry. It reads flags, opens where sessions come from and where
// files go to, and tells what came of it.
package export

import (
	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app/command/console"
)

// New makes the command.
func New(s *console.Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Make key figures, training data and telemetry rows of sessions",
		Long: `Make files of many sessions: of those on this machine, of a folder of session or
trace files, of another installation's state, or of a data set on the Hub.

Files go to the folder ml-intern-export, to another one with --out, to standard
output with --out -, or to a data set on the Hub with --target. Secrets are removed
from everything that is written. What is there already is not written again.`,
	}
	cmd.AddCommand(newKPIs(s), newTraining(s, "sft"), newRows(s), newTraining(s, "chatml"), newTraining(s, "sharegpt"))
	return console.WithoutRun(cmd)
}

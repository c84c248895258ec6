package command

import (
	"github.com/ml-intern/ml-intern/internal/platform/markup/pdf"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

// Child must be called with os.Args at the beginning of main: the program starts
// itself to become a command inside a fence, and to read hostile documents where
// nothing can be opened. When it returns handled, the process must exit with
// code.
func Child(args []string) (handled bool, code int) {
	if handled, code = proc.SandboxMain(args); !handled {
		handled, code = pdf.Main(args)
	}
	return handled, code
}

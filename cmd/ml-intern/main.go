// Command ml-intern is an autonomous machine-learning engineer for the
// terminal: see the README.
package main

import (
	"context"
	"os"

	"github.com/ml-intern/ml-intern/internal/app/command"
	"github.com/ml-intern/ml-intern/internal/platform/markup/pdf"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

func main() {
	// Inside a fence the program runs again, only to become the command.
	if handled, code := proc.SandboxMain(os.Args); handled {
		os.Exit(code)
	}
	// Hostile documents are read by a child that can open nothing.
	if handled, code := pdf.Main(os.Args); handled {
		os.Exit(code)
	}
	_ = proc.Conceal() // best effort: keys in our environment are for us alone
	os.Exit(command.Main(context.Background(), command.System()))
}

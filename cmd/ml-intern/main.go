// Command ml-intern is an autonomous machine-learning engineer for the
// terminal: see the README.
package main

import (
	"context"
	"os"

	"github.com/ml-intern/ml-intern/internal/app/command"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

func main() {
	if handled, code := command.Child(os.Args); handled {
		os.Exit(code)
	}
	_ = proc.Conceal() // best effort: keys in our environment are for us alone
	os.Exit(command.Main(context.Background(), command.System()))
}

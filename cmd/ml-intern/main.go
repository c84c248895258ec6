// Command ml-intern is an autonomous machine-learning engineer for the
// terminal: see the README.
package main

import (
	"context"
	"os"

	"github.com/ml-intern/ml-intern/internal/app/command"
)

func main() {
	os.Exit(command.Main(context.Background(), command.System()))
}

package proc

import (
	"errors"
	"os"
)

// Silence lets go of standard input and output: who waits for their end sees
// it, and what is written there from now on is lost.
func Silence() error { return errors.Join(os.Stdin.Close(), os.Stdout.Close()) }

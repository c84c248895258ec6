// Package signals tells a program in a terminal what concerns its screen: that
// somebody wants to interrupt it, and that it goes on after it was stopped.
package signals

import (
	"os"
	"os/signal"
)

// Watch returns channels that get a value whenever the process is interrupted,
// and whenever it goes on; stop ends that.
func Watch() (interrupted, continued <-chan os.Signal, stop func()) {
	i, c := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(i, os.Interrupt)
	if goesOn != nil {
		signal.Notify(c, goesOn)
	}
	return i, c, func() {
		signal.Stop(i)
		signal.Stop(c)
	}
}

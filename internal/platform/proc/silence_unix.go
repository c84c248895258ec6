//go:build unix

package proc

import "os"

// Silence lets go of standard input and output: who waits for their end sees
// it, and what is written there from now on goes nowhere.
func Silence() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	for fd := range 2 {
		if err := point(int(null.Fd()), fd); err != nil {
			return os.NewSyscallError("dup", err)
		}
	}
	return nil
}

package attach

import (
	"bufio"
	"errors"
)

// ReadLine reads a line as both sides do.
func ReadLine(in *bufio.Reader, limit int) ([]byte, error) { return readLine(in, limit) }

// TooLong reports whether err is about a line above the limit.
func TooLong(err error) bool { return errors.Is(err, errLong) }

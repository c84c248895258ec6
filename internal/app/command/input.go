package command

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/app/command/console"
)

// inputWait is how long a silent pipe beside a given prompt is waited for.
const inputWait = 3 * time.Second

// inputLimit bounds what is read from standard input, in bytes.
const inputLimit = 10 << 20

// withInput adds what stands on standard input: it is the prompt when none was
// given, otherwise it follows the prompt after an empty line. Terminals, the
// null device and sockets are not read.
func withInput(s *console.Streams, prompt string) (string, error) {
	if s.In == nil || s.InTTY || !readable(s.In) {
		return prompt, nil
	}
	text, silent, err := readInput(s.In, strings.TrimSpace(prompt) != "")
	if err != nil {
		return "", console.Usage("read standard input: %v", err)
	}
	if silent {
		fmt.Fprintln(s.Err, "warning: nothing came on standard input within 3 s; going on without it")
		return prompt, nil
	}
	text = strings.TrimRight(text, "\r\n")
	switch {
	case strings.TrimSpace(text) == "":
		return prompt, nil
	case strings.TrimSpace(prompt) == "":
		return text, nil
	}
	return prompt + "\n\n" + text, nil
}

// readable reports whether f is a file or a pipe.
func readable(f *os.File) bool {
	info, err := f.Stat()
	if err != nil {
		return false
	}
	mode := info.Mode()
	return mode.IsRegular() || mode&os.ModeNamedPipe != 0
}

// readInput reads f to its end. With impatient set, a pipe whose first byte
// does not come in time counts as silent; the reading goroutine then ends with
// the process.
func readInput(f *os.File, impatient bool) (text string, silent bool, err error) {
	type result struct {
		data []byte
		err  error
	}
	first := make(chan struct{})
	all := make(chan result, 1)
	go func() {
		var head [1]byte
		n, err := io.ReadFull(f, head[:])
		close(first)
		if n == 0 {
			if err == io.EOF {
				err = nil
			}
			all <- result{nil, err}
			return
		}
		rest, err := io.ReadAll(io.LimitReader(f, inputLimit))
		all <- result{append(head[:], rest...), err}
	}()
	if impatient {
		select {
		case <-first:
		case <-time.After(inputWait):
			return "", true, nil
		}
	}
	r := <-all
	if len(r.data) > inputLimit {
		return "", false, fmt.Errorf("more than %d MB; put it into a file and name the file in the prompt", inputLimit>>20)
	}
	return string(r.data), false, r.err
}

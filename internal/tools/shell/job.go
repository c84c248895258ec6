package shell

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

// job is a started command.
type job struct {
	// id is empty while a call waits for the command.
	id      string
	session string
	command string
	// keep: it outlives the session.
	keep  bool
	began time.Time
	proc  *proc.Process
	// output is nil when the command writes to file by itself.
	output *proc.Capture
	// log is the path of the output file; empty when none was asked for.
	log  string
	file *os.File
	// done is closed when nothing of the job is left.
	done chan struct{}
}

// connect makes the way for the output of c. A background command that is to
// outlive us writes to its file directly; the others write through us, which
// makes plain text of it and bounds the file.
func (j *job) connect(c *proc.Command, spill string, background bool, log *stream) error {
	if background && j.keep {
		if err := os.MkdirAll(spill, 0o700); err != nil {
			return fmt.Errorf("make the folder for the output: %w", err)
		}
		file, err := os.CreateTemp(spill, logPattern)
		if err != nil {
			return fmt.Errorf("make the output file: %w", err)
		}
		j.file, j.log, c.File = file, file.Name(), file
		return nil
	}
	pattern := outputPattern
	if background {
		pattern = logPattern
	}
	j.output = proc.NewCapture(spill, pattern)
	c.Output = newSink(j.output, log)
	if !background {
		return nil
	}
	var err error
	j.log, err = j.output.Spill()
	return err
}

// The names of output files.
const (
	outputPattern = "bash_output_*.txt"
	logPattern    = "bash_background_*.log"
)

// close releases what j holds; nothing of it runs any more.
func (j *job) close() {
	if j.output != nil {
		_ = j.output.Close() // all of it was written
	}
	if j.file != nil {
		_ = j.file.Close()
	}
	close(j.done)
}

// finished reports whether the command and all it has started in its group
// have ended.
func (j *job) finished() bool { return !j.proc.Alive() }

// state says in a word or two how the job is.
func (j *job) state() string {
	select {
	case <-j.proc.Exited():
	default:
		return "running"
	}
	how := "finished"
	if e := j.proc.Exit(); e.Signal != "" {
		how = "killed by " + e.Signal
	} else if !e.OK() {
		how = fmt.Sprintf("failed with exit code %d", e.Code)
	}
	if !j.finished() {
		return how + ", child processes still run"
	}
	return how
}

// tailBytes is how much of a file is read to show its last lines.
const tailBytes = 4 * maxChars

// tail returns the last lines of the output so far, at most maxChars characters.
func (j *job) tail(lines int) (string, error) {
	if j.output != nil {
		return lastLines(excerpt.Tail(j.output.Last(maxChars+1), maxChars), lines), nil
	}
	file, err := os.Open(j.log)
	if err != nil {
		return "", fmt.Errorf("read the output: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", fmt.Errorf("read the output: %w", err)
	}
	at := max(0, info.Size()-tailBytes)
	data, err := io.ReadAll(io.NewSectionReader(file, at, tailBytes))
	if err != nil {
		return "", fmt.Errorf("read the output: %w", err)
	}
	text := plain.String(string(data))
	if at > 0 {
		text = excerpt.TrimStart(text)
	}
	return lastLines(excerpt.Tail(text, maxChars), lines), nil
}

// lastLines returns the last n lines of text.
func lastLines(text string, n int) string {
	text = strings.TrimSuffix(text, "\n")
	for start := len(text); n > 0; n-- {
		if start = strings.LastIndexByte(text[:start], '\n'); start < 0 {
			break
		}
		if n == 1 {
			return text[start+1:]
		}
	}
	return text
}

// sink is where the output of a command goes, as plain text.
type sink struct {
	filter *plain.Writer
	keep   *proc.Capture
	log    *stream // nil in the background
}

func newSink(keep *proc.Capture, log *stream) *sink {
	k := &sink{keep: keep, log: log}
	k.filter = plain.NewWriter(tee{k})
	return k
}

// Write takes raw output.
func (k *sink) Write(p []byte) (int, error) { return k.filter.Write(p) }

// Close writes what the filter held back.
func (k *sink) Close() error { return k.filter.Close() }

// tee writes plain text to both ends of a sink.
type tee struct{ sink *sink }

func (t tee) Write(p []byte) (int, error) {
	if t.sink.log != nil {
		t.sink.log.write(p)
	}
	return t.sink.keep.Write(p)
}

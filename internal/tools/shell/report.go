package shell

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

const (
	// maxChars is the longest output that is shown whole, in characters; of a
	// longer one, up to firstChars and lastChars, without torn words.
	maxChars   = 25_000
	firstChars = 6_250
	lastChars  = maxChars - firstChars
	// maxResult adds what is said about the output.
	maxResult = 26_500
)

// report is what the model reads about a command whose call is over.
func (j *job) report(end ending, limit time.Duration) tool.Result {
	var b strings.Builder
	b.WriteString(j.text())
	note := func(format string, args ...any) {
		if !strings.HasSuffix(b.String(), "\n") {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, format, args...)
	}
	switch end {
	case timedOut:
		note("[timed out after %d s and killed with all its processes; this is the output until then]\n"+
			"For longer work give a larger timeout, or set background: true and poll with bash_jobs; "+
			"or start `nohup COMMAND > LOG 2>&1 & echo $!`, then poll with `kill -0 PID` and `tail LOG`.", int(limit.Seconds()))
		return tool.Failed(b.String())
	case cancelled:
		note("[cancelled: the command and all its processes were killed]")
		return tool.Failed(b.String())
	}
	exit := j.proc.Exit()
	switch {
	case exit.Signal != "":
		note("[killed by signal %s]", exit.Signal)
	case !exit.OK():
		note("[exit code: %d]", exit.Code)
	}
	return tool.Result{Output: b.String(), OK: exit.OK()}
}

// text is the output, cut in the middle when it is long.
func (j *job) text() string {
	_, chars, _ := j.output.Size()
	if chars <= maxChars {
		all := j.output.First(maxChars)
		if strings.TrimSpace(all) == "" {
			return "(no output)"
		}
		return all
	}
	// Without its file, memory may have less of a text in wide characters.
	// One character more tells whether a word is torn.
	first := excerpt.Head(j.output.First(firstChars+1), firstChars)
	last := excerpt.Tail(j.output.Last(lastChars+1), lastChars)
	x, y := int64(len([]rune(first))), int64(len([]rune(last)))
	return fmt.Sprintf("%s\n\n… (%s of %s characters omitted, showing first %s + last %s; %s) …\n\n%s",
		first, thousands(chars-x-y), thousands(chars), thousands(x), thousands(y), j.whereabouts(), last)
}

// whereabouts says where the whole output is.
func (j *job) whereabouts() string {
	path, err := j.output.Spill()
	if err != nil {
		return "the rest is lost: " + err.Error()
	}
	total, _, saved := j.output.Size()
	if saved < total {
		return fmt.Sprintf("the first %s bytes are in %s: use read with offset and limit", thousands(saved), path)
	}
	return fmt.Sprintf("the full output is in %s: use read with offset and limit", path)
}

// where is the path of the file with the whole output.
func (j *job) where() string {
	path, err := j.output.Spill()
	if err != nil {
		return "no file: " + err.Error()
	}
	return path
}

func (j *job) size() int64 {
	total, _, _ := j.output.Size()
	return total
}

// thousands writes n with separators.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

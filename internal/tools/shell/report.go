package shell

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/amount"

	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
)

// maxResult is the longest result in characters: the output that is shown and
// what is said about it.
const maxResult = workspace.ShownChars + 1_500

// report is what the model reads about a command whose call is over.
func report(out workspace.Outcome, limit time.Duration) tool.Result {
	var b strings.Builder
	b.WriteString(Text(out.Output))
	note := func(format string, args ...any) {
		if !strings.HasSuffix(b.String(), "\n") {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, format, args...)
	}
	switch out.Ending {
	case workspace.TimedOut:
		note("[timed out after %d s and killed with all its processes; this is the output until then]\n"+
			"For longer work give a larger timeout, or set background: true and poll with bash_jobs; "+
			"or start `nohup COMMAND > LOG 2>&1 & echo $!`, then poll with `kill -0 PID` and `tail LOG`.", int(limit.Seconds()))
		return tool.Failed(b.String())
	case workspace.Cancelled:
		note("[cancelled: the command and all its processes were killed]")
		return tool.Failed(b.String())
	}
	switch {
	case out.Exit.Signal != "":
		note("[killed by signal %s]", out.Exit.Signal)
	case !out.Exit.OK():
		note("[exit code: %d]", out.Exit.Code)
	}
	return tool.Result{Output: b.String(), OK: out.Exit.OK()}
}

// report is what the model reads, in the words of o.
func (o Options) report(out workspace.Outcome, limit time.Duration) tool.Result {
	if !o.Errors {
		return report(out, limit)
	}
	why := ""
	switch {
	case out.Ending == workspace.TimedOut:
		why = fmt.Sprintf("Timeout after %ds\nThe command and all its processes were killed. For longer work give a larger timeout, or set background: true and look at it with bash_jobs.", int(limit.Seconds()))
	case out.Ending == workspace.Cancelled:
		why = "Cancelled: the command and all its processes were killed"
	case out.Exit.Signal != "":
		why = "Killed by signal " + out.Exit.Signal
	case !out.Exit.OK():
		why = fmt.Sprintf("Exit code %d", out.Exit.Code)
	default:
		return tool.Success(Text(out.Output))
	}
	return tool.Failed(withError(out, why))
}

// withError puts the reason of a failure after the output, if there is any.
func withError(out workspace.Outcome, why string) string {
	if out.Output.Chars == 0 || strings.TrimSpace(Text(out.Output)) == "(no output)" {
		return "ERROR: " + why
	}
	return strings.TrimRight(Text(out.Output), "\n") + "\n\nERROR: " + why
}

// failed is a command that the workspace would not start.
func (o Options) failed(ctx context.Context, err error) (tool.Result, error) {
	r, goErr := failed(ctx, "bash", err)
	if goErr == nil && o.Errors {
		r.Output = "Sandbox operation failed: " + err.Error()
	}
	return r, goErr
}

// unknown is what the model reads about a command whose end nobody saw, in the
// words of o.
func (o Options) unknown(out workspace.Outcome, err error) tool.Result {
	if o.Errors {
		return tool.Failed(withError(out, "Sandbox operation failed: "+excerpt.Head(err.Error(), 500)))
	}
	return unknown(out, err)
}

// unknown is what the model reads about a command whose end nobody saw.
func unknown(out workspace.Outcome, err error) tool.Result {
	text := Text(out.Output)
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return tool.Failed(text + "[bash error: " + excerpt.Head(err.Error(), 500) + "]")
}

// Text is an output, cut in the middle when it is long.
func Text(o workspace.Output) string {
	if o.Chars <= workspace.ShownChars {
		if strings.TrimSpace(o.First) == "" {
			return "(no output)"
		}
		return o.First
	}
	first := excerpt.Head(o.First, workspace.FirstChars)
	last := excerpt.Tail(o.Last, workspace.LastChars)
	x, y := int64(utf8.RuneCountInString(first)), int64(utf8.RuneCountInString(last))
	return fmt.Sprintf("%s\n\n… (%s of %s characters omitted, showing first %s + last %s; %s) …\n\n%s",
		first, amount.Grouped(o.Chars-x-y), amount.Grouped(o.Chars), amount.Grouped(x), amount.Grouped(y), whereabouts(o), last)
}

// whereabouts says where the whole output is.
func whereabouts(o workspace.Output) string {
	switch {
	case o.File == "":
		return "the rest is lost: " + o.Problem
	case o.Saved < o.Bytes:
		return fmt.Sprintf("the first %s bytes are in %s: use read with offset and limit", amount.Grouped(o.Saved), o.File)
	}
	return fmt.Sprintf("the full output is in %s: use read with offset and limit", o.File)
}

// Package sentence puts into words what events say that are told in passing:
// what happened to the conversation, its money and its jobs. The front ends
// share the words and give them their look; the package knows neither colours
// nor widths. The texts hold foreign words: who prints them takes control
// characters out.
package sentence

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/domain/hook"
)

// Tone is how a line is meant.
type Tone uint8

// The tones.
const (
	Plain Tone = iota
	Quiet
	Warning
	Bad
)

// Line is one line; Depth says how far it belongs under the ones before it.
type Line struct {
	Tone  Tone
	Depth int
	Text  string
}

const (
	// longest is the most characters of a foreign text in a line.
	longest = 2000
	// listed is the most entries of a list.
	listed = 20
	// origins is the most outside texts that are named with a question.
	origins = 5
)

// Of says what an event tells; nothing for those that are no words.
func Of(ev event.Event) []Line {
	switch ev.Type {
	case event.TypeCompacted:
		return with(ev, compacted)
	case event.TypeUndoComplete:
		return with(ev, undone)
	case event.TypeRedoComplete:
		return with(ev, redone)
	case event.TypeTruncateComplete:
		return with(ev, func(in event.TruncateComplete) []Line {
			return one(Quiet, "removed "+amount.Count(in.Removed, "message"))
		})
	case event.TypeNewComplete:
		return with(ev, renewed)
	case event.TypeResumeComplete:
		return with(ev, resumed)
	case event.TypeTurnResumed:
		return one(Quiet, "going on with the turn that was cut short")
	case event.TypeInterrupted:
		return one(Warning, "interrupted")
	case event.TypeError:
		return with(ev, problem)
	case event.TypeSessionTerminated:
		return with(ev, terminated)
	case event.TypeShutdown:
		return one(Quiet, "the session is closed")
	case event.TypeRenamed:
		return with(ev, renamed)
	}
	return ofWorld(ev)
}

// ofWorld tells of jobs and sandboxes, and what was noticed about runs.
func ofWorld(ev event.Event) []Line {
	switch ev.Type {
	case event.TypeJobSubmit:
		return with(ev, func(in event.JobSubmit) []Line {
			lines := one(Plain, "job submitted: "+dotted(in.JobID, in.Flavor))
			if in.JobURL != "" {
				lines = append(lines, Line{Tone: Quiet, Depth: 1, Text: line(in.JobURL)})
			}
			return lines
		})
	case event.TypeJobComplete:
		return with(ev, jobOver)
	case event.TypeSandboxCreate:
		return with(ev, func(in event.SandboxCreate) []Line {
			return one(Quiet, "sandbox ready: "+dotted(in.SandboxID, in.Hardware))
		})
	case event.TypeSandboxDestroy:
		return with(ev, func(in event.SandboxDestroy) []Line {
			return one(Quiet, "sandbox removed: "+dotted(in.SandboxID, cost(in.EstimatedCostUSD)))
		})
	case event.TypeFinding:
		return with(ev, finding)
	case event.TypeCommandEnded:
		return with(ev, commandOver)
	case event.TypeHook:
		return with(ev, hooked)
	}
	return nil
}

func with[P event.Payload](ev event.Event, say func(P) []Line) []Line {
	in, err := event.Decode[P](ev)
	if err != nil {
		return nil // an event that is not what its type promises tells nothing
	}
	return say(in)
}

func one(tone Tone, text string) []Line { return []Line{{Tone: tone, Text: text}} }

// line is foreign text on one line.
func line(s string) string { return strings.Join(strings.Fields(excerpt.Head(s, longest)), " ") }

// dotted joins what there is.
func dotted(parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p = line(p); p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, " · ")
}

func compacted(in event.Compacted) []Line {
	return one(Quiet, fmt.Sprintf("context compacted: %s → %s tokens", amount.Grouped(in.OldTokens), amount.Grouped(in.NewTokens)))
}

func undone(in event.UndoComplete) []Line {
	return moved("undo", "undone", in.Turns, in.Removed, in.Restored)
}

func redone(in event.RedoComplete) []Line {
	return moved("redo", "redone", in.Turns, in.Added, in.Restored)
}

// moved tells of an undo or a redo.
func moved(verb, done string, turns, messages int, r event.Restored) []Line {
	var lines []Line
	switch {
	case turns > 0:
		lines = one(Plain, fmt.Sprintf("%s: %s (%s)", done, amount.Count(turns, "turn"), amount.Count(messages, "message")))
	case messages > 0:
		lines = one(Plain, done+": "+amount.Count(messages, "message"))
	case len(r.Files)+len(r.Conflicts) == 0 && r.Problem == "":
		return one(Quiet, "nothing to "+verb)
	}
	lines = append(lines, paths(Quiet, "files put back:", r.Files)...)
	lines = append(lines, paths(Warning, "left alone, somebody else has changed them meanwhile:", r.Conflicts)...)
	if r.Problem != "" {
		lines = append(lines, Line{Warning, 0, "files were not put back: " + line(r.Problem)})
	}
	return lines
}

func paths(tone Tone, what string, names []string) []Line {
	if len(names) == 0 {
		return nil
	}
	return append(one(tone, what), list(tone, 1, names)...)
}

// list shows the first entries of a list and counts the rest.
func list(tone Tone, depth int, entries []string) []Line {
	var lines []Line
	for i, e := range entries {
		if i == listed {
			return append(lines, Line{tone, depth, fmt.Sprintf("… %s more", amount.Grouped(len(entries)-i))})
		}
		lines = append(lines, Line{tone, depth, line(e)})
	}
	return lines
}

func renewed(in event.NewComplete) []Line {
	text := "a fresh conversation"
	if in.PreviousMessageCount > 0 {
		switch {
		case in.SavedPath != nil && *in.SavedPath != "":
			text += "; the one before is saved: " + line(*in.SavedPath)
		case in.PreviousSessionID != "":
			text += "; back to the one before: /resume " + line(in.PreviousSessionID)
		}
	}
	return one(Plain, text)
}

// resumed tells what a session goes on from and what did not come along. The
// journal that was left tells nothing.
func resumed(in event.ResumeComplete) []Line {
	if in.SessionID != "" {
		return nil
	}
	verb := "Resumed"
	if in.Forked {
		verb = "Forked"
	}
	lines := one(Plain, fmt.Sprintf("%s from %s (%d messages, model %s)", verb, line(in.Path), in.RestoredCount, line(in.ModelName)))
	warn := func(format string, args ...any) {
		lines = append(lines, Line{Warning, 0, "warning: " + fmt.Sprintf(format, args...)})
	}
	if in.Forked {
		lines = append(lines, Line{Quiet, 0, "this is a copy with an id of its own; the saved session stays as it is"})
	}
	if in.DroppedCount > 0 {
		warn("%d messages of the saved session were not valid and are left out", in.DroppedCount)
	}
	if in.InvalidSavedModel != nil {
		warn("the saved model %q is not a model id; going on with %s", line(*in.InvalidSavedModel), line(in.ModelName))
	}
	if in.HadRedactedContent {
		warn("secrets were removed from the saved session; their marks stay in the conversation")
	}
	return lines
}

func problem(in event.Error) []Line {
	lines := one(Bad, "Error: "+line(in.Error))
	if in.Hint != "" {
		lines = append(lines, Line{Plain, 1, line(in.Hint)})
	}
	return lines
}

func terminated(in event.SessionTerminated) []Line {
	text := line(in.UserMessage)
	if text == "" {
		text = "the conversation does not fit into the model's context any more"
	}
	return append(one(Bad, text), Line{Plain, 1, "/new begins a fresh one in the same place"})
}

func renamed(in event.Renamed) []Line {
	if in.By == "auto" {
		return nil
	}
	return one(Quiet, "the session is called: "+line(in.Title))
}

func jobOver(in event.JobComplete) []Line {
	tone := Warning
	switch strings.ToUpper(in.FinalStatus) {
	case "COMPLETED", "SUCCEEDED", "SUCCESS":
		tone = Plain
	}
	took := ""
	if in.WallTimeS > 0 && in.WallTimeS < 1e9 {
		took = amount.Took(time.Duration(in.WallTimeS * float64(time.Second)))
	}
	return one(tone, "job "+line(in.JobID)+" is over: "+dotted(in.FinalStatus, took, cost(in.EstimatedCostUSD)))
}

// commandOver tells the end of a command in the background.
func commandOver(in event.CommandEnded) []Line {
	tone, how := Warning, "nobody has seen how"
	switch {
	case in.Signal != "":
		how = "ended by " + line(in.Signal)
	case in.ExitCode != nil:
		how = fmt.Sprintf("exit code %d", *in.ExitCode)
	}
	if in.ExitCode != nil && *in.ExitCode == 0 {
		tone = Quiet
	}
	took := ""
	if in.WallTimeS > 0 && in.WallTimeS < 1e9 {
		took = amount.Took(time.Duration(in.WallTimeS * float64(time.Second)))
	}
	return one(tone, "command "+line(in.ID)+" is over: "+dotted(how, took))
}

// hooked tells what hooks have decided where nothing else shows it: a refused call
// tells by its result, a message that ends its turn by an error. Those of
// sub-agents are theirs.
func hooked(in event.Hook) []Line {
	if in.AgentID != "" {
		return nil
	}
	denied := in.Decision == string(hook.Deny)
	switch moment := hook.Moment(in.Hook); {
	case moment == hook.Stop && denied:
		return one(Quiet, "a hook sends the agent on: "+line(in.Reason))
	case moment == hook.UserPromptSubmit && in.SubmissionID != "":
		return one(Warning, "a hook keeps the message back: "+line(in.Reason))
	case moment == hook.PostToolUse && denied:
		return one(Quiet, "a hook objects to "+line(in.Tool)+": "+line(in.Reason))
	case moment == hook.PreToolUse && len(in.UpdatedInput) > 0:
		return one(Quiet, "a hook changes the arguments of "+line(in.Tool))
	}
	return nil
}

func finding(in event.Finding) []Line {
	tone := Quiet
	switch in.Severity {
	case "warning":
		tone = Warning
	case "error":
		tone = Bad
	}
	text := line(in.Text)
	if in.Severity != "" {
		text = line(in.Severity) + ": " + text
	}
	if in.Source != "" {
		text += " (" + line(in.Source) + ")"
	}
	return one(tone, text)
}

// Micro is an amount in millionths of a dollar; what no amount can be is 0.
func Micro(usd float64) int64 {
	if math.IsNaN(usd) || math.Abs(usd) > 1e12 {
		return 0
	}
	return int64(math.Round(usd * 1e6))
}

// cost is what something has cost.
func cost(usd *float64) string {
	if usd == nil {
		return "cost unknown"
	}
	return amount.Dollars(Micro(*usd))
}

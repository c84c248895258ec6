package transcript

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/usage"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// applySession folds what happens to the conversation as a whole.
func (t *Transcript) applySession(ev event.Event) bool {
	switch ev.Type {
	case event.TypeCompacted:
		with(ev, func(in event.Compacted) {
			t.status.ContextTokens = in.NewTokens
			t.note(theme.Dim, fmt.Sprintf(
				"context compacted: %s %s %s tokens", amount.Grouped(in.OldTokens), t.glyph(theme.Arrow), amount.Grouped(in.NewTokens),
			))
		})
	case event.TypeUndoComplete:
		with(ev, t.undone)
	case event.TypeRedoComplete:
		with(ev, t.redone)
	case event.TypeTruncateComplete:
		with(ev, func(in event.TruncateComplete) { t.note(theme.Dim, "removed "+plural(in.Removed, "message")) })
	case event.TypeHistoryRewritten:
		with(ev, t.rewritten)
	case event.TypeNewComplete:
		with(ev, t.renewed)
	case event.TypeResumeComplete:
		with(ev, t.resumed)
	case event.TypeSettings:
		with(ev, t.settings)
	case event.TypeRenamed:
		with(ev, t.renamed)
	case event.TypeSessionUpdate:
		with(ev, func(in event.SessionUpdate) {
			t.status.CapUSD = in.AutoApproval.CostCapUSD
		})
	default:
		return false
	}
	return true
}

func (t *Transcript) undone(in event.UndoComplete) {
	switch {
	case in.Turns > 0:
		t.note(theme.Text, "undone: "+plural(in.Turns, "turn")+" ("+plural(in.Removed, "message")+")")
	case in.Removed > 0:
		t.note(theme.Text, "undone: "+plural(in.Removed, "message"))
	case len(in.Files)+len(in.Conflicts) == 0 && in.Problem == "":
		t.note(theme.Dim, "nothing to undo")
	}
	t.restored(in.Restored)
}

func (t *Transcript) redone(in event.RedoComplete) {
	switch {
	case in.Turns > 0:
		t.note(theme.Text, "redone: "+plural(in.Turns, "turn")+" ("+plural(in.Added, "message")+")")
	case in.Added > 0:
		t.note(theme.Text, "redone: "+plural(in.Added, "message"))
	case len(in.Files)+len(in.Conflicts) == 0 && in.Problem == "":
		t.note(theme.Dim, "nothing to redo")
	}
	t.restored(in.Restored)
}

// shownFiles is the most files of an undo that are listed.
const shownFiles = 20

// restored lists what was put back in the workspace and what was not.
func (t *Transcript) restored(in event.Restored) {
	t.paths(theme.Dim, "restored", in.Files)
	t.paths(theme.Warning, "left alone, changed by somebody else meanwhile", in.Conflicts)
	if in.Problem != "" {
		t.note(theme.Warning, "files were not put back: "+oneLine(limit(in.Problem, errorLimit)))
	}
}

func (t *Transcript) paths(role theme.Role, what string, files []string) {
	if len(files) == 0 {
		return
	}
	t.note(role, what+":")
	for i, f := range files {
		if i == shownFiles {
			t.words(theme.Dim, "    ", fmt.Sprintf("%s %s", t.glyph(theme.Ellipsis), plural(len(files)-i, "more file")))
			return
		}
		t.words(role, "    ", oneLine(limit(f, errorLimit)))
	}
}

// rewritten takes over a history that came from elsewhere: the last turns of a
// session that is resumed are shown as far as the messages tell them.
func (t *Transcript) rewritten(in event.HistoryRewritten) {
	if in.Plan != nil {
		t.plan.items = in.Plan
	}
	if in.Reason != "resume" || t.quiet {
		return
	}
	turns := 0
	from := len(in.Messages)
	for from > 0 && turns < shownTurns {
		from--
		if history.FromPerson(in.Messages[from]) {
			turns++
		}
	}
	earlier := 0
	for _, m := range in.Messages[:from] {
		if history.FromPerson(m) {
			earlier++
		}
	}
	if note := earlierNote(earlier, 0); note != "" {
		t.note(theme.Dim, t.glyph(theme.Ellipsis)+" "+note)
	}
	for _, m := range in.Messages[from:] {
		t.message(m)
	}
}

// message shows a message of a saved session.
func (t *Transcript) message(m llm.Message) {
	switch {
	case history.FromPerson(m):
		t.user(event.InputAccepted{Text: limit(m.PlainText(), inputLimit)})
	case m.Role == llm.Assistant && !m.Synthetic:
		t.whole(m.PlainText())
		for _, c := range m.ToolCalls {
			t.block(kindNote)
			t.line(t.row(t.width,
				[]piece{{text: "  "}, {theme.Dim, t.glyph(theme.Current) + " " + oneLine(c.Name) + "  "}}, piece{theme.Dim, meaning(c.Name, []byte(c.Arguments))},
			))
		}
	}
}

func earlierNote(turns, lines int) string {
	switch {
	case turns > 0:
		return plural(turns, "earlier turn") + " (/history shows them)"
	case lines > 0:
		return plural(lines, "earlier line") + " (/history shows them)"
	}
	return ""
}

// renewed begins a fresh conversation.
func (t *Transcript) renewed(in event.NewComplete) {
	t.closeText()
	text := "a fresh conversation"
	if in.SavedPath != nil && *in.SavedPath != "" {
		text += "; the one before is saved: " + oneLine(*in.SavedPath)
	} else if in.PreviousMessageCount > 0 && in.PreviousSessionID != "" {
		text += "; the one before: ml-intern --resume " + oneLine(in.PreviousSessionID)
	}
	t.note(theme.Text, text)
	t.calls, t.agents, t.waiting = nil, agents{}, nil
	t.gate, t.answered = nil, nil
	t.turn = turn{}
	t.plan = plan{shown: t.plan.shown}
	t.shelf = shelf{}
	t.meter, t.jobs = usage.Meter{}, jobs{}
	t.answer.reply = ""
	t.status.ContextTokens, t.status.Title, t.status.stale = 0, "", true
}

// resumed says what a session goes on from, and what did not come along.
func (t *Transcript) resumed(in event.ResumeComplete) {
	verb := "Resumed"
	if in.Forked {
		verb = "Forked"
	}
	if in.ModelName != "" {
		t.status.Model = in.ModelName
	}
	t.note(theme.Text, fmt.Sprintf("%s from %s (%d messages, model %s)", verb, oneLine(in.Path), in.RestoredCount, oneLine(in.ModelName)))
	if in.Forked {
		t.note(theme.Warning, "the saved session is somebody else's: this is a copy with an id of its own")
	}
	if in.DroppedCount > 0 {
		t.note(theme.Warning, plural(in.DroppedCount, "message")+" of the saved session were not valid and are left out")
	}
	if in.InvalidSavedModel != nil {
		t.note(theme.Warning, fmt.Sprintf("the saved model %q is not a model id; going on with %s", oneLine(*in.InvalidSavedModel), oneLine(in.ModelName)))
	}
	if in.HadRedactedContent {
		t.note(theme.Warning, "secrets were removed from the saved session; their marks stay in the conversation")
	}
}

// settings tells which values have changed.
func (t *Transcript) settings(in event.Settings) {
	s := &t.status
	var changes []string
	for _, c := range []struct {
		name     string
		old, new string
	}{
		{"model", s.Model, in.Model},
		{"effort", s.Effort, in.Effort},
		{"approval mode", s.Mode, in.ApprovalMode},
		{"spending cap", s.cap(), capText(in.MaxCostUSD)},
		{"tool runtime", s.Runtime, in.ToolRuntime},
	} {
		if s.known && c.old != c.new && c.new != "" {
			changes = append(changes, c.name+" "+oneLine(c.new))
		}
	}
	s.Model, s.Effort, s.Mode, s.CapUSD, s.Runtime = in.Model, in.Effort, in.ApprovalMode, in.MaxCostUSD, in.ToolRuntime
	if in.Cwd != "" {
		s.Cwd = in.Cwd
	}
	s.Window, s.known = in.Window, true
	if len(changes) > 0 {
		t.note(theme.Dim, "now: "+strings.Join(changes, ", "))
	}
}

func (t *Transcript) renamed(in event.Renamed) {
	t.status.Title = oneLine(limit(in.Title, meaningSize))
	if in.By != "auto" {
		t.note(theme.Dim, "the session is called: "+t.status.Title)
	}
}

// applyWorld folds what happens outside: jobs, sandboxes, findings, money.
func (t *Transcript) applyWorld(ev event.Event, at time.Time) {
	switch ev.Type {
	case event.TypeSpend:
		with(ev, func(in event.Spend) { t.jobs.spend(in, at) })
	case event.TypeJobSubmit:
		with(ev, func(in event.JobSubmit) {
			t.jobs.submit(in.JobID)
			t.note(theme.Text, strings.TrimRight("job submitted: "+oneLine(in.JobID)+t.dot()+oneLine(in.Flavor)+t.dot()+oneLine(in.JobURL), t.dot()))
		})
	case event.TypeJobComplete:
		with(ev, func(in event.JobComplete) { t.jobOver(in) })
	case event.TypeSandboxCreate:
		with(ev, func(in event.SandboxCreate) {
			t.note(theme.Dim, "sandbox "+oneLine(in.SandboxID)+" is ready"+t.dot()+oneLine(in.Hardware))
		})
	case event.TypeSandboxDestroy:
		with(ev, func(in event.SandboxDestroy) {
			t.note(theme.Dim, "sandbox "+oneLine(in.SandboxID)+" is removed"+money(t.dot(), in.EstimatedCostUSD))
		})
	case event.TypeFinding:
		with(ev, t.finding)
	case event.TypeReady:
		with(ev, func(in event.Ready) { t.status.Tools = in.ToolCount })
	}
	if slices.Contains([]event.Type{event.TypeJobSubmit, event.TypeJobComplete, event.TypeSandboxCreate, event.TypeSandboxDestroy}, ev.Type) {
		t.status.stale = true
	}
}

func (t *Transcript) jobOver(in event.JobComplete) {
	t.jobs.over(in.JobID)
	role := theme.Text
	if s := strings.ToUpper(in.FinalStatus); s != "COMPLETED" && s != "SUCCEEDED" && s != "SUCCESS" {
		role = theme.Warning
	}
	t.note(role, "job "+oneLine(in.JobID)+": "+oneLine(in.FinalStatus)+t.dot()+spoken(seconds(in.WallTimeS))+money(t.dot(), in.EstimatedCostUSD))
}

func (t *Transcript) finding(in event.Finding) {
	role := theme.Dim
	switch in.Severity {
	case "warning":
		role = theme.Warning
	case "error":
		role = theme.Danger
	}
	t.note(role, strings.TrimLeft(oneLine(in.Severity)+": ", ": ")+oneLine(limit(in.Text, errorLimit))+" ("+oneLine(in.Source)+")")
}

// Package compose words the messages that a session's events are worth. It reads
// all events of one session in order, remembers what a message tells beside the
// event itself, and decides nothing about who gets it.
package compose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/messaging"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
)

// The kinds of messages: types of events, and moments that have no event of
// their own.
const (
	Approval    = string(event.TypeApprovalRequired)
	Failed      = string(event.TypeError)
	Complete    = string(event.TypeTurnComplete)
	Interrupted = string(event.TypeInterrupted)
	JobStarted  = "job_started"
	JobFinished = "job_finished"
	JobFailed   = "job_failed"
	Budget      = "budget_warning"
	LongTurn    = "turn_started_long"
)

// Lengths of what is repeated, in characters.
const (
	longestReply  = 39_000
	longestError  = 500
	longestPrompt = 120
	mostJobs      = 5
	mostPrompts   = 100
)

// Options make a Writer.
type Options struct {
	// Types are the kinds that are wanted.
	Types []string
	// Session is the session's id, Project what it works on.
	Session, Project string
	// Hub is the address at which Spaces are seen.
	Hub string
	// Headless says that nobody answers: questions that are refused at once are
	// no news.
	Headless bool
}

// Notice is a message and what decides whether it is sent.
type Notice struct {
	messaging.Message
	// Worked is how long the turn has run; Turn says that it is about the turn,
	// and not about something that goes on beside it.
	Worked time.Duration
	Turn   bool
	// Reply says that the message repeats what the session's own screen shows
	// first.
	Reply bool
}

// Writer words messages. It is not safe for concurrent use.
type Writer struct {
	o       Options
	model   string
	prompts map[string]string // by submission, until their turn begins
	order   []string          // of prompts

	turn      string
	prompt    string
	began     time.Time
	spent     map[string]int64 // newest amount of each entry of the ledger, in micro dollars
	unknown   map[string]bool  // entries whose amount nobody knows
	before    int64            // what had been spent when the turn began
	limit     *float64         // the spending cap
	warned    float64          // the highest amount that was warned of
	jobs      map[string]job
	recent    []string // jobs of the turn
	dashboard string
}

// job is a job on the Hub.
type job struct{ url, flavor, told string }

// New returns a Writer that has read nothing.
func New(o Options) *Writer {
	return &Writer{o: o, prompts: map[string]string{}, spent: map[string]int64{}, unknown: map[string]bool{}, jobs: map[string]job{}}
}

// Wants reports whether messages of a kind are wanted.
func (w *Writer) Wants(kind string) bool { return slices.Contains(w.o.Types, kind) }

// Working reports whether a turn runs that nobody has to answer for.
func (w *Writer) Working() bool { return w.turn != "" }

// Rest says that whatever was going on has been cut short.
func (w *Writer) Rest() { w.turn = "" }

// Take reads the next event and returns what it is worth telling.
func (w *Writer) Take(ev event.Event) []Notice {
	switch ev.Type {
	case event.TypeInputAccepted:
		if in, err := event.Decode[event.InputAccepted](ev); err == nil {
			w.accepted(in)
		}
	case event.TypeTurnStarted:
		if in, err := event.Decode[event.TurnStarted](ev); err == nil {
			w.begin(ev, in)
		}
	case event.TypeTurnResumed, event.TypeProcessing:
		if w.turn == "" && ev.TurnID != "" {
			w.turn = ev.TurnID
			w.began = cmp.Or(w.began, ev.Time)
		}
	case event.TypeSettings:
		if in, err := event.Decode[event.Settings](ev); err == nil {
			w.model, w.limit = in.Model, in.MaxCostUSD
		}
	case event.TypeToolStateChange:
		if in, err := event.Decode[event.ToolStateChange](ev); err == nil && in.TrackioSpaceID != "" && w.o.Hub != "" {
			w.dashboard = w.o.Hub + "/spaces/" + in.TrackioSpaceID
		}
	case event.TypeSpend:
		if in, err := event.Decode[event.Spend](ev); err == nil {
			return w.wanted(w.spend(ev, in))
		}
	case event.TypeJobSubmit:
		if in, err := event.Decode[event.JobSubmit](ev); err == nil {
			return w.wanted(w.started(ev, in))
		}
	case event.TypeJobComplete:
		if in, err := event.Decode[event.JobComplete](ev); err == nil {
			return w.wanted(w.finished(ev, in))
		}
	case event.TypeApprovalRequired:
		if in, err := event.Decode[event.ApprovalRequired](ev); err == nil {
			return w.wanted(w.gate(ev, in))
		}
	case event.TypeTurnComplete, event.TypeError, event.TypeInterrupted:
		return w.wanted(w.end(ev)...)
	}
	return nil
}

// wanted leaves out what nobody wants to know.
func (w *Writer) wanted(all ...Notice) []Notice {
	return slices.DeleteFunc(all, func(n Notice) bool { return n.Event == "" || !w.Wants(n.Event) })
}

func (w *Writer) accepted(in event.InputAccepted) {
	if len(w.order) == mostPrompts {
		delete(w.prompts, w.order[0])
		w.order = w.order[1:]
	}
	w.order = append(w.order, in.SubmissionID)
	w.prompts[in.SubmissionID] = line(cmp.Or(in.Shown, in.Text), longestPrompt)
}

func (w *Writer) begin(ev event.Event, in event.TurnStarted) {
	w.turn, w.began, w.before, w.recent, w.dashboard = cmp.Or(in.TurnID, ev.TurnID), ev.Time, w.total(), nil, ""
	w.model = cmp.Or(in.Model, w.model)
	w.prompt = w.prompts[in.SubmissionID]
	delete(w.prompts, in.SubmissionID)
	w.order = slices.DeleteFunc(w.order, func(id string) bool { return id == in.SubmissionID })
}

// end is the end of a turn, or the failure of something a person asked for.
func (w *Writer) end(ev event.Event) []Notice {
	n := w.notice(ev, string(ev.Type))
	id := w.o.Session
	switch ev.Type {
	case event.TypeTurnComplete:
		done, err := event.Decode[event.TurnComplete](ev)
		if err != nil {
			return nil
		}
		n.Severity, n.Title, n.Text, n.Reply = messaging.Success, "Agent task complete", "Session "+id+" completed.", true
		if done.FinalResponse != nil && *done.FinalResponse != "" {
			n.Text += "\n" + excerpt.Head(*done.FinalResponse, longestReply)
		}
		if done.StopReason != "" && done.StopReason != "answer" {
			n.Severity = messaging.Warning
			n.Fields = append([]messaging.Field{{Name: "stopped", Value: done.StopReason}}, n.Fields...)
		}
	case event.TypeError:
		failed, err := event.Decode[event.Error](ev)
		if err != nil {
			return nil
		}
		n.Severity, n.Title = messaging.Error, "Agent error"
		n.Text = "Session " + id + " hit an error:\n" + strings.TrimSpace(excerpt.Head(failed.Error, longestError))
	case event.TypeInterrupted:
		n.Severity, n.Title, n.Text = messaging.Info, "Agent interrupted", "Session "+id+" was interrupted."
	}
	if ev.TurnID != "" {
		w.turn = ""
	}
	return []Notice{n}
}

// gate is a question. One about money is news of its own kind where questions
// are not wanted.
func (w *Writer) gate(ev event.Event, in event.ApprovalRequired) Notice {
	w.turn = "" // whoever has to answer is what is waited for
	money := in.UsageThreshold || in.YoloBudget
	if w.o.Headless && !money {
		return Notice{}
	}
	kind := Approval
	if money && !w.Wants(Approval) {
		kind = Budget
	}
	n := w.notice(ev, kind)
	n.Severity, n.Title = messaging.Warning, "Agent approval required"
	switch {
	case in.UsageThreshold:
		n.Title, n.Text = "Usage approval required", w.threshold(in)
	case in.YoloBudget:
		n.Title, n.Text = "Usage approval required", "Session "+w.o.Session+" has reached its spending cap."
		if in.Block != nil && in.BlockReason != "" {
			n.Text += "\n" + line(in.BlockReason, longestError)
		}
	default:
		var names []string
		for _, c := range in.Tools {
			if name := line(c.Tool, 100); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		n.Text = fmt.Sprintf("Session %s is waiting for approval of %d tool call(s).\nTools: %s", w.o.Session, max(in.Count, len(in.Tools)), strings.Join(names, ", "))
	}
	return n
}

func (w *Writer) threshold(in event.ApprovalRequired) string {
	var f event.Fields
	if len(in.Tools) > 0 {
		f = event.Event{Data: in.Tools[0].Arguments}.Fields()
	}
	return fmt.Sprintf("Session %s has reached $%.2f, crossing the $%.2f threshold. The next warning comes at $%.2f.",
		w.o.Session, f.Amount("current_spend_usd"), f.Amount("threshold_usd"), f.Amount("next_threshold_usd"))
}

// spend follows the ledger. It warns at 5 dollars and each doubling, and when
// four fifths of the cap are spent.
func (w *Writer) spend(ev event.Event, in event.Spend) Notice {
	delete(w.unknown, in.ID)
	switch {
	case in.State == event.SpendReleased:
		delete(w.spent, in.ID)
	case in.MicroUSD == nil:
		delete(w.spent, in.ID)
		w.unknown[in.ID] = true
	case in.State == event.SpendSettled:
		w.spent[in.ID] = *in.MicroUSD
	}
	usd, mark := float64(w.total())/1e6, 0.0
	for at := 5.0; at <= usd; at *= 2 {
		mark = at
	}
	text := fmt.Sprintf("Session %s has spent %s.", w.o.Session, amount.Dollars(w.total()))
	if w.limit != nil && *w.limit > 0 && usd >= 0.8**w.limit && w.warned < 0.8**w.limit {
		mark = max(mark, 0.8**w.limit)
		text = fmt.Sprintf("Session %s has spent %s of the %s that it may.", w.o.Session, amount.Dollars(w.total()), amount.Dollars(int64(*w.limit*1e6)))
	}
	if mark <= w.warned {
		return Notice{}
	}
	w.warned = mark
	n := w.notice(ev, Budget)
	n.Severity, n.Title, n.Text, n.Turn = messaging.Warning, "Spending", text, false
	return n
}

// total is what was spent, in micro dollars.
func (w *Writer) total() int64 {
	var sum int64
	for _, v := range w.spent {
		sum += v
	}
	return sum
}

func (w *Writer) started(ev event.Event, in event.JobSubmit) Notice {
	w.jobs[in.JobID] = job{url: in.JobURL, flavor: in.Flavor}
	w.recent = append(w.recent, in.JobID)
	n := w.about(ev, JobStarted, in.JobID)
	n.Severity, n.Title = messaging.Info, "Job started"
	n.Text = fmt.Sprintf("Job %s runs on %s, for %s at most.", in.JobID, in.Flavor, in.Timeout)
	return n
}

func (w *Writer) finished(ev event.Event, in event.JobComplete) Notice {
	known := w.jobs[in.JobID]
	known.flavor = cmp.Or(known.flavor, in.Flavor)
	if known.told == in.FinalStatus {
		return Notice{}
	}
	known.told = in.FinalStatus
	w.jobs[in.JobID] = known
	kind, severity, title, ended := JobFailed, messaging.Error, "Job failed", "ended with "+in.FinalStatus
	if status := strings.ToUpper(in.FinalStatus); status == "COMPLETED" {
		kind, severity, title, ended = JobFinished, messaging.Success, "Job finished", "is finished"
	} else if strings.HasPrefix(status, "CANCEL") {
		kind, severity, title, ended = JobFinished, messaging.Warning, "Job cancelled", "was cancelled"
	}
	n := w.about(ev, kind, in.JobID)
	n.Severity, n.Title = severity, title
	n.Text = fmt.Sprintf("Job %s %s after %s.", in.JobID, ended, amount.Took(time.Duration(in.WallTimeS*float64(time.Second))))
	if in.EstimatedCostUSD != nil {
		n.Text += fmt.Sprintf(" It cost %s.", amount.Dollars(int64(*in.EstimatedCostUSD*1e6)))
	}
	return n
}

// about is a message about a job.
func (w *Writer) about(ev event.Event, kind, id string) Notice {
	n := w.notice(ev, kind)
	n.Turn = false
	if url := w.jobs[id].url; url != "" {
		n.Fields = slices.DeleteFunc(n.Fields, func(f messaging.Field) bool { return f.Name == "jobs" })
		n.Fields = append([]messaging.Field{{Name: "job", Value: url}}, n.Fields...)
	}
	return n
}

// Long is the message that a turn has brought no answer yet.
func (w *Writer) Long(now time.Time) Notice {
	n := w.notice(event.Event{Time: now, TurnID: w.turn}, LongTurn)
	n.ID = fmt.Sprintf("%s:%s:%d:%s", w.o.Session, w.turn, now.Unix(), LongTurn)
	n.Severity, n.Title = messaging.Info, "Agent still works"
	n.Text = fmt.Sprintf("Session %s has worked for %s and has not answered yet.", w.o.Session, amount.Took(n.Worked))
	return n
}

// notice begins a message about an event with what holds for the session.
func (w *Writer) notice(ev event.Event, kind string) Notice {
	n := Notice{Turn: true, Message: messaging.Message{
		ID: fmt.Sprintf("%s:%d:%s", w.o.Session, ev.Seq, kind), Time: ev.Time, Event: kind, Session: w.o.Session,
	}}
	add := func(name, value string) {
		if value != "" {
			n.Fields = append(n.Fields, messaging.Field{Name: name, Value: value})
		}
	}
	add("project", w.o.Project)
	if ev.TurnID != "" && !w.began.IsZero() {
		n.Worked = max(0, ev.Time.Sub(w.began))
		add(messaging.PromptField, w.prompt)
		add("duration", amount.Took(n.Worked))
		if cost := w.total() - w.before; cost > 0 {
			value := amount.Dollars(cost)
			if len(w.unknown) > 0 {
				value = "at least " + value
			}
			add("cost", value)
		}
		var urls []string
		for _, id := range w.recent[max(0, len(w.recent)-mostJobs):] {
			urls = append(urls, w.jobs[id].url)
		}
		add("jobs", strings.Join(urls, " "))
		add("dashboard", w.dashboard)
	}
	add("session_id", w.o.Session)
	add("model", w.model)
	add("event_type", kind)
	return n
}

// line is the beginning of a text in one line.
func line(s string, limit int) string {
	words := strings.Join(strings.Fields(s), " ")
	if head := excerpt.Head(words, limit); head != words {
		return head + "…"
	}
	return words
}

// Kinds lists all kinds of messages.
func Kinds() []string {
	return []string{Approval, Failed, Complete, JobStarted, JobFinished, JobFailed, Budget, Interrupted, LongTurn}
}

package live

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
	"github.com/ml-intern/ml-intern/internal/ui/attach/audience"
)

// Chapter is one session in the life of a running one: the operations new and
// resume begin another in the same runtime.
type Chapter struct {
	ID      string
	Journal *journal.Journal
	// State is what the journal says; it goes to the agent, which owns it then.
	State *history.State
	// After is the number of the newest event before this run.
	After int64
	// Complete is what the end of a resume tells; nil for a new session.
	Complete *event.ResumeComplete
	// Checkpoints are those of the session; nil for none.
	Checkpoints agent.Checkpoints
	// Later is told behind the end of a resume: what still runs since before.
	Later []event.Payload
	// Release gives the session up for other processes.
	Release func() error

	audience   *audience.Audience
	number     int
	started    time.Time
	unfinished bool
	done       sync.WaitGroup // what follows this journal

	mu     sync.Mutex // guards what follows
	status history.State
	title  string
}

// Shown returns when a screen shows event seq, when there is no screen, or when
// ctx is done.
func (c *Chapter) Shown(ctx context.Context, seq int64) {
	if c.audience != nil {
		c.audience.Shown(ctx, c.number, seq)
	}
}

// Watched reports whether a person looks at the session.
func (c *Chapter) Watched() bool { return c.audience != nil && c.audience.Watched() }

// open prepares a chapter for its followers.
func (c *Chapter) open(number int) {
	c.number, c.started = number, time.Now()
	s := c.State
	c.State = nil
	if s == nil {
		return
	}
	c.unfinished = s.Turn != nil || len(s.Queue) > 0
	c.title = s.Name()
	// The agent goes on with its own state: what may change is copied.
	c.status = history.State{
		SessionID: s.SessionID, Seq: s.Seq, Cwd: s.Cwd, Title: s.Title, Queue: slices.Clone(s.Queue),
		Groups: slices.Clone(s.Groups), Spend: maps.Clone(s.Spend), LastCall: s.LastCall,
	}
	if s.Turn != nil {
		turn := *s.Turn
		turn.Answered = nil
		c.status.Turn = &turn
	}
	if s.Gate != nil {
		gate := *s.Gate
		gate.Answers = maps.Clone(gate.Answers)
		c.status.Gate = &gate
	}
}

// take folds an event into what is known at a glance. Messages and results are
// left out: they say nothing about that.
func (c *Chapter) take(ev event.Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch ev.Type {
	case event.TypeHistoryMessage, event.TypeHistoryRewritten, event.TypeToolOutput, event.TypeEvidence,
		event.TypeAssistantChunk, event.TypeReasoningChunk:
		c.status.Seq = ev.Seq
		return nil
	}
	err := c.status.Apply(ev)
	if c.status.Title != "" || c.title == "" {
		c.title = c.status.Name()
	}
	return err
}

// state tells an open gate; whether the agent works, it knows itself.
func (c *Chapter) state() attach.State {
	if c.status.Gate != nil {
		return attach.Waiting
	}
	return attach.Idle
}

// glance is what a chapter is and does.
func (c *Chapter) glance() attach.Info {
	c.mu.Lock()
	defer c.mu.Unlock()
	micro, complete := c.status.Spent()
	return attach.Info{
		SessionID: c.ID, Chapter: c.number, Title: c.title, After: c.After, LastSeq: c.Journal.LastSeq(), Started: c.started,
		Unfinished: c.unfinished, State: c.state(), CostUSD: float64(micro) / 1e6, CostIncomplete: !complete,
	}
}

// groups are the process groups that calls have started.
func (c *Chapter) groups() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.status.Groups)
}

// size is the size of the newest request, in tokens; 0 when there was none.
func (c *Chapter) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status.LastCall == nil {
		return 0
	}
	return c.status.LastCall.Total
}

// jobs are the reservations of jobs on the Hub that go on.
func (c *Chapter) jobs() []event.Spend {
	c.mu.Lock()
	defer c.mu.Unlock()
	var open []event.Spend
	for _, id := range slices.Sorted(maps.Keys(c.status.Spend)) {
		if e := c.status.Spend[id]; e.Kind == event.SpendJob && e.State == event.SpendReserved {
			open = append(open, e)
		}
	}
	return open
}

// Reopened tells that a journal goes on in place.
func Reopened(path string, s *history.State) event.ResumeComplete {
	done := event.ResumeComplete{Path: path, ModelName: s.Model, HadRedactedContent: history.Redacted(s.Messages)}
	for _, m := range s.Messages {
		if m.Role != llm.System {
			done.RestoredCount++
		}
	}
	return done
}

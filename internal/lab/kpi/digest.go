package kpi

import (
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/lab/flavor"
	"github.com/ml-intern/ml-intern/internal/lab/trajectory"
)

// Digest is what counts of a session, read once for any number of windows. It holds
// numbers, times and names of tools, machines and models.
type Digest struct {
	user, model string
	began       time.Time
	asked       []time.Time // when people asked
	messages    int64       // all messages in a user's role
	active      []time.Time // of every event
	marks       []mark
}

// mark is what one event adds.
type mark struct {
	at     time.Time
	add    counts
	cost   float64
	tool   string // of a call
	action bool   // a call or its result
	failed bool
	undone bool
	// flavor and hours are the GPU hours of a job.
	flavor string
	hours  float64
}

// Read digests a session.
func Read(s *trajectory.Session, o Options) *Digest {
	d := &Digest{user: s.User, model: s.Model, began: s.Began(), asked: s.Asked(), messages: int64(s.UserMessages())}
	if d.user == "" {
		d.user = s.ID
	}
	if d.model == "" {
		d.model = "unknown"
	}
	for _, ev := range s.Events {
		d.active = append(d.active, ev.Time)
		if m, ok := read(ev, o); ok {
			m.at = ev.Time
			d.marks = append(d.marks, m)
		}
	}
	if !o.Compat {
		for _, c := range s.Calls() {
			d.marks = append(d.marks, mark{at: c.At, tool: c.Tool})
		}
	}
	return d
}

// read is what an event adds; ok is false for one that adds nothing.
func read(ev event.Event, o Options) (m mark, ok bool) {
	switch ev.Type {
	case event.TypeToolCall, event.TypeToolOutput:
		if ev.AgentID() != "" {
			return m, false // the work of a sub-agent is part of the call it is for
		}
		m.action = true
		in := ev.Fields()
		if ev.Type == event.TypeToolCall {
			if o.Compat {
				m.tool = in.Label("tool", "")
			}
			return m, true
		}
		m.add[outputs] = 1
		if in.True("success") {
			m.add[succeeded] = 1
		}
	case event.TypeLLMCall:
		in := ev.Fields()
		m.cost = in.Amount("cost_usd")
		m.add = counts{
			llmCalls: 1, prompt: in.Count("prompt_tokens"), completion: in.Count("completion_tokens"),
			cacheRead: in.Count("cache_read_tokens"), cacheCreation: in.Count("cache_creation_tokens"),
		}
	case event.TypeError:
		m.failed = true
	case event.TypeUndoComplete:
		m.undone = true
	default:
		return readTelemetry(ev, o)
	}
	return m, true
}

// readTelemetry reads what is told of jobs, sandboxes and people.
func readTelemetry(ev event.Event, o Options) (m mark, ok bool) {
	switch ev.Type {
	case event.TypeFeedback:
		switch ev.Fields().Label("rating", "") {
		case "up":
			m.add[up] = 1
		case "down":
			m.add[down] = 1
		}
	case event.TypeJobSubmit:
		m.add[submitted] = 1
	case event.TypeJobComplete:
		in := ev.Fields()
		switch strings.ToLower(in.Label("final_status", "")) {
		case "completed", "succeeded", "success":
			m.add[jobsSucceeded] = 1
		}
		m.flavor = in.Label("flavor", "unknown")
		gpus := flavor.GPUs(m.flavor)
		if o.Compat {
			gpus = flavor.OriginalGPUs(m.flavor)
		}
		m.hours = in.Amount("wall_time_s") * float64(gpus) / 3600
	case event.TypeJobsBlocked:
		m.add[blocked] = 1
	case event.TypeSandboxCreate:
		m.add[sandboxes] = 1
		if strings.HasPrefix(strings.ToLower(ev.Fields().Label("hardware", "")), "cpu-") {
			m.add[cpuSandboxes] = 1
		} else {
			m.add[gpuSandboxes] = 1
		}
	case event.TypeCTAClick:
		m.add[clicks] = 1
	case event.TypeConversion:
		m.add[conversions] = 1
	case event.TypeCreditsTopUp:
		m.add[topUps] = 1
	default:
		return m, false
	}
	return m, true
}

package window

import (
	"math"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Bounds of the correction factor: outside them a report is more likely wrong
// than the estimate.
const (
	minFactor = 0.7
	maxFactor = 1.8
	// steady is the least weight of a new report in the moving average.
	steady = 0.2
)

// Meter keeps the size of one session's context: the total the provider last
// reported plus an estimate of everything added since, corrected by what its
// reports have taught about each model. Every method but Recount costs only
// what is added. A Meter belongs to one goroutine.
type Meter struct {
	model   string
	factors map[string]learned
	tools   int // estimate of the tool definitions
	raw     int // uncorrected estimate of tools and messages
	last    int // the last reported total, 0 when there is none
	since   int // uncorrected estimate of what was added since
}

type learned struct {
	factor  float64
	reports int
}

// NewMeter returns the meter of an empty history. start is the first guess of
// actual over estimated tokens for model; 0 means 1.
func NewMeter(model string, start float64) *Meter {
	m := &Meter{factors: map[string]learned{}}
	m.Switch(model, start)
	return m
}

// Switch goes over to another model, whose vocabulary makes the last report
// worthless. What was learned about a model stays.
func (m *Meter) Switch(model string, start float64) {
	if start == 0 {
		start = 1
	}
	if _, known := m.factors[model]; !known {
		m.factors[model] = learned{factor: clamp(start)}
	}
	m.model, m.last, m.since = model, 0, 0
}

// SetTools says which tool definitions every request carries.
func (m *Meter) SetTools(specs []llm.ToolSpec) {
	n := 0
	for _, s := range specs {
		n += Tool(s)
	}
	m.raw += n - m.tools
	m.since += n - m.tools
	m.tools = n
}

// Add counts messages that entered the history without a report.
func (m *Meter) Add(msgs ...llm.Message) {
	for _, msg := range msgs {
		n := Message(msg)
		m.raw += n
		m.since += n
	}
}

// Answered says that the model has answered everything counted so far. The
// reported total covers the answer; without a report it is estimated.
func (m *Meter) Answered(usage *llm.Usage, answer llm.Message) {
	if usage == nil || usage.Prompt <= 0 {
		if !answer.Empty() {
			m.Add(answer)
		}
		return
	}
	m.learn(usage.Prompt)
	if !answer.Empty() {
		m.raw += Message(answer)
	}
	m.last, m.since = max(usage.Total, usage.Prompt+usage.Completion), 0
}

// learn moves the factor of the current model towards actual over estimated.
// The first report replaces the guess.
func (m *Meter) learn(prompt int) {
	if m.raw <= 0 {
		return
	}
	l := m.factors[m.model]
	l.reports++
	weight := max(1/float64(l.reports), steady)
	l.factor = clamp(l.factor + weight*(clamp(float64(prompt)/float64(m.raw))-l.factor))
	m.factors[m.model] = l
}

// Recount starts anew from a history that was rewritten: condensed, undone or
// loaded. It costs the whole history.
func (m *Meter) Recount(msgs []llm.Message) {
	m.raw, m.last, m.since = m.tools, 0, 0
	for _, msg := range msgs {
		m.raw += Message(msg)
	}
}

// Overflowed says that the provider found the context too long for window,
// whatever the estimate was.
func (m *Meter) Overflowed(window int) {
	m.last, m.since = max(m.Tokens(), window+1), 0
}

// Measured says that the provider has counted what the next request would send.
func (m *Meter) Measured(prompt int) {
	m.learn(prompt)
	m.last, m.since = prompt, 0
}

// Tokens is the size of the context as far as it is known: what the next
// request would send.
func (m *Meter) Tokens() int {
	if m.last == 0 {
		return m.corrected(m.raw)
	}
	return max(0, m.last+m.corrected(m.since))
}

// Factor is actual over estimated tokens for the current model, from 0.7 to 1.8.
func (m *Meter) Factor() float64 { return m.factors[m.model].factor }

// Message estimates one message, corrected for the current model.
func (m *Meter) Message(msg llm.Message) int { return m.corrected(Message(msg)) }

// Tools is the corrected estimate of the tool definitions.
func (m *Meter) Tools() int { return m.corrected(m.tools) }

func (m *Meter) corrected(n int) int { return int(math.Ceil(float64(n) * m.Factor())) }

func clamp(f float64) float64 { return min(max(f, minFactor), maxFactor) }

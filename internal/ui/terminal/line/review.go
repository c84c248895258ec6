package line

import (
	"context"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/approve"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// gateChanged begins the review of an approval that has come up, and ends that
// of one that is gone.
func (m *mode) gateChanged() {
	gate := m.transcript.Gate()
	if gate == nil {
		m.review, m.gate = nil, nil
		return
	}
	if gate == m.gate { // it is under review, or its answers are on the way
		return
	}
	m.gate = gate
	o := m.o.Approve
	o.Gate, o.Theme, o.Linear = *gate, m.o.Theme, true
	spent := m.transcript.Status()
	usd := float64(spent.CostMicroUSD) / 1e6
	o.Money = approve.Money{Spent: &usd, Incomplete: spent.CostIncomplete, Cap: m.record.Settings.MaxCostUSD}
	m.review = approve.New(o)
	if m.eof {
		m.review.Cancel()
		m.reviewed()
		return
	}
	m.item()
}

// item shows what is asked about.
func (m *mode) item() {
	if m.review.Done() {
		m.reviewed()
		return
	}
	m.transcript.Add(m.review.View(m.transcript.Width(), 0))
}

// follows does what an answer asks for.
func (m *mode) follows(step approve.Step) {
	switch step.Kind {
	case approve.Done:
		m.reviewed()
	case approve.Next:
		m.item()
	case approve.Page:
		m.transcript.Say(theme.Strong, step.Title)
		m.transcript.Say(theme.Text, step.Text)
	case approve.Edit:
		m.edit(step)
	case approve.Ask:
		if step.Reason != "" {
			m.transcript.Say(theme.Warning, step.Reason)
		}
	}
}

// edit lets the person change the item at hand.
func (m *mode) edit(step approve.Step) {
	review := m.review
	m.run("edit", func(ctx context.Context) error {
		text, err := (&talk{m}).Edit(ctx, step.Name, step.Text)
		if err != nil {
			return err
		}
		m.do(func() {
			if m.review == review { // it was not answered elsewhere meanwhile
				review.Edited(text)
				m.item()
			}
		})
		return nil
	})
}

// reviewed sends all decisions in one operation, behind the settings that they
// need.
func (m *mode) reviewed() {
	approvals, configure, rules := m.review.Result()
	m.review = nil
	for _, rule := range rules {
		if m.o.Rule == nil {
			continue
		}
		if err := m.o.Rule(rule); err != nil {
			m.warn("the rule " + rule + " holds for this session only: " + err.Error())
		} else {
			m.say("rule for this project: " + rule)
		}
	}
	answer := event.ExecApproval{Approvals: approvals}
	if configure == nil {
		m.submit(answer)
		return
	}
	m.run("approval", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, configureWait)
		defer cancel()
		c := conversation{m}
		if _, err := c.Do(ctx, *configure, event.TypeSettings); err != nil && !dialog.Told(err) {
			m.do(func() { m.warn(strings.Join(strings.Fields(err.Error()), " ")) })
		}
		return c.Submit(m.ctx, answer)
	})
}

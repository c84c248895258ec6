package terminal

import (
	"context"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/approve"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/panel"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// configureWait is how long a changed setting may take before the answers to an
// approval are sent without it.
const configureWait = 5 * time.Second

// tall and wide is a screen on which the answers are explained below the
// question; on a smaller one the explanation gets the screen.
const tall, wide = 30, 60

// gateChanged begins the review of an approval that has come up, and ends that
// of one that is gone.
func (m *model) gateChanged() {
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
	o.Gate, o.Theme, o.Money = *gate, m.theme, m.money()
	o.Typing = m.o.Now().Sub(m.lastKey) < typingPause || m.input.Text() != ""
	m.review = approve.New(o)
}

func (m *model) money() approve.Money {
	s := m.transcript.Status()
	spent := float64(s.CostMicroUSD) / 1e6
	return approve.Money{Spent: &spent, Incomplete: s.CostIncomplete, Cap: m.record.Settings.MaxCostUSD}
}

// reviewKey takes Enter without a text: everything else is typed.
func (m *model) reviewKey(k tea.KeyPressMsg) bool {
	if k.Keystroke() != "enter" || strings.TrimSpace(m.input.Text()) != "" {
		return false
	}
	m.follows(m.review.Answer(""))
	return true
}

// reviewText answers the item at hand. What was begun before the question came
// up stays to be sent.
func (m *model) reviewText(line string) tea.Cmd {
	if !m.review.Awake() {
		m.input.SetText(line)
	}
	return m.follows(m.review.Answer(line))
}

// follows does what an answer asks for.
func (m *model) follows(step approve.Step) tea.Cmd {
	switch step.Kind {
	case approve.Ask:
		if strings.Contains(step.Reason, "\n") && (m.height < tall || m.width < wide) {
			m.asked = &request{panel: panel.NewPager("Answers", step.Reason, m.theme).Words(), reply: make(chan bool, 1)}
		}
	case approve.Done:
		m.reviewed()
	case approve.Page:
		m.asked = &request{panel: panel.NewPager(step.Title, step.Text, m.theme), reply: make(chan bool, 1)}
	case approve.Edit:
		review := m.review
		return m.edit(step.Name, step.Text, func(text string, err error) {
			if m.review != review {
				return // it was answered elsewhere meanwhile
			}
			if err != nil {
				m.warn(err.Error())
				return
			}
			review.Edited(text)
		})
	}
	return nil
}

// reviewed sends all decisions in one operation, behind the settings that they
// need.
func (m *model) reviewed() {
	approvals, configure, rules := m.review.Result()
	m.review = nil
	for _, rule := range rules {
		if m.o.Rule == nil {
			continue
		}
		if err := m.o.Rule(rule); err != nil {
			m.warn("the rule " + rule + " holds for this session only: " + err.Error())
		} else {
			m.say(theme.Dim, "rule for this project: "+rule)
		}
	}
	answer := event.ExecApproval{Approvals: approvals}
	if configure == nil {
		m.submit(answer)
		return
	}
	m.work.Go(func() {
		ctx, cancel := context.WithTimeout(m.ctx, configureWait)
		defer cancel()
		c := conversation{m}
		if _, err := c.Do(ctx, *configure, event.TypeSettings); err != nil && m.ctx.Err() == nil {
			m.send(failedMsg{err})
		}
		_ = c.Submit(m.ctx, answer) // it only fails with the application
	})
}

package capacity

import (
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/engine/agent/budget"
	"github.com/ml-intern/ml-intern/internal/engine/agent/conversation"
	"github.com/ml-intern/ml-intern/internal/engine/agent/record"
	"github.com/ml-intern/ml-intern/internal/engine/window/compact"
)

// Facts are what a summary states from the session's own books, whatever the
// model remembers: the plan, what runs and costs, what was made on the Hub.
func Facts(plan *conversation.Plan, r *record.Record, money *budget.Budget) compact.Facts {
	return compact.Facts{
		Plan: plan.Items(), Jobs: money.Running(event.SpendJob),
		Sandbox: strings.Join(money.Running(event.SpendSandbox), ", "), Repos: r.Repos(),
	}
}

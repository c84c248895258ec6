package jobs

import (
	"encoding/json"
	"slices"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/money"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/report"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/request"
)

// Risk judges an operation by the arguments that Resolve has completed.
func (t *Tool) Risk(args json.RawMessage) tool.Risk {
	var p request.Params
	if tool.Decode(args, &p) != nil {
		return tool.Risk{Effect: event.Once, Gate: tool.Ask, Reason: "its arguments cannot be read"}
	}
	r := tool.Risk{Operation: p.Operation, Effect: event.Read}
	switch p.Operation {
	case "run":
		r.Effect, r.Gate, r.Outward = event.Keyed, tool.Ask, true
		list := t.opts.Prices.Known()
		cost := money.Worst(list, p)
		r.Cost, r.Reason = &cost, report.Caution(p, list, cost)
	case "scheduled run", "scheduled trigger":
		r.Effect, r.Gate, r.Outward = event.Once, tool.Always, true
		r.Reason = "a scheduled job starts again and again, and each run is paid for"
		if p.Operation == "scheduled run" {
			list := t.opts.Prices.Known()
			r.Reason += ": each " + report.Caution(p, list, money.Worst(list, p))
		}
	case "scheduled delete", "scheduled suspend", "scheduled resume":
		r.Effect, r.Gate = event.Once, tool.Ask
		r.Reason = "changes a schedule"
	case "cancel":
		r.Effect = event.Once
		if slices.ContainsFunc(p.JobID, func(id string) bool { return !t.isOwn(id) }) {
			r.Gate, r.Reason = tool.Ask, "the job was not started by this session"
		}
	case "wait", "logs":
		r.Poll = true
	}
	return r
}

package jobs

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/price"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/delivery"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/request"
)

// shortTraining is the timeout under which a job on a GPU is pointed out.
const shortTraining = 2 * time.Hour

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
		cost := t.cost(p)
		r.Cost, r.Reason = &cost, t.reason(p, cost)
	case "scheduled run", "scheduled trigger":
		r.Effect, r.Gate, r.Outward = event.Once, tool.Always, true
		r.Reason = "a scheduled job starts again and again, and each run is paid for"
		if p.Operation == "scheduled run" {
			r.Reason += ": each " + t.reason(p, t.cost(p))
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

// cost is what a job may cost at worst.
func (t *Tool) cost(p request.Params) tool.Cost {
	c := tool.Cost{Kind: event.SpendJob, Source: "unknown"}
	limit, err := request.Duration("timeout", p.Timeout, request.DefaultTimeout)
	if err != nil {
		c.Reason = "Could not parse HF job timeout: " + err.Error()
		return c
	}
	list := t.opts.Prices.Known()
	flavor, ok := list.Find(p.FlavorName())
	if !ok {
		c.Reason = fmt.Sprintf("No price is available for hardware %q", p.FlavorName())
		return c
	}
	c.USDPerHour, c.Source, c.Known = p.PerHour(flavor.USDPerHour), list.Source, true
	c.MicroUSD = price.MicroUSD(c.USDPerHour, limit)
	return c
}

// reason is what a person should know before he lets a job run.
func (t *Tool) reason(p request.Params, c tool.Cost) string {
	list := t.opts.Prices.Known()
	flavor, _ := list.Find(p.FlavorName())
	limit, err := request.Duration("timeout", p.Timeout, request.DefaultTimeout)
	parts := []string{}
	switch {
	case !c.Known:
		parts = append(parts, "cost unknown: "+c.Reason)
	default:
		text := fmt.Sprintf("costs at most %.2f USD (%s at %.4g USD/h for %s)", float64(c.MicroUSD)/1e6, p.FlavorName(), c.USDPerHour, limit)
		if c.Source != price.Live {
			text += ", an estimate: the live price list was not reached"
		}
		parts = append(parts, text)
	}
	if p.Namespace != "" {
		parts = append(parts, "paid by "+p.Namespace)
	}
	if flavor.GPU != "" && err == nil && limit < shortTraining {
		parts = append(parts, "a GPU for less than 2 h: enough for the whole run?")
	}
	if strings.Contains(p.Script, "from_pretrained") && !strings.Contains(p.Script, "push_to_hub") {
		parts = append(parts, "the script loads a model and has no push_to_hub: the result may be lost")
	}
	if delivery.Classify(p.Script) == delivery.URL {
		parts = append(parts, "the script is fetched from "+p.Script)
	}
	if p.Image != "" && p.Image != request.DockerImage && p.Image != delivery.Image {
		parts = append(parts, "foreign image "+p.Image)
	}
	if names := request.SortedKeys(p.Secrets); len(names) > 0 {
		parts = append(parts, "gets the secrets "+strings.Join(names, ", "))
	}
	return strings.Join(parts, "; ")
}

// errNoToken says why a job may not have the token.
var errNoToken = errors.New("forward_hf_token is off: jobs get no Hub token, also not in env or secrets")

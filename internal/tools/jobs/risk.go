package jobs

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/price"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/delivery"
)

// defaultTimeout is the Hub's own.
const defaultTimeout = 30 * time.Minute

// dockerImage is the default of commands.
const dockerImage = "python:3.12"

// shortTraining is the timeout under which a job on a GPU is pointed out.
const shortTraining = 2 * time.Hour

var timeForm = regexp.MustCompile(`^\s*(\d+(?:\.\d+)?)\s*([smhdSMHD]?)\s*$`)

// seconds reads a time such as "2h"; a bare number is in seconds.
func seconds(field, s string, missing time.Duration) (time.Duration, error) {
	if s == "" {
		return missing, nil
	}
	m := timeForm.FindStringSubmatch(s)
	if m == nil {
		return 0, fmt.Errorf("%s %q is not understood: a number with s, m, h or d, such as 90m", field, s)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	unit := map[string]time.Duration{"": time.Second, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[strings.ToLower(m[2])]
	d := n * float64(unit)
	switch {
	case err != nil || d > float64(365*24*time.Hour):
		return 0, fmt.Errorf("%s %q is more than a year", field, s)
	case d < float64(time.Second):
		return 0, fmt.Errorf("%s %q is less than a second", field, s)
	}
	return time.Duration(d), nil
}

// Risk judges an operation by the arguments that Resolve has completed.
func (t *Tool) Risk(args json.RawMessage) tool.Risk {
	var p Params
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
func (t *Tool) cost(p Params) tool.Cost {
	c := tool.Cost{Kind: event.SpendJob, Source: "unknown"}
	limit, err := seconds("timeout", p.Timeout, defaultTimeout)
	if err != nil {
		c.Reason = "Could not parse HF job timeout: " + err.Error()
		return c
	}
	list := t.opts.Prices.Known()
	flavor, ok := list.Find(p.flavor())
	if !ok {
		c.Reason = fmt.Sprintf("No price is available for hardware %q", p.flavor())
		return c
	}
	c.USDPerHour, c.Source, c.Known = p.perHour(flavor.USDPerHour), list.Source, true
	c.MicroUSD = price.MicroUSD(c.USDPerHour, limit)
	return c
}

// perHour adds the fee for open ports.
func (p Params) perHour(flavor float64) float64 {
	if len(p.Expose) > 0 {
		return flavor + price.PortPerHour
	}
	return flavor
}

// reason is what a person should know before he lets a job run.
func (t *Tool) reason(p Params, c tool.Cost) string {
	list := t.opts.Prices.Known()
	flavor, _ := list.Find(p.flavor())
	limit, err := seconds("timeout", p.Timeout, defaultTimeout)
	parts := []string{}
	switch {
	case !c.Known:
		parts = append(parts, "cost unknown: "+c.Reason)
	default:
		text := fmt.Sprintf("costs at most %.2f USD (%s at %.4g USD/h for %s)", float64(c.MicroUSD)/1e6, p.flavor(), c.USDPerHour, limit)
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
	if p.Image != "" && p.Image != dockerImage && p.Image != delivery.Image {
		parts = append(parts, "foreign image "+p.Image)
	}
	if names := sortedKeys(p.Secrets); len(names) > 0 {
		parts = append(parts, "gets the secrets "+strings.Join(names, ", "))
	}
	return strings.Join(parts, "; ")
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// errNoToken says why a job may not have the token.
var errNoToken = errors.New("forward_hf_token is off: jobs get no Hub token, also not in env or secrets")

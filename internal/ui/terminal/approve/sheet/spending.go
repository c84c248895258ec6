package sheet

import (
	"math"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// spending says of a call that costs something what is spent and what is left.
func (w *writer) spending() {
	_, most, ok := w.cost()
	if !ok {
		return
	}
	m := w.o.Money
	spent := Known(m.Spent)
	if m.Incomplete && m.Spent != nil {
		spent += "+?"
	}
	w.fact("Spent", spent)
	left := w.left()
	switch {
	case left != nil && m.Cap != nil:
		w.fact("Left", Dollars(*left)+" of "+Dollars(*m.Cap))
	case left != nil:
		w.fact("Left", Dollars(*left))
	case m.Cap == nil:
		w.fact("Left", "no cap is set")
	default:
		w.fact("Left", "unknown")
	}
	if left != nil && most != nil && *most > *left {
		w.alert(theme.Danger, "it may cost more than is left under the cap, which /budget raises")
	}
}

// left is what the cap still allows; nil is unknown, or no cap.
func (w *writer) left() *float64 {
	m := w.o.Money
	if b := w.call.Block; b != nil && b.RemainingCapUSD != nil {
		return b.RemainingCapUSD
	}
	if m.Cap == nil || *m.Cap <= 0 || m.Spent == nil {
		return nil
	}
	left := max(0, *m.Cap-*m.Spent)
	return &left
}

// cost words the worst case, and returns it where it is known; ok is false for a
// call that spends nothing.
func (w *writer) cost() (text string, most *float64, ok bool) {
	c := w.call.Cost
	if c == nil {
		if b := w.call.Block; b != nil && b.EstimatedCostUSD != nil {
			return "at most " + Dollars(*b.EstimatedCostUSD), b.EstimatedCostUSD, true
		}
		return "unknown", nil, w.billable()
	}
	if c.USD == nil {
		return strings.TrimSuffix("unknown: "+c.Reason, ": "), nil, true
	}
	estimate := ""
	if c.PriceSource != "live" && c.PriceSource != "measured" {
		estimate = "~"
	}
	text = "at most " + estimate + Dollars(*c.USD)
	hourly := estimate + Dollars(c.USDPerHour) + " an hour"
	switch {
	case w.changed != nil && !w.changed.Script:
		text += " as it was asked for; if the changed call may cost more, it asks again"
	case c.USDPerHour <= 0:
	case w.call.SubmitsJob():
		text += " (" + w.hardware() + ", " + hourly + " for " + w.or("timeout", "30m") + ")"
	default:
		text = hourly + " while it exists"
	}
	return text, c.USD, true
}

// billable reports whether the call starts something that is paid for, whatever
// is known of its price.
func (w *writer) billable() bool {
	return w.call.SubmitsJob() || w.call.Tool == "hf_jobs" && w.call.Operation() == "scheduled trigger" ||
		w.call.Tool == "sandbox_create" && !slices.Contains([]string{"", "cpu-basic"}, w.args.Text("hardware"))
}

// Dollars writes an amount of US dollars.
func Dollars(usd float64) string { return amount.Dollars(int64(math.Round(usd * 1e6))) }

// Known is Dollars for an amount that may be unknown.
func Known(usd *float64) string {
	if usd == nil {
		return "unknown"
	}
	return Dollars(*usd)
}

// Package money says what a job may cost and what it has cost. It neither
// reserves nor spends.
package money

import (
	"fmt"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/price"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/request"
)

// Worst is what a job may cost at most: its hardware for the whole timeout.
func Worst(list price.List, p request.Params) tool.Cost {
	c := tool.Cost{Kind: event.SpendJob, Source: "unknown"}
	limit, err := request.Duration("timeout", p.Timeout, request.DefaultTimeout)
	if err != nil {
		c.Reason = "Could not parse HF job timeout: " + err.Error()
		return c
	}
	flavor, ok := list.Find(p.FlavorName())
	if !ok {
		c.Reason = fmt.Sprintf("No price is available for hardware %q", p.FlavorName())
		return c
	}
	c.USDPerHour, c.Source, c.Known = p.PerHour(flavor.USDPerHour), list.Source, true
	c.MicroUSD = price.MicroUSD(c.USDPerHour, limit)
	return c
}

// Rate is what a job costs by the hour; nil is unknown.
func Rate(list price.List, p request.Params) *float64 {
	flavor, ok := list.Find(p.FlavorName())
	if !ok {
		return nil
	}
	rate := p.PerHour(flavor.USDPerHour)
	return &rate
}

// Spent is what a job has cost so far, nil when its price is unknown, and the
// telemetry that tells it at its end. rate is in USD an hour; nil takes the
// list's, with the fee for open ports.
func Spent(list price.List, j job.Job, rate *float64) (*int64, event.JobComplete) {
	minutes := j.Minutes(time.Now())
	done := event.JobComplete{
		JobID: j.ID, Flavor: j.Flavor, FinalStatus: string(j.Status.Stage), WallTimeS: j.Durations.TotalSecs,
		BillableSeconds: float64(minutes * 60), CostEstimateSource: event.PriceUnknown,
	}
	if rate == nil {
		p := request.Params{HardwareFlavor: j.Flavor}
		if j.Expose != nil {
			p.Expose = j.Expose.Ports
		}
		rate = Rate(list, p)
	}
	if rate == nil {
		return nil, done
	}
	micro := price.MinutesMicroUSD(*rate, minutes)
	cost := float64(micro) / 1e6
	done.PriceUSDPerHour, done.EstimatedCostUSD, done.CostEstimateSource = rate, &cost, event.PriceCatalog
	return &micro, done
}

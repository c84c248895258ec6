package money_test

import (
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/price"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/money"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/request"
)

var list = price.List{Source: price.Live, Flavors: []price.Flavor{{Name: "cpu-basic", USDPerHour: 0.6}, {Name: "t4-small", USDPerHour: 6}}}

// At worst a job costs its whole timeout, by started minutes, with the fee for
// open ports.
func TestWorst(t *testing.T) {
	for _, c := range []struct {
		p    request.Params
		want int64
	}{
		{request.Params{}, 300_000}, // half an hour of cpu-basic
		{request.Params{HardwareFlavor: "t4-small", Timeout: "61s"}, 200_000},
		{request.Params{HardwareFlavor: "t4-small", Timeout: "1h", Expose: []int{80}}, 6_010_000},
	} {
		if got := money.Worst(list, c.p); !got.Known || got.MicroUSD != c.want || got.Source != price.Live {
			t.Errorf("%+v: %+v", c.p, got)
		}
	}
	for _, p := range []request.Params{{Timeout: "soon"}, {HardwareFlavor: "h900"}} {
		if got := money.Worst(list, p); got.Known || got.Reason == "" {
			t.Errorf("%+v: %+v", p, got)
		}
	}
}

// What a job has cost is its minutes; without a price it is unknown, not
// nothing.
func TestSpent(t *testing.T) {
	var j job.Job
	j.Flavor, j.Status.Stage, j.Durations.RunningSecs = "t4-small", job.Completed, 61
	micro, done := money.Spent(list, j, nil)
	if micro == nil || *micro != 200_000 || done.BillableSeconds != 120 || *done.EstimatedCostUSD != 0.2 || done.CostEstimateSource != "runtime_price_catalog" {
		t.Errorf("%v %+v", micro, done)
	}
	j.Expose = &job.Expose{Ports: []int{80}}
	if micro, _ := money.Spent(list, j, nil); *micro != 200_333 {
		t.Errorf("with a port: %d", *micro)
	}
	rate := 12.0
	if micro, _ := money.Spent(list, j, &rate); *micro != 400_000 {
		t.Errorf("at a fixed rate: %d", *micro)
	}
	j.Flavor = "h900"
	if micro, done := money.Spent(list, j, nil); micro != nil || done.EstimatedCostUSD != nil || done.CostEstimateSource != "unknown_price" {
		t.Errorf("%v %+v", micro, done)
	}
}

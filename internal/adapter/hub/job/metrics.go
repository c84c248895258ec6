package job

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// Metric is a look at a running job's machine.
type Metric struct {
	CPUUsagePct      float64        `json:"cpu_usage_pct"`
	CPUMillicores    int64          `json:"cpu_millicores"`
	MemoryUsedBytes  int64          `json:"memory_used_bytes"`
	MemoryTotalBytes int64          `json:"memory_total_bytes"`
	RxBps            float64        `json:"rx_bps"`
	TxBps            float64        `json:"tx_bps"`
	GPUs             map[string]GPU `json:"gpus"`
}

// GPU is a look at one of its accelerators; Utilization is in percent.
type GPU struct {
	Utilization      float64 `json:"utilization"`
	MemoryUsedBytes  int64   `json:"memory_used_bytes"`
	MemoryTotalBytes int64   `json:"memory_total_bytes"`
}

// Metrics yields a sample a second while the job runs. The stream does not end
// with the job; of a finished one the Hub answers with an error.
func (a *API) Metrics(ctx context.Context, ns, id string) iter.Seq2[Metric, error] {
	return func(yield func(Metric, error) bool) {
		if err := check(ns, id); err != nil {
			yield(Metric{}, err)
			return
		}
		for ev, err := range a.conn.Events(ctx, wire.Request{
			Op: "read the metrics of job " + id, Method: http.MethodGet, Path: jobsPath(ns, id, "metrics"),
		}) {
			if err != nil {
				yield(Metric{}, err)
				return
			}
			var m Metric
			if json.Unmarshal(ev.Data, &m) == nil && !yield(m, nil) {
				return
			}
		}
	}
}

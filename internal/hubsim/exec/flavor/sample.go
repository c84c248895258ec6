package flavor

import "strconv"

// gpuSample is what one accelerator does.
type gpuSample struct {
	Utilization int64 `json:"utilization"`
	MemoryUsed  int64 `json:"memory_used_bytes"`
	MemoryTotal int64 `json:"memory_total_bytes"`
}

// sample is what a machine does.
type sample struct {
	CPUPercent  int64                `json:"cpu_usage_pct"`
	CPUMillis   int64                `json:"cpu_millicores"`
	MemoryUsed  int64                `json:"memory_used_bytes"`
	MemoryTotal int64                `json:"memory_total_bytes"`
	Received    int64                `json:"rx_bps"`
	Sent        int64                `json:"tx_bps"`
	GPUs        map[string]gpuSample `json:"gpus"`
	Replica     string               `json:"replica"`
}

// Sample is what a busy machine of a flavor looks like: made up, and always the
// same, because nothing is measured.
func (f Flavor) Sample() any {
	cores, _ := strconv.ParseInt(f.Cores(), 10, 64)
	const percent, share = 8, 14 // of the processors; one of so many parts of the memory
	s := sample{
		CPUPercent: percent, CPUMillis: cores * 1000, MemoryUsed: f.Gigabytes() << 30 / share, MemoryTotal: f.Gigabytes() << 30,
		GPUs: map[string]gpuSample{}, Replica: "0",
	}
	for i := range f.GPUs() {
		total := f.VRAM() << 30
		s.GPUs[strconv.Itoa(i)] = gpuSample{Utilization: 100, MemoryUsed: total / 3, MemoryTotal: total}
	}
	return s
}

// Package flavor is the Hub's list of hardware with its prices. It knows nothing
// of what runs on it.
package flavor

import (
	"fmt"
	"strconv"
	"strings"
)

// Flavor is a kind of machine; its JSON is the price list's.
type Flavor struct {
	Name        string       `json:"name"`
	PrettyName  string       `json:"prettyName"`
	CPU         string       `json:"cpu"`
	RAM         string       `json:"ram"`
	Disk        string       `json:"ephemeralStorage,omitempty"`
	Accelerator *Accelerator `json:"accelerator"`
	MicroUSD    int64        `json:"unitCostMicroUSD"` // a minute
	USD         float64      `json:"unitCostUSD"`
	Unit        string       `json:"unitLabel"`
}

// Accelerator is what a machine computes with beside its processor.
type Accelerator struct {
	Type         string `json:"type"`
	Model        string `json:"model"`
	Quantity     string `json:"quantity"`
	VRAM         string `json:"vram"` // of all together
	Manufacturer string `json:"manufacturer"`
}

// Find looks a job's flavor up.
func Find(name string) (Flavor, bool) { return find(Jobs(), name) }

// FindSpace looks a Space's flavor up; the shared GPU is one that no list shows.
func FindSpace(name string) (Flavor, bool) {
	if name == "zero-a10g" {
		return flavor(name, "ZeroGPU", "8 vCPU", "62 GB", "", 0, gpu("H200", "1", "70 GB")), true
	}
	return find(Spaces(), name)
}

func find(all []Flavor, name string) (Flavor, bool) {
	for _, f := range all {
		if f.Name == name {
			return f, true
		}
	}
	return Flavor{}, false
}

// GPUs is how many accelerators there are.
func (f Flavor) GPUs() int {
	if f.Accelerator == nil {
		return 0
	}
	n, _ := strconv.Atoi(f.Accelerator.Quantity)
	return n
}

// Cores is the number of processors.
func (f Flavor) Cores() string {
	n, _, _ := strings.Cut(f.CPU, " ")
	return n
}

// Gigabytes is the memory.
func (f Flavor) Gigabytes() int64 { return number(f.RAM) }

// VRAM is the memory of one accelerator, in gigabytes.
func (f Flavor) VRAM() int64 {
	if f.Accelerator == nil {
		return 0
	}
	return number(f.Accelerator.VRAM) / int64(max(1, f.GPUs()))
}

func number(size string) int64 {
	s, _, _ := strings.Cut(size, " ")
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

// Listing is what nvidia-smi shows of the machine, a line for each accelerator.
func (f Flavor) Listing() []string {
	var lines []string
	for i := range f.GPUs() {
		lines = append(lines, fmt.Sprintf("GPU %d: %s %s, %d MiB", i, f.Accelerator.Manufacturer, f.Accelerator.Model, f.VRAM()<<10))
	}
	return lines
}

// Variables adds to own what a program learns of its machine.
func (f Flavor) Variables(own map[string]string) map[string]string {
	own["ACCELERATOR"] = "none"
	if f.Accelerator != nil {
		own["ACCELERATOR"] = f.Name
	}
	own["CPU_CORES"], own["MEMORY"] = f.Cores(), fmt.Sprintf("%dGi", f.Gigabytes())
	return own
}

func gpu(model, quantity, vram string) *Accelerator {
	return &Accelerator{Type: "gpu", Model: model, Quantity: quantity, VRAM: vram, Manufacturer: "Nvidia"}
}

func flavor(name, pretty, cpu, ram, disk string, microUSD int64, a *Accelerator) Flavor {
	return Flavor{name, pretty, cpu, ram, disk, a, microUSD, float64(microUSD) / 1e6, "minute"}
}

// Spaces lists what Spaces run on: the jobs' list without storage, where the
// smallest machine costs nothing and the newest ones are missing.
func Spaces() []Flavor {
	var all []Flavor
	for _, f := range Jobs() {
		if strings.HasPrefix(f.Name, "h200") || strings.HasPrefix(f.Name, "rtx-pro") {
			continue
		}
		f.Disk = ""
		if f.Name == "cpu-basic" {
			f.MicroUSD, f.USD = 0, 0
		}
		all = append(all, f)
	}
	return all
}

// Jobs lists what jobs run on.
func Jobs() []Flavor {
	return []Flavor{
		flavor("cpu-basic", "CPU Basic", "2 vCPU", "16 GB", "50 GB", 167, nil),
		flavor("cpu-upgrade", "CPU Upgrade", "8 vCPU", "32 GB", "50 GB", 500, nil),
		flavor("cpu-performance", "CPU Performance", "32 vCPU", "256 GB", "1024 GB", 31667, nil),
		flavor("cpu-xl", "CPU XL", "16 vCPU", "124 GB", "1000 GB", 16667, nil),
		flavor("t4-small", "Nvidia T4 - small", "4 vCPU", "15 GB", "50 GB", 6667, gpu("T4", "1", "16 GB")),
		flavor("t4-medium", "Nvidia T4 - medium", "8 vCPU", "30 GB", "100 GB", 10000, gpu("T4", "1", "16 GB")),
		flavor("a10g-small", "Nvidia A10G - small", "4 vCPU", "15 GB", "110 GB", 16667, gpu("A10G", "1", "24 GB")),
		flavor("a10g-large", "Nvidia A10G - large", "12 vCPU", "46 GB", "200 GB", 25000, gpu("A10G", "1", "24 GB")),
		flavor("a10g-largex2", "2x Nvidia A10G - large", "24 vCPU", "92 GB", "1000 GB", 50000, gpu("A10G", "2", "48 GB")),
		flavor("a10g-largex4", "4x Nvidia A10G - large", "48 vCPU", "184 GB", "2000 GB", 83333, gpu("A10G", "4", "96 GB")),
		flavor("a100-large", "Nvidia A100 - large", "12 vCPU", "142 GB", "1000 GB", 41667, gpu("A100", "1", "80 GB")),
		flavor("a100x4", "4x Nvidia A100", "48 vCPU", "568 GB", "4000 GB", 166667, gpu("A100", "4", "320 GB")),
		flavor("a100x8", "8x Nvidia A100", "96 vCPU", "1136 GB", "8000 GB", 333333, gpu("A100", "8", "640 GB")),
		flavor("h200", "Nvidia H200", "23 vCPU", "256 GB", "3000 GB", 83333, gpu("H200", "1", "141 GB")),
		flavor("h200x2", "Nvidia H200", "46 vCPU", "512 GB", "6000 GB", 166667, gpu("H200", "2", "282 GB")),
		flavor("h200x4", "Nvidia H200", "92 vCPU", "1024 GB", "12000 GB", 333333, gpu("H200", "4", "564 GB")),
		flavor("h200x8", "Nvidia H200", "184 vCPU", "2048 GB", "24000 GB", 666667, gpu("H200", "8", "1128 GB")),
		flavor("rtx-pro-6000", "Nvidia RTX PRO 6000", "23 vCPU", "256 GB", "475 GB", 45833, gpu("RTX PRO 6000", "1", "96 GB")),
		flavor("rtx-pro-6000x2", "Nvidia RTX PRO 6000", "46 vCPU", "512 GB", "950 GB", 91667, gpu("RTX PRO 6000", "2", "192 GB")),
		flavor("rtx-pro-6000x4", "Nvidia RTX PRO 6000", "92 vCPU", "1024 GB", "1900 GB", 183333, gpu("RTX PRO 6000", "4", "384 GB")),
		flavor("rtx-pro-6000x8", "Nvidia RTX PRO 6000", "184 vCPU", "2048 GB", "3800 GB", 366667, gpu("RTX PRO 6000", "8", "768 GB")),
		flavor("l4x1", "1x Nvidia L4", "8 vCPU", "30 GB", "400 GB", 13333, gpu("L4", "1", "24 GB")),
		flavor("l4x4", "4x Nvidia L4", "48 vCPU", "186 GB", "3200 GB", 63333, gpu("L4", "4", "96 GB")),
		flavor("l40sx1", "1x Nvidia L40S", "8 vCPU", "62 GB", "380 GB", 30000, gpu("L40S", "1", "48 GB")),
		flavor("l40sx4", "4x Nvidia L40S", "48 vCPU", "382 GB", "3200 GB", 138333, gpu("L40S", "4", "192 GB")),
		flavor("l40sx8", "8x Nvidia L40S", "192 vCPU", "1534 GB", "6500 GB", 391667, gpu("L40S", "8", "384 GB")),
	}
}

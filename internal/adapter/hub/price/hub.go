package price

import (
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/space"
)

// FromJobs reads the Hub's list of machines for jobs. One whose price has an
// unknown unit is left out: it has no price.
func FromJobs(list []job.Flavor) []Flavor {
	var out []Flavor
	for _, f := range list {
		usd, known := f.USDPerHour()
		if !known {
			continue
		}
		flavor := Flavor{Name: f.Name, Title: f.PrettyName, CPU: f.CPU, RAM: f.RAM, Disk: f.EphemeralStorage, USDPerHour: usd}
		if a := f.Accelerator; a != nil {
			flavor.GPU = strings.TrimSpace(a.Quantity.String() + "x " + a.Model)
			if a.VRAM != "" {
				flavor.GPU += " (" + a.VRAM + ")"
			}
		}
		out = append(out, flavor)
	}
	return out
}

// FromSpaces reads the Hub's list of machines for Spaces.
func FromSpaces(list []space.Flavor) []Flavor {
	jobs := make([]job.Flavor, len(list))
	for i, f := range list {
		jobs[i] = job.Flavor{
			Name: f.Name, PrettyName: f.PrettyName, CPU: f.CPU, RAM: f.RAM, Accelerator: f.Accelerator,
			UnitCostUSD: f.UnitCostUSD, UnitLabel: f.UnitLabel,
		}
	}
	return FromJobs(jobs)
}

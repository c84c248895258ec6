package price

import (
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
)

// FromHub reads the Hub's list of machines, for jobs or for Spaces. One whose
// price has an unknown unit is left out: it has no price.
func FromHub(list []job.Flavor) []Flavor {
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

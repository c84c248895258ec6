package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/price"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/delivery"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/request"
)

// shortTraining is the timeout under which a job on a GPU is pointed out.
const shortTraining = 2 * time.Hour

// Caution is what a person should know before letting a job run.
func Caution(p request.Params, list price.List, c tool.Cost) string {
	flavor, _ := list.Find(p.FlavorName())
	limit, err := request.Duration("timeout", p.Timeout, request.DefaultTimeout)
	parts := []string{}
	switch {
	case !c.Known:
		parts = append(parts, "cost unknown: "+c.Reason)
	default:
		text := fmt.Sprintf("costs at most %s USD (%s at %.4g USD/h for %s)", Dollars(c.MicroUSD), p.FlavorName(), c.USDPerHour, limit)
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

// Dollars is an amount of millionths of a dollar, with more digits when it is
// small.
func Dollars(micro int64) string {
	if usd := float64(micro) / 1e6; usd >= 0.1 || micro == 0 {
		return fmt.Sprintf("%.2f", usd)
	}
	return fmt.Sprintf("%.4f", float64(micro)/1e6)
}

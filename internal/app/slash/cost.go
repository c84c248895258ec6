package slash

import (
	"fmt"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript"
)

// spent is what a session has cost, in words that hide nothing.
func spent(s transcript.Status) string {
	text := fmt.Sprintf("$%.2f", float64(s.CostMicroUSD+s.JobsMicroUSD)/1e6)
	if s.CostIncomplete || s.JobsIncomplete {
		text += " and more whose price is unknown"
	}
	return text
}

package desk

import (
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript"
)

// USD writes an amount in dollars.
func USD(v float64) string { return amount.Dollars(policy.Micro(v)) }

// Spent is what a session has cost, in words that hide nothing.
func Spent(s transcript.Status) string {
	text := amount.Dollars(s.CostMicroUSD + s.JobsMicroUSD)
	if s.JobsEstimated {
		text = "~" + text
	}
	if s.CostIncomplete || s.JobsIncomplete {
		text += " and more whose price is unknown"
	}
	return text
}

// Package licence reads what a data set's record says about its licence: what
// it forbids, and where card and tags contradict each other. It is no legal
// advice and knows no licence text.
package licence

// Record is what is known about a data set's licence.
type Record struct {
	// Card is the licence of the card's metadata; several where it lists them.
	Card []string
	// Tags are the record's tags; those that begin with "license:" count.
	Tags []string
	// Gated is "", "auto" or "manual".
	Gated string
	// Private tells that only some can read it.
	Private bool
}

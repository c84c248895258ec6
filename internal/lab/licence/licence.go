// Package licence reads what a data set's record says about its licence: what
// it forbids, and where card and tags contradict each other. It is no legal
// advice and knows no licence text.
package licence

import (
	"slices"
	"strings"
)

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

// Finding is what a record's licence means.
type Finding struct {
	// Card and Tags are the licences of each, in lower case and in order.
	Card []string `json:"card"`
	Tags []string `json:"tags"`
	// Conflict tells that card and tags name different licences.
	Conflict bool `json:"conflict"`
	// Missing tells that there is none, or one that says nothing.
	Missing bool `json:"missing"`
	// NonCommercial, ShareAlike, NoDerivatives and Special are the licences that
	// forbid trade, want derived works under the same terms, forbid changes, or
	// have terms of their own.
	NonCommercial []string `json:"non_commercial"`
	ShareAlike    []string `json:"share_alike"`
	NoDerivatives []string `json:"no_derivatives"`
	Special       []string `json:"own_terms"`
	Gated         string   `json:"gated"`
	Private       bool     `json:"private"`
}

// Look reads a record.
func Look(r Record) Finding {
	f := Finding{
		Card: clean(r.Card), Tags: []string{}, Gated: r.Gated, Private: r.Private,
		NonCommercial: []string{}, ShareAlike: []string{}, NoDerivatives: []string{}, Special: []string{},
	}
	var tags []string
	for _, t := range r.Tags {
		if name, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(t)), "license:"); ok {
			tags = append(tags, name)
		}
	}
	f.Tags = clean(tags)
	f.Conflict = len(f.Card) > 0 && len(f.Tags) > 0 && !slices.Equal(f.Card, f.Tags)
	known := false
	for _, name := range clean(append(slices.Clone(f.Card), f.Tags...)) {
		switch name {
		case "unknown":
			continue
		case "other":
			f.Special = append(f.Special, name)
		}
		known = true
		if nonCommercial(name) {
			f.NonCommercial = append(f.NonCommercial, name)
		}
		if shareAlike(name) {
			f.ShareAlike = append(f.ShareAlike, name)
		}
		if strings.HasSuffix(name, "-nd") || strings.Contains(name, "-nd-") {
			f.NoDerivatives = append(f.NoDerivatives, name)
		}
		if own(name) {
			f.Special = append(f.Special, name)
		}
	}
	f.Missing = !known
	return f
}

// clean is the names in lower case, each once, in order.
func clean(names []string) []string {
	out := make([]string, 0, len(names))
	for _, n := range names {
		if n = strings.ToLower(strings.TrimSpace(n)); n != "" {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func nonCommercial(name string) bool {
	return strings.HasSuffix(name, "-nc") || strings.Contains(name, "-nc-") || strings.Contains(name, "noncommercial") ||
		strings.Contains(name, "non-commercial") || strings.Contains(name, "research-only") || name == "intel-research" || name == "apple-amlr"
}

func shareAlike(name string) bool {
	for _, family := range []string{"gpl", "agpl", "lgpl", "gfdl", "odbl", "osl", "eupl", "cdla-sharing"} {
		if name == family || strings.HasPrefix(name, family+"-") {
			return true
		}
	}
	return strings.HasSuffix(name, "-sa") || strings.Contains(name, "-sa-")
}

// own reports whether a licence is one maker's, with terms to read.
func own(name string) bool {
	for _, maker := range []string{"llama", "gemma", "openrail", "bigscience-", "bigcode-", "creativeml-", "deepfloyd-", "apple-", "h-research"} {
		if strings.HasPrefix(name, maker) {
			return true
		}
	}
	return false
}

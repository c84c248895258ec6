package lookup_test

import (
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
)

// What services ask of programs: how long to wait between requests, without a
// key, with one, and once they have complained.
func TestPacesOfServices(t *testing.T) {
	type pace struct{ every, keyed, penalty time.Duration }
	want := map[string]pace{
		"the arXiv search": {every: 3 * time.Second},
		"Semantic Scholar": {every: time.Second, keyed: time.Second, penalty: 3 * time.Second},
		"the web search":   {every: time.Second, keyed: time.Second},
	}
	for _, unhurried := range []bool{false, true} {
		seen := 0
		for _, s := range lookup.Services(lookup.Places{Base: func(string) string { return "" }, Unhurried: unhurried}) {
			w, slow := want[s.Name]
			if slow {
				seen++
			}
			if unhurried {
				w = pace{}
			}
			if got := (pace{s.Every, s.Keyed, s.Penalty}); got != w {
				t.Errorf("%s, unhurried %v: %v, want %v", s.Name, unhurried, got, w)
			}
		}
		if seen != len(want) {
			t.Errorf("%d of %d services are there", seen, len(want))
		}
	}
}

package licence_test

import (
	"slices"
	"testing"

	"github.com/ml-intern/ml-intern/internal/lab/licence"
)

func TestLook(t *testing.T) {
	for name, c := range map[string]struct {
		record                        licence.Record
		conflict, missing             bool
		trade, share, frozen, special []string
	}{
		"agree":    {record: licence.Record{Card: []string{"CC-BY-4.0"}, Tags: []string{"license:cc-by-4.0", "language:en"}}},
		"conflict": {record: licence.Record{Card: []string{"mit"}, Tags: []string{"license:apache-2.0"}}, conflict: true},
		"all three": {
			record: licence.Record{Card: []string{"cc-by-nc-sa-4.0"}, Tags: []string{"license:cc-by-nc-nd-4.0"}}, conflict: true,
			trade: []string{"cc-by-nc-nd-4.0", "cc-by-nc-sa-4.0"}, share: []string{"cc-by-nc-sa-4.0"}, frozen: []string{"cc-by-nc-nd-4.0"},
		},
		"copyleft":  {record: licence.Record{Tags: []string{"license:gpl-3.0", "license:odbl"}}, share: []string{"gpl-3.0", "odbl"}},
		"none":      {missing: true},
		"unknown":   {record: licence.Record{Card: []string{"unknown"}}, missing: true},
		"other":     {record: licence.Record{Card: []string{"other"}}, special: []string{"other"}},
		"own terms": {record: licence.Record{Card: []string{"llama3.1"}}, special: []string{"llama3.1"}},
		"two":       {record: licence.Record{Card: []string{"mit", "cc0-1.0"}, Tags: []string{"license:cc0-1.0", "license:mit"}}},
	} {
		f := licence.Look(c.record)
		if f.Conflict != c.conflict || f.Missing != c.missing || !slices.Equal(f.NonCommercial, c.trade) || !slices.Equal(f.ShareAlike, c.share) ||
			!slices.Equal(f.NoDerivatives, c.frozen) || !slices.Equal(f.Special, c.special) {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

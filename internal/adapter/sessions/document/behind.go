package document

import (
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/evidence"
)

// Behind is the evidence of a session, and a stand-in for each address that the turns did
// not find to be without any: those of the session's own work.
func Behind(d Document, text string) []event.Evidence {
	all := d.Evidence()
	var without []string
	judged := false
	for _, ev := range d.Events {
		if ev.Type != event.TypeTurnComplete {
			continue
		}
		if end, err := event.Decode[event.TurnComplete](ev); err == nil {
			judged = true
			without = append(without, end.Unverified...)
		}
	}
	for _, r := range evidence.References(text) {
		if judged && strings.Contains(r.Text, "/") && !slices.Contains(without, r.Text) {
			all = append(all, event.Evidence{URL: r.Text})
		}
	}
	return all
}

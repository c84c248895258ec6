// Package past says how much of the events of a session that goes on matters.
package past

import "github.com/ml-intern/ml-intern/internal/domain/event"

// Turns is where the last turns begin, at most so many, and how many come before
// them.
func Turns(events []event.Event, most int) (from, earlier int) {
	turns := 0
	for i := len(events) - 1; i >= 0; i-- {
		if events[i].Type != event.TypeTurnStarted {
			continue
		}
		if turns++; turns <= most {
			from = i
		}
	}
	if turns <= most {
		from = 0 // what came before the first turn is shown too
	}
	return from, max(0, turns-most)
}

// Results is where the last results of tools begin, at least so many, with the
// turn of the first of them.
func Results(events []event.Event, least int) int {
	results := 0
	for i := len(events) - 1; i >= 0; i-- {
		switch {
		case events[i].Type == event.TypeToolOutput && events[i].AgentID() == "":
			results++
		case events[i].Type == event.TypeTurnStarted && results >= least:
			return i
		}
	}
	return 0
}

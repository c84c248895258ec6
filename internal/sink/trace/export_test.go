package trace

import (
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Open makes the document of a journal's events.
func Open(events []event.Event) (document.Document, error) { return open(events) }

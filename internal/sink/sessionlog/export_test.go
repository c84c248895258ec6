package sessionlog

import (
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Draft is the file in the making.
type Draft struct{ d draft }

// NewDraft returns an empty draft for a folder.
func NewDraft(dir string) *Draft { return &Draft{newDraft(dir)} }

// Take takes in an event.
func (d *Draft) Take(ev event.Event) error {
	_, err := d.d.take(ev)
	return err
}

// Save writes the file.
func (d *Draft) Save(path string) error {
	return d.d.save(path, "s", document.About{}, document.Uploads{}, time.Now())
}

// Stored is how many bytes of messages were ever encoded.
func (d *Draft) Stored() int64 { return d.d.messages.len() }

// Close lets go of what was put aside.
func (d *Draft) Close() error { return d.d.close() }

// Package messaging is the port to everything that carries a one-way message to
// a person who looks elsewhere: the message, the gateway that takes it, what a
// gateway says when it did not, and the few tries that one delivery makes. How a
// service wants a message to look is the business of the packages below it. It
// knows no session, no queue and no configuration, and nothing comes back this
// way.
package messaging

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Severity is how much a message matters.
type Severity string

// The severities, from the least.
const (
	Info    Severity = "info"
	Success Severity = "success"
	Warning Severity = "warning"
	Error   Severity = "error"
)

// Severities lists all of them, in order.
func Severities() []Severity { return []Severity{Info, Success, Warning, Error} }

// Field is a fact beside the text, shown as "name: value".
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// PromptField names the fact that says what a person has asked for.
const PromptField = "prompt"

// Message is what is sent. Text is Markdown as models write it.
type Message struct {
	// ID is the same however often the message is tried: a receiver that saw it
	// before can tell.
	ID       string    `json:"id"`
	Time     time.Time `json:"time"`
	Severity Severity  `json:"severity"`
	Title    string    `json:"title,omitempty"`
	Text     string    `json:"text"`
	Fields   []Field   `json:"fields,omitempty"`
	// Event is the type of the event that the message tells of; empty for what
	// the agent or a person sends.
	Event string `json:"event_type,omitempty"`
	// Session is the id of the session it comes from.
	Session string `json:"session_id,omitempty"`
	// Thread is the id that the gateway gave the message which this one follows;
	// empty for one that stands alone. Gateways without threads ignore it.
	Thread string `json:"thread,omitempty"`
	// Posts is how many posts of a message that takes several are delivered: a
	// further try goes on behind them.
	Posts int `json:"posts,omitempty"`
	// Count is how often the same has happened; 0 and 1 are once.
	Count int `json:"count,omitempty"`
}

// Document is the message as a receiver of JSON gets it.
func (m Message) Document() ([]byte, error) {
	facts := make(map[string]string, len(m.Fields))
	for _, f := range m.Fields {
		facts[f.Name] = f.Value
	}
	return json.Marshal(struct {
		ID        string            `json:"id"`
		Timestamp string            `json:"timestamp"`
		Event     string            `json:"event_type"`
		Severity  Severity          `json:"severity"`
		Title     string            `json:"title"`
		Text      string            `json:"message"`
		Count     int               `json:"count"`
		Session   string            `json:"session_id"`
		Metadata  map[string]string `json:"metadata"`
	}{m.ID, m.Time.UTC().Format(time.RFC3339), m.Event, m.Severity, m.Title, m.Text, max(1, m.Count), m.Session, facts})
}

// Gateway carries messages to one receiver. It is safe for concurrent use.
type Gateway interface {
	// Send makes one try and returns the id under which later messages can
	// follow this one, empty where there is none. An error is a *Fault; it names
	// no address, token or secret.
	Send(ctx context.Context, m Message) (id string, err error)
}

// Prober is a gateway that can tell, without sending anything, whether it would
// work, and what was found.
type Prober interface {
	Probe(ctx context.Context) (found string, err error)
}

// Fault is why a message was not delivered.
type Fault struct {
	// Reason is a few words, fit for a model and a person.
	Reason string
	// Retryable: the next try may succeed. Otherwise none will.
	Retryable bool
	// Wait is how long the receiver asks to be left alone; 0 when it does not
	// say.
	Wait time.Duration
	// ID and Posts tell what of a message in several posts was delivered.
	ID    string
	Posts int
}

func (f *Fault) Error() string { return f.Reason }

// Permanent is a fault that no further try mends.
func Permanent(format string, args ...any) *Fault {
	return &Fault{Reason: fmt.Sprintf(format, args...)}
}

// Passing is a fault that the next try may not meet.
func Passing(format string, args ...any) *Fault {
	return &Fault{Reason: fmt.Sprintf(format, args...), Retryable: true}
}

// FaultOf is the fault in an error's chain; an error without one is taken for
// one that passes.
func FaultOf(err error) *Fault {
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	return Passing("%s", err.Error())
}

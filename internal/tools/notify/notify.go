// Package notify is the tool that sends a message to people who do not look at
// the conversation. It checks what is sent, to whom and how often; how a message
// travels is the business of whoever it is handed to.
package notify

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/ml-intern/ml-intern/internal/adapter/messaging"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

//go:embed notify.json
var description []byte

// Limits of what the agent may send.
const (
	perTurn = 10 // calls that send
	perHour = 60 // messages to one destination
	// longest is the length of a message, in characters.
	longest = 4_000
)

// Options make a Tool.
type Options struct {
	// Destinations are the names that the agent may send to.
	Destinations []string
	// Configured says that messages can be sent at all; without, every call
	// fails and says so.
	Configured bool
	// Send delivers a message to a destination, with a few tries.
	Send func(ctx context.Context, destination string, m messaging.Message) error
	// Scrub takes secrets out of a text.
	Scrub func(text string) string
}

// Tool is notify.
type Tool struct {
	o    Options
	spec tool.Spec

	mu   sync.Mutex // guards what follows
	turn string     // that sent counts, with its session
	sent int
	hour map[string][]time.Time // when messages went to a destination
}

var _ tool.Tool = (*Tool)(nil)

// New returns the tool.
func New(o Options) (*Tool, error) {
	if o.Configured && (o.Send == nil || o.Scrub == nil) {
		return nil, errors.New("make the tool notify: it needs a sender and a scrubber")
	}
	spec, err := tool.ParseSpec(description, 0)
	if err != nil {
		return nil, err
	}
	o.Destinations = slices.Sorted(slices.Values(o.Destinations))
	if len(o.Destinations) > 0 {
		spec.Description += " Destinations: " + strings.Join(o.Destinations, ", ") + "."
	}
	return &Tool{o: o, spec: spec, hour: map[string][]time.Time{}}, nil
}

// Params are the arguments of notify.
type Params struct {
	Destinations []string `json:"destinations"`
	Message      string   `json:"message"`
	Title        string   `json:"title,omitempty"`
	Severity     string   `json:"severity,omitempty"`
}

// Spec describes the tool.
func (t *Tool) Spec() tool.Spec { return t.spec }

// Risk is that others see it and that it cannot be taken back; messages keep
// their order.
func (t *Tool) Risk(json.RawMessage) tool.Risk {
	return tool.Risk{Effect: event.Once, Outward: true, Lane: "notify"}
}

// Run sends one message to all destinations at once.
func (t *Tool) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	if !t.o.Configured {
		return tool.Failed("Messaging is not configured for this session."), nil
	}
	p, err := t.read(args)
	if err == nil {
		err = t.count(env.SessionID() + "/" + env.TurnID())
	}
	if err != nil {
		return tool.Failed("Nothing was sent: " + err.Error() + "."), nil
	}
	m := messaging.Message{
		Time: time.Now(), Severity: messaging.Severity(p.Severity), Title: t.o.Scrub(p.Title), Text: t.o.Scrub(p.Message), Session: env.SessionID(),
		Fields: []messaging.Field{{Name: "session_id", Value: env.SessionID()}, {Name: "model", Value: env.Model()}},
	}
	lines, failed := make([]string, len(p.Destinations)), make([]bool, len(p.Destinations))
	var wait sync.WaitGroup
	for i, name := range p.Destinations {
		wait.Go(func() {
			lines[i] = name + ": sent"
			if err := t.send(ctx, name, m); err != nil {
				lines[i], failed[i] = fmt.Sprintf("%s: failed (%v)", name, err), true
			}
		})
	}
	wait.Wait()
	return tool.Result{Output: strings.Join(lines, "\n"), OK: !slices.Contains(failed, true)}, nil
}

func (t *Tool) send(ctx context.Context, name string, m messaging.Message) error {
	if err := t.room(name); err != nil {
		return err
	}
	m.ID = "msg_" + uuid.NewString()
	return t.o.Send(ctx, name, m)
}

// read checks the arguments, in the order in which they are complained about.
func (t *Tool) read(args json.RawMessage) (p Params, err error) {
	var call struct {
		Destinations json.RawMessage `json:"destinations"`
		Message      json.RawMessage `json:"message"`
		Title        json.RawMessage `json:"title,omitempty"`
		Severity     json.RawMessage `json:"severity,omitempty"`
	}
	if err := tool.Decode(args, &call); err != nil {
		return p, err
	}
	if p.Destinations, err = t.destinations(call.Destinations); err != nil {
		return p, err
	}
	switch {
	case json.Unmarshal(call.Message, &p.Message) != nil || strings.TrimSpace(p.Message) == "":
		return p, errors.New("message must be a string that is not blank")
	case utf8.RuneCountInString(p.Message) > longest:
		return p, fmt.Errorf("message has more than %d characters; shorten it", longest)
	case len(call.Title) > 0 && json.Unmarshal(call.Title, &p.Title) != nil:
		return p, errors.New("title must be a string")
	case len(call.Severity) > 0 && json.Unmarshal(call.Severity, &p.Severity) != nil:
		return p, errors.New("severity must be a string")
	case p.Severity == "":
		p.Severity = string(messaging.Info)
	case !slices.Contains(messaging.Severities(), messaging.Severity(p.Severity)):
		return p, fmt.Errorf("severity must be info, success, warning or error, not %q", p.Severity)
	}
	return p, nil
}

// destinations are the names of a call, each once. One that is not allowed
// refuses all.
func (t *Tool) destinations(raw json.RawMessage) ([]string, error) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || len(list) == 0 {
		return nil, errors.New("destinations must be a list of at least one name")
	}
	var names, unknown []string
	for i, item := range list {
		var name string
		if json.Unmarshal(item, &name) != nil || string(item) == "null" {
			return nil, fmt.Errorf("destinations[%d] must be a string", i)
		}
		if name = strings.TrimSpace(name); name == "" {
			return nil, fmt.Errorf("destinations[%d] is blank", i)
		}
		if slices.Contains(names, name) {
			continue
		}
		names = append(names, name)
		if !slices.Contains(t.o.Destinations, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		allowed := strings.Join(t.o.Destinations, ", ")
		if allowed == "" {
			allowed = "none"
		}
		return nil, fmt.Errorf("unknown or not allowed for the agent: %s (allowed: %s)", strings.Join(unknown, ", "), allowed)
	}
	return names, nil
}

// count takes a call of a turn, unless there were too many.
func (t *Tool) count(turn string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if turn != t.turn {
		t.turn, t.sent = turn, 0
	}
	if t.sent >= perTurn {
		return fmt.Errorf("a turn may send %d notifications, and this one has; go on without", perTurn)
	}
	t.sent++
	return nil
}

// room takes a message to a destination, unless there were too many.
func (t *Tool) room(name string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	ago := time.Now().Add(-time.Hour)
	recent := slices.DeleteFunc(t.hour[name], func(at time.Time) bool { return !at.After(ago) })
	t.hour[name] = recent
	if len(recent) >= perHour {
		return fmt.Errorf("refused: %d messages in an hour are the most", perHour)
	}
	t.hour[name] = append(recent, time.Now())
	return nil
}

package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Model is one entry of the list.
type Model struct {
	ID string
	// Inputs are the kinds of input it takes, such as "text" and "image".
	Inputs []string
	Offers []Offer
}

// Offer is one provider's terms for a model. Unknown numbers are zero, unknown
// prices nil.
type Offer struct {
	Provider string
	Live     bool
	// Context is the window in tokens.
	Context int
	// Input and Output are dollars per million tokens.
	Input, Output *float64
	Tools         bool
	// LatencyMS is the time to the first token, Throughput tokens per second.
	LatencyMS, Throughput float64
}

// Terms are what a call through the router has to reckon with.
type Terms struct {
	// Window is in tokens, 0 when unknown; Certain is false when it is taken
	// from other providers than the pinned one.
	Window  int
	Certain bool
	// Input and Output are dollars per million tokens, nil when unknown.
	Input, Output *float64
	// Serving is the provider that was pinned or chosen, empty when it is open.
	Serving string
}

// Policy reports whether a tag is a way of choosing rather than a provider.
func Policy(tag string) bool {
	return tag == "" || tag == "fastest" || tag == "cheapest" || tag == "preferred"
}

// Live returns the offers that can be used now.
func (m Model) Live() []Offer {
	return slices.DeleteFunc(slices.Clone(m.Offers), func(o Offer) bool { return !o.Live })
}

// Offer returns the offer of a provider, live or not.
func (m Model) Offer(provider string) (Offer, bool) {
	i := slices.IndexFunc(m.Offers, func(o Offer) bool { return o.Provider == provider })
	if i < 0 {
		return Offer{}, false
	}
	return m.Offers[i], true
}

// Tools reports whether a live provider says that it supports tool calls.
func (m Model) Tools() bool {
	return slices.ContainsFunc(m.Offers, func(o Offer) bool { return o.Live && o.Tools })
}

// Terms returns window and price for a routing tag: those of the pinned
// provider; for "cheapest" those of the live provider with the lowest output
// price; otherwise the smallest window and the highest prices of the live
// providers that support tools, because any of them may serve the call.
func (m Model) Terms(tag string) Terms {
	open := m.conservative()
	var chosen Offer
	switch {
	case tag == "cheapest":
		cheapest, ok := m.cheapest()
		if !ok {
			return open
		}
		chosen = cheapest
	case Policy(tag):
		return open
	default:
		pinned, ok := m.Offer(tag)
		if !ok {
			return Terms{Window: open.Window, Serving: tag}
		}
		chosen = pinned
	}
	t := Terms{Window: chosen.Context, Certain: true, Input: chosen.Input, Output: chosen.Output, Serving: chosen.Provider}
	if t.Window == 0 {
		t.Window, t.Certain = open.Window, false
	}
	return t
}

func (m Model) cheapest() (Offer, bool) {
	var best Offer
	found := false
	for _, o := range m.Offers {
		if o.Live && o.Output != nil && (!found || *o.Output < *best.Output) {
			best, found = o, true
		}
	}
	return best, found
}

func (m Model) conservative() Terms {
	offers := slices.DeleteFunc(m.Live(), func(o Offer) bool { return !o.Tools })
	if len(offers) == 0 {
		offers = m.Live()
	}
	var t Terms
	for _, o := range offers {
		if o.Context > 0 && (t.Window == 0 || o.Context < t.Window) {
			t.Window, t.Certain = o.Context, true
		}
		t.Input, t.Output = higher(t.Input, o.Input), higher(t.Output, o.Output)
	}
	return t
}

func higher(a, b *float64) *float64 {
	if a == nil || b != nil && *b > *a {
		return b
	}
	return a
}

// String is one line for a person; what is unknown is n/a.
func (o Offer) String() string {
	dollars := func(p *float64) string {
		if p == nil {
			return "n/a"
		}
		return fmt.Sprintf("$%.4g", *p)
	}
	window, tools := "n/a", "no tools"
	if o.Context > 0 {
		window = fmt.Sprintf("%d", o.Context)
	}
	if o.Tools {
		tools = "tools"
	}
	return fmt.Sprintf("%s: %s in / %s out per million tokens, context %s, %s",
		o.Provider, dollars(o.Input), dollars(o.Output), window, tools)
}

// parse reads the router's answer. Entries and offers it does not understand
// are left out; fields may be missing or null.
func parse(raw []byte) ([]Model, error) {
	var in struct {
		Data []json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, fmt.Errorf("decode the list of models: %w", err)
	}
	if in.Data == nil {
		return nil, errors.New("decode the list of models: data is missing")
	}
	models := make([]Model, 0, len(in.Data))
	for _, entry := range in.Data {
		if m, ok := parseModel(entry); ok {
			models = append(models, m)
		}
	}
	return models, nil
}

func parseModel(raw []byte) (Model, bool) {
	var in struct {
		ID           string          `json:"id"`
		Architecture json.RawMessage `json:"architecture"`
		Providers    json.RawMessage `json:"providers"`
	}
	if json.Unmarshal(raw, &in) != nil || in.ID == "" {
		return Model{}, false
	}
	var arch struct {
		Inputs []string `json:"input_modalities"`
	}
	_ = json.Unmarshal(in.Architecture, &arch) // a foreign shape tells nothing
	var offers []json.RawMessage
	_ = json.Unmarshal(in.Providers, &offers)
	m := Model{ID: in.ID, Inputs: arch.Inputs}
	for _, raw := range offers {
		if o, ok := parseOffer(raw); ok {
			m.Offers = append(m.Offers, o)
		}
	}
	return m, true
}

func parseOffer(raw []byte) (Offer, bool) {
	var in map[string]json.RawMessage
	if json.Unmarshal(raw, &in) != nil {
		return Offer{}, false
	}
	o := Offer{Provider: field[string](in, "provider"), Tools: field[bool](in, "supports_tools")}
	if o.Provider == "" {
		return Offer{}, false
	}
	o.Live = strings.EqualFold(field[string](in, "status"), "live")
	if n := field[float64](in, "context_length"); n >= 1 && n < math.MaxInt32 {
		o.Context = int(n)
	}
	o.LatencyMS, o.Throughput = field[float64](in, "first_token_latency_ms"), field[float64](in, "throughput")
	prices := field[map[string]json.RawMessage](in, "pricing")
	o.Input, o.Output = dollars(prices, "input"), dollars(prices, "output")
	if field[bool](in, "is_free") && o.Input == nil && o.Output == nil {
		o.Input, o.Output = new(float64), new(float64)
	}
	return o, true
}

// field reads one member; a missing or foreign one is the zero value.
func field[T any](in map[string]json.RawMessage, name string) T {
	var v T
	if json.Unmarshal(in[name], &v) != nil {
		var zero T
		return zero
	}
	return v
}

func dollars(in map[string]json.RawMessage, name string) *float64 {
	if p := field[*float64](in, name); p != nil && *p >= 0 {
		return p
	}
	return nil
}

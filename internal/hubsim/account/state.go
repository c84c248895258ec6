package account

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// state is the book as it is stored.
type state struct {
	Entities []*Entity `json:"entities"`
	Tokens   []*Token  `json:"tokens"`
	Charges  []Charge  `json:"charges,omitempty"`
}

// Save writes the book down.
func (b *Book) Save() (json.RawMessage, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := state{Charges: b.charges}
	for _, name := range slices.Sorted(maps.Keys(b.entities)) {
		s.Entities = append(s.Entities, b.entities[name])
	}
	for _, value := range slices.Sorted(maps.Keys(b.tokens)) {
		s.Tokens = append(s.Tokens, b.tokens[value])
	}
	return json.Marshal(s)
}

// Load replaces the book by one that Save wrote.
func (b *Book) Load(raw json.RawMessage) error {
	var s state
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.entities)
	clear(b.tokens)
	b.charges = s.Charges
	for _, e := range s.Entities {
		b.entities[strings.ToLower(e.Name)] = e
	}
	for _, t := range s.Tokens {
		b.tokens[t.Value] = t
	}
	return nil
}

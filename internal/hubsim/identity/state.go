package identity

import (
	"crypto/ed25519"
	"encoding/json"
)

// state is what outlives a restart: codes and waiting devices do not.
type state struct {
	Clients  map[string]client      `json:"clients,omitempty"`
	Refresh  map[string]grant       `json:"refresh,omitempty"`
	Settings map[string]MCPSettings `json:"settings,omitempty"`
	Signer   []byte                 `json:"signer,omitempty"`
}

// Save writes down the registered clients, refresh tokens and settings.
func (a *Area) Save() (json.RawMessage, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := state{Clients: a.clients, Refresh: a.refresh, Settings: a.settings}
	if a.signer != nil {
		s.Signer = a.signer.Seed()
	}
	return json.Marshal(s)
}

// Load reads what Save wrote.
func (a *Area) Load(raw json.RawMessage) error {
	s := state{Clients: map[string]client{}, Refresh: map[string]grant{}, Settings: map[string]MCPSettings{}}
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.clients, a.refresh, a.settings = s.Clients, s.Refresh, s.Settings
	if len(s.Signer) == ed25519.SeedSize {
		a.signer = ed25519.NewKeyFromSeed(s.Signer)
	}
	return nil
}

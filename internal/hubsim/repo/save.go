package repo

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/repo/history"
)

// saved is what Save writes of a repository; its objects are files already.
type saved struct {
	Type      Type             `json:"type"`
	Hex       string           `json:"hex"`
	ID        string           `json:"id"`
	Aliases   []string         `json:"aliases,omitempty"` // keys
	Creator   string           `json:"creator"`
	CreatedAt time.Time        `json:"createdAt"`
	VisibleAt time.Time        `json:"visibleAt,omitzero"`
	Settings  Settings         `json:"settings"`
	Grants    map[string]Grant `json:"grants,omitempty"`
	History   history.State    `json:"history"`
}

// Save writes everything but objects and contents, which are files as soon as
// they are made.
func (s *Store) Save() (json.RawMessage, error) {
	s.mu.RLock()
	aliases := map[*Repo][]string{}
	for _, k := range slices.Sorted(maps.Keys(s.aliases)) {
		aliases[s.aliases[k]] = append(aliases[s.aliases[k]], k)
	}
	s.mu.RUnlock()
	all := []saved{}
	for _, t := range Types() {
		for _, r := range s.All(t) {
			r.mu.Lock()
			if r.ready {
				all = append(all, saved{
					Type: r.typ, Hex: r.hex, ID: r.id, Aliases: aliases[r], Creator: r.creator, CreatedAt: r.createdAt,
					VisibleAt: r.visibleAt, Settings: r.settings, Grants: maps.Clone(r.grants),
					History: r.State(),
				})
			}
			r.mu.Unlock()
		}
	}
	return json.Marshal(all)
}

// Load puts back what Save wrote. It calls no hooks.
func (s *Store) Load(raw json.RawMessage) error {
	var all []saved
	if err := json.Unmarshal(raw, &all); err != nil {
		return fmt.Errorf("load repositories: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range all {
		if v.History.Refs == nil || v.History.Refs.Names == nil {
			return fmt.Errorf("load repository %s: it has no refs", v.ID)
		}
		r := &Repo{
			store: s, typ: v.Type, hex: v.Hex, History: s.history(v.Hex, v.History), id: v.ID, creator: v.Creator,
			createdAt: v.CreatedAt, visibleAt: v.VisibleAt, ready: true, settings: v.Settings,
			grants: v.Grants,
		}
		if r.grants == nil {
			r.grants = map[string]Grant{}
		}
		s.repos[key(r.typ, r.id)] = r
		for _, k := range v.Aliases {
			s.aliases[k] = r
		}
	}
	return nil
}

package repo

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/git"
)

// saved is what Save writes of a repository; its objects are files already.
type saved struct {
	Type      Type                 `json:"type"`
	Hex       string               `json:"hex"`
	ID        string               `json:"id"`
	Aliases   []string             `json:"aliases,omitempty"` // keys
	Creator   string               `json:"creator"`
	CreatedAt time.Time            `json:"createdAt"`
	Modified  time.Time            `json:"modified"`
	VisibleAt time.Time            `json:"visibleAt,omitzero"`
	Settings  Settings             `json:"settings"`
	Grants    map[string]Grant     `json:"grants,omitempty"`
	Refs      *git.Refs            `json:"refs"`
	Pullers   map[string]string    `json:"pullers,omitempty"`
	LFS       map[string]lfsRecord `json:"lfs,omitempty"`
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
					Modified: r.modified, VisibleAt: r.visibleAt, Settings: r.settings, Grants: maps.Clone(r.grants),
					Refs:    &git.Refs{Names: maps.Clone(r.refs.Names), Log: slices.Clone(r.refs.Log)},
					Pullers: maps.Clone(r.pullers), LFS: maps.Clone(r.lfs),
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
		if v.Refs == nil || v.Refs.Names == nil {
			return fmt.Errorf("load repository %s: it has no refs", v.ID)
		}
		r := &Repo{
			store: s, typ: v.Type, hex: v.Hex, objects: git.New(s.gitDir(v.Hex)), id: v.ID, creator: v.Creator,
			createdAt: v.CreatedAt, modified: v.Modified, visibleAt: v.VisibleAt, ready: true, settings: v.Settings,
			grants: v.Grants, refs: v.Refs, pullers: v.Pullers, lfs: v.LFS,
		}
		if r.grants == nil {
			r.grants = map[string]Grant{}
		}
		if r.pullers == nil {
			r.pullers = map[string]string{}
		}
		if r.lfs == nil {
			r.lfs = map[string]lfsRecord{}
		}
		s.repos[key(r.typ, r.id)] = r
		for _, k := range v.Aliases {
			s.aliases[k] = r
		}
	}
	return nil
}

package space

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/ml-intern/ml-intern/internal/hubsim/exec/stream"
)

// saved is what is kept of a Space over a restart, the values of its secrets
// included.
type saved struct {
	Record record
	Build  []stream.Entry
	Run    []stream.Entry
	Events []stream.Entry
}

// Save returns everything that Load needs.
func (ss *Spaces) Save() (json.RawMessage, error) {
	ss.mu.Lock()
	all := []saved{}
	for _, sp := range ss.spaces {
		s := saved{sp.record, sp.build.Entries(), sp.run.Entries(), sp.events.Entries()}
		if sp.meter != nil {
			// Its minutes are booked already, and a new meter starts with one.
			c := sp.charge(sp.meter.Minutes())
			s.Record.Minutes, s.Record.NanoUSD = c.Minutes, c.NanoUSD
		}
		s.Record.Secrets, s.Record.Variables = maps.Clone(s.Record.Secrets), maps.Clone(s.Record.Variables)
		all = append(all, s)
	}
	ss.mu.Unlock() // logs are long
	slices.SortFunc(all, func(a, b saved) int { return cmp.Compare(a.Record.Hex, b.Record.Hex) })
	raw, err := json.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("save the Spaces: %w", err)
	}
	return raw, nil
}

// Load adds what Save returned; the repositories must be there. Apps that ran
// start again with the first request, builds start anew.
func (ss *Spaces) Load(raw json.RawMessage) error {
	var all []saved
	if err := json.Unmarshal(raw, &all); err != nil {
		return fmt.Errorf("load the Spaces: %w", err)
	}
	for _, s := range all {
		r, ok := ss.o.Repos.ByHex(s.Record.Hex)
		if !ok {
			continue // deleted just before the end
		}
		sp := &space{record: s.Record, repo: r, build: &stream.Log{}, run: &stream.Log{}, events: &stream.Log{}}
		sp.build.Load(s.Build)
		sp.run.Load(s.Run)
		sp.events.Load(s.Events)
		ss.mu.Lock()
		if sp.Secrets == nil {
			sp.Secrets = map[string]value{}
		}
		if sp.Variables == nil {
			sp.Variables = map[string]value{}
		}
		ss.spaces[sp.Hex] = sp
		ss.mu.Unlock()
		switch sp.Stage {
		case Building, AppStarting:
			ss.rebuild(sp)
		case Running:
		default:
			sp.build.End()
			sp.run.End()
		}
	}
	return nil
}

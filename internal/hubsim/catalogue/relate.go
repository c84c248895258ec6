package catalogue

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/ml-intern/ml-intern/internal/hubsim/catalogue/facts"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo/card"
)

// users lists the Spaces whose cards name this repository.
func (s *subject) users(named func(f *facts.Facts) []string) []string {
	ids := []string{}
	for _, space := range s.visible(s.r, repo.Space) {
		if slices.Contains(named(s.head(space)), s.at.ID()) {
			ids = append(ids, space.ID())
		}
	}
	return ids
}

// bases describes the models this one was made of, nil for none.
func (s *subject) bases() map[string]any {
	ids := card.Strings(s.f.Card["base_model"])
	if len(ids) == 0 {
		return nil
	}
	models := []map[string]any{}
	for _, id := range ids {
		v := map[string]any{"id": id}
		if at, err := s.o.Repos.Find(s.r.Context(), repo.Model, id); err == nil {
			v["_id"] = at.Hex()
		}
		models = append(models, v)
	}
	return map[string]any{"relation": s.f.Relation, "models": models}
}

// children counts the models that were made of this one.
func (s *subject) children() int {
	n := 0
	for _, m := range s.visible(s.r, repo.Model) {
		if slices.Contains(card.Strings(s.head(m).Card["base_model"]), s.at.ID()) {
			n++
		}
	}
	return n
}

// provider is one that serves a model, as a seed says.
type provider struct {
	name string
	data map[string]any
}

func live(p provider) bool { return p.data["status"] == "live" }

// providers lists who serves the model, by name.
func (s *subject) providers() []provider {
	var m map[string]map[string]any
	if json.Unmarshal(s.set.Info["inferenceProviderMapping"], &m) != nil {
		return nil
	}
	var all []provider
	for _, name := range slices.SortedFunc(maps.Keys(m), byName) {
		all = append(all, provider{name, m[name]})
	}
	return all
}

// mapping is an object by provider in infos, and a list in lists.
func (s *subject) mapping() any {
	object, list := map[string]any{}, []any{}
	for _, p := range s.providers() {
		object[p.name] = p.data
		entry := map[string]any{"provider": p.name}
		maps.Copy(entry, p.data)
		list = append(list, entry)
	}
	if s.inList {
		return list
	}
	return object
}

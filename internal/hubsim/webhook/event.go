package webhook

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/git"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// version of the payloads.
const version = 3

func (a *Area) committed(r *repo.Repo, ref, oid string) {
	change := map[string]any{"ref": ref, "oldSha": nil, "newSha": oid}
	if c, err := r.Objects().Commit(oid); err == nil && len(c.Parents) > 0 {
		change["oldSha"] = c.Parents[0]
	}
	a.repo(r, "update", "repo.content", map[string]any{"updatedRefs": []any{change}})
}

func (a *Area) moved(r *repo.Repo, from string) {
	to := map[string]any{"name": r.ID(), "owner": a.owner(r.Namespace())}
	a.tell(r, "repo", []string{from, r.ID()}, map[string]any{
		"event": map[string]any{"action": "move", "scope": "repo"}, "movedTo": to,
	}, from)
}

// repo tells of an event of a repository.
func (a *Area) repo(r *repo.Repo, action, scope string, more map[string]any) {
	payload := map[string]any{"event": map[string]any{"action": action, "scope": scope}}
	maps.Copy(payload, more)
	a.tell(r, "repo", []string{r.ID()}, payload, r.ID())
}

// Discussion tells of an event of a discussion or a comment in r; more holds
// the payload's members discussion and comment.
func (a *Area) Discussion(r *repo.Repo, action, scope string, more map[string]any) {
	payload := map[string]any{"event": map[string]any{"action": action, "scope": scope}}
	maps.Copy(payload, more)
	a.tell(r, "discussion", []string{r.ID()}, payload, r.ID())
}

// tell queues the payload for every webhook that watches r. name is the one the
// payload calls r by.
func (a *Area) tell(r *repo.Repo, domain string, names []string, payload map[string]any, name string) {
	payload["repo"] = a.describe(r, name)
	now := a.o.Clock.Now()
	day := now.Format("2006-01-02")
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, h := range a.hooks {
		if !a.watches(h, r, names, domain) {
			continue
		}
		if h.Day != day {
			h.Day, h.Count = day, 0
		}
		if h.Count++; h.Count > maxTriggers {
			continue
		}
		payload["webhook"] = map[string]any{"id": h.ID, "version": version}
		raw, err := json.Marshal(payload)
		if err != nil {
			continue // payloads are made of plain values
		}
		a.enqueue(h, Delivery{ID: a.o.Clock.ID(), At: now, Payload: raw})
	}
}

// enqueue hands a delivery to the goroutine that delivers. The caller holds the
// lock.
func (a *Area) enqueue(h *Hook, d Delivery) {
	a.waiting.Add(1)
	select {
	case a.queue <- task{h.ID, d}:
	default:
		a.waiting.Done()
		d.Error = "too many deliveries wait"
		h.log(d)
	}
}

// log remembers a delivery.
func (h *Hook) log(d Delivery) {
	kept := append([]Delivery{}, h.Log...) // readers hold the old one
	if len(kept) == maxLog {
		kept = kept[1:]
	}
	h.Log = append(kept, d)
}

func (a *Area) owner(ns string) map[string]any {
	if e, ok := a.o.Accounts.Find(ns); ok {
		return map[string]any{"id": e.ID}
	}
	return map[string]any{"id": ""}
}

// describe is the payload's view of a repository.
func (a *Area) describe(r *repo.Repo, name string) map[string]any {
	ns, _, _ := strings.Cut(name, "/")
	base := a.o.Endpoint()
	v := map[string]any{
		"type": string(r.Type()), "name": name, "id": r.Hex(), "private": r.Private(), "owner": a.owner(ns),
		"url": map[string]any{
			"web": base + "/" + r.Type().Prefix() + name, "api": base + "/api/" + r.Type().Plural() + "/" + name,
		},
	}
	if head, err := r.Head(git.Main); err == nil {
		v["headSha"] = head
	}
	return v
}

// view is a webhook in answers.
func (h Hook) view() map[string]any {
	v := map[string]any{"id": h.ID, "watched": h.Watched, "domains": h.Domains, "disabled": h.Disabled}
	if h.URL != "" {
		v["url"] = h.URL
	}
	if h.Job != nil {
		v["job"] = withoutSecrets(h.Job)
	}
	if h.Secret != "" {
		v["secret"] = h.Secret
	}
	return v
}

// withoutSecrets is a job as answers show it: of its secrets only the names.
func withoutSecrets(job json.RawMessage) any {
	var v map[string]any
	if json.Unmarshal(job, &v) != nil {
		return nil // no object, and no job
	}
	if secrets, ok := v["secrets"].(map[string]any); ok {
		v["secrets"] = slices.Sorted(maps.Keys(secrets))
	}
	return v
}

// view is a delivery in answers.
func (d Delivery) view() map[string]any {
	v := map[string]any{"id": d.ID, "createdAt": clock.Format(d.At), "payload": d.Payload}
	if d.Status != 0 {
		v["status"] = d.Status
	}
	if d.Error != "" {
		v["error"] = d.Error
	}
	return v
}

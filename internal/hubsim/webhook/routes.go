package webhook

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
)

// Permissions of fine-grained tokens.
const (
	read  = "user.webhooks.read"
	write = "user.webhooks.write"
)

var (
	kinds   = []string{"user", "org", "model", "dataset", "space"}
	domains = []string{"repo", "discussion"}
)

// Routes registers the routes of webhooks.
func (a *Area) Routes(mux *http.ServeMux) {
	const all, one = "/api/settings/webhooks", "/api/settings/webhooks/{id}"
	mux.Handle("GET "+all, answer.Handler(a.list))
	mux.Handle("POST "+all, answer.Handler(a.create))
	mux.Handle("GET "+one, a.own(read, func(_ http.ResponseWriter, _ *http.Request, h Hook) (Hook, error) { return h, nil }))
	mux.Handle("POST "+one, a.own(write, a.update))
	mux.Handle("DELETE "+one, a.own(write, a.remove))
	mux.Handle("POST "+one+"/enable", a.own(write, a.switching(false)))
	mux.Handle("POST "+one+"/disable", a.own(write, a.switching(true)))
	mux.Handle("POST "+one+"/replay/{log}", a.own(write, a.replay))
	mux.Handle("GET "+one+"/logs", answer.Handler(a.logs))
}

func may(r *http.Request, permission string) (user string, err error) {
	switch caller := account.From(r.Context()); {
	case caller == nil:
		return "", answer.Login("")
	case !caller.May(permission, caller.Name()):
		return "", answer.Refuse(http.StatusForbidden, "This token may not use webhooks: it lacks "+permission)
	default:
		return caller.Name(), nil
	}
}

// find returns the webhook a request names, if it is the caller's.
func (a *Area) find(r *http.Request, permission string) (Hook, error) {
	user, err := may(r, permission)
	if err != nil {
		return Hook{}, err
	}
	for _, h := range a.of(user) {
		if h.ID == r.PathValue("id") {
			return h, nil
		}
	}
	return Hook{}, answer.Refuse(http.StatusNotFound, "Webhook not found")
}

// own handles a request for one webhook of the caller's and answers with it.
func (a *Area) own(permission string, do func(http.ResponseWriter, *http.Request, Hook) (Hook, error)) answer.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		h, err := a.find(r, permission)
		if err == nil {
			h, err = do(w, r, h)
		}
		if err != nil {
			return err
		}
		answer.JSON(w, http.StatusOK, map[string]any{"webhook": h.view()})
		return nil
	}
}

func (a *Area) list(w http.ResponseWriter, r *http.Request) error {
	user, err := may(r, read)
	if err != nil {
		return err
	}
	views := []map[string]any{}
	for _, h := range a.of(user) {
		views = append(views, h.view())
	}
	answer.JSON(w, http.StatusOK, views)
	return nil
}

// fields are what a client writes of a webhook.
type fields struct {
	Watched     []Watched       `json:"watched"`
	URL         *string         `json:"url"`
	Job         json.RawMessage `json:"job"`
	JobSourceID string          `json:"jobSourceId"`
	Domains     []string        `json:"domains"`
	Secret      *string         `json:"secret"`
}

// set writes the fields that are given to h, or refuses naming the bad one.
func (a *Area) set(r *http.Request, f fields, h *Hook) error {
	for _, w := range f.Watched {
		if !slices.Contains(kinds, w.Type) || w.Name == "" {
			return answer.Invalid(`"watched.type" must be one of ` + strings.Join(kinds, ", ") + `, "watched.name" must not be empty`)
		}
	}
	for _, d := range f.Domains {
		if !slices.Contains(domains, d) {
			return answer.Invalid(`"domains" must be repo or discussion`)
		}
	}
	if f.Secret != nil && strings.ContainsFunc(*f.Secret, func(c rune) bool { return c < ' ' || c > '~' }) {
		return answer.Invalid(`"secret" must be printable ASCII`)
	}
	if err := a.target(r, f, h); err != nil {
		return err
	}
	if len(f.Watched) > 0 {
		h.Watched = f.Watched
	}
	if len(f.Domains) > 0 {
		h.Domains = f.Domains
	}
	if f.Secret != nil {
		h.Secret = *f.Secret
	}
	return nil
}

// target sets where h delivers to.
func (a *Area) target(r *http.Request, f fields, h *Hook) error {
	switch {
	case f.URL != nil && (f.Job != nil || f.JobSourceID != ""):
		return answer.Invalid(`only one of "url", "job" and "jobSourceId" may be given`)
	case f.URL != nil:
		u, err := url.Parse(*f.URL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return answer.Invalid(`"url" must be an http or https address`)
		}
		h.URL, h.Job = *f.URL, nil
	case (f.Job != nil || f.JobSourceID != "") && a.o.Jobs == nil:
		return answer.Invalid(`"job": the simulator runs no jobs`)
	case f.JobSourceID != "":
		spec, err := a.o.Jobs.Spec(r.Context(), f.JobSourceID)
		if err != nil {
			return err
		}
		h.URL, h.Job = "", spec
	case f.Job != nil:
		h.URL, h.Job = "", f.Job
	}
	return nil
}

func (a *Area) create(w http.ResponseWriter, r *http.Request) error {
	user, err := may(r, write)
	if err != nil {
		return err
	}
	var body fields
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	h := Hook{Owner: user, Domains: domains}
	if err := a.set(r, body, &h); err != nil {
		return err
	}
	switch {
	case len(h.Watched) == 0:
		return answer.Invalid(`"watched" must not be empty`)
	case h.URL == "" && h.Job == nil:
		return answer.Invalid(`one of "url", "job" and "jobSourceId" is required`)
	case len(a.of(user)) >= maxHooks:
		return answer.Invalid("too many webhooks")
	}
	h.ID = a.o.Clock.ID()
	a.mu.Lock()
	a.hooks = append(a.hooks, &h)
	a.mu.Unlock()
	answer.JSON(w, http.StatusOK, map[string]any{"webhook": h.view()})
	return nil
}

func (a *Area) update(w http.ResponseWriter, r *http.Request, h Hook) (Hook, error) {
	var body fields
	if err := answer.Body(w, r, &body); err != nil {
		return h, err
	}
	if err := a.set(r, body, &h); err != nil {
		return h, err
	}
	return a.replace(h.ID, func(at *Hook) {
		at.URL, at.Job, at.Watched, at.Domains, at.Secret = h.URL, h.Job, h.Watched, h.Domains, h.Secret
	})
}

func (a *Area) replace(id string, change func(*Hook)) (Hook, error) {
	h, ok := a.edit(id, change)
	if !ok {
		return h, answer.Refuse(http.StatusNotFound, "Webhook not found")
	}
	return h, nil
}

func (a *Area) remove(_ http.ResponseWriter, _ *http.Request, h Hook) (Hook, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hooks = slices.DeleteFunc(a.hooks, func(other *Hook) bool { return other.ID == h.ID })
	return h, nil
}

func (a *Area) switching(off bool) func(http.ResponseWriter, *http.Request, Hook) (Hook, error) {
	return func(_ http.ResponseWriter, _ *http.Request, h Hook) (Hook, error) {
		return a.replace(h.ID, func(h *Hook) { h.Disabled = off })
	}
}

// replay delivers what was delivered before once more.
func (a *Area) replay(_ http.ResponseWriter, r *http.Request, h Hook) (Hook, error) {
	i := slices.IndexFunc(h.Log, func(d Delivery) bool { return d.ID == r.PathValue("log") })
	if i < 0 {
		return h, answer.Refuse(http.StatusNotFound, "Webhook log not found")
	}
	return a.replace(h.ID, func(at *Hook) {
		a.enqueue(at, Delivery{ID: a.o.Clock.ID(), At: a.o.Clock.Now(), Payload: h.Log[i].Payload})
	})
}

// logs lists the deliveries, newest first.
func (a *Area) logs(w http.ResponseWriter, r *http.Request) error {
	h, err := a.find(r, read)
	if err != nil {
		return err
	}
	views := []map[string]any{}
	for _, d := range slices.Backward(h.Log) {
		views = append(views, d.view())
	}
	answer.JSON(w, http.StatusOK, views)
	return nil
}

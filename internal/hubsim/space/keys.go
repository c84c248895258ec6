package space

import (
	"net/http"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
)

// shownSecret is a secret as answers show it: without its value.
type shownSecret struct {
	Key         string `json:"key"`
	Description string `json:"description,omitempty"`
	Updated     string `json:"updatedAt"`
}

// shownVariable is a variable as answers show it.
type shownVariable struct {
	Value       string `json:"value"`
	Description string `json:"description,omitempty"`
	Updated     string `json:"updatedAt"`
}

func (ss *Spaces) secrets(w http.ResponseWriter, r *http.Request) error {
	sp, err := ss.own(r)
	if err != nil {
		return err
	}
	all := map[string]shownSecret{}
	ss.mu.Lock()
	for k, v := range sp.Secrets {
		all[k] = shownSecret{k, v.Description, clock.Format(v.Updated)}
	}
	ss.mu.Unlock()
	answer.JSON(w, http.StatusOK, all)
	return nil
}

func (ss *Spaces) setSecret(w http.ResponseWriter, r *http.Request) error {
	return ss.change(w, r, func(sp *space) map[string]value { return sp.Secrets }, true, ss.done)
}

func (ss *Spaces) dropSecret(w http.ResponseWriter, r *http.Request) error {
	return ss.change(w, r, func(sp *space) map[string]value { return sp.Secrets }, false, ss.done)
}

func (ss *Spaces) variables(w http.ResponseWriter, r *http.Request) error {
	sp, err := ss.find(r)
	if err != nil {
		return err
	}
	return ss.allVariables(w, sp)
}

func (ss *Spaces) setVariable(w http.ResponseWriter, r *http.Request) error {
	return ss.change(w, r, func(sp *space) map[string]value { return sp.Variables }, true, ss.allVariables)
}

func (ss *Spaces) dropVariable(w http.ResponseWriter, r *http.Request) error {
	return ss.change(w, r, func(sp *space) map[string]value { return sp.Variables }, false, ss.allVariables)
}

// done answers with nothing.
func (ss *Spaces) done(w http.ResponseWriter, _ *space) error {
	answer.JSON(w, http.StatusOK, struct{}{})
	return nil
}

// allVariables answers with all variables.
func (ss *Spaces) allVariables(w http.ResponseWriter, sp *space) error {
	all := map[string]shownVariable{}
	ss.mu.Lock()
	for k, v := range sp.Variables {
		all[k] = shownVariable{v.Value, v.Description, clock.Format(v.Updated)}
	}
	ss.mu.Unlock()
	answer.JSON(w, http.StatusOK, all)
	return nil
}

// change sets or drops a key, restarts the Space when something has changed and
// answers.
func (ss *Spaces) change(w http.ResponseWriter, r *http.Request, of func(*space) map[string]value, set bool, reply func(http.ResponseWriter, *space) error) error {
	sp, err := ss.own(r)
	if err != nil {
		return err
	}
	var body struct {
		Key         string  `json:"key"`
		Value       *string `json:"value"`
		Description *string `json:"description"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	switch {
	case !goodKey.MatchString(body.Key):
		return badKey(body.Key)
	case set && body.Value == nil:
		return answer.Refuse(http.StatusBadRequest, `"value" is required`)
	}
	now := ss.o.Clock.Stamp()
	ss.mu.Lock()
	values := of(sp)
	old, had := values[body.Key]
	if set {
		if body.Description != nil {
			old.Description = *body.Description
		}
		values[body.Key] = value{*body.Value, old.Description, now}
	} else {
		delete(values, body.Key)
	}
	ss.mu.Unlock()
	if set || had {
		ss.again(sp, r)
	}
	return reply(w, sp)
}

// Secrets are the values of a Space's secrets, for tests.
func (ss *Spaces) Secrets(id string) map[string]string {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	all := map[string]string{}
	for _, sp := range ss.spaces {
		if sp.repo.ID() != id {
			continue
		}
		for k, v := range sp.Secrets {
			all[k] = v.Value
		}
	}
	return all
}

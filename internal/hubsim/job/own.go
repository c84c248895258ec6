package job

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/job/spec"
)

// Spec returns what a new job like the one with id is made of, its secrets
// included, for a caller of ctx who may start it.
func (js *Jobs) Spec(ctx context.Context, id string) (json.RawMessage, error) {
	js.mu.Lock()
	j, ok := js.jobs[id]
	var one spec.Spec
	var owner string
	if ok {
		one, owner = j.Spec, j.Owner.Name
	}
	js.mu.Unlock()
	if !ok || !account.From(ctx).May(account.JobWrite, owner) {
		return nil, answer.Refuse(http.StatusNotFound, "Job not found")
	}
	raw, err := json.Marshal(one)
	if err != nil {
		return nil, fmt.Errorf("write the spec of job %s: %w", id, err)
	}
	return raw, nil
}

// Run starts a job of a user with further environment variables, as a webhook
// does.
func (js *Jobs) Run(user string, raw json.RawMessage, env map[string]string) error {
	one, err := spec.Parse(raw)
	if err != nil {
		return fmt.Errorf("start a job of %s: %w", user, err)
	}
	owner, ok := js.o.Accounts.Find(user)
	switch {
	case !ok:
		return fmt.Errorf("start a job of %s: there is no such account", user)
	case owner.CreditMicroUSD <= 0:
		return fmt.Errorf("start a job of %s: %s", user, noCredit)
	}
	environment, secrets := map[string]string{}, map[string]string{}
	maps.Copy(environment, one.Environment)
	maps.Copy(secrets, one.Secrets)
	for name, value := range env {
		if name == "WEBHOOK_SECRET" { // answers do not show it
			secrets[name] = value
			continue
		}
		environment[name] = value
	}
	one.Environment, one.Secrets = environment, secrets
	j := js.add(request{spec: one, owner: owner, createdBy: partyOf(owner), initiator: party{Type: "webhook", ID: owner.ID, Name: owner.Name}})
	js.launch(j, "")
	return nil
}

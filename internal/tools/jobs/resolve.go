package jobs

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/request"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/script"
)

// Resolve completes the arguments: who pays, and the text of a script that is
// named by its path. It also learns what a judgement needs: prices, and whose
// job is to be cancelled.
func (t *Tool) Resolve(ctx context.Context, args json.RawMessage) (json.RawMessage, error) {
	var p request.Params
	if tool.Decode(args, &p) != nil || p.Check() != nil {
		return args, nil // Run tells what is wrong
	}
	if p.Operation == "cancel" {
		t.learnOwners(ctx, p)
	}
	if !p.Submits() {
		return args, nil
	}
	t.opts.Prices.Ask(ctx)
	ns, err := t.opts.Namespace(ctx, p.Namespace)
	if err != nil {
		return nil, err
	}
	p.Namespace = ns
	if err := t.moveSecrets(&p); err != nil {
		return nil, err
	}
	if err := t.readScript(ctx, &p); err != nil {
		return nil, err
	}
	return json.Marshal(p)
}

// hubToken is what HasSecret says of a token of the Hub.
const hubToken = "hf token"

// learnOwners finds out which of the jobs to be cancelled this session started.
func (t *Tool) learnOwners(ctx context.Context, p request.Params) {
	t.mu.Lock()
	session := t.session
	t.mu.Unlock()
	ns, err := t.opts.Namespace(ctx, p.Namespace)
	if err != nil || session == nil {
		return
	}
	for _, id := range p.JobID {
		if t.isOwn(id) {
			continue
		}
		if j, err := t.opts.Jobs.Find(ctx, ns, id); err == nil && j.Labels[request.LabelSession] == session.ID() {
			t.remember(id)
		}
	}
}

// moveSecrets takes tokens out of the open environment, and refuses what must
// not be passed on.
func (t *Tool) moveSecrets(p *request.Params) error {
	for _, name := range request.SortedKeys(p.Env) {
		if !request.IsTokenName(name) && t.opts.HasSecret(p.Env[name]) == "" {
			continue
		}
		if p.Secrets == nil {
			p.Secrets = map[string]string{}
		}
		p.Secrets[name] = p.Env[name]
		delete(p.Env, name)
	}
	for _, name := range request.SortedKeys(p.Secrets) {
		token := request.IsTokenName(name) || t.opts.HasSecret(p.Secrets[name]) == hubToken
		switch {
		case token && t.opts.Token() == "":
			return errNoToken
		case request.IsTokenName(name):
			delete(p.Secrets, name) // jobs have the user's anyway
		}
	}
	return t.refuseSecrets(*p)
}

// readScript replaces the path of a script by its text.
func (t *Tool) readScript(ctx context.Context, p *request.Params) error {
	if p.Script == "" {
		return nil
	}
	found, err := script.Find(ctx, t.opts.Script, p.Script)
	if err != nil {
		return err
	}
	p.Script = found.Text
	if p.Name == "" {
		p.Name = found.Name
	}
	return t.refuseSecrets(*p)
}

// refuseSecrets keeps secrets out of what everybody sees who sees the job.
func (t *Tool) refuseSecrets(p request.Params) error {
	for _, text := range append(append([]string{p.Script, p.Name}, p.Command...), p.ScriptArgs...) {
		if kind := t.opts.HasSecret(text); kind != "" {
			return fmt.Errorf("the script or command shows a secret (%s), which everybody who sees the job could read: pass it in secrets and read it from the environment", kind)
		}
	}
	return nil
}

package jobs

import (
	"context"
	"encoding/json"

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
	if err := t.secrets().Move(&p); err != nil {
		return nil, err
	}
	if err := t.readScript(ctx, &p); err != nil {
		return nil, err
	}
	return json.Marshal(p)
}

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
	return t.secrets().Refuse(*p)
}

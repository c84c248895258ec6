package sandbox

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox"
	hub "github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

const (
	// lane keeps calls about the one sandbox in their order.
	lane = "sandbox"
	// cancelWait is how long a sandbox made ahead may take to go away.
	cancelWait = 30 * time.Second
)

// Params are the arguments of sandbox_create.
type Params struct {
	Hardware       string `json:"hardware,omitempty"`
	Replace        bool   `json:"replace,omitempty"`
	TrackioSpaceID string `json:"trackio_space_id,omitempty"`
	TrackioProject string `json:"trackio_project,omitempty"`
}

// flavor is the hardware that is wanted.
func (p Params) flavor() string { return cmp.Or(strings.TrimSpace(p.Hardware), sandbox.Basic) }

// creator is sandbox_create.
type creator struct{ keeper *Keeper }

var (
	_ tool.KeyedTool = (*creator)(nil)
	_ tool.Companion = (*creator)(nil)
	_ tool.Closer    = (*creator)(nil)
)

func (c *creator) Spec() tool.Spec { return c.keeper.create }

// Attach begins to serve a session.
func (c *creator) Attach(s tool.Session) { c.keeper.attach(s) }

// Prefetch is called when a session is opened.
func (c *creator) Prefetch() { c.keeper.prefetchEarly() }

// Close removes the sandbox.
func (c *creator) Close(ctx context.Context) error { return c.keeper.Close(ctx) }

// Risk judges a call.
func (c *creator) Risk(args json.RawMessage) tool.Risk {
	var p Params
	if tool.Decode(args, &p) != nil {
		return tool.Risk{Effect: event.Once, Gate: tool.Ask, Reason: "its arguments cannot be read"}
	}
	k := c.keeper
	r := tool.Risk{Effect: event.Keyed, Lane: lane}
	if b, _ := k.current(); !k.makes(p, b) {
		return r // what is there is told
	}
	cost := k.opts.Prices.Cost(k.opts.Guess(), p.flavor())
	r.Cost = &cost
	if p.flavor() == sandbox.Basic {
		return r
	}
	r.Gate = tool.Ask
	r.Reason = "cost unknown: " + cost.Reason
	if cost.Known {
		r.Reason = fmt.Sprintf("a sandbox of hardware %s costs %.4g USD an hour while it exists", p.flavor(), cost.USDPerHour)
		if cost.Source != "live" {
			r.Reason += " (an estimate: the live price list was not reached)"
		}
	}
	return r
}

// makes reports whether a call makes a new sandbox beside the one there is.
func (k *Keeper) makes(p Params, b *box) bool {
	if b == nil {
		return true
	}
	has := b.record().Hardware
	switch {
	case p.Replace:
		return true
	case p.Hardware == "" || p.flavor() == has:
		return false
	}
	return has == sandbox.Basic
}

// Run makes the sandbox.
func (c *creator) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	var p Params
	if err := tool.Decode(args, &p); err != nil {
		return tool.Failed("sandbox_create was not run: " + err.Error()), nil
	}
	k := c.keeper
	if !slices.Contains(k.flavors, p.flavor()) {
		return tool.Failed(fmt.Sprintf("hardware %q is none that a sandbox can have; there are: %s", p.Hardware, strings.Join(k.flavors, ", "))), nil
	}
	if err := c.settleAhead(ctx, p); err != nil {
		return tool.Failed("Failed to create sandbox: " + err.Error()), ctx.Err()
	}
	b, _ := k.current()
	if !k.makes(p, b) {
		return c.there(env, p, b), nil
	}
	if err := c.dashboard(ctx, env, p); err != nil {
		return tool.Result{}, err
	}
	k.warnOfToken(env)
	moved := ""
	m := k.begin(false, func(ctx context.Context) (*box, error) {
		made, err := k.build(ctx, c.wish(env, p))
		if err == nil && b != nil {
			moved, err = k.move(ctx, b, made)
		}
		return made, err
	})
	if m == nil {
		return tool.Failed("Failed to create sandbox: another one is being created"), nil
	}
	made, err := k.await(ctx, m)
	switch {
	case ctx.Err() != nil && made == nil:
		// What it costs is settled when it is gone.
		return tool.Result{Output: "What was made of the sandbox is being removed.", Holding: "sandbox:" + key(env)}, nil
	case err != nil:
		return k.failed(env, err), nil
	}
	return k.created(env.CallID(), made, moved), nil
}

// await waits for m, which is cancelled when ctx is done first.
func (k *Keeper) await(ctx context.Context, m *making) (*box, error) {
	b, err := m.wait(ctx)
	if ctx.Err() != nil && k.quit(m, context.Cause(ctx)) {
		<-m.done
		return m.box, m.err
	}
	return b, err
}

// key tells the sandbox of a call from all others.
func key(env tool.Env) string { return sandbox.NewKey(env.SessionID(), env.CallID()) }

// settleAhead waits for a sandbox that is being made ahead, or cancels it when
// it is not the one that is wanted.
func (c *creator) settleAhead(ctx context.Context, p Params) error {
	_, m := c.keeper.current()
	if m == nil {
		return nil
	}
	if p.flavor() != sandbox.Basic || p.Replace {
		m.cancel(errors.New("another sandbox is wanted"))
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, cancelWait)
		defer stop()
	}
	if _, err := m.wait(ctx); ctx.Err() != nil {
		return err
	}
	return nil // one that failed is made now
}

// there tells of the sandbox there is.
func (c *creator) there(env tool.Env, p Params, b *box) tool.Result {
	c.keeper.mu.Lock()
	s := c.keeper.session
	c.keeper.mu.Unlock()
	if s != nil {
		s.Release(env.CallID()) // nothing is bought
	}
	rec := b.record()
	text := "Sandbox already active: " + facts(rec)
	if p.Hardware != "" && p.flavor() != rec.Hardware {
		text += fmt.Sprintf("\nIts hardware cannot be changed to %s. Call sandbox_create again with replace: true: /app is moved to the new sandbox.", p.flavor())
	}
	return tool.Success(text)
}

// facts are what the model should know of a sandbox, a line each.
func facts(rec sandbox.Record) string {
	return fmt.Sprintf("%s\nURL: %s\nHardware: %s\nVisibility: private", rec.ID, rec.Page, rec.Hardware)
}

// created is the result of a call that has made a sandbox.
func (k *Keeper) created(call string, b *box, moved string) tool.Result {
	rec := b.record()
	text := "Sandbox created: " + facts(rec)
	if rec.USDPerHour > 0 {
		text += fmt.Sprintf("\nCost: %.4g USD an hour until sandbox_delete or the end of the session", rec.USDPerHour)
	}
	text += "\nUse bash, read, write and edit: they work in it, in the folder " + sandbox.Dir + "."
	r := tool.Success(text + moved)
	if rec.Spend == call {
		r.Holding = rec.Ref()
	}
	return r
}

// failed is the result of a call that has made none.
func (k *Keeper) failed(env tool.Env, err error) tool.Result {
	text := "Failed to create sandbox: " + excerpt.Head(err.Error(), maxOutput-1000)
	var unpaid unpaidError
	if errors.As(err, &unpaid) || errors.Is(err, hub.Payment) {
		env.State(event.ToolStateChange{State: "billing_required"})
		text += fmt.Sprintf("\nThe Hub wants a paid plan or credits for it. Nothing was left behind and nothing runs elsewhere. Ask the user to add credits at %s, then call it again.", k.opts.Billing)
	}
	return tool.Failed(text)
}

// wish is what a call wants.
func (c *creator) wish(env tool.Env, p Params) wish {
	c.keeper.mu.Lock()
	s := c.keeper.session
	c.keeper.mu.Unlock()
	w := wish{
		key: key(env), call: env.CallID(), hardware: p.flavor(), secrets: map[string]string{},
		session: s, say: func(line string) { env.Emit(event.ToolLog{Tool: "sandbox", Log: line, ToolCallID: env.CallID()}) }, made: env.Effect,
	}
	if cost := c.keeper.opts.Prices.Cost(c.keeper.opts.Guess(), w.hardware); cost.Known {
		w.spend, w.spendUSD = env.CallID(), cost.USDPerHour
	}
	if p.TrackioSpaceID != "" {
		w.secrets["TRACKIO_SPACE_ID"] = p.TrackioSpaceID
		if p.TrackioProject != "" {
			w.secrets["TRACKIO_PROJECT"] = p.TrackioProject
		}
	}
	return w
}

// dashboard makes the Trackio dashboard ready. That it is not is no reason to
// do without a sandbox.
func (c *creator) dashboard(ctx context.Context, env tool.Env, p Params) error {
	if p.TrackioSpaceID == "" {
		return nil
	}
	env.State(event.ToolStateChange{State: "running", TrackioSpaceID: p.TrackioSpaceID, TrackioProject: p.TrackioProject})
	if c.keeper.opts.Trackio == nil {
		return nil
	}
	if err := c.keeper.opts.Trackio(ctx, p.TrackioSpaceID, p.TrackioProject, env.Log); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		env.Log("the Trackio dashboard is not ready: " + err.Error())
	}
	return nil
}

func (k *Keeper) warnOfToken(env tool.Env) {
	if k.opts.TokenBroad == nil || !k.opts.TokenBroad() {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.warned {
		k.warned = true
		env.Log("note: sandboxes get a token that may write everywhere; ML_INTERN_JOB_TOKEN with a fine-grained token limits what they can do")
	}
}

// remover is sandbox_delete.
type remover struct{ keeper *Keeper }

func (r *remover) Spec() tool.Spec { return r.keeper.remove }

func (r *remover) Risk(json.RawMessage) tool.Risk { return tool.Risk{Effect: event.Once, Lane: lane} }

// Run removes the sandbox, and one that is being made.
func (r *remover) Run(ctx context.Context, _ tool.Env, args json.RawMessage) (tool.Result, error) {
	if err := tool.Decode(args, &struct{}{}); err != nil {
		return tool.Failed("sandbox_delete was not run: " + err.Error()), nil
	}
	if err := ctx.Err(); err != nil {
		return tool.Result{}, err
	}
	k := r.keeper
	if _, m := k.current(); m != nil {
		m.cancel(errors.New("it is not wanted any more"))
		wait, stop := context.WithTimeout(ctx, cancelWait)
		defer stop()
		if _, err := m.wait(wait); ctx.Err() != nil {
			return tool.Result{}, err
		}
	}
	b, _ := k.current()
	if b == nil {
		return tool.Success("There is no sandbox."), nil
	}
	id := b.record().ID
	removed := make(chan error, 1)
	if !k.spawn(func() { removed <- k.teardown(b) }) {
		return tool.Result{}, errEnded
	}
	select {
	case err := <-removed:
		if err != nil {
			return tool.Failed(fmt.Sprintf("Sandbox %s could not be deleted: %v. It is left behind; the user can remove it with: ml-intern sandbox rm %s", id, err, id)), nil
		}
		return tool.Success("Sandbox deleted: " + id + ". Its files and processes are gone."), nil
	case <-ctx.Done():
		return tool.Result{}, ctx.Err() // it is removed all the same
	}
}

// Package tune works out a change of a running session's settings: whether the
// model that was asked for can work, how much it thinks, what else follows. It
// changes nothing itself.
package tune

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/provider"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
	"github.com/ml-intern/ml-intern/internal/engine/agent/observer"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// Models knows the models that can be asked for.
type Models interface {
	Check(ctx context.Context, id string) (provider.Report, error)
}

// Caller asks a model how much it can be made to think.
type Caller interface {
	Probe(ctx context.Context, model, session string, preference llm.Effort, obs inference.Observer) (inference.Probe, error)
	SetEffort(model string, level llm.Effort)
	ForgetEffort(model string)
}

// Options make a Tuner.
type Options struct {
	Models Models
	Caller Caller
	// Fits refuses a model that cannot work with this session's system prompt,
	// tools and cap; what it warns of is returned.
	Fits func(ctx context.Context, set agent.Settings) (warnings []string, err error)
	// YoloCapMicroUSD is the cap of a session that asks nobody and whose user has
	// set none, in millionths of a dollar.
	YoloCapMicroUSD int64
}

// Session is the session whose settings change.
type Session struct {
	ID   string
	Set  agent.Settings
	Mode policy.Mode
	// Tokens is the size of its newest request, 0 when there was none.
	Tokens int
}

// Change is what a request comes to.
type Change struct {
	Model       *string
	Effort      *llm.Effort
	Mode        policy.Mode
	CapMicroUSD *int64
	CapByUser   bool
	Allow       []string
	// Notes are lines for people.
	Notes []string
	// Settle is called when the change is in force: what was learned about the
	// model's effort is remembered.
	Settle func()
}

// Tuner works changes out. The zero value is of no use.
type Tuner struct{ opts Options }

// New returns a Tuner.
func New(o Options) *Tuner { return &Tuner{o} }

// Plan works out what a request comes to. An error means that nothing may be
// changed; billed is told what asking the model has cost.
func (t *Tuner) Plan(ctx context.Context, s Session, op event.Configure, billed func(inference.Reply)) (Change, error) {
	c := Change{Mode: s.Mode, Allow: op.Allow, Settle: func() {}}
	if op.ApprovalMode != nil {
		c.Mode = policy.Mode(strings.ToLower(strings.TrimSpace(*op.ApprovalMode)))
	}
	if _, err := policy.New(policy.Options{Mode: c.Mode, Allow: op.Allow}); err != nil {
		return Change{}, err
	}
	next := s.Set
	if op.Effort != nil {
		level, err := effort(*op.Effort)
		if err != nil {
			return Change{}, err
		}
		c.Effort, next.Effort = &level, level
	}
	if err := t.money(s, op, &c); err != nil {
		return Change{}, err
	}
	if c.CapMicroUSD != nil {
		next.CapMicroUSD, next.CapByUser = *c.CapMicroUSD, c.CapByUser
	}
	switch {
	case op.Model != nil:
		if err := t.model(ctx, s, next, *op.Model, &c, billed); err != nil {
			return Change{}, err
		}
	case op.MaxCostUSD != nil:
		if _, err := t.opts.Fits(ctx, next); err != nil {
			return Change{}, err
		}
	}
	return c, nil
}

func effort(text string) (llm.Effort, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	if text == "off" {
		return llm.EffortOff, nil
	}
	names := make([]string, 0, 7)
	for _, level := range llm.Efforts() {
		if text == string(level) {
			return level, nil
		}
		names = append(names, string(level))
	}
	return "", fmt.Errorf("effort %q is unknown, want one of %s or off", text, strings.Join(names, ", "))
}

// money works out the cap: what a person has set stays, otherwise a session
// that asks nobody has one, and any other has none.
func (t *Tuner) money(s Session, op event.Configure, c *Change) error {
	if op.MaxCostUSD != nil {
		usd := *op.MaxCostUSD
		if math.IsNaN(usd) || usd < 0 || usd > 1e9 {
			return fmt.Errorf("a spending cap of %v USD makes no sense: it must be 0 (unlimited) or more", usd)
		}
		micro := policy.Micro(usd)
		c.CapMicroUSD, c.CapByUser = &micro, true
		return nil
	}
	if s.Set.CapByUser || c.Mode == s.Mode {
		return nil
	}
	micro := int64(0)
	if c.Mode == policy.ModeYolo {
		micro = t.opts.YoloCapMicroUSD
	}
	switch {
	case micro == s.Set.CapMicroUSD:
		return nil
	case c.Mode == policy.ModeYolo && s.Set.CapMicroUSD == 0:
		c.Notes = append(c.Notes, fmt.Sprintf("without questions the session may spend %s in all; /budget changes that", amount.Dollars(micro)))
	case s.Mode == policy.ModeYolo && s.Set.CapMicroUSD == t.opts.YoloCapMicroUSD:
	default:
		return nil
	}
	c.CapMicroUSD = &micro
	return nil
}

// model finds out whether a switch to a model can work.
func (t *Tuner) model(ctx context.Context, s Session, next agent.Settings, id string, c *Change, billed func(inference.Reply)) error {
	report, err := t.opts.Models.Check(ctx, strings.TrimSpace(id))
	if err != nil {
		return err
	}
	model := report.Route.ID.Text
	next.Model = model
	warnings, err := t.opts.Fits(ctx, next)
	if err != nil {
		return err
	}
	c.Notes = append(c.Notes, routing(report)...)
	for _, w := range slices.Concat(report.Warnings, warnings) {
		c.Notes = append(c.Notes, "warning: "+w)
	}
	if window := report.Info.Window; report.Info.WindowKnown && s.Tokens > window {
		c.Notes = append(c.Notes, fmt.Sprintf("the conversation has about %s tokens, %s holds %s: it is condensed before the next answer",
			amount.Grouped(s.Tokens), model, amount.Grouped(window)))
	}
	c.Model = &model
	return t.thinking(ctx, s, report, next, c, billed)
}

// thinking finds the level of effort that the model takes.
func (t *Tuner) thinking(ctx context.Context, s Session, report provider.Report, next agent.Settings, c *Change, billed func(inference.Reply)) error {
	id := report.Route.ID
	switch {
	case id.Local() || id.Replay():
		c.Settle = func() { t.opts.Caller.SetEffort(next.Model, llm.EffortOff) }
		return nil
	case next.Effort == llm.EffortOff:
		c.Settle = func() { t.opts.Caller.ForgetEffort(next.Model) }
		return nil
	}
	probe, err := t.opts.Caller.Probe(ctx, next.Model, s.ID, next.Effort, bill{billed})
	if err != nil {
		return err
	}
	if probe.Inconclusive {
		c.Notes = append(c.Notes, fmt.Sprintf("warning: %s could not be asked just now; effort %s is tried with the first message", next.Model, next.Effort))
		c.Settle = func() { t.opts.Caller.ForgetEffort(next.Model) }
		return nil
	}
	c.Settle = func() { t.opts.Caller.SetEffort(next.Model, probe.Effort) }
	line := fmt.Sprintf("effort resolved to %s (%d ms)", cmp.Or(string(probe.Effort), "off"), probe.Elapsed.Round(time.Millisecond).Milliseconds())
	if probe.Note != "" {
		line += ": " + probe.Note
	}
	c.Notes = append(c.Notes, line)
	return nil
}

// routing tells how the router serves a model and at what price.
func routing(r provider.Report) []string {
	if r.Routing == "" {
		if r.Info.Local || r.Info.Prices == nil || r.Route.ID.Replay() {
			return nil
		}
		in, out := r.Info.Prices.Input, r.Info.Prices.Output
		return []string{fmt.Sprintf("%s: %s in, %s out per million tokens", cmp.Or(r.Route.Label, r.Info.Label), dollars(&in), dollars(&out))}
	}
	lines := []string{"routing: " + r.Routing}
	for _, o := range r.Offers {
		window, tools := "n/a", "no tools"
		if o.Context > 0 {
			window = amount.Grouped(o.Context)
		}
		if o.Tools {
			tools = "tools"
		}
		lines = append(lines, fmt.Sprintf("  %s: %s in, %s out per million tokens, context %s, %s", o.Provider, dollars(o.Input), dollars(o.Output), window, tools))
	}
	return lines
}

// dollars is a price; one that is not known is not 0.
func dollars(price *float64) string {
	if price == nil {
		return "n/a"
	}
	return fmt.Sprintf("$%.4g", *price)
}

// Refusal is the error event of a change that was not made.
func Refusal(op event.Configure, kept string, err error) event.Error {
	out := event.Error{Error: err.Error(), Code: "internal", Class: string(llm.ClassInvalidRequest), Hint: "The settings are unchanged."}
	var f *llm.Fault
	if errors.As(err, &f) {
		out = observer.Error(f)
	}
	if op.Model != nil {
		out.Error = fmt.Sprintf("the switch to %s failed: %s", strings.TrimSpace(*op.Model), out.Error)
		out.Hint = strings.TrimSpace(out.Hint + " Going on with " + kept + ".")
	}
	return out
}

// bill is an observer that only counts.
type bill struct{ billed func(inference.Reply) }

func (bill) Text(string)                {}
func (bill) Thinking(string)            {}
func (bill) Discard(string)             {}
func (bill) Log(string)                 {}
func (bill) Prompt() int                { return 0 }
func (b bill) Billed(r inference.Reply) { b.billed(r) }

// Package welcome brings a person to a model: with a login at the Hub, a token
// that is pasted, or a model on this machine. It asks and keeps what was
// decided; sessions are opened by others.
package welcome

import (
	"context"
	"errors"
	"strings"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// ErrGivenUp is a first launch that the person has turned away from.
var ErrGivenUp = errors.New("no model was chosen; ml-intern demo shows the program without one")

// Desk is where a person is asked.
type Desk struct {
	App *app.App
	// Unsaved says that a token is of use where it cannot be saved.
	Unsaved bool
	// Token holds for this run only, for it could not be saved; Model was chosen
	// for this run. Both are empty at first.
	Token, Model string
}

// Lacking reports whether the model or the runtime lacks a Hub token.
func (d *Desk) Lacking(ctx context.Context) bool {
	if d.App.Token() != "" || d.Token != "" {
		return false
	}
	if d.App.Config().ToolRuntime == "sandbox" {
		return true
	}
	model := d.App.Model()
	if d.Model != "" {
		model = d.Model
	}
	_, err := d.App.Models.Resolve(ctx, model)
	var f *llm.Fault
	return errors.As(err, &f) && f.Class == llm.ClassMissingKey
}

// Greet asks how to start until there is a way. The error is ErrGivenUp where
// the person turns away twice, or once from everything.
func (d *Desk) Greet(ctx context.Context, talk dialog.Talk) error {
	if !d.Lacking(ctx) {
		return nil
	}
	what := "The model " + d.App.Model() + " needs a key, and there is none yet."
	if d.App.Config().ToolRuntime == "sandbox" {
		what = "The sandbox runtime needs a Hugging Face token, and there is none yet."
	}
	talk.Print(what)
	turnedAway := false
	for d.Lacking(ctx) {
		err := d.choose(ctx, talk, "How do you want to start?", d.starts())
		switch {
		case err == nil:
			turnedAway = false
		case ctx.Err() != nil, errors.Is(err, dialog.ErrCancelled) && turnedAway:
			return ErrGivenUp
		case errors.Is(err, dialog.ErrCancelled):
			turnedAway = true
			talk.Warn("A model is needed to begin. Esc or Ctrl-C once more leaves.")
		default:
			turnedAway = false
			talk.Warn(err.Error())
		}
	}
	return nil
}

// Login logs a person in who has a session already.
func (d *Desk) Login(ctx context.Context, talk dialog.Talk) error {
	store := d.App.Login().Store().Saved
	if state := d.App.Login().State(); state.Token != "" {
		text := "There is a login already, from " + state.Source
		if who, err := d.App.Whoami(ctx, state.Token); err == nil {
			text += ", of " + line(who.Name)
		}
		if state.Source == store.Path() {
			text += ". A new one takes its place."
		} else {
			text += ". It stays in force as long as that is set."
		}
		talk.Print(text)
	}
	var err error
	if ways := d.logins(); len(ways) == 1 {
		err = ways[0].do(ctx, talk)
	} else {
		err = d.choose(ctx, talk, "How do you want to log in?", ways)
	}
	if _, source := store.Token(); err == nil && source == store.Path() {
		talk.Print("Models use it from the next request on; tools that act on the Hub when the session is opened anew: /quit, then ml-intern --continue.")
	}
	return err
}

// way is one thing to choose.
type way struct {
	label, hint string
	do          func(context.Context, dialog.Talk) error
}

func (d *Desk) logins() []way {
	var ways []way
	if d.App.Login().Asks() {
		ways = append(ways, way{"Log in to Hugging Face with a code", "confirmed in any browser", d.byCode})
	}
	return append(ways, way{"Paste a Hugging Face token", "it is not shown, and checked first", d.byToken})
}

func (d *Desk) starts() []way {
	ways := d.logins()
	if d.App.Config().ToolRuntime != "sandbox" {
		ways = append(ways, way{"Use a model on this machine", "Ollama, vLLM, LM Studio or llama.cpp: no key", d.byLocal})
	}
	return append(ways, way{"Look at the demo first", "no key, no account, no internet", showDemo})
}

func (d *Desk) choose(ctx context.Context, talk dialog.Talk, title string, ways []way) error {
	menu := dialog.Menu{Title: title}
	for _, w := range ways {
		menu.Items = append(menu.Items, dialog.Option{Label: w.label, Hint: w.hint})
	}
	i, err := talk.Choose(ctx, menu)
	if err != nil {
		return err
	}
	return ways[i].do(ctx, talk)
}

// byLocal chooses a model that a server on this machine has.
func (d *Desk) byLocal(ctx context.Context, talk dialog.Talk) error {
	menu := dialog.Menu{Title: "Which model?", Filter: true}
	for _, id := range d.App.Models.Local(ctx) {
		menu.Items = append(menu.Items, dialog.Option{Value: id})
	}
	const other = "another one"
	menu.Items = append(menu.Items, dialog.Option{Value: other, Hint: "type its id, such as ollama/qwen3:8b"})
	i, err := talk.Choose(ctx, menu)
	if err != nil {
		return err
	}
	id := menu.Items[i].Value
	if id == other {
		if id, err = talk.Ask(ctx, dialog.Question{Text: "The model's id: ollama/…, vllm/…, lm_studio/… or llamacpp/…"}); err != nil {
			return err
		}
	}
	id = strings.TrimSpace(id)
	if err := d.App.Models.Validate(id); err != nil {
		return err
	}
	d.Model = id
	talk.Print("Using " + id + ". Make it the usual one with: ml-intern config set model_name " + id)
	return nil
}

// showDemo tells how to see the demo.
func showDemo(_ context.Context, talk dialog.Talk) error {
	talk.Print("The demo is a program of its own: leave with Ctrl-C and run\n\n    ml-intern demo\n\nIt takes half a minute and needs nothing but Python 3.")
	return nil
}

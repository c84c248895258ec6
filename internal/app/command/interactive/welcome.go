package interactive

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/account/oauth"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/ui/terminal"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// errGivenUp is a first launch that the person has turned away from.
var errGivenUp = errors.New("no model was chosen; ml-intern demo shows the program without one")

// tokenPage is where a token is made.
const tokenPage = "https://huggingface.co/settings/tokens"

// needsLogin reports whether the model or the runtime lacks a Hub token.
func (r *run) needsLogin(ctx context.Context) bool {
	a := r.app
	if a.Token() != "" || r.token != "" {
		return false
	}
	if a.Config().ToolRuntime == "sandbox" {
		return true
	}
	model := a.Model()
	if r.model != "" {
		model = r.model
	}
	_, err := a.Models.Resolve(ctx, model)
	var f *llm.Fault
	return errors.As(err, &f) && f.Class == llm.ClassMissingKey
}

// welcome asks how to start until there is a way.
func (r *run) welcome(ctx context.Context, talk dialog.Talk) error {
	if !r.needsLogin(ctx) {
		return nil
	}
	talk.Print("The model " + r.app.Model() + " needs a key, and there is none yet. There are three ways to start, and one to look first.")
	turnedAway := false
	for {
		err := r.start(ctx, talk)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return &terminal.FatalError{Err: errGivenUp}
		case errors.Is(err, dialog.ErrCancelled) && turnedAway:
			return &terminal.FatalError{Err: errGivenUp}
		case errors.Is(err, dialog.ErrCancelled):
			turnedAway = true
			talk.Warn("A model is needed to begin. Esc or Ctrl-C once more leaves.")
			continue
		}
		turnedAway = false
		talk.Warn(err.Error())
	}
}

// start is one try.
func (r *run) start(ctx context.Context, talk dialog.Talk) error {
	menu := dialog.Menu{Title: "How do you want to start?"}
	var ways []func(context.Context, dialog.Talk) error
	way := func(label, hint string, do func(context.Context, dialog.Talk) error) {
		menu.Items = append(menu.Items, dialog.Option{Label: label, Hint: hint})
		ways = append(ways, do)
	}
	if r.app.Login().Asks() {
		way("Log in to Hugging Face with a code", "confirmed in any browser", r.byDevice)
	}
	way("Paste a Hugging Face token", "it is not shown, and checked first", r.byToken)
	way("Use a model on this machine", "Ollama, vLLM, LM Studio, llama.cpp: no key, nothing leaves the machine", r.byLocal)
	way("Look at the demo first", "no key, no account, no internet", r.showDemo)
	i, err := talk.Choose(ctx, menu)
	if err != nil {
		return err
	}
	return ways[i](ctx, talk)
}

// byToken takes a pasted token, checks it and keeps it for all Hugging Face
// programs.
func (r *run) byToken(ctx context.Context, talk dialog.Talk) error {
	text, err := talk.Ask(ctx, dialog.Question{
		Text: "Paste a token. You can make one here: " + tokenPage, Secret: true,
	})
	if err != nil {
		return err
	}
	token := strings.TrimSpace(text)
	switch {
	case token == "":
		return errors.New("nothing was pasted")
	case strings.HasPrefix(token, "api_org"):
		return errors.New("that is a token of an organisation, which cannot be used here: make one of your own at " + tokenPage)
	}
	return r.keep(ctx, talk, oauth.Token{Access: token})
}

// byDevice logs in with a code.
func (r *run) byDevice(ctx context.Context, talk dialog.Talk) error {
	p, err := r.app.Login().Provider(nil)
	if err != nil {
		return err
	}
	d, err := p.Start(ctx)
	if err != nil {
		return err
	}
	talk.Print(fmt.Sprintf("Open %s in any browser and enter the code %s", console.OneLine(d.Page), console.OneLine(d.UserCode)))
	if d.Link != "" {
		talk.Print("or open " + console.OneLine(d.Link))
	}
	talk.Print("Waiting for your consent …")
	token, err := p.Finish(ctx, d, func(oauth.Pause) {})
	if err != nil {
		return err
	}
	return r.keep(ctx, talk, token)
}

// keep checks a token, saves it and tells whose it is and where it lies.
func (r *run) keep(ctx context.Context, talk dialog.Talk, t oauth.Token) error {
	a := r.app
	a.Secrets().Hold(t.Access)
	who, err := a.Whoami(ctx, t.Access)
	var network net.Error
	var address *url.Error
	switch {
	case err == nil:
	case errors.Is(err, wire.Unauthorized):
		return errors.New("the Hub does not know this token; check that it was copied whole")
	case errors.As(err, &network), errors.As(err, &address):
		return fmt.Errorf("the token could not be checked, for the Hub cannot be reached: %w", err)
	default:
		return fmt.Errorf("the token could not be checked: %w", err)
	}
	talk.Print("Logged in as " + console.OneLine(who.Name) + ".")
	if err := a.Login().Save(ctx, t, who.Name); err != nil {
		r.token = t.Access
		talk.Warn("It could not be saved and holds for this session only: " + err.Error())
		return nil
	}
	talk.Print("The token was saved in " + a.Login().Store().Saved.Path() + ", for other Hugging Face programs too.")
	return nil
}

// byLocal chooses a model that a server on this machine has.
func (r *run) byLocal(ctx context.Context, talk dialog.Talk) error {
	menu := dialog.Menu{Title: "Which model?", Filter: true}
	for _, id := range r.app.Models.Names(ctx) {
		if info, err := r.app.Models.Describe(ctx, id); err == nil && info.Local {
			menu.Items = append(menu.Items, dialog.Option{Value: id})
		}
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
	if err := r.app.Models.Validate(strings.TrimSpace(id)); err != nil {
		return err
	}
	r.model = strings.TrimSpace(id)
	talk.Print("Using " + r.model + ". Make it the usual one with: ml-intern config set model_name " + r.model)
	return nil
}

// showDemo leaves for the demo.
func (r *run) showDemo(_ context.Context, talk dialog.Talk) error {
	talk.Print("The demo is a program of its own: leave with Ctrl-D and run\n\n    ml-intern demo\n\nIt takes half a minute and needs nothing but Python 3.")
	return nil
}

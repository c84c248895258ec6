package welcome

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/account"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/account/oauth"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/app/login"
	"github.com/ml-intern/ml-intern/internal/app/saved"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// line is a foreign text on one line.
func line(text string) string { return saved.Line(text) }

// byToken takes a pasted token, checks it and keeps it for all Hugging Face
// programs.
func (d *Desk) byToken(ctx context.Context, talk dialog.Talk) error {
	text, err := talk.Ask(ctx, dialog.Question{
		Text: "Paste a token (one is made at " + d.App.Loaded.URL("HF_ENDPOINT").Value + "/settings/tokens)", Secret: true,
	})
	if err != nil {
		return err
	}
	token, err := login.Pasted(text)
	if err != nil {
		return err
	}
	d.App.Secrets().Hold(token)
	who, err := d.check(ctx, token)
	if err != nil {
		return err
	}
	return d.kept(talk, token, who, d.App.Login().Store().SaveToken(ctx, token, who.Token.Name))
}

// byCode logs in with a code.
func (d *Desk) byCode(ctx context.Context, talk dialog.Talk) error {
	p, err := d.App.Login().Provider(nil)
	if err != nil {
		return err
	}
	code, err := p.Start(ctx)
	if err != nil {
		return err
	}
	talk.Print(fmt.Sprintf("Open %s in any browser and enter the code %s", line(code.Page), line(code.UserCode)))
	if code.Link != "" {
		talk.Print("or open " + line(code.Link))
	}
	talk.Print("Waiting for your consent; Esc gives up.")
	lost := false
	token, err := p.Finish(ctx, code, func(pause oauth.Pause) {
		if pause.Trouble != nil && !lost {
			talk.Warn("The Hub cannot be asked for now, trying on: " + line(pause.Trouble.Error()))
		}
		lost = pause.Trouble != nil
	})
	if err != nil {
		return err
	}
	d.App.Secrets().Hold(token.Access, token.Refresh)
	who, err := d.check(ctx, token.Access)
	if err != nil {
		return err
	}
	return d.kept(talk, token.Access, who, d.App.Login().Save(ctx, token, who.Name))
}

// check asks the Hub whose token it is. A Hub that cannot be asked is told
// apart from one that says no.
func (d *Desk) check(ctx context.Context, token string) (*account.Identity, error) {
	who, err := d.App.Whoami(ctx, token)
	var network net.Error
	var address *url.Error
	switch {
	case err == nil:
		return who, nil
	case errors.Is(err, wire.Unauthorized):
		return nil, errors.New("the Hub does not know this token; check that it was copied whole")
	case errors.As(err, &network), errors.As(err, &address):
		return nil, fmt.Errorf("the token could not be checked, for the Hub cannot be reached: %w", err)
	}
	return nil, fmt.Errorf("the token could not be checked: %w", err)
}

// kept tells what became of a token.
func (d *Desk) kept(talk dialog.Talk, token string, who *account.Identity, err error) error {
	switch {
	case err == nil:
		talk.Print("Logged in as " + line(who.Name) + ".\nThe token was saved in " + d.App.Login().Store().Saved.Path() +
			", for other Hugging Face programs too.")
	case !d.Unsaved:
		return fmt.Errorf("the token is one of %s, but it could not be saved: %w", line(who.Name), err)
	default:
		d.Token = token
		talk.Print("Logged in as " + line(who.Name) + ".")
		talk.Warn("The token could not be saved and holds for this session only: " + err.Error())
	}
	for _, text := range login.Shortcomings(who) {
		talk.Warn("warning: " + text)
	}
	if now, source := d.App.Loaded.HFToken(); err == nil && now != token {
		talk.Warn("warning: " + source + " is set and is used instead of the saved token")
	}
	return nil
}

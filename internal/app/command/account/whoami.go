package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/account"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/login"
)

// Whoami makes the command.
func Whoami(s *console.Streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "whoami",
		Short: "Print who is logged in to the Hugging Face Hub",
		Args:  cobra.NoArgs,
		RunE: console.Do(func(ctx context.Context, _ []string) error {
			a, err := s.Open(ctx)
			if err != nil {
				return err
			}
			defer a.Close()
			now := a.FreshToken(ctx)
			if now.Token == "" {
				return &app.MissingKeyError{Err: errors.New("nobody is logged in: set HF_TOKEN or run ml-intern login")}
			}
			who, err := a.Whoami(ctx, now.Token)
			if err != nil {
				return tokenFault(err, now.Source)
			}
			if a.Login().State().OAuth { // the question may have renewed it
				now = a.Login().State()
			}
			return showIdentity(s, who, now, asJSON)
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

// tokenFault words a failed question who a token belongs to: a token that is
// not valid is another thing than a Hub that did not answer.
func tokenFault(err error, source string) error {
	if errors.Is(err, wire.Unauthorized) {
		return &app.MissingKeyError{Err: fmt.Errorf("the token from %s is not valid: %w", source, err)}
	}
	return fmt.Errorf("the token could not be checked: %w", err)
}

func showIdentity(s *console.Streams, who *account.Identity, now login.State, asJSON bool) error {
	if asJSON {
		return s.PrintJSON(struct {
			Name   string   `json:"name"`
			Plan   string   `json:"plan"`
			Orgs   []string `json:"orgs"`
			Token  string   `json:"token_name"`
			Role   string   `json:"token_role"`
			Source string   `json:"token_source"`
			Kind   string   `json:"token_kind"`
			// Ends is when the token ends, RenewsItself that another comes then.
			Ends         time.Time `json:"token_expires_at,omitzero"`
			RenewsItself bool      `json:"token_renewable"`
		}{
			who.Name, who.Plan(), orgNames(who), who.Token.Name, who.Token.Role, now.Source, kindOf(who, now), endOf(who, now),
			now.Renewable,
		})
	}
	fmt.Fprintf(s.Out, "%s (%s)\n", console.OneLine(who.Name), who.Plan())
	if len(who.Orgs) > 0 {
		fmt.Fprintln(s.Out, "organisations: "+console.OneLine(strings.Join(orgNames(who), ", ")))
	}
	fmt.Fprintln(s.Out, "token: "+tokenText(who, now))
	return nil
}

func orgNames(who *account.Identity) []string {
	names := make([]string, len(who.Orgs))
	for i, o := range who.Orgs {
		names[i] = o.Name
	}
	return names
}

// tokenText names a token without showing it.
func tokenText(who *account.Identity, now login.State) string {
	text := "from " + now.Source
	if who.Token.Name != "" {
		text = console.OneLine(who.Token.Name) + " " + text
	}
	if who.Token.Role != "" {
		text += ", role " + console.OneLine(who.Token.Role)
	}
	switch end := who.Token.ExpiresAt; {
	case now.OAuth:
		text += ", " + now.Kind()
	case !end.IsZero():
		text += ", ends " + end.UTC().Format("2006-01-02 15:04 UTC")
	}
	return text
}

// kindOf is the kind of a token, as the Hub calls it.
func kindOf(who *account.Identity, now login.State) string {
	if now.OAuth {
		return "oauth"
	}
	return who.Token.Kind
}

// endOf is when a token ends; zero when it does not, or when nobody says.
func endOf(who *account.Identity, now login.State) time.Time {
	if now.OAuth && !now.Ends.IsZero() {
		return now.Ends
	}
	return who.Token.ExpiresAt
}

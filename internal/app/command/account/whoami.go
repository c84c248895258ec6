package account

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/account"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
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
			token, source := a.Loaded.HFToken()
			if token == "" {
				return &app.MissingKeyError{Err: errors.New("nobody is logged in: set HF_TOKEN or run ml-intern login")}
			}
			who, err := a.Whoami(ctx, token)
			if err != nil {
				return tokenFault(err, source)
			}
			return showIdentity(s, who, source, asJSON)
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

func showIdentity(s *console.Streams, who *account.Identity, source string, asJSON bool) error {
	if asJSON {
		return s.PrintJSON(struct {
			Name   string   `json:"name"`
			Plan   string   `json:"plan"`
			Orgs   []string `json:"orgs"`
			Token  string   `json:"token_name"`
			Role   string   `json:"token_role"`
			Source string   `json:"token_source"`
		}{who.Name, who.Plan(), orgNames(who), who.Token.Name, who.Token.Role, source})
	}
	fmt.Fprintf(s.Out, "%s (%s)\n", console.OneLine(who.Name), who.Plan())
	if len(who.Orgs) > 0 {
		fmt.Fprintln(s.Out, "organisations: "+console.OneLine(strings.Join(orgNames(who), ", ")))
	}
	fmt.Fprintln(s.Out, "token: "+tokenText(who, source))
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
func tokenText(who *account.Identity, source string) string {
	text := "from " + source
	if who.Token.Name != "" {
		text = console.OneLine(who.Token.Name) + " " + text
	}
	if who.Token.Role != "" {
		text += ", role " + console.OneLine(who.Token.Role)
	}
	return text
}

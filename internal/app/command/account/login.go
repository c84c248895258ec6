// Package account is the commands around the Hub login: who is it, in, out.
package account

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/account"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/login"
	"github.com/ml-intern/ml-intern/internal/config/place"
	"github.com/ml-intern/ml-intern/internal/ui/headless"
)

// Login makes the command.
func Login(s *console.Streams) *cobra.Command {
	var stdin, device bool
	var scopes []string
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Log in to Hugging Face",
		Long: `Log in to Hugging Face, for this and the other Hugging Face programs of this
user: with a code that is confirmed in any browser, or with a token that is
pasted or read from standard input. A token is checked first, and it is not
shown while it is pasted.

The code needs ML_INTERN_OAUTH_CLIENT_ID, the id of an OAuth application for
devices. Such a login asks for few rights and is renewed by itself; --scope asks
for more of them, and those it has are kept.`,
		Example: `  ml-intern login
  ml-intern login --token-stdin < token.txt
  ml-intern login --device --scope write-repos,jobs`,
		Args: cobra.NoArgs,
		RunE: console.Do(func(ctx context.Context, _ []string) error {
			a, err := s.Open(ctx)
			if err != nil {
				return err
			}
			defer a.Close()
			switch {
			case stdin && (device || scopes != nil):
				return console.Usage("--token-stdin does not go with --device and --scope: its token has the rights it has")
			case stdin:
				return loginFromInput(ctx, s, a)
			case device || scopes != nil:
				return loginByDevice(ctx, s, a, scopes)
			case !s.InTTY:
				return console.Usage("standard input is not a terminal: give the token with --token-stdin, or log in with a code with --device")
			}
			return loginByHand(ctx, s, a)
		}),
	}
	cmd.Flags().BoolVar(&stdin, "token-stdin", false, "read the token from standard input")
	cmd.Flags().BoolVar(&device, "device", false, "log in with a code that is confirmed in any browser")
	cmd.Flags().StringSliceVar(&scopes, "scope", nil, "with --device: ask for these `RIGHTS` too, such as write-repos,jobs, or all")
	return cmd
}

// errNobody is a login that was given up.
var errNobody = errors.New("nobody was logged in")

// tokenLimit bounds what is read as a token, in bytes.
const tokenLimit = 4096

func loginFromInput(ctx context.Context, s *console.Streams, a *app.App) error {
	raw, err := io.ReadAll(io.LimitReader(s.In, tokenLimit))
	if err != nil {
		return console.Usage("read the token: %w", err)
	}
	again, err := saveToken(ctx, s, a, string(raw))
	if again { // a bad token here is a mistake of the caller
		return &app.MissingKeyError{Err: err}
	}
	return err
}

// loginByHand offers a code, where that is possible, and else asks until a token
// is valid. Ctrl-C and Ctrl-D leave.
func loginByHand(ctx context.Context, s *console.Streams, a *app.App) error {
	question := "Paste it here (it is not shown): "
	if a.Login().Asks() {
		question = "Press Enter to log in with a code in any browser, or paste a token (it is not shown): "
	} else {
		fmt.Fprintf(s.Err, "A token is made at %s/settings/tokens.\n", a.Loaded.URL("HF_ENDPOINT").Value)
	}
	screen := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{s.In, s.Err}, "")
	for {
		raw, err := readHidden(s.In, screen, question)
		if err != nil {
			fmt.Fprintln(s.Err)
			return &console.ExitError{Code: headless.ExitInterrupt, Err: errNobody}
		}
		if a.Login().Asks() && place.CleanToken(raw) == "" {
			return loginByDevice(ctx, s, a, nil)
		}
		again, err := saveToken(ctx, s, a, raw)
		if !again {
			return err
		}
		fmt.Fprintln(s.Err, "ERROR: "+err.Error())
	}
}

// readHidden reads a line without echo. While it does, Ctrl-C and Ctrl-D end
// the input instead of sending a signal.
func readHidden(in *os.File, screen *term.Terminal, question string) (line string, err error) {
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, term.Restore(int(in.Fd()), before)) }()
	return screen.ReadPassword(question)
}

// saveToken checks a token and keeps it. Again says that another token may be
// asked for.
func saveToken(ctx context.Context, s *console.Streams, a *app.App, raw string) (again bool, err error) {
	token, err := login.Pasted(raw)
	if err != nil {
		return true, err
	}
	who, err := a.Whoami(ctx, token)
	if err != nil {
		if errors.Is(err, wire.Unauthorized) {
			return true, errors.New("the Hub does not know this token")
		}
		return false, fmt.Errorf("the token could not be checked, and was not saved: %w", err)
	}
	store := a.Login().Store()
	if err := store.SaveToken(ctx, token, who.Token.Name); err != nil {
		return false, err
	}
	fmt.Fprintf(s.Out, "logged in as %s; saved in %s\n", console.OneLine(who.Name), store.Saved.Path())
	tokenWarnings(s, a, who)
	return false, nil
}

func tokenWarnings(s *console.Streams, a *app.App, who *account.Identity) {
	for _, text := range login.Shortcomings(who) {
		fmt.Fprintln(s.Err, "warning: "+text)
	}
	variableWarning(s, a)
}

// variableWarning says that the login is not the one in force.
func variableWarning(s *console.Streams, a *app.App) {
	if _, source := a.Loaded.HFToken(); source != a.Loaded.Login().Path() {
		fmt.Fprintf(s.Err, "warning: %s is set and is used instead of the saved token\n", source)
	}
}

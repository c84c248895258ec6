package account

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/account"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/account/oauth"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/ui/headless"
)

// loginByDevice shows a code and waits until the user has confirmed it in a
// browser of his choice; none is opened. Ctrl-C leaves.
func loginByDevice(ctx context.Context, s *console.Streams, a *app.App, scopes []string) error {
	if !a.Login().Asks() {
		return console.Usage("there is no OAuth client id, which a login with a code needs: set ML_INTERN_OAUTH_CLIENT_ID, or give a token with --token-stdin")
	}
	for _, name := range scopes {
		if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz-") != "" {
			return console.Usage("--scope: %q is not the name of a right such as write-repos", name)
		}
	}
	provider, err := a.Login().Provider(scopes)
	if err != nil {
		return err
	}
	stop, release := console.StopSignals(ctx, 0)
	defer release()
	_, errTTY := terminalOf(s.Err)
	token, err := consent(stop, provider, s.Err, errTTY == nil)
	switch {
	case stop.Err() != nil:
		return &console.ExitError{Code: console.StopCode(stop), Err: errNobody}
	case errors.Is(err, oauth.ErrDenied), errors.Is(err, oauth.ErrExpired):
		return &console.ExitError{Code: headless.ExitAuth, Err: err}
	case err != nil:
		return err
	}
	return saveLogin(stop, s, a, token)
}

// terminalOf is the descriptor of a stream that is a terminal.
func terminalOf(w io.Writer) (int, error) {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return int(f.Fd()), nil
	}
	return 0, errors.New("it is not a terminal")
}

// consent asks the user for his consent and waits for it.
func consent(ctx context.Context, p *oauth.Provider, out io.Writer, tty bool) (oauth.Token, error) {
	d, err := p.Start(ctx)
	if err != nil {
		return oauth.Token{}, err
	}
	fmt.Fprintf(out, "Open %s in any browser and enter the code %s\n", console.OneLine(d.Page), console.OneLine(d.UserCode))
	if d.Link != "" {
		fmt.Fprintf(out, "or open %s\n", console.OneLine(d.Link))
	}
	wait := startProgress(out, tty, d.ExpiresAt)
	token, err := p.Finish(ctx, d, wait.pause)
	wait.end()
	return token, err
}

// saveLogin keeps the token and tells what it is good for.
func saveLogin(ctx context.Context, s *console.Streams, a *app.App, t oauth.Token) error {
	name := "somebody"
	who, err := a.Whoami(ctx, t.Access)
	switch {
	case err == nil:
		name = who.Name
	case errors.Is(err, wire.Unauthorized):
		return fmt.Errorf("the Hub does not know the token it has given: %w", err)
	default: // it cannot be asked for again
		fmt.Fprintf(s.Err, "warning: the token could not be checked: %v\n", err)
		who = &account.Identity{}
	}
	if err := a.Login().Save(ctx, t, who.Name); err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "logged in as %s; saved in %s\n", console.OneLine(name), a.Login().Store().Saved.Path())
	if t.Refresh != "" {
		fmt.Fprintln(s.Out, "the login is renewed by itself until ml-intern logout")
	} else if !t.ExpiresAt.IsZero() {
		fmt.Fprintf(s.Out, "the login cannot be renewed; it ends %s\n", t.ExpiresAt.UTC().Format("2006-01-02 15:04 UTC"))
	}
	if lacks := missing(strings.Fields(t.Scope)); len(lacks) > 0 {
		fmt.Fprintf(s.Err, "note: this login has few rights; for more: ml-intern login --device --scope %s\n", strings.Join(lacks, ","))
	}
	variableWarning(s, a)
	return nil
}

// missing are the rights that much of the program needs and a login lacks.
func missing(has []string) []string {
	return slices.DeleteFunc([]string{"inference-api", "write-repos", "jobs"}, func(name string) bool { return slices.Contains(has, name) })
}

// progress shows that a login is waited for: on a terminal a line that counts
// down, elsewhere one that does not.
type progress struct {
	out   io.Writer
	tty   bool
	until time.Time

	mu    sync.Mutex
	width int // of the line on the terminal
	lost  bool
	stop  chan struct{}
	done  chan struct{}
}

func startProgress(out io.Writer, tty bool, until time.Time) *progress {
	p := &progress{out: out, tty: tty, until: until, stop: make(chan struct{}), done: make(chan struct{})}
	if !tty {
		fmt.Fprintf(out, "Waiting for your consent, for at most %s (Ctrl-C gives up)\n", p.left())
		close(p.done)
		return p
	}
	go p.count()
	return p
}

func (p *progress) left() time.Duration { return max(time.Until(p.until).Round(time.Second), 0) }

// count keeps the line up to date.
func (p *progress) count() {
	defer close(p.done)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		p.mu.Lock()
		p.line(fmt.Sprintf("Waiting for your consent, %s left (Ctrl-C gives up)", p.left()))
		p.mu.Unlock()
		select {
		case <-tick.C:
		case <-p.stop:
			return
		}
	}
}

// line replaces the line on the terminal.
func (p *progress) line(text string) {
	fmt.Fprint(p.out, "\r"+text+strings.Repeat(" ", max(p.width-len(text), 0)))
	p.width = len(text)
}

// note writes a line of its own.
func (p *progress) note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tty {
		p.line("")
		fmt.Fprint(p.out, "\r")
	}
	fmt.Fprintln(p.out, text)
}

// pause tells what is not as usual.
func (p *progress) pause(pause oauth.Pause) {
	if pause.Slower {
		p.note(fmt.Sprintf("The Hub wants to be asked less often: every %s from now on", pause.For))
	}
	if pause.Trouble != nil && !p.lost {
		p.note("The Hub cannot be asked for now, trying on: " + console.OneLine(pause.Trouble.Error()))
	}
	p.lost = pause.Trouble != nil
}

// end takes the line away.
func (p *progress) end() {
	close(p.stop)
	<-p.done
	if p.tty {
		p.line("")
		fmt.Fprint(p.out, "\r")
	}
}

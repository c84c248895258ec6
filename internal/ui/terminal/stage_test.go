package terminal_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	signals "os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
	"github.com/ml-intern/ml-intern/internal/ui/terminal"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/attention"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/banner"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer/complete"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/screentest"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

var _ = flag.Bool("update", false, "write golden files")

// The test binary is also the program that the tests run in a pseudo-terminal:
// the application on a session that plays a script.
func TestMain(m *testing.M) {
	if os.Getenv("TERMINAL_STAGE") != "" {
		os.Exit(stage())
	}
	os.Exit(m.Run())
}

// stage runs the application on a scripted session.
func stage() int {
	c := &clock{}
	if os.Getenv("STAGE_CLOCK") == "still" { // for screens that must not change
		c.still = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	}
	s := newScripted(c)
	commands := tests()
	if !c.still.IsZero() {
		commands = shown()
	}
	th := func(dark bool) *theme.Theme {
		return theme.New(theme.Options{Color: theme.Detect(os.Environ()), Dark: dark, ASCII: os.Getenv("STAGE_ASCII") != ""})
	}
	askDark := th
	if theme.Detect(os.Environ()) == theme.None {
		askDark = nil
	}
	res := terminal.Run(context.Background(), terminal.Options{
		In: os.Stdin, Out: os.Stdout, Environ: os.Environ(), Theme: th(true), AskDark: askDark, Now: c.now,
		Banner: func(th *theme.Theme, width int) []string {
			return banner.Lines(banner.Info{Version: "on a stage", Model: "test/model", Runtime: "local filesystem", Dir: "/home/me/work", Home: "/home/me"}, th, width)
		},
		Animate: os.Getenv("STAGE_ANIMATE") != "",
		Open: func(context.Context, string, dialog.Talk) (*terminal.Opened, error) {
			if os.Getenv("STAGE_REFUSE") != "" {
				return nil, errors.New("there is no session here")
			}
			c.pass(time.Minute)
			return &terminal.Opened{Session: s, Detachable: true}, nil
		},
		Commands: commands,
		Input:    composer.Options{History: typed(), Sources: []complete.Source{crash, complete.Slash(commands), complete.Paths(os.Getenv("STAGE_DIR"))}},
		Modes:    []string{"ask", "auto-edit", "plan"},
		Editor: func(path string) ([]string, error) {
			return []string{"sh", "-c", `printf 'edited' >> "$0"`, path}, nil
		},
		Attention: attention.New(attention.Options{Mode: "off", Environ: os.Environ(), ASCII: os.Getenv("STAGE_ASCII") != ""}),
		Hangup:    on(syscall.SIGHUP), Terminate: on(syscall.SIGTERM),
		Expand: func(_ context.Context, text string) (event.UserInput, []string, error) {
			if text == "break beside the screen" {
				panic("it broke beside the screen")
			}
			if rest, ok := strings.CutPrefix(text, "/greet "); ok {
				return event.UserInput{Text: "Hello, " + rest, Shown: text}, []string{"the command greet"}, nil
			}
			return event.UserInput{Text: text}, nil, nil
		},
	})
	fmt.Printf("ended: reason %d, error %v, draft %q\n", res.Reason, res.Err, res.Draft)
	return int(res.Reason)
}

// on is closed by a signal.
func on(sig os.Signal) <-chan struct{} {
	got, closed := make(chan os.Signal, 1), make(chan struct{})
	signals.Notify(got, sig)
	go func() {
		<-got
		close(closed)
	}()
	return closed
}

// crash breaks the application while somebody types.
func crash(line string, _ bool) (complete.Request, bool) {
	if line == "crash" {
		panic("it broke on the screen")
	}
	return complete.Request{}, false
}

// scripted is a session that answers by rules: what a message says is what
// happens.
type scripted struct {
	*attach.Local
	host *host
}

func newScripted(c *clock) *scripted {
	h := newHost(c)
	if n, _ := strconv.Atoi(os.Getenv("STAGE_EVENTS")); n > 0 {
		h.live(n)
		h.past = h.journal.LastSeq()
	}
	if os.Getenv("STAGE_PAST") != "" {
		h.before()
		h.past = h.journal.LastSeq()
	}
	return &scripted{Local: attach.NewLocal(h), host: h}
}

// Detach is allowed here.
func (s *scripted) Detach() error { return nil }

// start runs the stage in a pseudo-terminal.
func start(t testing.TB, columns, rows int, env ...string) *screentest.Terminal {
	t.Helper()
	return startKind(t, screentest.Kind{}, columns, rows, env...)
}

func startKind(t testing.TB, kind screentest.Kind, columns, rows int, env ...string) *screentest.Terminal {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), append([]string{"TERMINAL_STAGE=1", "TERM=xterm-256color", "NO_COLOR=1"}, env...)...)
	return kind.Start(t, cmd, columns, rows)
}

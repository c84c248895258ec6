package terminal_test

import (
	"strings"
	"syscall"
	"testing"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/screentest"
)

// However the application ends, the terminal is as it was before: what is typed
// is shown again, the cursor too, and no mode is left on.
func TestTheTerminalIsLeftClean(t *testing.T) {
	for name, c := range map[string]struct {
		env  []string
		kind screentest.Kind
		end  func(x *screentest.Terminal)
	}{
		"quit":           {end: func(x *screentest.Terminal) { send("/quit")(x) }},
		"end of input":   {end: func(x *screentest.Terminal) { x.Press("ctrl+d") }},
		"two interrupts": {end: func(x *screentest.Terminal) { x.Press("ctrl+c", "ctrl+c") }},
		"while it works": {end: func(x *screentest.Terminal) {
			ask(x, "look at the data", "hf_dataset_audit")
			x.Press("ctrl+c", "ctrl+c")
		}},
		"terminated": {end: func(x *screentest.Terminal) { signal(x, syscall.SIGTERM) }},
		"hung up":    {end: func(x *screentest.Terminal) { signal(x, syscall.SIGHUP) }},
		"terminated while it streams": {end: func(x *screentest.Terminal) {
			ask(x, "stream 100000", "word20")
			signal(x, syscall.SIGTERM)
		}},
		"detached": {end: func(x *screentest.Terminal) { x.Press("ctrl+b", "d") }},
		"session lost": {end: func(x *screentest.Terminal) {
			ask(x, "and now the connection breaks", "the session has ended")
			x.Press("ctrl+d")
		}},
		"in a menu": {end: func(x *screentest.Terminal) {
			ask(x, "/choose", "Which?")
			signal(x, syscall.SIGTERM)
		}},
		"panic":                   {end: func(x *screentest.Terminal) { x.Type("crash") }},
		"panic beside the screen": {end: func(x *screentest.Terminal) { send("break beside the screen")(x) }},
		"no session":              {env: []string{"STAGE_REFUSE=1"}, end: func(*screentest.Terminal) {}},
		"a silent terminal":       {kind: screentest.Kind{Silent: true}, end: func(x *screentest.Terminal) { x.Press("ctrl+d") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := startKind(t, c.kind, 80, 24, append(c.env, "NO_COLOR=", "COLORTERM=truecolor", "TERM_PROGRAM=ghostty")...)
			if c.env == nil {
				x.See("? for help")
			}
			c.end(x)
			code := x.Exit()
			if left := x.Left(); len(left) > 0 {
				t.Errorf("exit code %d, these are left: %q", code, left)
			}
			if !x.Cooked() {
				t.Error("what is typed is not shown any more")
			}
			if _, _, shown := x.Cursor(); !shown {
				t.Error("the cursor is hidden")
			}
			if title := x.Title(); title != "" {
				t.Errorf("the title is %q", title)
			}
			all := x.All()
			if broken := strings.Contains(name, "panic"); broken != strings.Contains(all, "it broke") || broken != (code == 4) && name != "no session" {
				t.Errorf("exit code %d:\n%s", code, all)
			}
			if strings.Contains(all, "$y") || strings.Contains(all, "rgb:") {
				t.Errorf("answers of the terminal stand on it:\n%s", all)
			}
		})
	}
}

func signal(x *screentest.Terminal, sig syscall.Signal) {
	_ = syscall.Kill(x.PID(), sig)
}

// A process that was stopped and goes on has the terminal again, whatever the
// shell has made of it meanwhile, and what the shell has written stays.
func TestStoppedAndContinued(t *testing.T) {
	x := start(t, 80, 24)
	x.See("? for help")
	ask(x, "stream 100000", "word20")
	x.Type("half a tho")
	x.See("half a tho")
	signal(x, syscall.SIGSTOP)
	x.Cook()
	_, _ = x.Write([]byte("\r\n\x1b[?2004l[1]+  Stopped\r\n$ fg\r\n"))
	signal(x, syscall.SIGCONT)
	x.Type("ught")
	x.See("half a thought")
	x.SeeAll("Stopped", "$ fg") // the stream may have moved them up already
	if x.Cooked() {
		t.Error("keys are shown by the terminal itself")
	}
	x.Press("escape")
	x.See("interrupted")
	x.Press("ctrl+c", "ctrl+d")
	x.Exit()
	if left := x.Left(); len(left) > 0 || !x.Cooked() {
		t.Errorf("these are left: %q", left)
	}
}

package attention_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/charmbracelet/x/ansi"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/attention"
)

// away returns one whose person looks elsewhere.
func away(o attention.Options) *attention.Attention {
	a := attention.New(o)
	a.Focus(false)
	return a
}

func TestNotifications(t *testing.T) {
	const (
		nine   = "\x1b]9;ml-intern: done; see x\x07"
		kitty  = "\x1b]99;i=ml-intern:d=0;ml-intern\x07\x1b]99;i=ml-intern:p=body;done; see x\x07"
		seven  = "\x1b]777;notify;ml-intern;done, see x\x07"
		inTmux = "\x1bPtmux;\x1b\x1b]9;ml-intern: done; see x\x07\x1b\\\a"
	)
	for name, c := range map[string]struct {
		env  []string
		want string
	}{
		"nothing known":     {nil, "\a"},
		"xterm":             {[]string{"TERM=xterm-256color"}, "\a"},
		"iTerm2":            {[]string{"TERM=xterm-256color", "TERM_PROGRAM=iTerm.app"}, nine},
		"WezTerm":           {[]string{"TERM_PROGRAM=WezTerm"}, nine},
		"ghostty":           {[]string{"TERM=xterm-ghostty"}, nine},
		"iTerm2 over SSH":   {[]string{"TERM=xterm-256color", "LC_TERMINAL=iTerm2", "SSH_CONNECTION=x"}, nine},
		"Windows Terminal":  {[]string{"WT_SESSION=guid"}, nine + "\a"},
		"kitty":             {[]string{"TERM=xterm-kitty"}, kitty},
		"kitty by its id":   {[]string{"TERM=xterm-256color", "KITTY_WINDOW_ID=1"}, kitty},
		"rxvt":              {[]string{"TERM=rxvt-unicode-256color"}, seven},
		"foot":              {[]string{"TERM=foot"}, seven},
		"VTE":               {[]string{"TERM=xterm-256color", "VTE_VERSION=7600"}, seven},
		"VS Code in GNOME":  {[]string{"TERM_PROGRAM=vscode", "VTE_VERSION=7600"}, "\a"},
		"Terminal.app":      {[]string{"TERM_PROGRAM=Apple_Terminal"}, "\a"},
		"tmux":              {[]string{"TERM=tmux-256color", "TERM_PROGRAM=tmux", "TMUX=/tmp/x,1,0", "ITERM_SESSION_ID=w0"}, inTmux},
		"tmux anywhere":     {[]string{"TERM=tmux-256color", "TMUX=/tmp/x,1,0"}, "\a"},
		"screen":            {[]string{"TERM=screen", "STY=1.x", "VTE_VERSION=1"}, "\x1bP" + seven + "\x1b\\\a"},
		"kitty inside tmux": {[]string{"TMUX=x", "KITTY_WINDOW_ID=1"}, ansi.TmuxPassthrough(kitty[:strings.IndexByte(kitty, 7)+1]) + ansi.TmuxPassthrough(kitty[strings.IndexByte(kitty, 7)+1:]) + "\a"},
	} {
		a := away(attention.Options{Mode: "auto", Environ: c.env})
		if got := a.Event(attention.Finished, "done;\n  see x"); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestModes(t *testing.T) {
	kitty := []string{"TERM=xterm-kitty"}
	for _, c := range []struct {
		mode string
		env  []string
		want string
	}{
		{"off", kitty, ""},
		{"bell", kitty, "\a"},
		{"osc", []string{"TERM=xterm"}, "\x1b]9;ml-intern: x\x07"},
		{"osc", []string{"TERM=foot"}, "\x1b]777;notify;ml-intern;x\x07"},
		{"native", []string{"TERM=foot"}, "\x1b]777;notify;ml-intern;x\x07"}, // nothing runs
		{"", []string{"TERM=xterm"}, "\a"},
	} {
		if got := away(attention.Options{Mode: c.mode, Environ: c.env}).Event(attention.Error, "x"); got != c.want {
			t.Errorf("%s %v: %q, want %q", c.mode, c.env, got, c.want)
		}
	}
}

func TestWhen(t *testing.T) {
	now := time.Unix(0, 0)
	a := attention.New(attention.Options{Mode: "bell", MinSeconds: 10, Now: func() time.Time { return now }})
	event := func(kind string, want bool) {
		t.Helper()
		if got := a.Event(kind, "x") != ""; got != want {
			t.Errorf("%s: %v, want %v", kind, got, want)
		}
	}
	event(attention.Error, false) // nobody has worked, and the focus is not known
	event(attention.Job, true)
	a.Title(attention.Working)
	now = now.Add(9 * time.Second)
	a.Title(attention.Working)
	event(attention.Finished, false)
	now = now.Add(time.Second)
	event(attention.Approval, true)
	a.Progress(attention.Waiting)
	a.Progress(attention.Working) // the person has answered
	event(attention.Finished, false)
	a.Focus(false)
	event(attention.Finished, true)
	a.Focus(true)
	event(attention.Finished, false)
}

// What is told cannot control the terminal, shows no secret and is short.
func TestTextsAreClean(t *testing.T) {
	for _, env := range []string{"TERM=xterm-kitty", "TERM=foot", "TERM_PROGRAM=WezTerm"} {
		a := away(attention.Options{Environ: []string{env}, Scrub: func(s string) string { return strings.ReplaceAll(s, "secret", "[REDACTED]") }})
		got := a.Event(attention.Error, "a\x1b]52;c;eA==\x07b\x9c\u009d\r\n\u202e secret "+strings.Repeat("日本 ", 200))
		body := strings.NewReplacer("\x1b]", "", "\x07", "").Replace(got)
		if strings.ContainsFunc(body, unicode.IsControl) || strings.Contains(got, "52;c") || strings.Contains(got, "secret") || !strings.Contains(got, "[REDACTED]") {
			t.Errorf("%s: %q", env, got)
		}
		if w := ansi.StringWidth(body); w > 250 {
			t.Errorf("%s: %d columns", env, w)
		}
		if got := a.Event(attention.Job, "\x1b[31m\n"); !strings.Contains(got, "job") {
			t.Errorf("an empty text: %q", got)
		}
	}
}

func TestNative(t *testing.T) {
	const text = `x'; rm -rf ~ # "$(y)" ’z’ -e`
	run := func(goos string, env ...string) (argv []string, written string) {
		a := away(attention.Options{Mode: "native", GOOS: goos, Environ: env, Run: func(got []string) { argv = got }})
		written = a.Event(attention.Finished, text)
		return argv, written
	}
	for _, goos := range []string{"linux", "darwin"} {
		if argv, written := run(goos); written != "" || len(argv) == 0 || argv[len(argv)-1] != text {
			t.Errorf("%s: %q, writes %q", goos, argv, written)
		} else if slices.ContainsFunc(argv[:len(argv)-1], func(s string) bool { return strings.Contains(s, "rm -rf") }) {
			t.Errorf("%s: the text is in another argument: %q", goos, argv)
		}
	}
	argv, _ := run("windows")
	script := decoded(t, argv[len(argv)-1])
	if strings.Contains(script, "rm -rf") || !strings.Contains(script, base64.StdEncoding.EncodeToString([]byte(text))) {
		t.Errorf("the program is %s", script)
	}
	if _, written := run("plan9"); written != "\a" {
		t.Errorf("an unknown system writes %q", written)
	}
	// The desktop of a connection is elsewhere: the terminal is told.
	if argv, written := run("linux", "SSH_CONNECTION=1.2.3.4", "TERM=xterm-kitty"); argv != nil || !strings.HasPrefix(written, "\x1b]99;") {
		t.Errorf("over a connection it runs %q and writes %q", argv, written)
	}
}

func decoded(t *testing.T, text string) string {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	var units []uint16
	for i := 0; i+1 < len(raw); i += 2 {
		units = append(units, uint16(raw[i])|uint16(raw[i+1])<<8)
	}
	return string(utf16.Decode(units))
}

func TestTitle(t *testing.T) {
	a := attention.New(attention.Options{Environ: []string{"TERM=xterm"}, Name: "my \x1b[31mproject"})
	for state, want := range map[string]string{
		attention.Idle: "ml-intern · my project", attention.Working: "working · ml-intern · my project",
		attention.Waiting: "needs you · ml-intern · my project", attention.Failed: "failed · ml-intern · my project",
	} {
		if got := a.Title(state); got != want {
			t.Errorf("%s: %q, want %q", state, got, want)
		}
	}
	if a.Begin() != "\x1b[22;0t" || a.End() != "\x1b[23;0t" {
		t.Errorf("the title is not kept: %q %q", a.Begin(), a.End())
	}
	a.Rename("")
	if got := a.Title(attention.Idle); got != "ml-intern" {
		t.Errorf("without a name: %q", got)
	}
	plain := attention.New(attention.Options{Environ: []string{"TERM=xterm"}, Name: strings.Repeat("long ", 40), ASCII: true})
	if got := plain.Title(attention.Waiting); ansi.StringWidth(got) > 100 || strings.ContainsFunc(got, func(c rune) bool { return c > '~' }) {
		t.Errorf("in ASCII: %q", got)
	}
	for _, term := range []string{"", "TERM=dumb", "TERM=linux"} {
		a := attention.New(attention.Options{Environ: []string{term}})
		if a.Title(attention.Working) != "" || a.Begin() != "" || a.End() != "" {
			t.Errorf("%q has a title", term)
		}
	}
}

func TestProgress(t *testing.T) {
	for env, shows := range map[string]bool{
		"WT_SESSION=x": true, "TERM_PROGRAM=WezTerm": true, "TERM_PROGRAM=ghostty": true, "ConEmuANSI=ON": true,
		"TERM_PROGRAM=iTerm.app TERM_PROGRAM_VERSION=3.6.6": true, "TERM_PROGRAM=iTerm.app TERM_PROGRAM_VERSION=3.6.10beta2": true,
		"TERM_PROGRAM=iTerm.app TERM_PROGRAM_VERSION=4": true, "TERM_PROGRAM=iTerm.app TERM_PROGRAM_VERSION=3.5.14": false,
		"TERM_PROGRAM=iTerm.app TERM_PROGRAM_VERSION=x": false, "TERM_PROGRAM=iTerm.app TERM_PROGRAM_VERSION=3.6": false,
		"TERM_PROGRAM=iTerm.app": false, "TERM=xterm": false, "WT_SESSION=x TMUX=y": false, "TERM_PROGRAM=vscode WT_SESSION=x": false,
	} {
		a := attention.New(attention.Options{Environ: strings.Fields(env)})
		var got []string
		for _, state := range []string{attention.Idle, attention.Working, attention.Working, attention.Waiting, attention.Failed} {
			got = append(got, a.Progress(state))
		}
		got = append(got, a.End(), a.End())
		want := []string{"", "\x1b]9;4;3\x07", "", "\x1b]9;4;4;100\x07", "\x1b]9;4;2;100\x07", "\x1b]9;4;0\x07", ""}
		if !shows {
			want = make([]string, len(want))
		}
		if strings.Contains(env, "TERM=") { // the title goes back as well
			want[5], want[6] = want[5]+"\x1b[23;0t", want[6]+"\x1b[23;0t"
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", env, got, want)
		}
	}
}

// Whatever an error says, one sequence is written and ends.
func FuzzEvent(f *testing.F) {
	for _, s := range []string{"done", "\x1b]0;x\x07", "a;b", "\x9c\x1b\\", "4;3", "\u202e日本"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, env := range []string{"TERM=foot", "TERM_PROGRAM=WezTerm", "WT_SESSION=1"} {
			got := strings.TrimSuffix(away(attention.Options{Environ: []string{env}}).Event(attention.Error, text), "\a")
			inside, ok := strings.CutPrefix(strings.TrimSuffix(got, "\a"), "\x1b]")
			if !ok || strings.ContainsFunc(inside, unicode.IsControl) || ansi.StringWidth(inside) > 250 {
				t.Fatalf("%q gives %q", text, got)
			}
		}
	})
}

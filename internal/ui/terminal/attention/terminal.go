package attention

import (
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// protocol is how a terminal is told to notify.
type protocol int

const (
	unknown protocol = iota
	osc9             // iTerm2's: a text
	osc99            // kitty's: a title and a text, and a name to replace them by
	osc777           // rxvt's: a title and a text
)

// terminal is what is known of the one the program runs in.
type terminal struct {
	protocol protocol
	// ring adds the bell: the notification may go nowhere.
	ring bool
	// wrap passes a sequence on through what stands between.
	wrap     func(seq string) string
	titles   bool
	progress bool
	// remote says that the desktop is on another machine.
	remote bool
}

// read judges by variables. Inside tmux and screen those of the terminal around
// are mostly still there, but for TERM and TERM_PROGRAM.
func read(environ []string) terminal {
	env := map[string]string{}
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok {
			env[name] = value
		}
	}
	term := env["TERM"]
	t := terminal{
		protocol: protocolOf(env), remote: env["SSH_CONNECTION"] != "" || env["SSH_TTY"] != "",
		titles: term != "" && term != "dumb" && term != "linux", wrap: func(seq string) string { return seq },
	}
	switch {
	case env["TMUX"] != "":
		// tmux passes nothing on unless it is allowed to, and does not say so.
		t.wrap, t.ring = ansi.TmuxPassthrough, true
	case env["STY"] != "":
		t.wrap, t.ring = func(seq string) string { return ansi.ScreenPassthrough(seq, screenLimit) }, true
	default:
		// What tmux and screen show may be another window than ours.
		t.progress = showsProgress(env)
	}
	if env["WT_SESSION"] != "" { // not every version shows a notification
		t.ring = true
	}
	return t
}

// screenLimit is how much of a sequence screen takes at once, in bytes.
const screenLimit = 254

func protocolOf(env map[string]string) protocol {
	term, by := env["TERM"], env["TERM_PROGRAM"]
	switch {
	case by == "vscode", by == "Apple_Terminal": // they show none, whatever they inherit
		return unknown
	case env["KITTY_WINDOW_ID"] != "", term == "xterm-kitty":
		return osc99
	case by == "iTerm.app", by == "WezTerm", by == "ghostty", by == "WarpTerminal", term == "xterm-ghostty",
		env["LC_TERMINAL"] == "iTerm2", env["ITERM_SESSION_ID"] != "", env["WEZTERM_PANE"] != "",
		env["GHOSTTY_RESOURCES_DIR"] != "", env["WT_SESSION"] != "":
		return osc9
	case strings.HasPrefix(term, "rxvt"), strings.HasPrefix(term, "foot"), env["VTE_VERSION"] != "":
		return osc777
	}
	return unknown
}

// showsProgress lists the terminals that are known to: others may take the
// sequence for a notification and show its numbers.
func showsProgress(env map[string]string) bool {
	switch {
	case env["TERM_PROGRAM"] == "iTerm.app":
		return atLeast(env["TERM_PROGRAM_VERSION"], 3, 6, 6)
	case env["TERM_PROGRAM"] == "vscode":
		return false
	}
	return env["WT_SESSION"] != "" || env["ConEmuANSI"] == "ON" || env["TERM_PROGRAM"] == "ghostty" ||
		env["TERM"] == "xterm-ghostty" || env["TERM_PROGRAM"] == "WezTerm"
}

// atLeast compares a version such as 3.6.6beta1; one that cannot be read is old.
func atLeast(version string, least ...int) bool {
	parts := strings.SplitN(version, ".", len(least))
	for i, want := range least {
		if i >= len(parts) {
			return false
		}
		digits := parts[i]
		if end := strings.IndexFunc(digits, func(c rune) bool { return c < '0' || c > '9' }); end >= 0 {
			digits = digits[:end]
		}
		if n, err := strconv.Atoi(digits); err != nil || n != want {
			return err == nil && n > want
		}
	}
	return true
}

// notify returns the sequence for a text. insist uses one also where it is not
// known to be understood; otherwise the bell rings there.
func (t terminal) notify(text string, insist bool) string {
	var seq string
	switch t.protocol {
	case osc99:
		const name = "i=" + program
		seq = t.wrap(ansi.DesktopNotification(program, name, "d=0")) + t.wrap(ansi.DesktopNotification(text, name, "p=body"))
	case osc777:
		// A semicolon would begin another field.
		seq = t.wrap(ansi.URxvtExt("notify", program, strings.ReplaceAll(text, ";", ",")))
	case osc9:
		seq = t.wrap(ansi.Notify(program + ": " + text)) // a number in front would mean something else
	default:
		if !insist {
			return bell
		}
		seq = t.wrap(ansi.Notify(program + ": " + text))
	}
	if t.ring {
		seq += bell
	}
	return seq
}

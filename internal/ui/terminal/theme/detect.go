package theme

import (
	"strconv"
	"strings"
)

// Detect returns how many colours the environment promises; each entry is
// NAME=value, and of two with one name the later counts. NO_COLOR comes first,
// then FORCE_COLOR (0 to 3), then what the terminal says of itself. Whether
// there is a terminal at all is for the caller to know.
func Detect(environ []string) Level {
	env := make(map[string]string, len(environ))
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok {
			env[name] = value
		}
	}
	if env["NO_COLOR"] != "" {
		return None
	}
	if level, ok := forced(env["FORCE_COLOR"]); ok {
		return level
	}
	term := env["TERM"]
	switch {
	case term == "dumb":
		return None
	case env["COLORTERM"] == "truecolor", env["COLORTERM"] == "24bit", env["WT_SESSION"] != "":
		return True
	case strings.HasSuffix(term, "-direct"), term == "xterm-kitty", term == "xterm-ghostty", term == "alacritty":
		return True
	}
	switch env["TERM_PROGRAM"] {
	case "vscode", "iTerm.app", "WezTerm", "ghostty":
		return True
	}
	if strings.Contains(term, "-256color") {
		return Palette
	}
	return Basic
}

// forced reads FORCE_COLOR: a number of the level, or true and false as Node's
// programs take them.
func forced(value string) (Level, bool) {
	switch value {
	case "":
		return None, false
	case "true":
		return Basic, true
	case "false":
		return None, true
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return None, false
	}
	return Level(min(max(n, 0), int(True))), true
}

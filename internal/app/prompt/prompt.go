// Package prompt renders the system prompt. The text stands in system.md; this
// package fills in what depends on the session, so that two renderings on the
// same day in the same mode are equal byte for byte. It knows no session and
// looks nothing up.
package prompt

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed system.md
var systemText string

// Session is what the prompt depends on.
type Session struct {
	Tools    []string // names, in the order the model sees them
	Runtime  string   // local or sandbox
	Headless bool
	Workdir  string
	User     string // empty when unknown
	Mode     string // permission mode
	CapUSD   float64
	Now      time.Time // in the user's zone; only its date and zone are used
	// Guidance is the project's own text, from GuidanceFiles.
	Guidance      string
	GuidanceFiles []string
}

// Render returns the system prompt; its last line is the session context.
func Render(s Session) (string, error) {
	text, err := fill(systemText, s.holds, s.value)
	if err != nil {
		return "", fmt.Errorf("render the system prompt: %w", err)
	}
	return strings.TrimRight(text, "\n") + "\n\n" + contextLine(s), nil
}

// holds reports whether a condition of the text does.
func (s Session) holds(condition string) (bool, error) {
	if name, ok := strings.CutPrefix(condition, "tool "); ok {
		return slices.Contains(s.Tools, name), nil
	}
	switch condition {
	case "local", "sandbox":
		return s.Runtime == condition, nil
	case "headless":
		return s.Headless, nil
	case "guidance":
		return s.Guidance != "", nil
	}
	return false, fmt.Errorf("the condition %q is unknown", condition)
}

// value is what stands in the place of a name.
func (s Session) value(name string) (string, error) {
	switch name {
	case "count":
		return strconv.Itoa(len(s.Tools)), nil
	case "files":
		return strings.Join(s.GuidanceFiles, ", "), nil
	case "guidance":
		return s.Guidance, nil
	}
	return "", fmt.Errorf("the value %q is unknown", name)
}

// contextLine holds what differs from session to session; it stands last so
// that the rest of the prompt can be cached.
func contextLine(s Session) string {
	user := s.User
	if user == "" {
		user = "unknown"
	}
	limit := "none"
	if s.CapUSD > 0 {
		limit = fmt.Sprintf("%.2f USD", s.CapUSD)
	}
	mode := "interactive"
	if s.Headless {
		mode = "headless"
	}
	zone := s.Now.Format("MST (UTC-07:00)")
	return fmt.Sprintf("[Session context: Date=%s, Timezone=%s, User=%s, Runtime=%s, Mode=%s/%s, Directory=%s, Cap=%s, Tools=%d]",
		s.Now.Format("02-01-2006"), zone, user, s.Runtime, mode, s.Mode, s.Workdir, limit, len(s.Tools))
}

// Package prompt renders the system prompt. The text stands in system.md; this
// package fills in what depends on the session, so that two renderings on the
// same day in the same mode are equal byte for byte. It knows no session and
// looks nothing up.
package prompt

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"
	"text/template"
	"time"
)

//go:embed system.md
var systemText string

var parsed = sync.OnceValues(func() (*template.Template, error) {
	return template.New("system").Parse(systemText)
})

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

// view is what the template sees.
type view struct {
	Session
	Count         int
	GuidanceFiles string
}

// Has reports whether a tool is registered.
func (v view) Has(name string) bool {
	for _, t := range v.Tools {
		if t == name {
			return true
		}
	}
	return false
}

// Render returns the system prompt; its last line is the session context.
func Render(s Session) (string, error) {
	t, err := parsed()
	if err != nil {
		return "", fmt.Errorf("read the system prompt's template: %w", err)
	}
	var b strings.Builder
	v := view{Session: s, Count: len(s.Tools), GuidanceFiles: strings.Join(s.GuidanceFiles, ", ")}
	if err := t.Execute(&b, v); err != nil {
		return "", fmt.Errorf("render the system prompt: %w", err)
	}
	return strings.TrimRight(b.String(), "\n") + "\n\n" + contextLine(s), nil
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

// Package outlets lists what tells the outside of every session: one file and
// one line an outlet. It makes the sinks from the settings; what they send, and
// how, is theirs.
package outlets

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/adapter/store"
	"github.com/ml-intern/ml-intern/internal/app/hooks"
	"github.com/ml-intern/ml-intern/internal/app/live"
	"github.com/ml-intern/ml-intern/internal/app/traces"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
	"github.com/ml-intern/ml-intern/internal/platform/redact"
)

// Options are what outlets are made of.
type Options struct {
	Loaded *config.Loaded
	// Version is the program's.
	Version string
	// HTTP is the program's client; tokens are added by whoever sends.
	HTTP *http.Client
	// Hub is the Hub's client as the user who is logged in.
	Hub func() (*hub.Client, error)
	// Token is the Hub token that is good now, empty for none.
	Token func(ctx context.Context) string
	// User is the user's name on the Hub as far as it is known without asking.
	User func() string
	// Traces are the uploads of this user's sessions.
	Traces func() (*traces.Desk, error)
	// Scrubber knows the secrets this process holds now.
	Scrubber func() *redact.Scrubber
	// Store keeps sessions and the cursors of their followers.
	Store *store.Store
	// Kept says that sessions are on disk; otherwise nothing of them leaves this
	// process.
	Kept bool
	// Simulated says that everything outside is simulated.
	Simulated bool
	// Headless says that nobody answers.
	Headless bool
	// About is what a session's file says beside the events, Settings what the
	// session runs with.
	About    func() document.About
	Settings func() agent.Settings
	// Hooks are the user's commands beside moments of a session; nil for none.
	Hooks *hooks.Desk
	// Warn tells a person a line, once.
	Warn func(line string)
	// Log is for operators.
	Log *slog.Logger
}

// outlet makes a follower, nil where the settings have no use for it.
type outlet func(o Options) (live.Follower, error)

// list is the list of outlets; adding one is a line here.
func list() []outlet {
	return []outlet{
		openTelemetry,
		userHooks,
		traceUploads,
		notifications,
	}
}

// Followers are the outlets of one session. One that cannot be made is left out
// and told.
func Followers(o Options) []live.Follower {
	var out []live.Follower
	for _, build := range list() {
		follow, err := build(o)
		if err != nil {
			o.Warn(err.Error())
			continue
		}
		if follow != nil {
			out = append(out, follow)
		}
	}
	return out
}

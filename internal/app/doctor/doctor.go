// Package doctor looks at everything the program needs and says what is good,
// what is doubtful and what is broken: settings, keys, services, tools of the
// machine. It changes nothing, and it decides nothing: each finding is a line
// for a person.
package doctor

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/account"
	"github.com/ml-intern/ml-intern/internal/app/login"
	"github.com/ml-intern/ml-intern/internal/app/traces"
	"github.com/ml-intern/ml-intern/internal/config"
)

// Status is how good a finding is.
type Status string

// The statuses. Being offline is a Warning, never a Failure: much works without
// a network.
const (
	OK      Status = "ok"
	Warning Status = "warning"
	Failure Status = "failure"
)

// Finding is one line of the report.
type Finding struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"` // what to do
}

// Options are what to look at.
type Options struct {
	Loaded *config.Loaded
	// Faults are the configuration's, nil for a sound one.
	Faults error
	// HTTP makes the requests; nil looks at no service.
	HTTP *http.Client
	// Model is the model in force, ModelErr why it cannot be used, and
	// ModelURL its server when it is a local one.
	Model, ModelLabel, ModelURL string
	ModelErr                    error
	// Whoami asks who the token belongs to.
	Whoami func(ctx context.Context, token string) (*account.Identity, error)
	// Login is the login in force; nil reads what there is.
	Login func(ctx context.Context) login.State
	// Servers visits the MCP servers, for findings of that name; nil visits none.
	Servers func(ctx context.Context, name string) []Finding
	// Uploads tells how the uploads of sessions stand; nil tells nothing.
	Uploads func(ctx context.Context) (traces.Standing, error)
	// OutTTY and Width describe the terminal.
	OutTTY bool
	Width  int
}

// limit bounds the whole examination.
const limit = 10 * time.Second

// Examine makes all checks side by side and returns their findings in a fixed
// order.
func Examine(ctx context.Context, o Options) []Finding {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	checks := []func(context.Context) []Finding{
		o.configuration, o.dotenv, o.folders, o.token, o.model, o.router, o.addresses, o.permissions, o.sandbox, o.mcp, o.skills, o.hooks, o.notifications, o.uploads,
		git, o.disk, gpu, python, o.terminal,
	}
	found := make([][]Finding, len(checks))
	var wait sync.WaitGroup
	for i, check := range checks {
		wait.Go(func() { found[i] = check(ctx) })
	}
	wait.Wait()
	var all []Finding
	for _, f := range found {
		all = append(all, f...)
	}
	return all
}

// Failed reports whether something is broken.
func Failed(findings []Finding) bool {
	for _, f := range findings {
		if f.Status == Failure {
			return true
		}
	}
	return false
}

func one(name string, status Status, detail string) []Finding {
	return []Finding{{Name: name, Status: status, Detail: detail}}
}

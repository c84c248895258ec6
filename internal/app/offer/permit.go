package offer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/detach"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// Arguments are what a run is asked for.
type Arguments struct {
	Prompt    string   `json:"prompt,omitempty"`
	Model     string   `json:"model,omitempty"`
	MaxCost   *float64 `json:"max_cost_usd,omitempty"`
	Cwd       string   `json:"cwd,omitempty"`
	SessionID string   `json:"session_id,omitempty"`
	Mode      string   `json:"approval_mode,omitempty"`
}

// permitted is a run that may be.
type permitted struct {
	dir      string
	settings map[string][]string
	socket   string // of the session that works already; empty for one to start
	// past is the turn whose end is asked for; nil where there is work to do.
	past past
}

// deniedError says why a run may not be, or not like that.
type deniedError struct {
	code string // of mcpserver.Problem
	text string
}

func (e *deniedError) Error() string { return e.text }

func wrong(format string, args ...any) error {
	return &deniedError{"invalid_arguments", fmt.Sprintf(format, args...)}
}

func refused(format string, args ...any) error {
	return &deniedError{"refused", fmt.Sprintf(format, args...)}
}

// permit holds what is asked for against what this server was started with.
func (r *runs) permit(ctx context.Context, args Arguments) (permitted, error) {
	var p permitted
	if strings.TrimSpace(args.Prompt) == "" && args.SessionID == "" {
		return p, wrong("prompt is missing: say what to do, or which session to go on with (session_id)")
	}
	var err error
	if p.settings, err = r.settings(args); err != nil {
		return p, err
	}
	root, err := filepath.EvalSymlinks(r.opts.Root)
	if err != nil {
		return p, fmt.Errorf("find the folder of this server: %w", err)
	}
	dir := root
	if args.SessionID != "" {
		if dir, err = r.goOn(ctx, args, root, &p); err != nil {
			return p, err
		}
	}
	if args.Cwd != "" {
		dir = args.Cwd
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(root, dir)
		}
	}
	p.dir, err = inside(root, dir)
	return p, err
}

// settings are those of the run's command line. Nothing goes beyond what the
// server was started with.
func (r *runs) settings(args Arguments) (map[string][]string, error) {
	c := r.opts.App.Config()
	set := map[string][]string{}
	for key, values := range r.opts.Settings {
		set[key] = values
	}
	if args.Mode != "" {
		ceiling := c.ApprovalMode(true)
		if looser(args.Mode, ceiling) {
			return nil, refused("approval_mode %s is more than this server permits, which is %s (ml-intern mcp serve --approval-mode)", args.Mode, ceiling)
		}
		set["permissions.mode"] = []string{args.Mode}
	}
	if args.MaxCost != nil {
		ceiling, _ := c.CostCap(true)
		switch {
		case ceiling > 0 && *args.MaxCost > ceiling:
			return nil, refused("max_cost_usd %g is more than this server permits, which is %g (ml-intern mcp serve --max-cost)", *args.MaxCost, ceiling)
		case ceiling > 0 && *args.MaxCost == 0:
			return nil, refused("max_cost_usd 0 is no cap at all; this server permits up to %g (ml-intern mcp serve --max-cost)", ceiling)
		}
		set["max_cost_usd"] = []string{strconv.FormatFloat(*args.MaxCost, 'f', -1, 64)}
	}
	if args.Model != "" {
		set["model_name"] = []string{args.Model}
	}
	return set, nil
}

// looser reports whether a mode asks about less than another.
func looser(mode, than string) bool {
	all := policy.Modes()
	return slices.Index(all, policy.Mode(mode)) > slices.Index(all, policy.Mode(than))
}

// goOn finds a session to go on with, and returns where it worked.
func (r *runs) goOn(ctx context.Context, args Arguments, root string, p *permitted) (dir string, err error) {
	id := args.SessionID
	if parsed, err := uuid.Parse(id); err != nil || parsed.String() != id {
		return "", wrong("session_id %q is none: it is the whole id that an earlier run has given, such as 3f2b8c1e-5d0a-4c7e-9a61-0d4e8f7b2a95", id)
	}
	lib, err := r.opts.App.Library()
	if err != nil {
		return "", err
	}
	entry, err := lib.Resolve(ctx, id)
	var missing *sessions.NotFoundError
	if errors.As(err, &missing) || err == nil && (!entry.Journal || entry.SessionID != id) {
		return "", wrong("there is no session %s", id)
	}
	if err != nil {
		return "", err
	}
	if _, err := inside(root, entry.Cwd); err != nil {
		return "", refused("session %s works in another folder than this server permits (ml-intern mcp serve --cwd)", id)
	}
	running, err := r.settled(ctx, id)
	var none *detach.NotFoundError
	switch {
	case errors.As(err, &none) && args.Prompt != "":
		return entry.Cwd, nil
	case errors.As(err, &none):
		doc, err := lib.Load(ctx, entry)
		p.past = lastTurn(doc.Journal)
		return entry.Cwd, err
	case err != nil:
		return "", err
	case args.Prompt != "" || args.Model != "" || args.MaxCost != nil || args.Cwd != "" || args.Mode != "":
		return "", refused("session %s is at work: call run with its session_id alone to wait for what it does", id)
	}
	info, err := running.Look(ctx, app.Version())
	if err == nil && info.Terminals > 0 { // its end would be theirs too
		err = refused("session %s is in use: somebody sits at it, or another call waits for it", id)
	}
	p.socket = running.Socket
	return entry.Cwd, err
}

const (
	// lastSteps is how long a session that has told its result takes to end its
	// process, and lookAgain how often that is looked for.
	lastSteps = 5 * time.Second
	lookAgain = 20 * time.Millisecond
)

// settled finds a running session. One that has told its result is about to end, and
// whoever has that may ask for more at once.
func (r *runs) settled(ctx context.Context, id string) (detach.Entry, error) {
	e, err := r.registry().Find(id)
	if _, told := r.told.Load(id); !told || err != nil {
		return e, err
	}
	wait, cancel := context.WithTimeout(ctx, lastSteps)
	defer cancel()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for err == nil {
		select {
		case <-again.C:
			e, err = r.registry().Find(id)
		case <-wait.Done():
			return e, ctx.Err()
		}
	}
	return e, err
}

func (r *runs) registry() *detach.Registry {
	l := r.opts.App.Loaded
	return detach.Open(l.Places.State, l.LookupEnv)
}

// inside returns the real path of a folder, which must be in or below root.
func inside(root, dir string) (string, error) {
	real, err := filepath.EvalSymlinks(dir)
	if err == nil {
		var info os.FileInfo
		if info, err = os.Stat(real); err == nil && !info.IsDir() {
			err = errors.New("it is no folder")
		}
	}
	if err != nil {
		// Nothing is told about what is outside.
		return "", refused("cwd %s: there is no such folder in %s (ml-intern mcp serve --cwd)", dir, root)
	}
	rest, err := filepath.Rel(root, real)
	if err != nil || !filepath.IsLocal(rest) {
		return "", refused("cwd %s: there is no such folder in %s (ml-intern mcp serve --cwd)", dir, root)
	}
	return real, nil
}

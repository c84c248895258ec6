// Package census finds the sandboxes that a user has on the Hub, and says which
// of them nobody needs any more. It removes none by itself.
package census

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox"
	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox/injob"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/space"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

const (
	// unused is how long a sandbox must say that it was not used, and silent the
	// age of one that says nothing, before nobody needs it.
	unused = time.Hour
	silent = 24 * time.Hour
)

// Options are where to look.
type Options struct {
	Repos  *repo.API
	Spaces *space.API
	Jobs   *job.API
	Makers map[sandbox.Kind]sandbox.Maker
	Hosts  sandbox.Hosts
	// Idle asks the tool server at an address how long it was not used.
	Idle func(ctx context.Context, url string) (time.Duration, error)
	// Live reports whether a session runs on this machine.
	Live func(ctx context.Context, session string) bool
	// Endpoint is the address that pages lie below.
	Endpoint string
}

// Entry is a sandbox.
type Entry struct {
	sandbox.Place
	Session string    `json:"session,omitempty"`
	Stage   string    `json:"stage"`
	Created time.Time `json:"created_at"`
	// Marked: it is one of this program's for certain. Without the mark only its
	// name is like that of one.
	Marked bool `json:"marked"`
	// Live: its session runs on this machine.
	Live bool `json:"session_live"`
	// IdleSeconds is how long it was not used; nil when it does not answer.
	IdleSeconds *int64 `json:"idle_seconds"`
}

// Needless reports whether nobody needs a sandbox any more, and why. Only
// marked ones are judged.
func (e Entry) Needless(now time.Time) (bool, string) {
	age := now.Sub(e.Created)
	switch {
	case !e.Marked, e.Live:
		return false, ""
	case e.IdleSeconds != nil:
		idle := time.Duration(*e.IdleSeconds) * time.Second
		return idle >= unused, fmt.Sprintf("not used for %s", idle.Round(time.Minute))
	}
	return age > silent, fmt.Sprintf("does not answer, %s old", age.Round(time.Hour))
}

// Census looks for sandboxes.
type Census struct{ opts Options }

// New returns a census.
func New(o Options) *Census { return &Census{opts: o} }

// Take lists the sandboxes of a namespace, oldest first. unmarked also lists
// Spaces that only have the name of one.
func (c *Census) Take(ctx context.Context, owner string, unmarked bool) ([]Entry, error) {
	all, err := c.spaces(ctx, owner, unmarked)
	if err != nil {
		return nil, err
	}
	jobs, err := c.jobs(ctx, owner)
	if err != nil {
		return nil, err
	}
	all = append(all, jobs...)
	for i := range all {
		all[i].Live = all[i].Session != "" && c.opts.Live(ctx, all[i].Session)
		if all[i].URL == "" {
			continue
		}
		if idle, err := c.opts.Idle(ctx, all[i].URL); err == nil {
			seconds := int64(idle.Seconds())
			all[i].IdleSeconds = &seconds
		}
	}
	slices.SortStableFunc(all, func(a, b Entry) int { return a.Created.Compare(b.Created) })
	return all, ctx.Err()
}

// spaces finds Spaces by their names, and looks at their mark.
func (c *Census) spaces(ctx context.Context, owner string, unmarked bool) ([]Entry, error) {
	var all []Entry
	for info, err := range c.opts.Repos.List(ctx, wire.Space, repo.ListOptions{Author: owner, Search: []string{"sandbox-"}, Full: true}) {
		if err != nil {
			return nil, err
		}
		ns, name, _ := strings.Cut(info.ID, "/")
		if ns != owner || !sandbox.IsName(name) {
			continue
		}
		e, err := c.space(ctx, owner, info)
		if errors.Is(err, wire.RepoNotFound) || errors.Is(err, wire.NotFound) {
			continue // it went meanwhile
		}
		if err != nil {
			return nil, err
		}
		if e.Marked || unmarked {
			all = append(all, e)
		}
	}
	return all, nil
}

func (c *Census) space(ctx context.Context, owner string, info repo.Info) (Entry, error) {
	e := Entry{
		Place:   sandbox.Place{Kind: sandbox.Space, Owner: owner, ID: info.ID, Page: c.opts.Endpoint + "/spaces/" + info.ID},
		Created: info.Created,
	}
	vars, err := c.opts.Spaces.Variables(ctx, info.ID)
	if err != nil {
		return e, err
	}
	e.Marked = vars[sandbox.MarkVariable].Value == sandbox.Marked
	e.Session = vars[sandbox.SessionVariable].Value
	now, err := c.opts.Makers[sandbox.Space].Look(ctx, e.Place)
	if err != nil {
		return e, err
	}
	e.Stage, e.Hardware = now.Stage, now.Hardware
	if now.State != sandbox.Up { // asking would wake one that sleeps, and cost
		return e, nil
	}
	full, err := c.opts.Spaces.Info(ctx, info.ID)
	if err != nil {
		return e, err
	}
	e.URL, err = c.opts.Hosts.SpaceURL(full.Subdomain)
	return e, err
}

// jobs finds jobs by their mark.
func (c *Census) jobs(ctx context.Context, owner string) ([]Entry, error) {
	var all []Entry
	filter := job.Filter{
		Labels: map[string]string{sandbox.MarkLabel: sandbox.Marked},
		Stages: []job.Stage{job.Scheduling, job.Running, job.Updating},
	}
	for j, err := range c.opts.Jobs.List(ctx, owner, filter) {
		if err != nil {
			return nil, err
		}
		if j.Status.Stage.Over() || j.Labels[sandbox.MarkLabel] != sandbox.Marked {
			continue
		}
		e := Entry{
			Place: sandbox.Place{
				Kind: sandbox.Job, Owner: owner, ID: j.ID, Hardware: j.Flavor, Page: j.URL(c.opts.Jobs.Endpoint()), Paid: j.StartedAt,
			},
			Session: j.Labels[sandbox.SessionLabel], Stage: string(j.Status.Stage), Created: j.CreatedAt, Marked: true,
		}
		if j.Status.Stage == job.Running {
			if e.URL, err = c.opts.Hosts.JobURL(j.ID, injob.Port); err != nil {
				return nil, err
			}
		}
		all = append(all, e)
	}
	return all, nil
}

// Package inspace makes sandboxes of private Docker Spaces: one call that
// brings secrets and hardware along, and one commit with the tool server. It
// does not know what is done in them.
package inspace

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox"
	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox/program"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/space"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

//go:embed Dockerfile
var dockerfile []byte

const readme = `---
title: ml-intern sandbox
emoji: 🧪
sdk: docker
app_port: 7860
pinned: false
tags:
- ml-intern-sandbox
---

A sandbox that an ml-intern session works in. It is removed when the session
ends; ` + "`ml-intern sandbox sweep`" + ` removes what was left behind.
`

const (
	// sleepSeconds is the silence after which paid hardware sleeps; the free one
	// sleeps after 48 hours whatever is set.
	sleepSeconds = 2700
	startLimit   = 10 * time.Minute
)

// Options are what Spaces are made with.
type Options struct {
	Repos    *repo.API
	Commits  *commit.API
	Spaces   *space.API
	Program  *program.Finder
	Hosts    sandbox.Hosts
	Endpoint string
	// StartLimit is how long a Space may take until it runs; 0 is ten minutes.
	StartLimit time.Duration
}

// Maker makes Spaces.
type Maker struct{ opts Options }

var _ sandbox.Maker = (*Maker)(nil)

// New returns a maker.
func New(o Options) *Maker {
	o.StartLimit = cmp.Or(o.StartLimit, startLimit)
	return &Maker{opts: o}
}

func ref(p sandbox.Place) repo.Ref { return repo.Ref{Type: wire.Space, ID: p.ID} }

func (m *Maker) place(o sandbox.Order) sandbox.Place {
	id := o.Owner + "/" + o.Name()
	return sandbox.Place{Kind: sandbox.Space, Owner: o.Owner, ID: id, Hardware: o.Hardware, Page: m.opts.Endpoint + "/spaces/" + id}
}

// Create makes the Space in one call, so that nothing can run in it before its
// secrets are there.
func (m *Maker) Create(ctx context.Context, o sandbox.Order, say func(string)) (sandbox.Place, error) {
	if _, err := m.opts.Program.Find(ctx); err != nil { // in vain without it
		return sandbox.Place{}, err
	}
	p := m.place(o)
	spec := repo.CreateSpec{
		Ref: ref(p), Visibility: "private", SDK: "docker",
		Space: repo.SpaceSpec{Hardware: o.Hardware, Secrets: settings(o.Secrets), Variables: settings(o.Variables)},
	}
	spec.Space.Secrets = append(spec.Space.Secrets, repo.Setting{Key: sandbox.TokenSecret, Value: o.Token})
	spec.Space.Variables = append(
		spec.Space.Variables,
		repo.Setting{Key: sandbox.MarkVariable, Value: sandbox.Marked},
		repo.Setting{Key: sandbox.SessionVariable, Value: o.Session},
		repo.Setting{Key: sandbox.KeyVariable, Value: o.Key},
	)
	sleep := "48 h"
	if o.Hardware != sandbox.Basic {
		spec.Space.SleepSeconds = sleepSeconds
		sleep = "45 min"
	}
	if _, err := m.opts.Repos.Create(ctx, spec); err != nil {
		return sandbox.Place{}, err
	}
	say("Space: " + p.Page)
	say(fmt.Sprintf("Hardware: %s, sleeps after %s without use", o.Hardware, sleep))
	return p, nil
}

func settings(values map[string]string) []repo.Setting {
	var all []repo.Setting
	for _, key := range slices.Sorted(maps.Keys(values)) {
		all = append(all, repo.Setting{Key: key, Value: values[key]})
	}
	return all
}

// Ready commits the tool server, which begins the build, and waits until the
// Space runs on the hardware that was asked for.
func (m *Maker) Ready(ctx context.Context, o sandbox.Order, p sandbox.Place, say func(string)) (sandbox.Place, error) {
	prog, err := m.opts.Program.Find(ctx)
	if err != nil {
		return p, err
	}
	say("Uploading the tool server")
	if _, err := m.opts.Commits.Commit(ctx, commit.Request{
		Target: commit.Target{Type: wire.Space, Repo: p.ID}, Summary: "Setup sandbox server",
		Operations: []commit.Operation{
			commit.Add{Path: "README.md", Data: []byte(readme)},
			commit.Add{Path: "Dockerfile", Data: dockerfile},
			commit.Add{Path: "app/.keep", Data: []byte("The workspace.\n")},
			commit.Add{Path: "ml-intern", File: prog.Path},
		},
	}); err != nil {
		return p, err
	}
	say(fmt.Sprintf("Waiting for the Space to run (at most %s)", m.opts.StartLimit))
	if _, err := m.opts.Spaces.Wait(ctx, p.ID, o.Hardware, m.opts.StartLimit, func(s space.Stage) {
		if p.Paid.IsZero() && costs(s) {
			p.Paid = time.Now()
		}
		say("Stage: " + string(s))
	}); err != nil {
		return p, err
	}
	if p.Paid.IsZero() {
		p.Paid = time.Now()
	}
	info, err := m.opts.Spaces.Info(ctx, p.ID)
	if err == nil {
		p.URL, err = m.opts.Hosts.SpaceURL(info.Subdomain)
	}
	return p, err
}

// costs reports whether a machine is paid for in a stage: it starts or runs.
func costs(s space.Stage) bool {
	return s == "APP_STARTING" || s == space.Running || s == "RUNNING_APP_STARTING"
}

// Find looks for the Space of o, and at its mark: a Space of the same name that
// somebody else has made is none.
func (m *Maker) Find(ctx context.Context, o sandbox.Order) (sandbox.Place, bool, error) {
	p := m.place(o)
	all, err := m.opts.Spaces.Variables(ctx, p.ID)
	switch {
	case missing(err):
		return sandbox.Place{}, false, nil
	case err != nil:
		return sandbox.Place{}, false, err
	}
	return p, all[sandbox.KeyVariable].Value == o.Key, nil
}

func missing(err error) bool {
	return errors.Is(err, wire.RepoNotFound) || errors.Is(err, wire.NotFound)
}

// Look tells how the Space's machine is.
func (m *Maker) Look(ctx context.Context, p sandbox.Place) (sandbox.Condition, error) {
	r, err := m.opts.Spaces.Runtime(ctx, p.ID)
	if missing(err) {
		return sandbox.Condition{State: sandbox.Gone, Stage: "deleted"}, nil
	}
	if err != nil {
		return sandbox.Condition{}, err
	}
	c := sandbox.Condition{State: sandbox.Waiting, Stage: string(r.Stage), Hardware: cmp.Or(r.Hardware.Current, r.Hardware.Requested)}
	switch {
	case r.Stage == space.Running, r.Stage == "RUNNING_BUILDING", r.Stage == "RUNNING_APP_STARTING":
		c.State = sandbox.Up
	case r.Stage == space.Stopped: // it may be on its way back
	case r.Stage.Dead():
		c.State = sandbox.Down
	}
	return c, nil
}

// Delete removes the Space.
func (m *Maker) Delete(ctx context.Context, p sandbox.Place) (int64, error) {
	err := m.opts.Repos.Delete(ctx, ref(p))
	if missing(err) {
		err = nil
	}
	return -1, err
}

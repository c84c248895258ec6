// Package trackio makes a dashboard for experiments ready: a Space that shows
// what training runs log, and a bucket that keeps it. Making it ready again
// writes nothing. It knows nothing of the runs.
package trackio

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/bucket"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/space"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// Where the dashboard keeps its data.
const (
	mountPath = "/data"
	dataDir   = "/data/trackio"
	logos     = "https://raw.githubusercontent.com/gradio-app/trackio/refs/heads/main/trackio/assets/"
)

// app is the whole program of a dashboard.
const app = "import trackio\n\ntrackio.show()\n"

const readme = `---
title: Trackio Dashboard
emoji: 🎯
sdk: gradio
app_file: app.py
tags:
- trackio
---

# Trackio Dashboard

Curves of training runs.
`

// Options of a seeder.
type Options struct {
	Repos   *repo.API
	Commits *commit.API
	Buckets *bucket.API
	Spaces  *space.API
	// Own reports whether the user may write in a namespace.
	Own func(ctx context.Context, namespace string) bool
	// Private makes new dashboards private.
	Private bool
	// Endpoint is the address the dashboard's page lies below.
	Endpoint string
}

// Seeder makes dashboards ready.
type Seeder struct{ opts Options }

// New returns a seeder.
func New(o Options) *Seeder { return &Seeder{opts: o} }

// Seed makes the dashboard id ready; log is told the steps.
func (s *Seeder) Seed(ctx context.Context, id string, log func(string)) error {
	if err := wire.CheckFullRepoID("trackio_space_id", id); err != nil {
		return err
	}
	if namespace, _, _ := strings.Cut(id, "/"); !s.opts.Own(ctx, namespace) {
		return fmt.Errorf("trackio_space_id: %s is not a namespace of yours", namespace)
	}
	ref := repo.Ref{Type: wire.Space, ID: id}
	for _, step := range []func(context.Context, repo.Ref, func(string)) error{s.space, s.program, s.storage, s.variables} {
		if err := step(ctx, ref, log); err != nil {
			return err
		}
	}
	log("trackio dashboard ready: " + s.opts.Endpoint + "/spaces/" + id)
	return nil
}

// space makes the Space that is not there yet.
func (s *Seeder) space(ctx context.Context, r repo.Ref, _ func(string)) error {
	if exists, err := s.opts.Repos.Exists(ctx, r); err != nil || exists {
		return err
	}
	visibility := "public"
	if s.opts.Private {
		visibility = "private"
	}
	_, err := s.opts.Repos.Ensure(ctx, repo.CreateSpec{Ref: r, SDK: "gradio", Visibility: visibility})
	if errors.Is(err, wire.Payment) {
		return fmt.Errorf("the Hub wants a paid plan for a dashboard; a Trackio server of your own works too (TRACKIO_SERVER_URL and the secret TRACKIO_WRITE_TOKEN): %w", err)
	}
	return err
}

// program puts the dashboard's files into the Space, in one commit.
func (s *Seeder) program(ctx context.Context, r repo.Ref, log func(string)) error {
	head, err := s.opts.Repos.Head(ctx, r, "")
	if err != nil {
		return err
	}
	text, err := s.opts.Repos.Raw(ctx, r, head, "app.py")
	switch {
	case err == nil && strings.Contains(text, "trackio.show"):
		log("trackio dashboard already seeded: " + r.ID)
		return nil
	case err == nil && strings.TrimSpace(text) != "":
		return fmt.Errorf("the Space %s has a program of its own, which is not replaced: name another Space", r.ID)
	case err != nil && !errors.Is(err, wire.EntryNotFound):
		return err
	}
	log("seeding trackio dashboard: " + r.ID)
	_, err = s.opts.Commits.Commit(ctx, commit.Request{
		Target: commit.Target{Type: r.Type, Repo: r.ID}, Parent: head, Summary: "ml-intern: seed trackio dashboard",
		Operations: []commit.Operation{
			commit.Add{Path: "README.md", Data: []byte(readme)},
			commit.Add{Path: "requirements.txt", Data: []byte("trackio\n")},
			commit.Add{Path: "app.py", Data: []byte(app)},
		},
	})
	return err
}

// storage mounts the dashboard's bucket, beside whatever is mounted elsewhere.
func (s *Seeder) storage(ctx context.Context, r repo.Ref, log func(string)) error {
	source := r.ID + "-bucket"
	volumes, err := s.mounted(ctx, r)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(volumes, func(v job.Volume) bool { return v.Type == "bucket" && v.MountPath == mountPath }) {
		return nil
	}
	if _, err := s.opts.Buckets.Create(ctx, source, true, true); err != nil {
		return err
	}
	kept := slices.DeleteFunc(volumes, func(v job.Volume) bool {
		return v.Type == "bucket" && (v.Source == source || v.MountPath == mountPath)
	})
	kept = append(kept, job.Volume{Type: "bucket", Source: source, MountPath: mountPath})
	if err := s.opts.Spaces.SetVolumes(ctx, r.ID, kept); err != nil {
		return err
	}
	log("mounted " + source + " at " + mountPath)
	return nil
}

// mounted are the Space's volumes, from its runtime or else from its info.
func (s *Seeder) mounted(ctx context.Context, r repo.Ref) ([]job.Volume, error) {
	runtime, err := s.opts.Spaces.Runtime(ctx, r.ID)
	if err == nil && runtime.Volumes != nil {
		return runtime.Volumes, nil
	}
	info, err := s.opts.Spaces.Info(ctx, r.ID)
	if err != nil || info.Runtime == nil {
		return nil, err
	}
	return info.Runtime.Volumes, nil
}

// variables sets what the dashboard reads, where it differs: each change
// restarts the Space.
func (s *Seeder) variables(ctx context.Context, r repo.Ref, _ func(string)) error {
	have, err := s.opts.Spaces.Variables(ctx, r.ID)
	if err != nil {
		return err
	}
	for _, v := range [][2]string{
		{"TRACKIO_DIR", dataDir},
		{"TRACKIO_BUCKET_ID", r.ID + "-bucket"},
		{"TRACKIO_LOGO_LIGHT_URL", logos + "trackio_logo_type_light_transparent.png"},
		{"TRACKIO_LOGO_DARK_URL", logos + "trackio_logo_type_dark_transparent.png"},
	} {
		if have[v[0]].Value == v[1] {
			continue
		}
		if _, err := s.opts.Spaces.SetVariable(ctx, r.ID, v[0], v[1], ""); err != nil {
			return err
		}
	}
	return nil
}

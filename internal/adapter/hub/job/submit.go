package job

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// Limits of the Hub on one job.
const (
	maxPorts     = 20
	minTimeout   = 1
	maxTimeout   = 365 * 24 * 3600
	maxArgument  = 128<<10 - 1 // bytes; what the kernel takes as one string, without its end
	submitTries  = 3
	lookForEvery = 2 * time.Second
)

// Run submits a job. When it cannot be told whether a submission has arrived,
// the job is looked for by key, a label that only this job has (it must be in
// spec.Labels), before it is submitted again: the job exists once.
func (a *API) Run(ctx context.Context, ns string, spec Spec, key string) (Job, error) {
	if err := wire.CheckNamespace("namespace", ns); err != nil {
		return Job{}, err
	}
	if err := spec.check(); err != nil {
		return Job{}, err
	}
	if spec.Labels[key] == "" {
		return Job{}, wire.BadField("labels", "the label %q that tells this job from all others is missing", key)
	}
	for try := 1; ; try++ {
		var j Job
		_, err := a.conn.JSON(ctx, wire.Request{
			Op: "submit a job in " + ns, Method: http.MethodPost, Path: jobsPath(ns), JSON: spec, Retry: wire.CertainlyNotApplied,
		}, &j)
		var failed *wire.Error
		if err == nil || !errors.As(err, &failed) || !failed.Ambiguous() {
			return j, err
		}
		found, ok, lookErr := a.Lookup(ctx, ns, key, spec.Labels[key])
		switch {
		case ok:
			return found, nil
		case lookErr != nil:
			return Job{}, errors.Join(err, lookErr)
		case try == submitTries:
			return Job{}, err
		}
	}
}

// Lookup finds the job that carries a label which only one job has. It looks
// twice, a moment apart, because a submission may still be on its way.
func (a *API) Lookup(ctx context.Context, ns, label, value string) (Job, bool, error) {
	for look := range 2 {
		if look > 0 {
			if err := sleep(ctx, lookForEvery); err != nil {
				return Job{}, false, err
			}
		}
		for j, err := range a.List(ctx, ns, Filter{Labels: map[string]string{label: value}}) {
			if err != nil {
				return Job{}, false, err
			}
			if j.Labels[label] == value {
				return j, true, nil
			}
		}
	}
	return Job{}, false, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// check refuses what the Hub would, naming the field.
func (s Spec) check() error {
	switch {
	case s.Flavor == "":
		return wire.BadField("flavor", "it is missing")
	case !wire.IsWord(s.Flavor):
		return wire.BadField("flavor", "%q is no name of a flavor", s.Flavor)
	case (s.DockerImage == "") == (s.SpaceID == ""):
		return wire.BadField("image", "a job runs in either a Docker image or a Space")
	case s.SpaceID != "" && wire.CheckRepoID("spaceId", s.SpaceID) != nil:
		return wire.CheckRepoID("spaceId", s.SpaceID)
	case strings.ContainsAny(s.DockerImage, " \t\r\n\x00"):
		return wire.BadField("image", "%q is no name of an image", s.DockerImage)
	case len(s.Command) == 0:
		return wire.BadField("command", "it is empty")
	case s.TimeoutSeconds != 0 && (s.TimeoutSeconds < minTimeout || s.TimeoutSeconds > maxTimeout):
		return wire.BadField("timeout", "%d seconds are out of range", s.TimeoutSeconds)
	case s.Attempts < 0:
		return wire.BadField("attempts", "%d is below 1", s.Attempts)
	}
	for _, arg := range s.Command {
		if arg == "" {
			return wire.BadField("command", "it has an empty part")
		}
	}
	for _, arg := range append(append([]string{}, s.Command...), s.Arguments...) {
		if len(arg) > maxArgument {
			return wire.BadField("command", "a part of it has %d bytes; no machine takes more than %d", len(arg), maxArgument)
		}
	}
	for _, variables := range []map[string]string{s.Environment, s.Secrets} {
		for name, value := range variables {
			if n := len(name) + 1 + len(value); n > maxArgument {
				return wire.BadField("env."+name, "it has %d bytes with its name; no machine takes more than %d", n, maxArgument)
			}
		}
	}
	if s.Expose != nil {
		if err := s.Expose.check(); err != nil {
			return err
		}
	}
	for _, v := range s.Volumes {
		if err := v.check(); err != nil {
			return err
		}
	}
	return checkLabels(s.Labels)
}

func (e Expose) check() error {
	if len(e.Ports)+len(e.PortsPublic) > maxPorts {
		return wire.BadField("expose", "more than %d ports", maxPorts)
	}
	for _, p := range append(append([]int{}, e.Ports...), e.PortsPublic...) {
		if p < 1 || p > 65535 {
			return wire.BadField("expose", "%d is no port", p)
		}
	}
	return nil
}

func (v Volume) check() error {
	switch v.Type {
	case "bucket", "model", "dataset", "space":
	default:
		return wire.BadField("volumes.type", "%q is not bucket, model, dataset or space", v.Type)
	}
	if !strings.HasPrefix(v.MountPath, "/") {
		return wire.BadField("volumes.mountPath", "%q is not absolute", v.MountPath)
	}
	return wire.CheckRepoID("volumes.source", v.Source)
}

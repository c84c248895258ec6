// Package injob makes sandboxes of jobs: a job that runs the tool server and
// lets its port be reached. The tool server is committed once to a private
// repository of the owner's and mounted from there. It does not know what is
// done in them.
package injob

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox"
	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox/program"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

const (
	// Port is the tool server's in the job.
	Port = 49983
	// image has uv, Python, git and compilers.
	image = "ghcr.io/astral-sh/uv:python3.12-bookworm"
	// life is the longest a sandbox lives.
	life = 24 * time.Hour
	// mount is where the job sees the tool server.
	mount = "/opt/ml-intern"
	file  = "ml-intern"
	// startLimit is how long a job may wait for its machine.
	startLimit = 10 * time.Minute
	poll       = 2 * time.Second
)

// start copies the tool server, whose mode a mounted repository does not keep,
// and becomes it. Its first argument is the mounted file. The second is a
// folder of the job's own: where a job is no container but a process of
// somebody's machine, that path is another one there, and the machine's /app
// is not the job's. The path it is compared with is put together, or it would
// be another one as well.
const start = `set -eu
dir=/app
t=tmp
case "$2" in "/$t/ml-intern-"*) ;; *) dir=$2 ;; esac
copy=$(mktemp -d)
cp "$1" "$copy/ml-intern"
chmod -R 755 "$copy"
exec "$copy/ml-intern" toolserver --dir "$dir"`

// environment is what commands in the sandbox find beside what is ordered.
var environment = map[string]string{
	"PORT": "49983", "PIP_USER": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "TQDM_DISABLE": "1",
	"HF_HUB_ENABLE_HF_TRANSFER": "1", "UV_NO_PROGRESS": "1", "PYTHONUNBUFFERED": "1",
}

// Options are what jobs are made with.
type Options struct {
	Jobs    *job.API
	Repos   *repo.API
	Commits *commit.API
	Program *program.Finder
	Hosts   sandbox.Hosts
}

// Maker makes jobs.
type Maker struct{ opts Options }

var _ sandbox.Maker = (*Maker)(nil)

// New returns a maker.
func New(o Options) *Maker { return &Maker{opts: o} }

// Create submits the job.
func (m *Maker) Create(ctx context.Context, o sandbox.Order, say func(string)) (sandbox.Place, error) {
	volume, err := m.server(ctx, o.Owner, say)
	if err != nil {
		return sandbox.Place{}, err
	}
	spec := job.Spec{
		DockerImage: image, Flavor: o.Hardware, TimeoutSeconds: int64(life.Seconds()),
		Command:     []string{"sh", "-c", start, "sh", mount + "/" + file, "/tmp/ml-intern-" + o.Key[:8] + sandbox.Dir},
		Arguments:   []string{},
		Environment: maps.Clone(environment), Secrets: maps.Clone(o.Secrets),
		Labels: map[string]string{
			sandbox.OursLabel: sandbox.Marked, sandbox.MarkLabel: sandbox.Marked, sandbox.SessionLabel: o.Session,
			sandbox.KeyLabel: o.Key, sandbox.NameLabel: o.Name(),
		},
		Volumes: []job.Volume{volume}, Expose: &job.Expose{Ports: []int{Port}},
	}
	maps.Copy(spec.Environment, o.Variables)
	if spec.Secrets == nil {
		spec.Secrets = map[string]string{}
	}
	spec.Secrets[sandbox.TokenSecret] = o.Token
	j, err := m.opts.Jobs.Run(ctx, o.Owner, spec, sandbox.KeyLabel)
	if err != nil {
		return sandbox.Place{}, err
	}
	p := m.place(o.Owner, j)
	say("Job: " + p.Page)
	say("Hardware: " + o.Hardware)
	return p, nil
}

func (m *Maker) place(owner string, j job.Job) sandbox.Place {
	if j.Owner.Name == "" {
		j.Owner.Name = owner
	}
	return sandbox.Place{
		Kind: sandbox.Job, Owner: owner, ID: j.ID, Hardware: j.Flavor, Page: j.URL(m.opts.Jobs.Endpoint()), Paid: j.StartedAt,
	}
}

// server makes sure that the tool server lies in the owner's repository.
func (m *Maker) server(ctx context.Context, owner string, say func(string)) (job.Volume, error) {
	prog, err := m.opts.Program.Find(ctx)
	if err != nil {
		return job.Volume{}, err
	}
	ref := repo.Ref{Type: wire.Dataset, ID: owner + "/ml-intern-jobs"}
	folder := "toolserver/" + prog.SHA256
	volume := job.Volume{Type: "dataset", Source: ref.ID, MountPath: mount, Path: folder, ReadOnly: true}
	there, err := m.opts.Repos.Paths(ctx, ref, "main", []string{folder + "/" + file}, false)
	if err == nil && len(there) == 1 {
		volume.Revision, err = m.opts.Repos.Head(ctx, ref, "main")
		return volume, err
	}
	if err != nil && !errors.Is(err, wire.RepoNotFound) && !errors.Is(err, wire.RevisionNotFound) {
		return volume, err
	}
	say("Uploading the tool server to " + ref.ID + ", once")
	if _, err := m.opts.Repos.Ensure(ctx, repo.CreateSpec{Ref: ref, Visibility: "private"}); err != nil {
		return volume, err
	}
	done, err := m.opts.Commits.Commit(ctx, commit.Request{
		Target:     commit.Target{Type: ref.Type, Repo: ref.ID},
		Operations: []commit.Operation{commit.Add{Path: folder + "/" + file, File: prog.Path}},
		Summary:    "Add the tool server of sandboxes",
	})
	volume.Revision = done.OID
	return volume, err
}

// errOver is a job that has ended while it was waited for.
type errOver struct{ job.Job }

func (e errOver) Error() string {
	text := "the job of the sandbox has ended: " + string(e.Status.Stage)
	if e.Status.Message != "" {
		text += " (" + e.Status.Message + ")"
	}
	return text
}

// Ready waits until the job runs.
func (m *Maker) Ready(ctx context.Context, _ sandbox.Order, p sandbox.Place, say func(string)) (sandbox.Place, error) {
	limit := errors.New("the job of the sandbox does not run after " + startLimit.String())
	ctx, stop := context.WithTimeoutCause(ctx, startLimit, limit)
	defer stop()
	for last := job.Stage(""); ; {
		j, err := m.opts.Jobs.Find(ctx, p.Owner, p.ID)
		if err != nil && ctx.Err() == nil && !errors.Is(err, wire.JobNotFound) {
			return p, err
		}
		if err == nil && j.Status.Stage != last {
			last = j.Status.Stage
			say("Stage: " + string(last))
		}
		switch {
		case err != nil:
		case j.Status.Stage == job.Running:
			if p.Paid = j.StartedAt; p.Paid.IsZero() {
				p.Paid = time.Now()
			}
			p.URL, err = m.opts.Hosts.JobURL(j.ID, Port)
			return p, err
		case j.Status.Stage.Over():
			p.Paid = j.StartedAt
			return p, errOver{j}
		}
		if err := sandbox.Pause(ctx, poll); err != nil {
			return p, err
		}
	}
}

// Find looks for the job of o.
func (m *Maker) Find(ctx context.Context, o sandbox.Order) (sandbox.Place, bool, error) {
	j, found, err := m.opts.Jobs.Lookup(ctx, o.Owner, sandbox.KeyLabel, o.Key)
	if err != nil || !found || j.Status.Stage.Over() {
		return sandbox.Place{}, false, err
	}
	return m.place(o.Owner, j), true, nil
}

// Look tells how the job is.
func (m *Maker) Look(ctx context.Context, p sandbox.Place) (sandbox.Condition, error) {
	j, err := m.opts.Jobs.Find(ctx, p.Owner, p.ID)
	switch {
	case errors.Is(err, wire.JobNotFound):
		return sandbox.Condition{State: sandbox.Gone, Stage: "deleted"}, nil
	case err != nil:
		return sandbox.Condition{}, err
	}
	c := sandbox.Condition{State: sandbox.Waiting, Stage: string(j.Status.Stage), Hardware: j.Flavor}
	switch {
	case j.Status.Stage.Over():
		c.State = sandbox.Gone
	case j.Status.Stage == job.Running:
		c.State = sandbox.Up
	}
	return c, nil
}

// Delete cancels the job. What it has run is what is to be paid.
func (m *Maker) Delete(ctx context.Context, p sandbox.Place) (int64, error) {
	j, err := m.opts.Jobs.Cancel(ctx, p.Owner, p.ID)
	switch {
	case errors.Is(err, wire.JobNotFound):
		return -1, nil
	case err != nil:
		return -1, err
	}
	if minutes := j.Minutes(time.Now()); minutes > 0 || j.StartedAt.IsZero() {
		return minutes, nil
	}
	return -1, nil // it has run, and the Hub has not counted yet
}

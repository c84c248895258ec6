// Package hubtools joins the Hub's client to the tools that act on the Hub, for
// one session: whose token jobs get, where their logs lie, what is kept of what
// the session has made. It decides nothing about approvals or money.
package hubtools

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/account"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/artifact"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/price"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/trackio"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/app/secrets"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/platform/redact"
	"github.com/ml-intern/ml-intern/internal/tools/jobs"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/script"
	"github.com/ml-intern/ml-intern/internal/tools/repos"
	"github.com/ml-intern/ml-intern/internal/tools/wait"
)

// Options of a session's tools.
type Options struct {
	Config *config.Config
	Client *hub.Client
	// JobPrices are the prices of jobs.
	JobPrices *price.Book
	// Workspace is where the session works. When that is this machine, Root is its
	// folder and Resolve the real path of a file that a call means.
	Workspace func(ctx context.Context) (workspace.Workspace, error)
	Root      string
	Resolve   func(path string) string
	// JobToken gives what a job gets as HF_TOKEN; "" is none. OwnToken says that
	// it is the session's own.
	JobToken func() string
	OwnToken bool
	// Env reads a variable of the user's.
	Env func(name string) (string, bool)
	// Scrubber knows what a secret looks like. It is asked for anew each time:
	// secrets come while a session runs.
	Scrubber func() *redact.Scrubber
	// Hold makes values secrets from now on.
	Hold func(values ...string)
	// Session is the session's id and Dir its folder, "" when nothing is kept.
	Session, Dir string
	Started      time.Time
	// Headless means that nobody can be asked what an interrupt does to jobs.
	Headless bool
	Debug    func(text string)
}

// Tools are the tools of one session.
type Tools struct {
	Jobs      *jobs.Tool
	RepoFiles *repos.Files
	RepoGit   *repos.Git
	Wait      *wait.Tool
	Artifacts *artifact.Keeper
}

// New makes the tools.
func New(o Options) (*Tools, error) {
	h := &hands{Options: o}
	h.artifacts = artifact.New(artifact.Options{
		Repos: o.Client.Repos, Commits: o.Client.Commits, Collections: o.Client.Collections, Own: h.own, User: h.user,
		Card: o.Config.ArtifactCard, Session: o.Session, Started: o.Started, File: h.file("artifacts.json"), Debug: o.Debug,
	})
	t := &Tools{Artifacts: h.artifacts}
	var err error
	if t.Jobs, err = jobs.New(h.jobs()); err != nil {
		return nil, err
	}
	files := repos.Options{
		Repos: o.Client.Repos, Commits: o.Client.Commits, Discussions: o.Client.Discussions, Endpoint: o.Client.Endpoint(),
		User: h.user, Workspace: o.Workspace, Root: o.Root, HasSecret: h.secretKind,
	}
	if o.Config.ArtifactHooks {
		files.Made = func(ctx context.Context, _ tool.Env, r repo.Ref) { h.artifacts.Made(ctx, r) }
		files.Changed = func(ctx context.Context, _ tool.Env, r repo.Ref, card bool) { h.artifacts.Changed(ctx, r, card) }
	}
	if t.RepoFiles, err = repos.NewFiles(files); err != nil {
		return nil, err
	}
	if t.RepoGit, err = repos.NewGit(files); err != nil {
		return nil, err
	}
	t.Wait, err = wait.New(wait.Options{
		Workspace: o.Workspace, Here: o.Root != "", Resolve: o.Resolve, Jobs: o.Client.Jobs, Namespace: h.namespace, Scrub: h.scrub,
		Dir: func(string) string { return o.Dir },
	})
	return t, err
}

// hands are what the tools of a session share.
type hands struct {
	Options
	artifacts *artifact.Keeper
}

// hold has scrub remove these values too.
func (h *hands) hold(values []string) { h.Hold(values...) }

func (h *hands) scrub(text string) string {
	clean, _ := h.Scrubber().String(text)
	return clean
}

func (h *hands) file(name string) string {
	if h.Dir == "" {
		return ""
	}
	return filepath.Join(h.Dir, name)
}

func (h *hands) jobs() jobs.Options {
	o := jobs.Options{
		Jobs: h.Client.Jobs, Namespace: h.namespace, Prices: h.JobPrices,
		Script: script.Options{Open: h.Workspace, Root: h.Root},
		Token:  h.JobToken, TokenBroad: h.broad, Secret: h.secret, Ship: h.ship,
		LogDir: func(string) string { return h.file("jobs") }, HasSecret: h.secretKind,
		Scrub: h.scrub, Hold: h.hold,
		Leave: leaves(h.Config, h.Headless),
		Trackio: func(ctx context.Context, space, _ string, log func(string)) error {
			return trackio.New(trackio.Options{
				Repos: h.Client.Repos, Commits: h.Client.Commits, Buckets: h.Client.Buckets, Spaces: h.Client.Spaces,
				Own: h.own, Private: h.Config.TrackioPrivate, Endpoint: h.Client.Endpoint(),
			}).Seed(ctx, space, log)
		},
	}
	if h.Config.ArtifactHooks {
		// Whose text a job prints does not know the session, and cannot have
		// anything written.
		sum := sha256.Sum256([]byte("artifacts of " + h.Session))
		hook, parse := artifact.Keyed(hex.EncodeToString(sum[:8]))
		o.Hook = func(string) string { return hook }
		o.Line = func(line string) func(context.Context) {
			r, ours := parse(line)
			if !ours {
				return nil
			}
			return func(ctx context.Context) { h.artifacts.Made(ctx, r) }
		}
	}
	return o
}

// leaves reports whether an interrupt leaves jobs running: interactively,
// where nobody has answered, they go on.
func leaves(c *config.Config, headless bool) bool {
	switch string(c.JobsOnInterrupt) {
	case "cancel":
		return false
	case "leave":
		return true
	}
	return !headless
}

func (h *hands) namespace(ctx context.Context, requested string) (string, error) {
	if h.Client.Conn.Anonymous() {
		return "", errors.New("no HF token available to resolve a jobs namespace: set HF_TOKEN or run ml-intern login")
	}
	return h.Client.Account.Namespace(ctx, requested)
}

func (h *hands) user(ctx context.Context) (string, error) {
	who, err := h.Client.Account.Whoami(ctx)
	if err != nil {
		return "", err
	}
	return who.Name, nil
}

// own reports whether the user works under a namespace.
func (h *hands) own(ctx context.Context, namespace string) bool {
	all, err := h.Client.Account.Namespaces(ctx)
	return err == nil && slices.Contains(all.Eligible, namespace)
}

// broad reports whether jobs get a token that may write everywhere.
func (h *hands) broad() bool {
	if !h.OwnToken {
		return false
	}
	who := h.Client.Account.Known()
	return who != nil && (who.Token.Role == "write" || who.Token.Role == "god")
}

// secret reads a variable that the user allows to be passed to jobs.
func (h *hands) secret(name string) (string, bool) {
	if !slices.Contains(h.Config.JobSecretAllow, name) {
		return "", false
	}
	value, _ := h.Env(name)
	return value, true
}

// secretKind is the kind of the first secret a text shows, "" for none.
func (h *hands) secretKind(text string) string { return secrets.Kind(h.Scrubber(), text) }

// ship commits files for a job to the namespace's private repository for jobs.
func (h *hands) ship(ctx context.Context, namespace, folder string, files map[string][]byte) (job.Volume, error) {
	ref := repo.Ref{Type: wire.Dataset, ID: namespace + "/ml-intern-jobs"}
	if _, err := h.Client.Repos.Ensure(ctx, repo.CreateSpec{Ref: ref, Visibility: "private"}); err != nil {
		return job.Volume{}, err
	}
	var ops []commit.Operation
	for _, name := range slices.Sorted(maps.Keys(files)) {
		ops = append(ops, commit.Add{Path: folder + "/" + name, Data: files[name]})
	}
	done, err := h.Client.Commits.Commit(ctx, commit.Request{
		Target: commit.Target{Type: ref.Type, Repo: ref.ID}, Operations: ops, Summary: "Add the script of a job",
	})
	if err != nil {
		return job.Volume{}, err
	}
	return job.Volume{Type: "dataset", Source: ref.ID, Revision: done.OID, Path: folder, ReadOnly: true}, nil
}

// Owner is the user's name and organisations as far as they are known without
// asking.
func Owner(c *account.API) (user string, orgs []string) {
	who := c.Known()
	if who == nil {
		return "", nil
	}
	for _, o := range who.Orgs {
		orgs = append(orgs, o.Name)
	}
	return who.Name, orgs
}

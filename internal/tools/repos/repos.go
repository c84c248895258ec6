// Package repos are the tools that read and change repositories of the Hub:
// their files, and their branches, tags, pull requests and settings. They know
// neither who approves nor what the repositories are good for.
package repos

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/discussion"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
)

// Options of the tools.
type Options struct {
	Repos       *repo.API
	Commits     *commit.API
	Discussions *discussion.API
	// Endpoint is the address the pages of repositories lie below.
	Endpoint string
	// User is the namespace of ids without one.
	User func(ctx context.Context) (string, error)
	// Workspace is where local files are; nil has none.
	Workspace func(ctx context.Context) (workspace.Workspace, error)
	// Root, when the workspace is this machine, is the folder that local files
	// must lie in; "" says that the workspace is elsewhere.
	Root string
	// Made is told of repositories that a session has made; Changed of those
	// that it has uploaded to. They may be nil.
	Made    func(ctx context.Context, env tool.Env, r repo.Ref)
	Changed func(ctx context.Context, env tool.Env, r repo.Ref, card bool)
	// HasSecret reports what kind of secret a text shows, "" for none; nil looks
	// at nothing.
	HasSecret func(text string) string
}

func (o Options) check() error {
	if o.Repos == nil || o.Commits == nil || o.Discussions == nil || o.User == nil {
		return errors.New("make the repository tools: Repos, Commits, Discussions and User are required")
	}
	return nil
}

// base is what both tools do.
type base struct {
	opts Options
	spec tool.Spec
}

// ref names the repository of a call.
func (b *base) ref(ctx context.Context, id, kind string) (repo.Ref, error) {
	r := repo.Ref{Type: wire.RepoType(kind), ID: strings.TrimSpace(id)}
	if r.Type == "" {
		r.Type = wire.Model
	}
	if r.ID == "" {
		return r, errors.New("repo_id is required")
	}
	if err := wire.CheckRepoID("repo_id", r.ID); err != nil {
		return r, err
	}
	if strings.Contains(r.ID, "/") {
		return r, nil
	}
	user, err := b.opts.User(ctx)
	if err != nil {
		return r, fmt.Errorf("repo_id %q has no namespace, and the user is not known: %w", r.ID, err)
	}
	r.ID = user + "/" + r.ID
	return r, wire.CheckRepoID("repo_id", r.ID)
}

// learnUser asks who the user is before a call is judged that asks only where a
// repository belongs to others: the judgement itself asks nobody. Without an
// answer every repository belongs to others.
func (b *base) learnUser(ctx context.Context, r tool.Risk) {
	if r.Gate == tool.Ask {
		_, _ = b.opts.User(ctx)
	}
}

// page is the address of a page of a repository: what is "tree", "blob" or the
// like.
func (b *base) page(r repo.Ref, what, revision, path string) string {
	address := b.opts.Endpoint + r.Type.Prefix() + "/" + r.ID
	if what != "" {
		address += "/" + what
	}
	if revision != "" {
		address += "/" + wire.Escape(revision)
	}
	for _, segment := range strings.Split(path, "/") {
		if segment != "" {
			address += "/" + wire.Escape(segment)
		}
	}
	return address
}

// problem is the text of a failure.
func problem(r repo.Ref, path string, err error) string {
	var conflict *commit.Conflict
	switch {
	case errors.As(err, &conflict):
		return conflict.Error()
	case errors.Is(err, wire.RepoNotFound):
		return "Repository not found: " + r.ID + remedy(err)
	case errors.Is(err, wire.EntryNotFound) && path != "":
		return "File not found: " + path
	case errors.Is(err, wire.Invalid):
		return err.Error()
	case errors.Is(err, wire.Payment) && r.Type == wire.Space:
		return "Error: the Hub wants a paid plan for this Space: Docker and Gradio Spaces need PRO or a paying organisation; static Spaces are free. " + err.Error()
	}
	return "Error: " + err.Error()
}

func remedy(err error) string {
	var e *wire.Error
	if errors.As(err, &e) && e.Remedy != "" {
		return " (" + e.Remedy + ")"
	}
	return ""
}

// outcome makes a result of what an operation returns.
func outcome(ctx context.Context, r repo.Ref, path, text string, err error) (tool.Result, error) {
	switch {
	case ctx.Err() != nil:
		return tool.Result{}, ctx.Err()
	case err != nil:
		return tool.Failed(problem(r, path, err)), nil
	}
	return tool.Success(text), nil
}

// required is the error of a field that an operation lacks.
func required(field string) error { return fmt.Errorf("%s is required", field) }

func orMain(revision string) string {
	if revision == "" {
		return "main"
	}
	return revision
}

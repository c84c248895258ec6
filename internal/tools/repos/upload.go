package repos

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/tools/repos/source"
)

// upload makes one commit of what the call names.
func (f *Files) upload(ctx context.Context, env tool.Env, r repo.Ref, p FilesParams) (string, error) {
	src, err := f.source(ctx, p)
	if err != nil {
		return "", err
	}
	defer src.Close()
	message := p.CommitMessage
	if message == "" {
		message = "Upload " + p.what()
	}
	done, err := f.commit(ctx, env, r, p, src.Operations, message)
	if err != nil {
		return "", err
	}
	if f.opts.Changed != nil && !p.CreatePR {
		f.opts.Changed(ctx, env, r, touches(src.Operations, "README.md"))
	}
	return f.uploaded(r, p, src.Operations, done), nil
}

// what names the upload in a commit message.
func (p FilesParams) what() string {
	switch {
	case len(p.Files) > 1:
		return fmt.Sprintf("%s and %d more files", p.Files[0].Path, len(p.Files)-1)
	case len(p.Files) == 1:
		return p.Files[0].Path
	case p.Path != "":
		return p.Path
	}
	return path.Base(p.LocalPath)
}

func touches(ops []commit.Operation, name string) bool {
	for _, op := range ops {
		if add, ok := op.(commit.Add); ok && add.Path == name {
			return true
		}
	}
	return false
}

// uploaded is the text of a result.
func (f *Files) uploaded(r repo.Ref, p FilesParams, ops []commit.Operation, done commit.Result) string {
	what, link := fmt.Sprintf("%d files", len(ops)), f.page(r, "tree", p.Revision, "")
	if add, ok := ops[0].(commit.Add); ok && len(ops) == 1 {
		what, link = add.Path, f.page(r, "blob", p.Revision, add.Path)
	}
	var text string
	switch {
	case done.Unchanged:
		text = fmt.Sprintf("**No change:** %s of %s is already as it should be (commit %s)\n%s", what, r.ID, done.OID, link)
	case done.PullRequestURL != "":
		text = fmt.Sprintf("**Uploaded as PR:** %s\n%s", what, done.PullRequestURL)
	default:
		text = fmt.Sprintf("**Uploaded:** %s\n%s\nCommit: %s", what, link, done.OID)
	}
	if n := len(done.Same); n > 0 && !done.Unchanged {
		text += fmt.Sprintf("\n%d of the files were there already.", n)
	}
	for _, list := range []struct {
		what  string
		names []string
	}{{"Left out, as the Hub ignores them", done.Ignored}, {"Left out, as they are links that lead elsewhere", done.Skipped}, {"The Hub warns", done.Warnings}} {
		if len(list.names) > 0 {
			text += fmt.Sprintf("\n%s: %s", list.what, strings.Join(list.names[:min(len(list.names), 20)], ", "))
		}
	}
	return text
}

// commit makes the commit and tells what was made.
func (f *Files) commit(ctx context.Context, env tool.Env, r repo.Ref, p FilesParams, ops []commit.Operation, message string) (commit.Result, error) {
	told := ""
	done, err := f.opts.Commits.Commit(ctx, commit.Request{
		Target: target(r, p), Operations: ops, Summary: message, CreatePR: p.CreatePR, Parent: p.ParentCommit,
		Progress: func(g commit.Progress) {
			if line := progress(g); line != told {
				told = line
				env.Log(line)
			}
		},
	})
	if err != nil || done.Unchanged {
		return done, err
	}
	return done, env.Effect(fmt.Sprintf("commit:%s/%s@%s", r.Type, r.ID, done.OID))
}

// progress is a line for every tenth of an upload.
func progress(g commit.Progress) string {
	if g.Stage != "upload" || g.Total < 16<<20 {
		return ""
	}
	return fmt.Sprintf("uploading: %d %%", g.Done*10/g.Total*10)
}

func target(r repo.Ref, p FilesParams) commit.Target {
	return commit.Target{Type: r.Type, Repo: r.ID, Revision: p.Revision}
}

// source finds what a call wants uploaded.
func (f *Files) source(ctx context.Context, p FilesParams) (*source.Source, error) {
	want := source.Want{Path: p.Path, Content: p.Content, Files: p.Files, Local: p.LocalPath, Patterns: p.Patterns}
	return source.Find(ctx, source.Options{
		Workspace: f.opts.Workspace, Root: f.opts.Root, HasSecret: f.opts.HasSecret,
	}, want)
}

// Intent tells what the files of an upload will hold.
func (f *Files) Intent(ctx context.Context, _ tool.Env, args json.RawMessage) (json.RawMessage, error) {
	var p FilesParams
	if err := tool.Decode(args, &p); err != nil {
		return nil, err
	}
	if f.check(p) != nil {
		return json.RawMessage("{}"), nil // Run tells what is wrong
	}
	r, err := f.ref(ctx, p.RepoID, p.RepoType)
	if err != nil {
		return json.RawMessage("{}"), nil
	}
	src, err := f.source(ctx, p)
	if err != nil {
		return json.RawMessage("{}"), nil
	}
	defer src.Close()
	wants, err := f.opts.Commits.Intend(ctx, target(r, p), src.Operations)
	if err != nil {
		return json.RawMessage("{}"), nil
	}
	return json.Marshal(wants)
}

// Recover looks whether the files of an upload are there.
func (f *Files) Recover(ctx context.Context, _ tool.Env, args, intent json.RawMessage) (tool.Outcome, tool.Result, error) {
	var p FilesParams
	if err := tool.Decode(args, &p); err != nil {
		return tool.Unknown, tool.Result{}, err
	}
	var wants []commit.Want
	if err := json.Unmarshal(intent, &wants); err != nil || len(wants) == 0 {
		return tool.Unknown, tool.Result{}, fmt.Errorf("the intent of the call cannot be read: %.100q", intent)
	}
	r, err := f.ref(ctx, p.RepoID, p.RepoType)
	if err != nil {
		return tool.Unknown, tool.Result{}, err
	}
	held, err := f.opts.Commits.Held(ctx, target(r, p), wants)
	switch {
	case err != nil:
		return tool.Unknown, tool.Result{}, err
	case held.All:
		return tool.Happened, tool.Success(fmt.Sprintf("**Uploaded:** %d files to %s (found after a restart, commit %s)", len(wants), r.ID, held.Head)), nil
	}
	return tool.NotHappened, tool.Result{}, nil
}

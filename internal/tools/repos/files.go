package repos

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/tools/repos/field"
	"github.com/ml-intern/ml-intern/internal/tools/repos/pattern"
	"github.com/ml-intern/ml-intern/internal/tools/repos/show"
	"github.com/ml-intern/ml-intern/internal/tools/repos/source"
)

//go:embed hf_repo_files.json
var filesDescription []byte

// filesOutput is the most characters of a result.
const filesOutput = 100_000

// Files is hf_repo_files.
type Files struct{ base }

var (
	_ tool.KeyedTool = (*Files)(nil)
	_ tool.Resolver  = (*Files)(nil)
)

// NewFiles returns the tool.
func NewFiles(o Options) (*Files, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	spec, err := tool.ParseSpec(filesDescription, filesOutput)
	if err != nil {
		return nil, err
	}
	return &Files{base{opts: o, spec: spec}}, nil
}

// FilesParams are the arguments of hf_repo_files.
type FilesParams struct {
	Operation     string        `json:"operation"`
	RepoID        string        `json:"repo_id,omitempty"`
	RepoType      string        `json:"repo_type,omitempty"`
	Revision      string        `json:"revision,omitempty"`
	Path          string        `json:"path,omitempty"`
	Content       *string       `json:"content,omitempty"`
	LocalPath     string        `json:"local_path,omitempty"`
	Files         []source.File `json:"files,omitempty"`
	Patterns      []string      `json:"patterns,omitempty"`
	CreatePR      bool          `json:"create_pr,omitempty"`
	CommitMessage string        `json:"commit_message,omitempty"`
	ParentCommit  string        `json:"parent_commit,omitempty"`
	ConfirmAll    bool          `json:"confirm_all,omitempty"`
	Recursive     *bool         `json:"recursive,omitempty"`
	Expand        bool          `json:"expand,omitempty"`
	MaxChars      int           `json:"max_chars,omitempty"`
	Offset        int           `json:"offset,omitempty"`
	Limit         int           `json:"limit,omitempty"`
}

// Spec describes the tool.
func (f *Files) Spec() tool.Spec { return f.spec }

// check names what an operation lacks, and what no request can hold.
func (f *Files) check(p FilesParams) error {
	if err := p.lacks(); err != nil {
		return err
	}
	form := field.Form{HasSecret: f.opts.HasSecret}
	form.Repo("repo_id", p.RepoID)
	form.Type("repo_type", p.RepoType)
	form.Revision("revision", p.Revision)
	form.Path("path", p.Path)
	form.Text("local_path", p.LocalPath, field.Line)
	for i, file := range p.Files {
		if file.Path == "" {
			return required(fmt.Sprintf("files[%d].path", i))
		}
		form.Path(fmt.Sprintf("files[%d].path", i), file.Path)
	}
	for i, text := range p.Patterns {
		form.Text(fmt.Sprintf("patterns[%d]", i), text, 3*field.Line) // a name in brackets is three times as long
	}
	form.Texts("commit_message", p.CommitMessage, field.Prose)
	form.Commit("parent_commit", p.ParentCommit)
	form.Count("max_chars", p.MaxChars)
	form.Count("offset", p.Offset)
	form.Count("limit", p.Limit)
	if err := form.Err(); err != nil {
		return err
	}
	_, err := pattern.Compile(p.Patterns)
	return err
}

// lacks names what an operation needs and was not given.
func (p FilesParams) lacks() error {
	switch p.Operation {
	case "list", "read", "upload", "delete":
	default:
		return fmt.Errorf("unknown operation %q; the operations are: list, read, upload, delete", p.Operation)
	}
	if p.RepoID == "" {
		return required("repo_id")
	}
	switch p.Operation {
	case "read":
		if p.Path == "" {
			return required("path")
		}
	case "delete":
		if len(p.Patterns) == 0 {
			return required("patterns")
		}
	case "upload":
		return p.checkUpload()
	}
	return nil
}

func (p FilesParams) checkUpload() error {
	given := 0
	for _, is := range []bool{p.Content != nil, p.LocalPath != "", len(p.Files) > 0} {
		if is {
			given++
		}
	}
	switch {
	case given == 0 && p.Path == "":
		return required("path")
	case given == 0:
		return required("content")
	case given > 1:
		return errors.New("content, local_path and files are three ways to say what to upload: only one of them is taken")
	case p.Content != nil && p.Path == "":
		return required("path")
	}
	return nil
}

// Risk judges an operation.
func (f *Files) Risk(args json.RawMessage) tool.Risk {
	var p FilesParams
	if tool.Decode(args, &p) != nil {
		return tool.Risk{Effect: event.Once, Gate: tool.Ask, Reason: "its arguments cannot be read"}
	}
	r := tool.Risk{Operation: p.Operation, Effect: event.Read, Own: true}
	switch p.Operation {
	case "upload":
		r.Effect, r.Gate, r.Outward = event.Keyed, tool.Ask, true
		r.Reason = "uploads to " + p.RepoID
		if p.CreatePR {
			r.Effect, r.Reason = event.Once, "opens a pull request at "+p.RepoID
		}
		r.Lane = "upload:" + p.RepoType + ":" + p.RepoID
	case "delete":
		r.Effect, r.Gate, r.Outward = event.Once, tool.Ask, true
		r.Reason = fmt.Sprintf("deletes %d files of %s", len(p.Patterns), p.RepoID)
		r.Lane = "upload:" + p.RepoType + ":" + p.RepoID
	}
	return r
}

// Resolve completes the id of the repository; for delete it replaces the
// patterns by the files they mean now, in the state they were listed in.
func (f *Files) Resolve(ctx context.Context, args json.RawMessage) (json.RawMessage, error) {
	var p FilesParams
	if tool.Decode(args, &p) != nil || f.check(p) != nil {
		return args, nil // Run tells what is wrong
	}
	r, err := f.ref(ctx, p.RepoID, p.RepoType)
	if err != nil {
		return nil, err
	}
	p.RepoID = r.ID
	if p.Operation == "upload" {
		f.learnUser(ctx, tool.Risk{Gate: tool.Ask})
	}
	if p.Operation == "delete" {
		if err := f.listMatches(ctx, r, &p); err != nil {
			return nil, errors.New(problem(r, "", err))
		}
	}
	return json.Marshal(p)
}

// listMatches finds what the patterns mean.
func (f *Files) listMatches(ctx context.Context, r repo.Ref, p *FilesParams) error {
	set, err := pattern.Compile(p.Patterns)
	if err != nil {
		return err
	}
	if p.ParentCommit == "" {
		if p.ParentCommit, err = f.opts.Repos.Head(ctx, r, p.Revision); err != nil {
			return err
		}
	}
	var matched []string
	kept := 0
	for e, err := range f.opts.Repos.Tree(ctx, r, p.ParentCommit, repo.TreeOptions{Recursive: true}) {
		switch {
		case err != nil:
			return err
		case e.Dir() || e.Path == ".gitattributes":
		case set.Match(e.Path):
			matched = append(matched, pattern.Literal(e.Path))
		default:
			kept++
		}
	}
	switch {
	case len(matched) == 0:
		return fmt.Errorf("no file of %s matches %s: nothing was deleted", r.ID, strings.Join(p.Patterns, ", "))
	case kept == 0 && !p.ConfirmAll:
		return fmt.Errorf("the patterns match every file of %s (%d): pass confirm_all if that is meant", r.ID, len(matched))
	}
	slices.Sort(matched)
	p.Patterns = matched
	return nil
}

// Run does the operation.
func (f *Files) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	var p FilesParams
	if err := tool.Decode(args, &p); err != nil {
		return tool.Failed(fmt.Sprintf("hf_repo_files was not run: %v", err)), nil
	}
	if p.Operation == "" {
		return tool.Failed("operation is required: list, read, upload or delete"), nil
	}
	if err := f.check(p); err != nil {
		return tool.Failed(err.Error()), nil
	}
	p.Revision = orMain(p.Revision)
	r, err := f.ref(ctx, p.RepoID, p.RepoType)
	if err != nil {
		return outcome(ctx, r, "", "", err)
	}
	var text string
	switch p.Operation {
	case "list":
		text, err = f.list(ctx, r, p)
	case "read":
		text, err = f.read(ctx, env, r, p)
	case "upload":
		text, err = f.upload(ctx, env, r, p)
	case "delete":
		text, err = f.remove(ctx, env, r, p)
	}
	return outcome(ctx, r, p.Path, text, err)
}

func (f *Files) list(ctx context.Context, r repo.Ref, p FilesParams) (string, error) {
	var files []show.File
	var total int64
	count := 0
	recursive := p.Recursive == nil || *p.Recursive
	for e, err := range f.opts.Repos.Tree(ctx, r, p.Revision, repo.TreeOptions{Path: p.Path, Recursive: recursive, Expand: p.Expand}) {
		if err != nil {
			return "", err
		}
		file := show.File{Path: e.Path, Size: e.Size}
		if e.Dir() {
			file.Size = -1
		} else {
			count++
			total += e.Size
		}
		if p.Expand && e.Last != nil {
			file.Note = fmt.Sprintf("%s %s", e.Last.Date.UTC().Format("2006-01-02"), e.Last.Title)
		}
		files = append(files, file)
	}
	head := fmt.Sprintf("**%s** (%d files, %s)\n%s\n", r.ID, count, show.Size(total), f.page(r, "tree", p.Revision, p.Path))
	if len(files) == 0 {
		return head + "\n(no files)", nil
	}
	return head + "\n" + show.List(files), nil
}

// remove deletes what Resolve has found, or, called directly, what the patterns
// match.
func (f *Files) remove(ctx context.Context, env tool.Env, r repo.Ref, p FilesParams) (string, error) {
	if err := f.listMatches(ctx, r, &p); err != nil {
		return "", err
	}
	var ops []commit.Operation
	var names []string
	for _, literal := range p.Patterns {
		name := pattern.Plain(literal)
		names = append(names, name)
		ops = append(ops, commit.Delete{Path: name})
	}
	shown := strings.Join(names[:min(len(names), 50)], ", ")
	if len(names) > 50 {
		shown += fmt.Sprintf(" and %d more", len(names)-50)
	}
	message := p.CommitMessage
	if message == "" {
		message = "Delete " + strings.Join(names[:min(len(names), 5)], ", ")
		if len(names) > 5 {
			message += fmt.Sprintf(" and %d more files", len(names)-5)
		}
	}
	done, err := f.commit(ctx, env, r, p, ops, message)
	if err != nil {
		return "", err
	}
	if done.PullRequestURL != "" {
		return fmt.Sprintf("**Deleted as PR:** %s from %s\n%s", shown, r.ID, done.PullRequestURL), nil
	}
	return fmt.Sprintf("**Deleted:** %s from %s", shown, r.ID), nil
}

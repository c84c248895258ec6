package repos

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/discussion"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/tools/repos/field"
)

//go:embed hf_repo_git.json
var gitDescription []byte

// gitOutput is the most characters of a result.
const gitOutput = 40_000

// Git is hf_repo_git.
type Git struct{ base }

var (
	_ tool.KeyedTool = (*Git)(nil)
	_ tool.Resolver  = (*Git)(nil)
)

// NewGit returns the tool.
func NewGit(o Options) (*Git, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	spec, err := tool.ParseSpec(gitDescription, gitOutput)
	if err != nil {
		return nil, err
	}
	return &Git{base{opts: o, spec: spec}}, nil
}

// GitParams are the arguments of hf_repo_git.
type GitParams struct {
	Operation   string `json:"operation"`
	RepoID      string `json:"repo_id,omitempty"`
	RepoType    string `json:"repo_type,omitempty"`
	Branch      string `json:"branch,omitempty"`
	FromRev     string `json:"from_rev,omitempty"`
	Tag         string `json:"tag,omitempty"`
	Revision    string `json:"revision,omitempty"`
	TagMessage  string `json:"tag_message,omitempty"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	PRNum       int    `json:"pr_num,omitempty"`
	Comment     string `json:"comment,omitempty"`
	Status      string `json:"status,omitempty"`
	NewStatus   string `json:"new_status,omitempty"`
	Private     *bool  `json:"private,omitempty"`
	Gated       string `json:"gated,omitempty"`
	SpaceSDK    string `json:"space_sdk,omitempty"`
	ExistOK     bool   `json:"exist_ok,omitempty"`
	Type        string `json:"type,omitempty"`
	Author      string `json:"author,omitempty"`
	Limit       int    `json:"limit,omitempty"`
	ToID        string `json:"to_id,omitempty"`
	Confirm     string `json:"confirm,omitempty"`
}

// gitOperation is one thing the tool does.
type gitOperation struct {
	// needs names the fields it cannot do without.
	needs []string
	risk  tool.Risk
	run   func(g *Git, ctx context.Context, env tool.Env, r repo.Ref, p GitParams) (string, error)
}

// Risks, by what an operation does to the world.
var (
	looks = tool.Risk{Effect: event.Read}
	// public acts are seen by others under the user's name: the policy lets
	// them pass in the user's own namespaces.
	public  = tool.Risk{Effect: event.Once, Gate: tool.Ask, Outward: true, Reason: "others see it under your name"}
	changes = tool.Risk{Effect: event.Once, Gate: tool.Ask, Outward: true}
	final   = tool.Risk{Effect: event.Once, Gate: tool.Always, Outward: true, Reason: "this cannot be undone"}
)

// gitOperations are all of them.
var gitOperations = map[string]gitOperation{
	"create_branch":    {[]string{"branch"}, public, (*Git).createBranch},
	"delete_branch":    {[]string{"branch"}, changes, (*Git).deleteBranch},
	"create_tag":       {[]string{"tag"}, public, (*Git).createTag},
	"delete_tag":       {[]string{"tag"}, changes, (*Git).deleteTag},
	"list_refs":        {nil, looks, (*Git).listRefs},
	"create_pr":        {[]string{"title"}, public, (*Git).createPR},
	"list_prs":         {nil, looks, (*Git).listPRs},
	"get_pr":           {[]string{"pr_num"}, looks, (*Git).showPR},
	"merge_pr":         {[]string{"pr_num"}, changes, (*Git).mergePR},
	"close_pr":         {[]string{"pr_num"}, public, (*Git).closePR},
	"comment_pr":       {[]string{"pr_num", "comment"}, public, (*Git).commentPR},
	"change_pr_status": {[]string{"pr_num", "new_status"}, public, (*Git).changeStatus},
	"rename_pr":        {[]string{"pr_num", "title"}, public, (*Git).renamePR},
	"create_repo":      {nil, tool.Risk{Effect: event.Keyed, Gate: tool.Ask, Outward: true}, (*Git).createRepo},
	"update_repo":      {nil, changes, (*Git).updateRepo},
	"delete_repo":      {nil, final, (*Git).deleteRepo},
	"move_repo":        {[]string{"to_id"}, changes, (*Git).moveRepo},
	"duplicate_repo":   {[]string{"to_id"}, changes, (*Git).duplicateRepo},
	"list_commits":     {nil, looks, (*Git).listCommits},
	"super_squash":     {nil, final, (*Git).squash},
}

// Spec describes the tool.
func (g *Git) Spec() tool.Spec { return g.spec }

// Titles of pull requests, in characters.
const (
	minTitle = 3
	maxTitle = 200
)

// check names what an operation lacks, and what no request can hold.
func (g *Git) check(p GitParams) error {
	if err := p.lacks(); err != nil {
		return err
	}
	form := field.Form{HasSecret: g.opts.HasSecret}
	form.Repo("repo_id", p.RepoID)
	form.Type("repo_type", p.RepoType)
	form.Branch("branch", p.Branch)
	form.Revision("from_rev", p.FromRev)
	form.Tag("tag", p.Tag)
	form.Revision("revision", p.Revision)
	form.Texts("tag_message", p.TagMessage, field.Prose)
	form.Text("title", p.Title, field.Line)
	form.Texts("description", p.Description, field.Prose)
	form.Count("pr_num", p.PRNum)
	form.Texts("comment", p.Comment, field.Prose)
	form.OneOf("status", p.Status, "open", "closed", "all")
	form.OneOf("new_status", p.NewStatus, "open", "closed")
	form.OneOf("gated", p.Gated, "auto", "manual", "false")
	form.OneOf("space_sdk", p.SpaceSDK, "gradio", "streamlit", "docker", "static")
	form.OneOf("type", p.Type, "discussion", "pull_request", "all")
	form.User("author", p.Author)
	form.Count("limit", p.Limit)
	form.Repo("to_id", p.ToID)
	return form.Err()
}

// lacks names what an operation needs and was not given.
func (p GitParams) lacks() error {
	op, ok := gitOperations[p.Operation]
	if !ok {
		return fmt.Errorf("unknown operation %q; the operations are: %s", p.Operation, gitNames())
	}
	if p.RepoID == "" {
		return required("repo_id")
	}
	given := map[string]bool{
		"branch": p.Branch != "", "tag": p.Tag != "", "title": p.Title != "", "pr_num": p.PRNum > 0,
		"comment": p.Comment != "", "new_status": p.NewStatus != "", "to_id": p.ToID != "",
	}
	for _, field := range op.needs {
		if !given[field] {
			return required(field)
		}
	}
	if n := utf8.RuneCountInString(p.Title); p.Title != "" && (n < minTitle || n > maxTitle) {
		return fmt.Errorf("title has %d characters, the Hub takes %d to %d", n, minTitle, maxTitle)
	}
	switch {
	case p.Operation == "create_repo" && p.RepoType == "space" && p.SpaceSDK == "":
		return errors.New("space_sdk is required for a Space: gradio, docker or static")
	case p.Operation == "update_repo" && p.Private == nil && p.Gated == "":
		return errors.New("private or gated is required")
	}
	return nil
}

// gitNames lists the operations.
func gitNames() string { return strings.Join(slices.Sorted(maps.Keys(gitOperations)), ", ") }

// Risk judges an operation.
func (g *Git) Risk(args json.RawMessage) tool.Risk {
	var p GitParams
	if tool.Decode(args, &p) != nil {
		return tool.Risk{Effect: event.Once, Gate: tool.Ask, Reason: "its arguments cannot be read"}
	}
	r := gitOperations[p.Operation].risk
	if r.Operation = p.Operation; r.Effect == "" {
		r.Effect = event.Read // an unknown operation does nothing
	}
	if r.Gate != tool.Open && r.Reason == "" {
		r.Reason = strings.ReplaceAll(p.Operation, "_", " ") + " " + p.RepoID
	}
	if !r.ReadOnly() {
		r.Lane = "git:" + p.RepoType + ":" + p.RepoID
	}
	return r
}

// Resolve completes the ids of repositories, so that what is shown says whose
// they are.
func (g *Git) Resolve(ctx context.Context, args json.RawMessage) (json.RawMessage, error) {
	var p GitParams
	if tool.Decode(args, &p) != nil || g.check(p) != nil {
		return args, nil // Run tells what is wrong
	}
	r, err := g.ref(ctx, p.RepoID, p.RepoType)
	if err != nil {
		return nil, err
	}
	p.RepoID = r.ID
	if p.ToID != "" {
		to, err := g.ref(ctx, p.ToID, p.RepoType)
		if err != nil {
			return nil, fmt.Errorf("to_id: %w", err)
		}
		p.ToID = to.ID
	}
	g.learnUser(ctx, gitOperations[p.Operation].risk)
	return json.Marshal(p)
}

// Run does the operation.
func (g *Git) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	var p GitParams
	if err := tool.Decode(args, &p); err != nil {
		return tool.Failed(fmt.Sprintf("hf_repo_git was not run: %v", err)), nil
	}
	if err := g.check(p); err != nil {
		return tool.Failed(err.Error()), nil
	}
	r, err := g.ref(ctx, p.RepoID, p.RepoType)
	if err != nil {
		return outcome(ctx, r, "", "", err)
	}
	text, err := gitOperations[p.Operation].run(g, ctx, env, r, p)
	return outcome(ctx, r, "", text, err)
}

// gitIntent is what finding a repository again needs.
type gitIntent struct {
	Type wire.RepoType `json:"type"`
	ID   string        `json:"id"`
}

// Intent names the repository that is to be made.
func (g *Git) Intent(ctx context.Context, _ tool.Env, args json.RawMessage) (json.RawMessage, error) {
	var p GitParams
	if err := tool.Decode(args, &p); err != nil {
		return nil, err
	}
	r, err := g.ref(ctx, p.RepoID, p.RepoType)
	if err != nil {
		return json.RawMessage("{}"), nil // Run tells what is wrong
	}
	return json.Marshal(gitIntent{r.Type, r.ID})
}

// Recover looks whether a repository was made: one that exists belongs to the
// user anyway, so that making it again would only say so.
func (g *Git) Recover(ctx context.Context, env tool.Env, _, intent json.RawMessage) (tool.Outcome, tool.Result, error) {
	var in gitIntent
	if err := json.Unmarshal(intent, &in); err != nil || in.ID == "" {
		return tool.Unknown, tool.Result{}, fmt.Errorf("the intent of the call cannot be read: %.100q", intent)
	}
	r := repo.Ref{Type: in.Type, ID: in.ID}
	exists, err := g.opts.Repos.Exists(ctx, r)
	switch {
	case err != nil:
		return tool.Unknown, tool.Result{}, err
	case !exists:
		return tool.NotHappened, tool.Result{}, nil
	}
	if g.opts.Made != nil {
		g.opts.Made(ctx, env, r)
	}
	return tool.Happened, tool.Success(fmt.Sprintf("**Repository exists:** %s (found after a restart)\n%s", r.ID, g.page(r, "", "", ""))), nil
}

// there turns the conflict with what exists into nothing when that is fine.
func there(err error, fine bool) (existed bool, _ error) {
	if fine && errors.Is(err, wire.Conflict) {
		return true, nil
	}
	return false, err
}

func (g *Git) createBranch(ctx context.Context, env tool.Env, r repo.Ref, p GitParams) (string, error) {
	existed, err := there(g.opts.Repos.CreateBranch(ctx, r, repo.BranchSpec{Name: p.Branch, From: p.FromRev}), p.ExistOK)
	if err != nil {
		return "", err
	}
	word := "created"
	if existed {
		word = "exists"
	}
	return fmt.Sprintf("**Branch %s:** %s\n%s", word, p.Branch, g.page(r, "tree", p.Branch, "")), nil
}

func (g *Git) deleteBranch(ctx context.Context, _ tool.Env, r repo.Ref, p GitParams) (string, error) {
	return "**Branch deleted:** " + p.Branch, g.opts.Repos.DeleteBranch(ctx, r, p.Branch)
}

func (g *Git) createTag(ctx context.Context, _ tool.Env, r repo.Ref, p GitParams) (string, error) {
	existed, err := there(g.opts.Repos.CreateTag(ctx, r, p.Tag, p.Revision, p.TagMessage), p.ExistOK)
	if err != nil {
		return "", err
	}
	word := "created"
	if existed {
		word = "exists"
	}
	return fmt.Sprintf("**Tag %s:** %s\n%s", word, p.Tag, g.page(r, "tree", p.Tag, "")), nil
}

func (g *Git) deleteTag(ctx context.Context, _ tool.Env, r repo.Ref, p GitParams) (string, error) {
	return "**Tag deleted:** " + p.Tag, g.opts.Repos.DeleteTag(ctx, r, p.Tag)
}

func (g *Git) listRefs(ctx context.Context, _ tool.Env, r repo.Ref, _ GitParams) (string, error) {
	refs, err := g.opts.Repos.Refs(ctx, r, false)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("**%s**\n%s\n\n%s\n\n%s", r.ID, g.page(r, "", "", ""), refList("Branches", refs.Branches), refList("Tags", refs.Tags)), nil
}

func refList(title string, refs []repo.GitRef) string {
	if len(refs) == 0 {
		return "**" + title + ":** none"
	}
	lines := []string{fmt.Sprintf("**%s (%d):**", title, len(refs))}
	for _, ref := range refs {
		lines = append(lines, fmt.Sprintf("- %s (%.8s)", ref.Name, ref.Target))
	}
	return strings.Join(lines, "\n")
}

// threads is a repository as the discussion API names it.
func threads(r repo.Ref) discussion.Repo { return discussion.Repo{Type: r.Type, ID: r.ID} }

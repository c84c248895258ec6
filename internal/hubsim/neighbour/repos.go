package neighbour

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/mcp"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/paper"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo/card"
)

// linked finds the repositories whose card names the paper, among those the
// caller may see.
func (s *Services) linked(ctx context.Context, id string) (paper.Linked, error) {
	var out paper.Linked
	for _, t := range repo.Types() {
		for _, r := range s.store.All(t) {
			if !r.Visible(account.From(ctx)) {
				continue
			}
			oid, err := r.Head("main")
			if err != nil {
				continue // nothing was committed yet
			}
			about := r.Card(oid)
			if !slices.Contains(card.Strings(about["tags"]), "arxiv:"+id) {
				continue
			}
			switch t {
			case repo.Model:
				out.Models = append(out.Models, short(r, about))
			case repo.Dataset:
				out.Datasets = append(out.Datasets, short(r, about))
			case repo.Space:
				out.Spaces = append(out.Spaces, short(r, about))
			}
		}
	}
	return out, nil
}

// short is a repository as lists beside a paper show it.
func short(r *repo.Repo, about map[string]any) map[string]any {
	out := map[string]any{
		"id": r.ID(), "author": r.Namespace(), "repoType": string(r.Type()), "private": r.Private(), "gated": r.Gated(),
		"likes": r.Likes(), "downloads": r.Downloads(), "lastModified": clock.Format(r.LastModified()), "tags": append([]string{}, card.Strings(about["tags"])...),
	}
	switch r.Type() {
	case repo.Model:
		for _, key := range []string{"pipeline_tag", "library_name"} {
			if v, ok := about[key].(string); ok {
				out[key] = v
			}
		}
		out["availableInferenceProviders"] = []any{}
	case repo.Space:
		out["emoji"], out["shortDescription"], out["sdk"] = about["emoji"], about["short_description"], r.Settings().SDK
		out["running"], out["featured"] = true, false
	}
	return out
}

// tools are those of the MCP server.
func (s *Services) tools() []mcp.Tool {
	return []mcp.Tool{
		{
			Name: "hf_whoami", Title: "Hugging Face user",
			Description: "Tells who the current user is and whether he is logged in.",
			Schema:      map[string]any{"type": "object", "properties": map[string]any{}, "additionalProperties": false},
			Call:        whoami,
		},
		{
			Name: "hub_repo_details", Title: "Repository details",
			Description: "Describes a model, dataset or Space of the Hub: type, visibility, likes, downloads, last change and files.",
			Schema: map[string]any{
				"type": "object", "required": []string{"repo_id"}, "additionalProperties": false,
				"properties": map[string]any{
					"repo_id":   map[string]any{"type": "string", "description": "Repository id such as acme/tiny-gpt"},
					"repo_type": map[string]any{"type": "string", "enum": []string{"model", "dataset", "space"}, "description": "Type; without it all three are tried"},
				},
			},
			Call: s.details,
		},
	}
}

func whoami(ctx context.Context, _ map[string]any) (string, error) {
	caller := account.From(ctx)
	if caller == nil {
		return "You are not logged in.", nil
	}
	return "You are logged in as " + caller.Name() + ".", nil
}

func (s *Services) details(ctx context.Context, args map[string]any) (string, error) {
	id, _ := args["repo_id"].(string)
	if !strings.Contains(id, "/") {
		return "", fmt.Errorf("repo_id: want namespace/name, got %q", id)
	}
	types := repo.Types()
	if name, ok := args["repo_type"].(string); ok {
		t, known := repo.ParseType(name)
		if !known {
			return "", fmt.Errorf("repo_type: want model, dataset or space, got %q", name)
		}
		types = []repo.Type{t}
	}
	for _, t := range types {
		r, err := s.store.Find(ctx, t, id)
		if err != nil {
			continue
		}
		var b strings.Builder
		fmt.Fprintf(&b, "# %s\n\nType: %s\nPrivate: %v\nGated: %v\nLikes: %d\nDownloads: %d\nLast modified: %s\n",
			r.ID(), t, r.Private(), r.Gated(), r.Likes(), r.Downloads(), clock.Format(r.LastModified()))
		if oid, err := r.Head("main"); err == nil {
			b.WriteString("\nFiles:\n")
			for _, f := range r.Files(oid) {
				fmt.Fprintf(&b, "- %s (%d bytes)\n", f.Path, f.Size)
			}
		}
		return b.String(), nil
	}
	return "", fmt.Errorf("no repository %s was found", id)
}

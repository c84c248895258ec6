package repos

import (
	"context"
	"errors"
	"fmt"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

func (g *Git) createRepo(ctx context.Context, env tool.Env, r repo.Ref, p GitParams) (string, error) {
	spec := repo.CreateSpec{Ref: r, Visibility: visibility(p.Private == nil || *p.Private), SDK: p.SpaceSDK}
	if r.Type != wire.Space {
		spec.SDK = ""
	}
	create := g.opts.Repos.Create
	if p.ExistOK {
		create = g.opts.Repos.Ensure
	}
	made, err := create(ctx, spec)
	if err != nil {
		return "", err
	}
	if err := env.Effect(fmt.Sprintf("repo:%s/%s", r.Type, r.ID)); err != nil {
		return "", err
	}
	if g.opts.Made != nil {
		g.opts.Made(ctx, env, r)
	}
	word := "created"
	if p.ExistOK && made.ID == "" {
		word = "exists"
	}
	text := fmt.Sprintf("**Repository %s:** %s\n**Private:** %t\n%s", word, r.ID, spec.Visibility == "private", g.page(r, "", "", ""))
	if p.Gated != "" {
		if err := g.configure(ctx, r, "", p.Gated); err != nil {
			return "", fmt.Errorf("%s was created, but access could not be set: %w", r.ID, err)
		}
	}
	return text, nil
}

func visibility(private bool) string {
	if private {
		return "private"
	}
	return "public"
}

func (g *Git) updateRepo(ctx context.Context, _ tool.Env, r repo.Ref, p GitParams) (string, error) {
	wanted := ""
	if p.Private != nil {
		wanted = visibility(*p.Private)
	}
	if err := g.configure(ctx, r, wanted, p.Gated); err != nil {
		return "", err
	}
	text := "**Settings updated:** " + r.ID
	if wanted != "" {
		text += "\nVisibility: " + wanted
	}
	if p.Gated != "" {
		text += "\nGated: " + p.Gated
	}
	return text + "\n" + g.page(r, "settings", "", ""), nil
}

// configure sets visibility and access; "" leaves one as it is. The word
// "false" takes the gate away.
func (g *Git) configure(ctx context.Context, r repo.Ref, visibility, gated string) error {
	s := repo.Settings{Visibility: visibility}
	if gated != "" {
		gate := repo.Gated(gated)
		if gated == "false" {
			gate = ""
		}
		s.Gated = &gate
	}
	_, err := g.opts.Repos.Configure(ctx, r, s)
	return err
}

func (g *Git) deleteRepo(ctx context.Context, _ tool.Env, r repo.Ref, p GitParams) (string, error) {
	if p.Confirm != r.ID {
		return "", fmt.Errorf("confirm must be %q, the id of the repository that is to be deleted for good", r.ID)
	}
	if err := g.opts.Repos.Delete(ctx, r); err != nil {
		return "", err
	}
	return "**Repository deleted:** " + r.ID, nil
}

func (g *Git) moveRepo(ctx context.Context, _ tool.Env, r repo.Ref, p GitParams) (string, error) {
	to, err := g.ref(ctx, p.ToID, p.RepoType)
	if err != nil {
		return "", err
	}
	if err := g.opts.Repos.Move(ctx, r, to.ID); err != nil {
		return "", err
	}
	return fmt.Sprintf("**Repository moved:** %s to %s\n%s", r.ID, to.ID, g.page(to, "", "", "")), nil
}

func (g *Git) duplicateRepo(ctx context.Context, env tool.Env, r repo.Ref, p GitParams) (string, error) {
	to, err := g.ref(ctx, p.ToID, p.RepoType)
	if err != nil {
		return "", err
	}
	_, err = g.opts.Repos.Duplicate(ctx, r, repo.DuplicateSpec{To: to.ID, Visibility: visibility(p.Private == nil || *p.Private)})
	if errors.Is(err, wire.Conflict) {
		return "", fmt.Errorf("%s exists already: %w", to.ID, err)
	}
	if err != nil {
		return "", err
	}
	if err := env.Effect(fmt.Sprintf("repo:%s/%s", to.Type, to.ID)); err != nil {
		return "", err
	}
	return fmt.Sprintf("**Repository duplicated:** %s as %s\n%s", r.ID, to.ID, g.page(to, "", "", "")), nil
}

package seed

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// Plant puts the accounts and repositories of the seed where they belong.
// Collections and Neighbours are for whoever keeps those.
func (s *Seed) Plant(ctx context.Context, accounts *account.Book, store *repo.Store) error {
	for _, e := range s.Accounts {
		e.Members = maps.Clone(e.Members)
		accounts.Put(e)
	}
	for _, t := range s.Tokens {
		accounts.PutToken(t)
	}
	for _, r := range s.Repos {
		if err := r.plant(ctx, store); err != nil {
			return fmt.Errorf("seed %s %s: %w", r.Type, r.ID, err)
		}
	}
	return nil
}

// plant makes the repository as its author would have: with the first commit
// of every repository, then one with the files.
func (r *Repo) plant(ctx context.Context, store *repo.Store) error {
	made, err := store.Create(ctx, repo.CreateSpec{
		Type: r.Type, ID: r.ID, Visibility: r.Visibility, Gated: r.Gated, Region: r.Region, SDK: r.SDK,
		Hardware: r.Hardware, ShortDescription: r.ShortDescription, Secrets: r.Secrets, Variables: r.Variables,
		Trusted: true, Author: r.Author,
	})
	if err != nil {
		return err
	}
	if len(r.Files) > 0 {
		if err := r.commit(ctx, made); err != nil {
			return err
		}
	}
	made.Update(func(now *repo.Settings) {
		set := r.Settings
		set.Visibility = now.Visibility
		*now = set
	})
	for _, user := range slices.Sorted(maps.Keys(r.Grants)) {
		made.SetGrant(user, r.Grants[user], "")
	}
	if !r.CreatedAt.IsZero() {
		made.SetCreatedAt(r.CreatedAt, r.LastModified)
	}
	return nil
}

func (r *Repo) commit(ctx context.Context, made *repo.Repo) error {
	spec := repo.CommitSpec{Title: r.Message, Author: r.Author}
	if spec.Title == "" {
		spec.Title = "Upload files"
	}
	for _, f := range r.Files {
		spec.Changes = append(spec.Changes, repo.Change{Op: repo.PutAuto, Path: strings.TrimPrefix(f.Path, "/"), Content: f.Data})
	}
	_, err := made.Commit(ctx, spec)
	return err
}

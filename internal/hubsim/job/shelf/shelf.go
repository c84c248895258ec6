// Package shelf finds what jobs and Spaces mount: repositories as they were at a
// revision, and buckets as they are. It knows nothing of who mounts them.
package shelf

import (
	"context"
	"net/http"
	"os"
	"path/filepath"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec/volume"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// Buckets finds the folder of a bucket, for the caller of ctx.
type Buckets interface {
	Dir(ctx context.Context, id string, write bool) (string, error)
}

// Shelf is where volumes come from.
type Shelf struct {
	Repos   *repo.Store
	Buckets Buckets
}

// Mount implements [volume.Source].
func (s Shelf) Mount(ctx context.Context, v volume.Volume) (exec.Mount, error) {
	m := exec.Mount{Path: v.MountPath, ReadOnly: v.ReadOnly}
	if v.Type == "bucket" {
		return s.bucket(ctx, v, m)
	}
	r, err := s.Repos.Follow(ctx, repo.Type(v.Type), v.Source)
	if err != nil {
		return m, err
	}
	if err := r.MayRead(account.From(ctx), ""); err != nil {
		return m, err
	}
	revision := v.Revision
	if revision == "" {
		revision = "main"
	}
	if _, err := r.Resolve(revision); err != nil {
		return m, err
	}
	m.Fill = func(ctx context.Context, dir string) error {
		oid, err := r.Resolve(revision)
		if err != nil {
			return err
		}
		return r.Checkout(ctx, oid, v.Path, dir)
	}
	return m, nil
}

// bucket mounts the folder itself, or one below it that is made when needed.
func (s Shelf) bucket(ctx context.Context, v volume.Volume, m exec.Mount) (exec.Mount, error) {
	if s.Buckets == nil {
		return m, answer.Refuse(http.StatusUnprocessableEntity, "buckets cannot be mounted here")
	}
	dir, err := s.Buckets.Dir(ctx, v.Source, !v.ReadOnly)
	if err != nil {
		return m, err
	}
	if m.Dir = filepath.Join(dir, filepath.FromSlash(v.Path)); v.Path != "" {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return m, err
		}
		defer root.Close()
		if err := root.MkdirAll(filepath.FromSlash(v.Path), 0o700); err != nil {
			return m, answer.Refuse(http.StatusUnprocessableEntity, `"volumes": path `+v.Path+" is no folder of the bucket")
		}
	}
	return m, nil
}

// Space implements [volume.Source].
func (s Shelf) Space(ctx context.Context, id string) error {
	_, err := s.Repos.Follow(ctx, repo.Space, id)
	return err
}

package hubsim

import (
	"cmp"
	"context"
	"io"
	"net/http"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec/volume"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// volumes finds what jobs and apps mount.
type volumes struct{ *world }

// Mount is a bucket's own folder, or a copy of a repository's files.
func (v volumes) Mount(ctx context.Context, vol volume.Volume) (exec.Mount, error) {
	if vol.Type == "bucket" {
		dir, err := v.buckets.Dir(ctx, vol.Source, !vol.ReadOnly)
		return exec.Mount{Path: vol.MountPath, Dir: dir, ReadOnly: vol.ReadOnly}, err
	}
	t, ok := repo.ParseType(vol.Type)
	if !ok {
		return exec.Mount{}, answer.Refuse(http.StatusUnprocessableEntity, `"volumes": type `+vol.Type+` is unknown`)
	}
	r, err := v.repos.Find(ctx, t, vol.Source)
	if err == nil {
		err = r.MayRead(account.From(ctx), "")
	}
	if err != nil {
		return exec.Mount{}, err
	}
	oid, err := r.Resolve(cmp.Or(vol.Revision, "main"))
	if err != nil {
		return exec.Mount{}, err
	}
	return exec.Mount{Path: vol.MountPath, ReadOnly: true, Fill: func(ctx context.Context, dir string) error {
		return r.Checkout(ctx, oid, vol.Path, dir)
	}}, nil
}

// Space reports whether the caller of ctx may run in a Space's image.
func (v volumes) Space(ctx context.Context, id string) error {
	_, err := v.repos.Find(ctx, repo.Space, id)
	return err
}

// stored opens a content of a repository the caller may read, or any stored
// one, for a bucket that takes it over.
func (w *world) stored(ctx context.Context, kind, id, sha256 string) (io.ReadCloser, error) {
	if id != "" {
		t, ok := repo.ParseType(kind)
		if !ok {
			return nil, answer.Refuse(http.StatusUnprocessableEntity, "source type "+kind+" is unknown")
		}
		r, err := w.repos.Find(ctx, t, id)
		if err == nil {
			err = r.MayRead(account.From(ctx), "")
		}
		if err != nil {
			return nil, err
		}
		if !r.HasLFS(sha256) {
			return nil, answer.NotFound(answer.EntryNotFound, "Entry not found")
		}
	}
	body, _, err := w.content.Open(sha256)
	if err != nil {
		return nil, answer.NotFound(answer.EntryNotFound, "Entry not found")
	}
	return body, nil
}

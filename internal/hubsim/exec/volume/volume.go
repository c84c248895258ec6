// Package volume is what a job or an app asks to be mounted: its JSON and the
// rules it has to keep. It knows neither repositories nor buckets: a Source
// finds them.
package volume

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/exec"
)

// Volume is a repository or a bucket under a path of the command.
type Volume struct {
	Type      string `json:"type"`
	Source    string `json:"source"`
	MountPath string `json:"mountPath"`
	ReadOnly  bool   `json:"readOnly"`
	Revision  string `json:"revision,omitempty"`
	Path      string `json:"path,omitempty"`
}

// Source finds what volumes name.
type Source interface {
	// Mount is v for the caller of ctx, who must be allowed to read it, and to
	// write it unless it is read-only.
	Mount(ctx context.Context, v Volume) (exec.Mount, error)
	// Space reports whether the caller of ctx may run in a Space's image.
	Space(ctx context.Context, id string) error
}

// Check checks volumes and makes those of repositories read-only.
func Check(volumes []Volume) error {
	for i := range volumes {
		v := &volumes[i]
		switch {
		case !slices.Contains([]string{"bucket", "model", "dataset", "space"}, v.Type):
			return fmt.Errorf(`"volumes": type %q: it must be bucket, model, dataset or space`, v.Type)
		case v.Source == "":
			return fmt.Errorf(`"volumes": "source" is required`)
		case !path.IsAbs(v.MountPath) || path.Clean(v.MountPath) == "/":
			return fmt.Errorf(`"volumes": mountPath %q: it must be absolute and not the root`, v.MountPath)
		case !inside(v.Path):
			return fmt.Errorf(`"volumes": path %q: it must stay within the source`, v.Path)
		}
		v.ReadOnly = v.ReadOnly || v.Type != "bucket"
	}
	return nil
}

func inside(p string) bool {
	return p == "" || !path.IsAbs(p) && !slices.Contains(strings.Split(p, "/"), "..")
}

// Mounts are the mounts of volumes; one that is not to be had any more fails
// when the command is prepared.
func Mounts(ctx context.Context, s Source, volumes []Volume) []exec.Mount {
	var mounts []exec.Mount
	for _, v := range volumes {
		m, err := s.Mount(ctx, v)
		if err != nil {
			m = exec.Mount{Path: v.MountPath, Fill: func(context.Context, string) error { return err }}
		}
		mounts = append(mounts, m)
	}
	return mounts
}

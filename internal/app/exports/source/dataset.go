package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/download"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// Dataset is a data set on the Hub with a file a session below sessions/<day>/. What was
// fetched once is fetched again only where it has changed.
type Dataset struct {
	Files *download.API
	Repo  string // namespace/name
}

// String names the data set.
func (d Dataset) String() string { return "hf:" + d.Repo }

// mostDays is up to how many days are asked for by name, rather than all files.
const mostDays = 400

// Sessions yields the sessions of the data set.
func (d Dataset) Sessions(ctx context.Context, want Wanted) iter.Seq2[Found, error] {
	return func(yield func(Found, error) bool) {
		dir, _, err := d.Files.Snapshot(ctx, download.Source{Type: wire.Dataset, ID: d.Repo, Revision: "main"}, download.SnapshotOptions{Allow: patterns(want)})
		if err != nil {
			yield(Found{}, fmt.Errorf("read data set %s: %w", d.Repo, err))
			return
		}
		dir = filepath.Join(dir, "sessions")
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return // it has none of them
		}
		Folder{Dir: dir, Name: d.String()}.Sessions(ctx, want)(yield)
	}
}

// patterns are the files of the wanted days.
func patterns(want Wanted) []string {
	all := []string{"sessions/*.jsonl"}
	if want.From.IsZero() || want.To.IsZero() {
		return all
	}
	var out []string
	for day := want.From.Add(-24 * time.Hour).Truncate(24 * time.Hour); day.Before(want.To); day = day.Add(24 * time.Hour) {
		if len(out) == mostDays {
			return all
		}
		if name := day.Format(time.DateOnly); want.days(name) {
			out = append(out, "sessions/"+name+"/*.jsonl")
		}
	}
	return out
}

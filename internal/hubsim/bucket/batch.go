package bucket

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
)

// Bounds of a batch: bytes of a line, lines, bytes of all.
const (
	maxLine  = 1 << 20
	maxLines = 100_000
	maxBatch = 32 << 20
)

// change is a line of a batch.
type change struct {
	Type        string  `json:"type"`
	Path        string  `json:"path"`
	Hash        string  `json:"xetHash"`
	MTime       *int64  `json:"mtime"` // milliseconds
	MTimeNanos  *int64  `json:"mtimeNanos"`
	ContentType *string `json:"contentType"`
	SourceType  string  `json:"sourceRepoType"`
	SourceID    string  `json:"sourceRepoId"`
}

// readBatch reads the lines of a batch; deletions come last.
func readBatch(body io.Reader) ([]change, error) {
	var all []change
	deleting := false
	for raw, err := range answer.Lines(body, maxLine, maxBatch) {
		if err != nil {
			return nil, err
		}
		var c change
		if err := json.Unmarshal(raw, &c); err != nil {
			return nil, bad(len(all), "is not JSON")
		}
		switch {
		case len(all) == maxLines:
			return nil, answer.Refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("more than %d operations", maxLines))
		case c.Type != "addFile" && c.Type != "copyFile" && c.Type != "deleteFile":
			return nil, bad(len(all), `must have a "type" of addFile, copyFile or deleteFile`)
		case c.Path == "":
			return nil, bad(len(all), `lacks "path"`)
		case c.Type != "deleteFile" && c.Hash == "":
			return nil, bad(len(all), `lacks "xetHash"`)
		case c.Type == "copyFile" && (c.SourceType == "" || c.SourceID == ""):
			return nil, bad(len(all), `lacks "sourceRepoType" or "sourceRepoId"`)
		case c.Type != "deleteFile" && deleting:
			return nil, bad(len(all), "comes after a deleteFile: deletions are last")
		}
		deleting = c.Type == "deleteFile"
		all = append(all, c)
	}
	return all, nil
}

func bad(line int, why string) error {
	return answer.Refuse(http.StatusBadRequest, fmt.Sprintf("line %d %s", line+1, why))
}

// batch applies the lines one by one: those that fail are named, the others
// stay.
func (a *Area) batch(w http.ResponseWriter, r *http.Request) error {
	b, err := a.Writable(r.Context(), id(r))
	if err != nil {
		return err
	}
	changes, err := readBatch(r.Body)
	if err != nil {
		return err
	}
	failed := []map[string]string{}
	for _, c := range changes {
		if err := a.apply(r.Context(), b, c); err != nil {
			failed = append(failed, map[string]string{"path": c.Path, "error": err.Error()})
		}
	}
	status := http.StatusOK
	if len(failed) > 0 {
		status = http.StatusUnprocessableEntity
		w.Header().Set("X-Error-Message", fmt.Sprintf("%d of %d operations failed", len(failed), len(changes)))
	}
	answer.JSON(w, status, map[string]any{
		"success": len(failed) == 0, "processed": len(changes), "succeeded": len(changes) - len(failed), "failed": failed,
	})
	return nil
}

func (a *Area) apply(ctx context.Context, b *Bucket, c change) error {
	if c.Type == "deleteFile" {
		b.mu.Lock()
		defer b.mu.Unlock()
		if err := b.refresh(a.o.Clock.Stamp); err != nil {
			return err
		}
		b.drop(c.Path, a.o.Clock.Stamp())
		return nil
	}
	content, err := a.content(ctx, c)
	if err != nil {
		return err
	}
	defer content.Close() //nolint:errcheck // only read
	b.mu.Lock()
	defer b.mu.Unlock()
	f, err := b.place(c.Path, content, a.o.Clock.Stamp())
	if err != nil {
		return err
	}
	if c.MTime != nil {
		f.MTime = time.UnixMilli(*c.MTime).UTC()
	}
	f.MTimeNanos = c.MTimeNanos
	if c.ContentType != nil {
		f.ContentType = *c.ContentType
	}
	return nil
}

var errUnknownHash = answer.Refuse(http.StatusUnprocessableEntity, "Xet hash not found")

// content opens what a line wants in its file.
func (a *Area) content(ctx context.Context, c change) (io.ReadCloser, error) {
	var buckets []*Bucket
	switch {
	case c.Type == "addFile":
		buckets = a.sorted()
	case c.SourceType == "bucket":
		b, err := a.Find(ctx, c.SourceID)
		if err != nil {
			return nil, err
		}
		buckets = []*Bucket{b}
	}
	for _, b := range buckets {
		if _, err := a.Find(ctx, b.ID()); err != nil {
			continue
		}
		files, _, err := a.list(b)
		if err != nil {
			return nil, err
		}
		for p, f := range files { // which of equal files is read makes no difference
			if f.Hash == c.Hash {
				r, _, err := a.open(b, p)
				return r, err
			}
		}
	}
	if c.SourceType == "bucket" || a.o.Source == nil {
		return nil, errUnknownHash
	}
	r, err := a.o.Source(ctx, c.SourceType, c.SourceID, c.Hash)
	if err != nil || r == nil {
		return nil, errUnknownHash
	}
	return r, nil
}

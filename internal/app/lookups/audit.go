package lookups

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/viewer"
	"github.com/ml-intern/ml-intern/internal/lab/tokenizer"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/tools/audit"
	"github.com/ml-intern/ml-intern/internal/tools/audit/source"
)

// Auditor makes audits for a person at the shell: every file that the person
// may read is read. dir is the working directory.
func (d *Door) Auditor(dir string) (*audit.Auditor, error) {
	home := d.Loaded.Places.Home
	absolute := func(path string) string {
		if rest, ok := strings.CutPrefix(path, "~"); ok && home != "" && (rest == "" || rest[0] == '/' || rest[0] == filepath.Separator) {
			return filepath.Join(home, rest)
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		return filepath.Clean(path)
	}
	exists := func(path string) bool {
		_, err := os.Stat(absolute(path))
		return err == nil
	}
	return d.auditor(func(path string) (string, error) { return absolute(path), nil }, exists, func(string) bool { return true })
}

func (d *Door) auditor(local func(string) (string, error), exists, follow func(string) bool) (*audit.Auditor, error) {
	client, err := d.Client()
	if err != nil {
		return nil, err
	}
	v, err := viewer.New(viewer.Options{Fetch: client})
	if err != nil {
		return nil, err
	}
	return audit.New(audit.Options{
		Source: source.New(source.Options{Viewer: v, Follow: follow}), Local: local, Exists: exists, Tokenizer: d.Tokenizer,
	})
}

// Limits of tokenizers.
const (
	tokenizerBytes = 64 << 20
	tokenizerFresh = 24 * time.Hour
	keptTokenizers = 4
)

// tokenizers are those in use: reading one takes a second.
type tokenizers struct {
	mu   sync.Mutex
	kept map[string]kept
}

type kept struct {
	*tokenizer.Tokenizer
	*fetch.Response
}

// Tokenizer reads the tokenizer of a model on the Hub.
func (d *Door) Tokenizer(ctx context.Context, model string) (audit.Counter, *fetch.Response, error) {
	id, err := viewer.ID(model) // models have the same names
	if err != nil {
		return nil, nil, fmt.Errorf("tokenizer: %q is no name of a model", model)
	}
	client, err := d.Client()
	if err != nil {
		return nil, nil, err
	}
	if k, ok := d.tokenizers.of(id); ok {
		return k.Tokenizer, k.Response, nil
	}
	// The client makes one request of many, and waiting for it can be stopped.
	answer, err := client.Do(ctx, fetch.Request{
		URL: "https://huggingface.co/" + id + "/resolve/main/tokenizer.json", Limit: tokenizerBytes, Fresh: tokenizerFresh, Timeout: 2 * time.Minute,
	})
	if err != nil {
		return nil, nil, err
	}
	t, err := tokenizer.Parse(answer.Body)
	if err != nil {
		return nil, nil, err
	}
	answer.Body = nil // only where it came from is of interest
	d.tokenizers.keep(id, kept{t, answer})
	return t, answer, nil
}

func (s *tokenizers) of(id string) (kept, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.kept[id]
	return k, ok
}

func (s *tokenizers) keep(id string, k kept) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil || len(s.kept) >= keptTokenizers {
		s.kept = map[string]kept{}
	}
	s.kept[id] = k
}

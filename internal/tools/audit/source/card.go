package source

import (
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/ml-intern/ml-intern/internal/lab/licence"
)

// maxCard bounds what is read of a card, in bytes.
const maxCard = 1 << 20

// card reads the licence from the README.md beside local data; nil where there
// is none or it says nothing.
func card(path string) *licence.Record {
	dir := path
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		dir = filepath.Dir(path)
	}
	path = filepath.Join(dir, "README.md")
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() || info.Size() > maxCard {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	text, ok := strings.CutPrefix(strings.ReplaceAll(string(data), "\r\n", "\n"), "---\n")
	if !ok {
		return nil
	}
	head, _, ok := strings.Cut(text, "\n---")
	var meta struct {
		License any `yaml:"license"`
	}
	if !ok || yaml.Unmarshal([]byte(head), &meta) != nil {
		return nil
	}
	switch l := meta.License.(type) {
	case string:
		return &licence.Record{Card: []string{l}}
	case []any:
		var all []string
		for _, e := range l {
			if s, ok := e.(string); ok {
				all = append(all, s)
			}
		}
		return &licence.Record{Card: all}
	}
	return nil
}

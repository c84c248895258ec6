package codex_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/codex"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/foreign/foreigntest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestRead(t *testing.T) { foreigntest.Golden(t, codex.Read, *update) }

func FuzzRead(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) { foreigntest.Check(t, codex.Read, raw) })
}

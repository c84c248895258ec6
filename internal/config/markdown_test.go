package config_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/config"
)

var update = flag.Bool("update", false, "rewrite docs/configuration.md")

func TestDocsAreWrittenFromTheTables(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "configuration.md")
	want := config.Markdown()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/configuration.md is out of date, run: go test ./internal/config -update\n%s", diff)
	}
}

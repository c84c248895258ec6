// Package fixturetest finds the recorded answers that tests read in place. It
// knows where they lie, not what is in them.
package fixturetest

import (
	"os"
	"path/filepath"
	"testing"
)

// Dir returns the given folder of recorded answers: below ML_INTERN_FIXTURES,
// else shared/fixtures beside the checkout. Where it is absent the test is
// skipped, except in continuous integration, where it fails.
func Dir(t testing.TB, folder string) string {
	t.Helper()
	dir := filepath.Join(root(t), folder)
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("recorded answers are required in CI: %v", err)
		}
		t.Skipf("no recorded answers: %v", err)
	}
	return dir
}

func root(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("ML_INTERN_FIXTURES"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "..", "shared", "fixtures")
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = parent
	}
}

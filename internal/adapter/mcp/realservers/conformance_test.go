package realservers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/npmtest"
)

const (
	// suite is the first version that knows what revision 2026-07-28 requires.
	suite     = "@modelcontextprotocol/conformance@0.2.0-alpha.12"
	suiteNode = 22
	suiteTime = 3 * time.Minute
)

// check is what the suite has found in one place.
type check struct {
	ID           string `json:"id"`
	Status       string `json:"status"`
	Description  string `json:"description"`
	ErrorMessage string `json:"errorMessage"`
}

// judge has the suite judge this binary by a revision and returns what it has found,
// by scenario.
func judge(t *testing.T, revision string) map[string][]check {
	t.Helper()
	modules, node := npmtest.Install(t, suite), npmtest.Node(t, suiteNode)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), suiteTime)
	defer cancel()
	dir := t.TempDir()
	cmd := exec.CommandContext(ctx, node, filepath.Join(modules, "@modelcontextprotocol", "conformance", "dist", "index.js"),
		"client", "--command", self, "--requirements", revision, "--output-dir", dir)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	all := map[string][]check{}
	stamp := regexp.MustCompile(`-\d{4}-\d\d-\d\dT[-0-9]+Z$`)
	err2 := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.Name() != "checks.json" {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var checks []check
		if err := json.Unmarshal(raw, &checks); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		name, err := filepath.Rel(dir, filepath.Dir(path))
		all[stamp.ReplaceAllString(filepath.ToSlash(name), "")] = checks
		return err
	})
	if err2 != nil || len(all) == 0 {
		t.Fatalf("the suite has found nothing: %v, %v\n%s", err2, err, out[max(0, len(out)-3000):])
	}
	return all
}

// required are the scenarios of a revision, from the suite's own list.
func required(t *testing.T, revision string) []string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(npmtest.Install(t, suite), "@modelcontextprotocol", "conformance", "requirements", revision+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := bytes.Cut(raw, []byte("\nclient:\n"))
	list, _, _ = bytes.Cut(list, []byte("\n\n"))
	var names []string
	for line := range strings.Lines(string(list)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "- "); ok {
			names = append(names, name)
		}
	}
	if len(names) < 15 {
		t.Fatalf("the list of revision %s is not to be read: %q", revision, names)
	}
	return names
}

// expected names the scenarios that do not pass, and why. It only shrinks.
func expected(t *testing.T) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "expected.txt"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		if name, why, _ := strings.Cut(strings.TrimSpace(line), " "); name != "" && name != "#" {
			all[name] = why
		}
	}
	return all
}

// The official suite judges the client: all that a revision requires passes. What
// the suite plays beside that passes, or stands in a list that may only shrink.
func TestConformance(t *testing.T) {
	for _, revision := range []string{"2025-11-25", "2026-07-28"} {
		t.Run(revision, func(t *testing.T) {
			found, known := judge(t, revision), expected(t)
			for _, name := range required(t, revision) {
				if _, listed := known[name]; listed || found[name] == nil {
					t.Errorf("%s is required: played %v, left out %v", name, found[name] != nil, listed)
				}
			}
			for name, checks := range found {
				var failures []string
				for _, c := range checks {
					if c.Status == "FAILURE" {
						failures = append(failures, fmt.Sprintf("%s: %s: %s", c.ID, c.Description, c.ErrorMessage))
					}
				}
				slices.Sort(failures)
				why, listed := known[name]
				switch {
				case len(failures) > 0 && !listed:
					t.Errorf("%s fails:\n  %s", name, strings.Join(failures, "\n  "))
				case len(failures) == 0 && listed:
					t.Errorf("%s passes now: take it out of the list (%s)", name, why)
				}
				delete(known, name)
			}
			for name := range known {
				t.Errorf("%s is in the list and was not played", name)
			}
		})
	}
}

// Package conformance_test holds the server against the official suite of the
// Model Context Protocol.
package conformance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/npmtest"
	"github.com/ml-intern/ml-intern/internal/ui/mcpserver"
)

const (
	// suite is the first version that knows what revision 2026-07-28 requires.
	suite     = "@modelcontextprotocol/conformance@0.2.0-alpha.12"
	suiteNode = 22
	suiteTime = 3 * time.Minute
)

// expected names the scenarios of a revision that do not pass, and why. It only
// shrinks: one that passes must go.
func expected(t *testing.T, revision string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "expected-"+revision+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		name, why, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name != "" && name != "#" {
			all[name] = why
		}
	}
	return all
}

// check is what the suite has found in one place.
type check struct {
	ID           string `json:"id"`
	Status       string `json:"status"`
	Description  string `json:"description"`
	ErrorMessage string `json:"errorMessage"`
}

// play runs what a revision requires, and what the suite runs beside that, and
// returns what it has found, by scenario.
func play(t *testing.T, url, revision string) map[string][]check {
	t.Helper()
	modules := npmtest.Install(t, suite)
	ctx, cancel := context.WithTimeout(t.Context(), suiteTime)
	defer cancel()
	dir := t.TempDir()
	cmd := exec.CommandContext(ctx, npmtest.Node(t, suiteNode), filepath.Join(modules, "@modelcontextprotocol", "conformance", "dist", "index.js"),
		"server", "--url", url, "--requirements", revision, "--output-dir", dir)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	all := map[string][]check{}
	name := regexp.MustCompile(`^server-(.+)-\d{4}-\d\d-\d\dT`)
	files, _ := filepath.Glob(filepath.Join(dir, "*", "checks.json"))
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var checks []check
		if err := json.Unmarshal(raw, &checks); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		m := name.FindStringSubmatch(filepath.Base(filepath.Dir(file)))
		if m == nil {
			t.Fatalf("no scenario is called %s", filepath.Dir(file))
		}
		all[m[1]] = checks
	}
	if len(all) == 0 {
		t.Fatalf("the suite has found nothing: %v\n%s", err, out[max(0, len(out)-3000):])
	}
	return all
}

// required are the scenarios of a revision, from the suite's own list.
func required(t *testing.T, revision string) []string {
	t.Helper()
	modules := npmtest.Install(t, suite)
	raw, err := os.ReadFile(filepath.Join(modules, "@modelcontextprotocol", "conformance", "requirements", revision+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := bytes.Cut(raw, []byte("\nserver:\n"))
	list, _, _ = bytes.Cut(list, []byte("\n\n"))
	var names []string
	for line := range strings.Lines(string(list)) {
		names = append(names, strings.TrimPrefix(strings.TrimSpace(line), "- "))
	}
	if len(names) < 20 {
		t.Fatalf("the list of revision %s is not to be read: %q", revision, names)
	}
	return names
}

func TestServer(t *testing.T) {
	for _, revision := range []string{"2025-11-25", "2026-07-28"} {
		t.Run(revision, func(t *testing.T) {
			server := httptest.NewServer(stage(t))
			defer server.Close()
			found := play(t, server.URL+mcpserver.Path, revision)
			for _, name := range required(t, revision) {
				if found[name] == nil {
					t.Errorf("%s was not played", name)
				}
			}
			known := expected(t, revision)
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

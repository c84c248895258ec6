package acp_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/app/command/acp"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
)

// What the documentation has editors start is what the command takes.
func TestDocs(t *testing.T) {
	raw, err := os.ReadFile("../../../../docs/editors.md")
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(raw), "\n## Another program")
	var lines [][]string
	for _, block := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(text, -1) {
		var file map[string]map[string]struct {
			Command string
			Args    []string
		}
		if err := json.Unmarshal([]byte(block[1]), &file); err != nil {
			t.Errorf("%v: %s", err, block[1])
		}
		for _, agent := range file["agent_servers"] {
			if agent.Command != "ml-intern" {
				t.Errorf("it starts something else: %s", block[1])
			}
			lines = append(lines, agent.Args)
		}
	}
	quoted := regexp.MustCompile(`"([^"]*)"`)
	for _, given := range regexp.MustCompile(`(?:args|default) = \{([^}]*)\}|:command-params '\(([^)]*)\)`).FindAllStringSubmatch(text, -1) {
		var args []string
		for _, word := range quoted.FindAllStringSubmatch(given[1]+given[2], -1) {
			if word[1] != "ml-intern" {
				args = append(args, word[1])
			}
		}
		lines = append(lines, args)
	}
	if len(lines) != 6 {
		t.Fatalf("%d examples: %q", len(lines), lines)
	}
	for _, args := range lines {
		if len(args) == 0 || args[0] != "acp" {
			t.Errorf("%q is another command", args)
			continue
		}
		cmd := acp.New(&console.Streams{})
		if err := cmd.ParseFlags(args[1:]); err != nil {
			t.Errorf("%q: %v", args, err)
		}
		if rest := cmd.Flags().Args(); len(rest) > 0 {
			t.Errorf("%q: %q is left", args, rest)
		}
	}
}

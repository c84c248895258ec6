package mcpserve_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/command/mcpserve"
)

// What the documentation has clients start is what the command takes.
func TestDocs(t *testing.T) {
	raw, err := os.ReadFile("../../../../docs/mcp.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(raw), "\n## ml-intern as a server\n")
	if !found {
		t.Fatal("the documentation says nothing of the server")
	}
	var lines [][]string
	for _, block := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(text, -1) {
		var file map[string]map[string]struct {
			Command string
			Args    []string
		}
		if err := json.Unmarshal([]byte(block[1]), &file); err != nil {
			t.Errorf("%v: %s", err, block[1])
		}
		for _, servers := range file {
			if servers["ml-intern"].Command != "ml-intern" {
				t.Errorf("it starts something else: %s", block[1])
			}
			lines = append(lines, servers["ml-intern"].Args)
		}
	}
	for _, line := range regexp.MustCompile(`ml-intern (mcp serve[^&\n]*)`).FindAllStringSubmatch(text, -1) {
		words, _, _ := strings.Cut(line[1], "`")
		lines = append(lines, strings.Fields(words))
	}
	if len(lines) < 6 {
		t.Fatalf("%d examples", len(lines))
	}
	for _, args := range lines {
		if len(args) < 2 || args[0] != "mcp" || args[1] != "serve" {
			t.Errorf("%q is another command", args)
			continue
		}
		cmd := mcpserve.New(&console.Streams{})
		if err := cmd.ParseFlags(args[2:]); err != nil {
			t.Errorf("%q: %v", args, err)
		}
		if rest := cmd.Flags().Args(); len(rest) > 0 {
			t.Errorf("%q: %q is left", args, rest)
		}
	}
	for _, flag := range regexp.MustCompile("`--([a-z-]+)").FindAllStringSubmatch(text, -1) {
		if mcpserve.New(&console.Streams{}).Flags().Lookup(flag[1]) == nil {
			t.Errorf("there is no flag --%s", flag[1])
		}
	}
}

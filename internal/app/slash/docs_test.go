package slash_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/app/slash"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog/dialogtest"
)

// The page about the terminal lists the commands as they are, and every key that
// /help names.
func TestDocs(t *testing.T) {
	path := filepath.Join("..", "..", "..", "docs", "terminal.md")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all := slash.Commands(&slash.Desk{})
	var want []string
	for _, c := range all {
		if !c.Hidden {
			title := strings.TrimSpace("/" + c.Name + " " + c.Args)
			want = append(want, "| `"+strings.ReplaceAll(title, "|", `\|`)+"` | "+c.Help+" |")
		}
	}
	text := string(raw)
	if *update {
		text = replaceTable(text, want)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, after, _ := strings.Cut(text, "\n## Commands\n")
	section, _, _ := strings.Cut(after, "\n## ")
	var got []string
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "| `/") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (write it with -update; -want +got):\n%s", path, diff)
	}
	_, after, _ = strings.Cut(text, "\n## Keys\n")
	keys, _, _ := strings.Cut(after, "\n## ")
	help, err := dialogtest.New(t).Run(t.Context(), find(t, all, "help"), "")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(help[strings.Index(help, "\nEnter "):]) {
		name, _, _ := strings.Cut(line, "  ")
		for _, key := range strings.Split(name, ", ") {
			if key != "" && !strings.ContainsAny(key[:1], "@!#") && !strings.Contains(keys, key) {
				t.Errorf("%s does not tell of %s", path, key)
			}
		}
	}
}

// replaceTable puts rows in the place of those of the commands.
func replaceTable(text string, rows []string) string {
	var out strings.Builder
	done := false
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "| `/") || strings.HasPrefix(line, "| `/name`") {
			out.WriteString(line)
			continue
		}
		if !done {
			out.WriteString(strings.Join(rows, "\n") + "\n")
			done = true
		}
	}
	return out.String()
}

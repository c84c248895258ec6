package markdown_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/markdown"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

var update = flag.Bool("update", false, "write the golden files")

func TestSample(t *testing.T) {
	source, err := os.ReadFile("testdata/sample.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, look := range map[string]theme.Options{
		"dark":  {Color: theme.True, Dark: true},
		"light": {Color: theme.True},
		"plain": {},
		"ascii": {ASCII: true},
	} {
		for _, width := range []int{40, 80, 160} {
			file := filepath.Join("testdata", fmt.Sprintf("sample-%s-%d.txt", name, width))
			got := strings.Join(markdown.Render(string(source), markdown.Options{Theme: theme.New(look), Width: width, Indent: 2}), "\n") + "\n"
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("%s (-want +got)\n%s", file, diff)
			}
		}
	}
}

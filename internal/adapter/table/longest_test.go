package table

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A row without an end is given up in every format; rows that are long only
// together are no long row.
func TestOneRowHasAnEnd(t *testing.T) {
	const longest = 100_000
	for _, c := range []struct{ name, begin, between string }{
		{"a.jsonl", `{"a":"`, "\"}\n{\"a\":\""},
		{"a.json", `[{"a":"`, `"},{"a":"`},
		{"a.csv", "a\n\"", "\"\n\""},
	} {
		for _, length := range []int{longest / 2, 20 * longest} {
			path := filepath.Join(t.TempDir(), c.name)
			long := strings.Repeat("x", length)
			if err := os.WriteFile(path, []byte(c.begin+strings.Repeat(long+c.between, 5)), 0o600); err != nil {
				t.Fatal(err)
			}
			in, err := open(t.Context(), path, func(int64) {})
			if err != nil {
				t.Fatal(err)
			}
			in.longest = longest
			n, told := 0, ""
			for _, err := range formatOf(path)(in) {
				if err != nil {
					told = err.Error()
					break
				}
				n++
			}
			in.close()
			if length < longest && n < 5 || length > longest && (n != 0 || !strings.Contains(told, "the row is longer")) {
				t.Errorf("%s, rows of %d bytes: %d, then %q", c.name, length, n, told)
			}
		}
	}
}

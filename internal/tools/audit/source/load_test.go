package source_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/tools/audit/source"
)

// The code for mending begins with code that loads the same files.
func TestLoad(t *testing.T) {
	for _, c := range []struct {
		files       string
		name, shown string
		want        string
	}{
		{"a.csv", "a.csv", "./a.csv", `load_dataset("csv", data_files={"a": "./a.csv"})`},
		{"train.tsv", "", "data/", `load_dataset("csv", data_files={"train": "data/train.tsv"}, sep="\t")`},
		{"train-0.jsonl.gz train-1.jsonl.gz sub/test.jsonl.zst", "", "./d", `load_dataset("json", data_files={"train": ["./d/train-0.jsonl.gz", "./d/train-1.jsonl.gz"], "test": "./d/sub/test.jsonl.zst"})`},
		{"train.parquet", "", "~/d", `load_dataset("parquet", data_files={"train": "DIR/train.parquet"})`},
		{"train.parquet test.csv", "", "./d", `load_dataset("./d")`},
		{"train.csv test.tsv", "", "./d", `load_dataset("./d")`},
		{"train-0.csv train-1.csv train-2.csv train-3.csv train-4.csv train-5.csv train-6.csv train-7.csv train-8.csv", "", "./d", `load_dataset("./d")`},
		{"a\"b\n.csv", "a\"b\n.csv", "./a\"b\n.csv", `load_dataset("csv", data_files={"a\"b\n": "./a\"b\n.csv"})`},
	} {
		dir := t.TempDir()
		names := strings.Fields(c.files)
		if c.name != "" {
			names = []string{c.name}
		}
		for _, name := range names {
			path := filepath.Join(dir, name)
			_ = os.MkdirAll(filepath.Dir(path), 0o700)
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Skip(err)
			}
		}
		d, err := source.New(source.Options{}).Open(t.Context(), source.Wanted{Name: filepath.Join(dir, c.name), Shown: c.shown, Local: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.ReplaceAll(d.Load, dir, "DIR"); got != c.want {
			t.Errorf("%q: %s, want %s", c.files, got, c.want)
		}
	}
}

// A card is read when it is a plain file.
func TestCardIsNoLink(t *testing.T) {
	dir, other := t.TempDir(), filepath.Join(t.TempDir(), "card")
	for path, text := range map[string]string{filepath.Join(dir, "train.csv"): "a\n", other: "---\nlicense: mit\n---\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(other, filepath.Join(dir, "README.md")); err != nil {
		t.Skip(err)
	}
	d, err := source.New(source.Options{}).Open(t.Context(), source.Wanted{Name: dir, Local: true})
	if err != nil || d.Licence != nil {
		t.Errorf("%+v, %v", d.Licence, err)
	}
}

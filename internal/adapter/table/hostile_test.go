package table_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/table"
)

func TestTooManyColumns(t *testing.T) {
	if _, err := rows(t, file(t, "a.csv", []byte(strings.Repeat(",", 20_000)+"\n"))); err == nil || !strings.Contains(err.Error(), "columns") {
		t.Errorf("20,001 columns: %v", err)
	}
}

func TestSplitsByFolder(t *testing.T) {
	for _, c := range []struct {
		files []string
		want  string
	}{
		{[]string{"data/train/0000.jsonl", "data/train/0001.jsonl", "data/test/0000.jsonl", "data/dataset_infos.json"}, "train 2, test 1"},
		{[]string{"part-0.jsonl", "part-1.jsonl", "x/part-2.jsonl.gz"}, "train 3"},
		{[]string{"test/train.jsonl", "val.jsonl", "rest.jsonl"}, "train 1, validation 1, rest 1"},
		{[]string{"training-set/a.jsonl", "held_out_test/a.jsonl"}, "train 1, test 1"},
	} {
		dir := t.TempDir()
		for _, name := range c.files {
			path := filepath.Join(dir, name)
			_ = os.MkdirAll(filepath.Dir(path), 0o700)
			if err := os.WriteFile(path, []byte(`{"x":1}`), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		splits, err := table.Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range splits {
			got = append(got, s.Name+" "+string(rune('0'+len(s.Files))))
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%q: %q, want %q", c.files, got, c.want)
		}
	}
}

// Links are followed where somebody agrees; what is no file is not waited for.
func TestLinksAndPipes(t *testing.T) {
	real := file(t, "blob.jsonl", []byte(`{"x":1}`))
	dir := t.TempDir()
	if err := os.Symlink(real, filepath.Join(dir, "train.jsonl")); err != nil {
		t.Skip("no links here: ", err)
	}
	_ = os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, "test.jsonl"))
	_ = os.Mkdir(filepath.Join(dir, "folder.jsonl"), 0o700)
	outer := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, outer); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, outer, outer + "/"} {
		if _, err := table.Open(path, nil); err == nil || !strings.Contains(err.Error(), "no data files") {
			t.Errorf("%s without links: %v", path, err)
		}
		asked := ""
		splits, err := table.Open(path, func(link string) bool { asked += filepath.Base(link) + " "; return true })
		if err != nil || len(splits) != 1 || splits[0].Name != "train" || asked != "test.jsonl train.jsonl " {
			t.Errorf("%s: %+v, %v, asked for %s", path, splits, err, asked)
		}
	}
}

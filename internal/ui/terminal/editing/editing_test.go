package editing_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/editing"
)

func TestDraft(t *testing.T) {
	var file string
	d, err := editing.Begin("../train.py", "one\n", func(path string) ([]string, error) {
		file = path
		return []string{"sh", "-c", `echo two >> "$0"`, path}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 || !strings.HasSuffix(file, "/train.py") {
		t.Errorf("%s: %v, %v", file, info, err)
	}
	if text, err := d.End(d.Command.Run()); err != nil || text != "one\ntwo\n" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the file stays")
	}
	if _, err := editing.Begin("x", "", nil); err == nil {
		t.Error("no editor is no error")
	}
	d, err = editing.Begin("x", "kept", func(string) ([]string, error) { return []string{"false"}, nil })
	if err != nil {
		t.Fatal(err)
	}
	if text, err := d.End(d.Command.Run()); err == nil || text != "kept" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := editing.Begin("x", "", func(string) ([]string, error) { return nil, errors.New("none") }); err == nil {
		t.Error("a missing editor is no error")
	}
}

package markup_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
	"github.com/ml-intern/ml-intern/internal/platform/markup"
)

func TestNotebookMarkdown(t *testing.T) {
	const lesson = `{"metadata":{"language_info":{"name":"Python"}},"cells":[
		{"cell_type":"markdown","metadata":{},"source":["# Title\n","Text"]},
		{"cell_type":"code","metadata":{"tags":["x"]},"source":"print('a')\n","outputs":[{"output_type":"stream","text":"NOISE"}]},
		{"cell_type":"code","metadata":{"tags":["Hide"]},"source":"secret()"},
		{"cell_type":"code","metadata":{"tags":["remove"]},"source":"secret()"},
		{"cell_type":"code","metadata":{"tags":["hidden"]},"source":"secret()"},
		{"cell_type":"code","metadata":{"tags":"odd"},"source":"s = \"` + "```" + `\""},
		{"cell_type":"code","metadata":{},"source":""}]}`
	got, err := markup.NotebookMarkdown([]byte(lesson))
	want := "# Title\nText\n\n```python\nprint('a')\n```\n\n````python\ns = \"```\"\n````\n"
	if err != nil || got != want {
		t.Errorf("%v (-want +got):\n%s", err, cmp.Diff(want, got))
	}
	old, err := markup.NotebookMarkdown([]byte(`{"worksheets":[{"cells":[{"cell_type":"heading","level":2,"source":"H"},{"cell_type":"code","input":"a = 1"}]}]}`))
	if want := "## H\n\n```python\na = 1\n```\n"; err != nil || old != want {
		t.Errorf("%v (-want +got):\n%s", err, cmp.Diff(want, old))
	}
	if _, err := markup.NotebookMarkdown([]byte(`{"a":1}`)); !errors.Is(err, markup.ErrNotNotebook) {
		t.Error(err)
	}
	if _, err := markup.NotebookMarkdown([]byte(`{`)); err == nil {
		t.Error("broken JSON is a notebook")
	}
}

func TestNotebookMarkdownOfTheRecordedOne(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(fixturetest.Dir(t, "research"), "gh-contents-notebook.json"))
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Content string }
	if err := json.Unmarshal(data, &answer); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(answer.Content)
	if err != nil {
		t.Fatal(err)
	}
	got, err := markup.NotebookMarkdown(raw)
	if err != nil || !strings.Contains(got, "print('hello')") || strings.Contains(got, "noise") || strings.Contains(got, "secret_setup") {
		t.Errorf("%v\n%s", err, got)
	}
}

func FuzzNotebookMarkdown(f *testing.F) {
	f.Add([]byte(sample))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = markup.NotebookMarkdown(data) // must not panic
	})
}

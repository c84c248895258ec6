package markup_test

import (
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

const sample = `{
 "nbformat": 4, "nbformat_minor": 5,
 "metadata": {"kernelspec": {"language": "python", "name": "python3"}},
 "cells": [
  {"cell_type": "markdown", "source": ["# Title\n", "text"]},
  {"cell_type": "code", "execution_count": 3, "source": "print(1)\n1", "outputs": [
    {"output_type": "stream", "name": "stdout", "text": ["1\n"]},
    {"output_type": "execute_result", "data": {"text/plain": ["1"], "image/png": "aGk=", "application/json": {"a": 1}}}]},
  {"cell_type": "code", "execution_count": null, "source": [], "outputs": [
    {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": ["\u001b[0;31mValueError\u001b[0m: no"]}]}
 ]
}`

func TestNotebook(t *testing.T) {
	got, err := markup.Notebook([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	want := `[notebook: python, 3 cells]

[cell 1: markdown]
# Title
text

[cell 2: code, run 3]
print(1)
1
[output: stdout]
1
[output: execute_result]
1
[output: application/json, 8 bytes, not shown]
[output: image/png, 4 bytes, not shown]

[cell 3: code]
[output: error]
ValueError: no
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNotebookOfFormat3(t *testing.T) {
	got, err := markup.Notebook([]byte(`{"worksheets":[{"cells":[{"cell_type":"code","input":["a = 1\n"]}]}]}`))
	if err != nil || !strings.Contains(got, "a = 1") {
		t.Errorf("%q, %v", got, err)
	}
}

func TestNotebookLongOutputIsCut(t *testing.T) {
	long, _ := json.Marshal(strings.Repeat("é", 50_000) + "end")
	got, err := markup.Notebook([]byte(`{"cells":[{"cell_type":"code","outputs":[{"output_type":"stream","text":` + string(long) + `}]}]}`))
	if err != nil || len(got) > 10_000 || !strings.Contains(got, "end") || !strings.Contains(got, "characters left out") {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestNotNotebook(t *testing.T) {
	if _, err := markup.Notebook([]byte(`{"a":1}`)); !errors.Is(err, markup.ErrNotNotebook) {
		t.Errorf("error %v", err)
	}
	if _, err := markup.Notebook([]byte(`{`)); err == nil {
		t.Error("broken JSON was accepted")
	}
}

// The notebook a code host serves, base64 inside its answer.
func TestNotebookFromFixture(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(fixturetest.Dir(t, "research"), "gh-contents-notebook.json"))
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Content []byte `json:"content"`
	}
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(data), `\n`, "")), &answer); err != nil {
		t.Fatal(err)
	}
	got, err := markup.Notebook(answer.Content)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# Tiny notebook", "print('hello')", "[output: stdout]\nnoise", "secret_setup()"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in:\n%s", want, got)
		}
	}
}

func FuzzNotebook(f *testing.F) {
	f.Add([]byte(sample))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = markup.Notebook(data) // must not panic
	})
}

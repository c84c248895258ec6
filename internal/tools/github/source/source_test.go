package source_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/tools/github/source"
)

func TestBinaryAndText(t *testing.T) {
	for data, binary := range map[string]bool{
		"": false, "text\n": false, "a\x00b": true, "caf\xe9": true, "caf\xe9" + strings.Repeat("x", 100): false, "ünïcödé": false,
	} {
		if source.Binary([]byte(data)) != binary {
			t.Errorf("%q: binary is not %v", data, binary)
		}
	}
	if got := source.Text([]byte("\ufeffa\r\nb\rc\x1b[1m\u009bd\te\xff\u00a0")); got != "a\nb\nc[1md\te\ufffd\u00a0" {
		t.Errorf("%q", got)
	}
	if got := source.Lines("a\n\nb\n"); !cmp.Equal(got, []string{"a", "", "b"}) || source.Lines("") != nil {
		t.Errorf("%q", got)
	}
	if oid, size, ok := source.Pointer([]byte("version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 7\n")); !ok || oid != "sha256:ab" || size != "7" {
		t.Error(oid, size, ok)
	}
}

func TestMoved(t *testing.T) {
	for _, c := range []struct {
		name, text, target string
		ok                 bool
	}{
		{"a.py", "# Moved to `trl/scripts/sft.py`.\n", "trl/scripts/sft.py", true},
		{"a.py", "\"\"\"This script has moved.\nSee https://github.com/o/r/blob/main/b.py, please.\"\"\"\nimport x\n", "https://github.com/o/r/blob/main/b.py", true},
		{"a.md", "This page was moved to another site.\n", "", true},
		{"a.py", "# the model is moved to cuda/x.py\na = 1\nb = 2\nc = 3\nd = 4\n", "", false},
		{"a.py", "print('hello')\n", "", false},
		{"a.py", "# moved to b/c.py\n" + strings.Repeat("#\n", 1000), "", false},
		{"x/a.py", "# x/a.py now lives in y/a.py", "y/a.py", true},
	} {
		if target, ok := source.Moved(c.name, c.text); target != c.target || ok != c.ok {
			t.Errorf("%q: %q, %v", c.text[:min(len(c.text), 60)], target, ok)
		}
	}
}

func TestAbout(t *testing.T) {
	for text, want := range map[string]string{
		"#!/usr/bin/env python\n# Copyright 2026 X\n# Licensed under the Apache License\n\"\"\"\nTrains a model.\nWell.\n\nUsage: x\n\"\"\"\n": "Trains a model. Well.",
		"# /// script\n# dependencies = [\"trl\"]\n# ///\nr'''One line.'''\n":                                                                  "One line.",
		"# -*- coding: utf-8 -*-\n# Counts words\nimport x\n\"\"\"not this\"\"\"":                                                              "Counts words",
		"import x\n# late":             "",
		"// Package x does\npackage x": "Package x does",
	} {
		if got := source.About("a.py", text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
	if got := source.About("a.ipynb", "\n<img>\n# A lesson\n"); got != "A lesson" {
		t.Error(got)
	}
	trainers := source.Trainers("import torch\nfrom trl import (\n    SFTConfig,  # x\n    SFTTrainer,\n)\nfrom transformers import AutoConfig, TrainingArguments as TA, AutoModel\nfrom peft import LoraConfig\n")
	if d := cmp.Diff([]string{"SFTConfig", "SFTTrainer", "TrainingArguments", "LoraConfig"}, trainers); d != "" {
		t.Error(d)
	}
}

const python = `import x

@dataclass
@other(1)
class A:
    """Doc
not indented in a string
    """

    def run(
        self,
        b,
    ) -> None:
        # inside
        return {
        }

# between
class B(A):
    async def run(self): pass

def main():
    pass
`

const golang = `package x

// T is one.
type T struct {
	a string // }
}

// Run does "{" it.
func (t *T) Run(f func(interface{}) error,
	b struct{}) {
	s := "}" + ` + "`}\n}`" + `
	/* } */
	if r := '}'; r == 0 {
	}
}

const c = 1
`

func TestSymbol(t *testing.T) {
	for _, c := range []struct {
		name, text, symbol string
		from, to           int
	}{
		{"a.py", python, "class A", 3, 16},
		{"a.py", python, "A", 3, 16},
		{"a.py", python, "A.run", 10, 16},
		{"a.py", python, "B.run", 20, 20},
		{"a.py", python, "def main()", 22, 23},
		{"a.py", python, "class B:", 19, 20},
		{"a.go", golang, "type T", 3, 6},
		{"a.go", golang, "func Run", 8, 16},
		{"a.go", golang, "c", 18, 18},
		{"a.ts", "export class A {\n  x() {}\n}\nexport default function f(a: {b: number}) {\n  return 1\n}\n", "function f", 4, 6},
	} {
		from, to, ok := source.Symbol(c.name, c.symbol, source.Lines(c.text))
		if !ok || from != c.from || to != c.to {
			t.Errorf("%s in %s: %d-%d, %v, want %d-%d", c.symbol, c.name, from, to, ok, c.from, c.to)
		}
	}
	for _, missing := range []string{"", "class", "class C", "A.none", "run.A", "."} {
		if from, to, ok := source.Symbol("a.py", missing, source.Lines(python)); ok {
			t.Errorf("%q is found at %d-%d", missing, from, to)
		}
	}
	if d := cmp.Diff([]string{"A", "B", "main"}, source.Names(source.Lines(python))); d != "" {
		t.Error(d)
	}
}

// Whatever a text is, blocks lie within it.
func FuzzSource(f *testing.F) {
	f.Add("a.py", python, "A.run")
	f.Add("a.go", golang, "func Run")
	f.Fuzz(func(t *testing.T, name, text, symbol string) {
		text = source.Text([]byte(text))
		lines := source.Lines(text)
		if from, to, ok := source.Symbol(name, symbol, lines); ok && (from < 1 || to < from || to > len(lines)) {
			t.Errorf("%d-%d of %d", from, to, len(lines))
		}
		if n := len([]rune(source.About(name, text))); n > 201 {
			t.Errorf("%d characters", n)
		}
		source.Trainers(text)
		source.Names(lines)
		source.Moved(name, text)
		source.Binary([]byte(text))
	})
}

// Long texts take time in proportion.
func TestLongTexts(t *testing.T) {
	begun := time.Now()
	for _, text := range []string{strings.Repeat("\"\"\"'''", 1<<19), strings.Repeat("def f\n", 1<<18), strings.Repeat("{", 1<<20) + "\nfunc f {", "func f {\n" + strings.Repeat("'{'", 1<<18)} {
		for _, name := range []string{"a.py", "a.go"} {
			source.Symbol(name, "f", source.Lines(text))
			source.About(name, text)
			source.Trainers(text)
		}
	}
	if d := time.Since(begun); d > 20*time.Second {
		t.Errorf("it took %v", d)
	}
}

package source

import (
	"path"
	"slices"
	"strings"
)

const (
	aboutLines = 60  // how far a docstring is looked for
	aboutChars = 200 // of it that are shown
	headLines  = 200 // how far imports are looked for
)

// About says what a script is for, by its docstring or first comment.
func About(name, text string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".md", ".mdx", ".ipynb":
		return heading(text)
	}
	lines := strings.SplitN(text, "\n", aboutLines+1)
	comment, inMetadata := "", false
	for i, line := range lines[:min(len(lines), aboutLines)] {
		line = strings.TrimSpace(line)
		switch {
		case line == "# /// script":
			inMetadata = true
		case inMetadata:
			inMetadata = line != "# ///"
		case opens(line) != "":
			return clip(docstring(lines[i:], opens(line)))
		case strings.HasPrefix(line, "#") || strings.HasPrefix(line, "//"):
			line = strings.TrimSpace(strings.TrimLeft(line, "#/!"))
			if comment == "" && line != "" && !boilerplate(line) {
				comment = line
			}
		case line != "":
			return clip(comment)
		}
	}
	return clip(comment)
}

// boilerplate reports whether a comment says nothing of what the file does:
// licences, interpreters, encodings.
func boilerplate(line string) bool {
	low := strings.ToLower(line)
	return slices.ContainsFunc([]string{
		"copyright", "license", "licence", "all rights", "usr/bin", "-*-", "coding", "you may not use", "you may obtain",
		"http://", "https://", "unless required", "distributed", "warranties", "limitations", "isort", "noqa", "pylint", "ruff",
		"spdx",
	}, func(word string) bool { return strings.Contains(low, word) })
}

// docstring joins the first paragraph of a string that opens on the first line.
func docstring(lines []string, quote string) string {
	first := strings.TrimLeft(strings.TrimSpace(lines[0]), "rRuUfFbB")
	first = strings.TrimPrefix(first, quote)
	if before, _, closed := strings.Cut(first, quote); closed {
		return before
	}
	words := []string{first}
	for _, line := range lines[1:] {
		before, _, closed := strings.Cut(line, quote)
		before = strings.TrimSpace(before)
		if before == "" && strings.TrimSpace(strings.Join(words, "")) != "" {
			break
		}
		words = append(words, before)
		if closed {
			break
		}
	}
	return strings.Join(words, " ")
}

// heading is the first heading of a Markdown text, or its first words.
func heading(text string) string {
	for line := range strings.Lines(text[:min(len(text), 4000)]) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "<") && !strings.HasPrefix(line, "```") {
			return clip(strings.TrimSpace(strings.TrimLeft(line, "#")))
		}
	}
	return ""
}

func clip(s string) string {
	runes := []rune(strings.Join(strings.Fields(s), " "))
	if len(runes) > aboutChars {
		return string(runes[:aboutChars]) + "…"
	}
	return string(runes)
}

// Trainers lists the trainers and their configurations that a Python text
// imports, such as SFTTrainer, in order of the text.
func Trainers(text string) []string {
	var names []string
	open := false
	for i, line := range strings.SplitN(text, "\n", headLines+1) {
		if i == headLines {
			break
		}
		line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
		if !open {
			if !strings.HasPrefix(line, "from ") {
				continue
			}
			_, list, ok := strings.Cut(line, " import ")
			if !ok {
				continue
			}
			line, open = list, strings.Contains(list, "(")
		}
		if strings.Contains(line, ")") {
			open = false
		}
		for _, name := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" ,()\\", r) }) {
			if trains(name) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func trains(name string) bool {
	switch name {
	case "ModelConfig", "LoraConfig", "TrainingArguments", "Seq2SeqTrainingArguments":
		return true
	}
	stem, ok := strings.CutSuffix(name, "Config")
	return strings.HasSuffix(name, "Trainer") || ok && len(stem) > 1 && stem == strings.ToUpper(stem) // SFTConfig, not AutoConfig
}

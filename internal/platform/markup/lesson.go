package markup

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// hiddenTags mark cells that are not meant for readers.
var hiddenTags = [...]string{"hide", "hidden", "remove"}

// NotebookMarkdown renders what a Jupyter notebook teaches, as Markdown: text
// cells as they are, code cells in fences. Outputs and the cells tagged hide,
// hidden or remove are left out.
func NotebookMarkdown(data []byte) (string, error) {
	var nb struct {
		Cells      []lessonCell `json:"cells"`
		Worksheets []struct {
			Cells []lessonCell `json:"cells"`
		} `json:"worksheets"` // format 3
		Metadata json.RawMessage `json:"metadata"`
	}
	if err := json.Unmarshal(data, &nb); err != nil {
		return "", fmt.Errorf("read notebook: %w", err)
	}
	if nb.Cells == nil && nb.Worksheets == nil {
		return "", ErrNotNotebook
	}
	cells := nb.Cells
	for _, w := range nb.Worksheets {
		cells = append(cells, w.Cells...)
	}
	language := programming(nb.Metadata)
	var parts []string
	for _, c := range cells {
		if part := c.markdown(language); part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "\n\n") + "\n", nil
}

type lessonCell struct {
	Type     string          `json:"cell_type"`
	Source   text            `json:"source"`
	Input    text            `json:"input"` // format 3
	Level    int             `json:"level"` // of headings, format 3
	Metadata json.RawMessage `json:"metadata"`
}

func (c lessonCell) markdown(language string) string {
	source := strings.Trim(string(c.Source+c.Input), "\n")
	if source == "" || c.hidden() {
		return ""
	}
	switch c.Type {
	case "code":
		f := Fence(source)
		return f + language + "\n" + source + "\n" + f
	case "heading":
		return strings.Repeat("#", min(max(c.Level, 1), 6)) + " " + source
	}
	return source
}

// hidden reports whether the cell's tags keep it from readers. Tools write the
// tags into several places.
func (c lessonCell) hidden() bool {
	var meta struct {
		Tags []string `json:"tags"`
	}
	if json.Unmarshal(c.Metadata, &meta) != nil {
		return false // metadata of another form tells nothing
	}
	return slices.ContainsFunc(meta.Tags, func(tag string) bool {
		return slices.Contains(hiddenTags[:], strings.ToLower(tag))
	})
}

// programming is the language that the notebook's metadata names.
func programming(metadata json.RawMessage) string {
	var meta struct {
		Kernel struct {
			Language string `json:"language"`
		} `json:"kernelspec"`
		Language struct {
			Name string `json:"name"`
		} `json:"language_info"`
	}
	if json.Unmarshal(metadata, &meta) != nil {
		return "python"
	}
	for _, name := range []string{meta.Language.Name, meta.Kernel.Language} {
		if name != "" && !strings.ContainsAny(name, "` \t\n") {
			return strings.ToLower(name)
		}
	}
	return "python"
}

// Fence is a Markdown code fence that no line of the text can close.
func Fence(s string) string {
	longest, run := 0, 0
	for i := range len(s) {
		if s[i] != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return strings.Repeat("`", max(3, longest+1))
}

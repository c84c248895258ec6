// Package card edits the README.md of a repository without touching what its
// owner has written: keys are added to the front matter, sections behind the
// text, each once. It neither reads nor writes repositories.
package card

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Tag marks repositories that an agent has made.
const Tag = "ml-intern"

// Marker stands before the section about where a repository comes from.
const Marker = "<!-- ml-intern-provenance -->"

// Kind is the type of a repository.
type Kind string

// The kinds.
const (
	Model   Kind = "model"
	Dataset Kind = "dataset"
	Space   Kind = "space"
)

// Spec says what a card is to have.
type Spec struct {
	Kind Kind
	ID   string // namespace/name
	// Defaults are added to the front matter where it lacks them.
	Defaults map[string]string
}

// Edit returns the card with what spec asks for. Editing it again changes
// nothing. Front matter that is no YAML is an error: it is left to its owner.
func Edit(text string, spec Spec) (string, error) {
	eol := "\n"
	if strings.Contains(text, "\r\n") {
		eol = "\r\n"
	}
	front, body, has := split(strings.ReplaceAll(text, "\r\n", "\n"))
	if !has {
		front = ""
	}
	front, err := frontMatter(front, spec)
	if err != nil {
		return "", fmt.Errorf("edit the card of %s: %w", spec.ID, err)
	}
	out := "---\n" + front + "---\n" + sections(body, spec)
	return strings.ReplaceAll(out, "\n", eol), nil
}

// split takes a card apart.
func split(text string) (front, body string, has bool) {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(text, "\ufeff"), "---\n")
	if !ok {
		return "", text, false
	}
	if body, ok := strings.CutPrefix(rest, "---\n"); ok {
		return "", body, true
	}
	if i := strings.Index(rest, "\n---\n"); i >= 0 {
		return rest[:i+1], rest[i+5:], true
	}
	if front, ok := strings.CutSuffix(rest, "\n---"); ok {
		return front + "\n", "", true
	}
	return "", text, false
}

// frontMatter adds the tag and what is missing.
func frontMatter(front string, spec Spec) (string, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(front), &doc); err != nil {
		return "", fmt.Errorf("its front matter is no YAML: %w", err)
	}
	var root *yaml.Node
	if len(doc.Content) > 0 {
		root = doc.Content[0]
	}
	switch {
	case root == nil:
	case root.Kind == yaml.ScalarNode && root.Tag == "!!null":
		root = nil
	case root.Kind != yaml.MappingNode || root.Style == yaml.FlowStyle:
		return "", fmt.Errorf("its front matter is no list of keys")
	}
	front = addTag(front, root)
	for _, key := range sorted(spec.Defaults) {
		if _, found := lookup(root, key); found < 0 {
			value, err := yaml.Marshal(spec.Defaults[key])
			if err != nil {
				return "", err
			}
			front += key + ": " + string(value)
		}
	}
	return front, verify(front, root)
}

// verify checks that the front matter still is what it was, with the tag: YAML
// has more forms than an editor of lines knows.
func verify(front string, before *yaml.Node) error {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(front), &doc); err != nil || len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return fmt.Errorf("its front matter has an unusual form")
	}
	after := doc.Content[0]
	value, at := lookup(after, "tags")
	if at < 0 || !slices.Contains(tagsOf(value), Tag) {
		return fmt.Errorf("its front matter has an unusual form")
	}
	if before == nil {
		return nil
	}
	for i := 0; i+1 < len(before.Content); i += 2 {
		key := before.Content[i].Value
		if kept, at := lookup(after, key); at < 0 || key != "tags" && kept.Kind != before.Content[i+1].Kind {
			return fmt.Errorf("its front matter has an unusual form at %.40q", key)
		}
	}
	return nil
}

func sorted(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// lookup finds a key of a mapping: its value and its place among the children.
func lookup(root *yaml.Node, key string) (*yaml.Node, int) {
	if root == nil {
		return nil, -1
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == key {
			return root.Content[i+1], i
		}
	}
	return nil, -1
}

// addTag merges the tag into the key tags, whose other lines stay as they are
// where it is a list with one tag a line.
func addTag(front string, root *yaml.Node) string {
	value, at := lookup(root, "tags")
	if value == nil {
		return front + "tags:\n- " + Tag + "\n"
	}
	tags := tagsOf(value)
	if slices.Contains(tags, Tag) {
		return front
	}
	lines := strings.SplitAfter(front, "\n")
	first := root.Content[at].Line - 1
	end := len(lines)
	if at+2 < len(root.Content) {
		end = root.Content[at+2].Line - 1
	}
	if value.Kind == yaml.SequenceNode && value.Style != yaml.FlowStyle && len(value.Content) > 0 {
		last := value.Content[len(value.Content)-1]
		indent := lines[last.Line-1][:strings.Index(lines[last.Line-1], "-")]
		return strings.Join(lines[:last.Line], "") + indent + "- " + Tag + "\n" + strings.Join(lines[last.Line:], "")
	}
	// A text or a list on one line becomes a list with one tag a line. Comments
	// and blank lines before the next key stay.
	for end > first+1 && (strings.TrimSpace(lines[end-1]) == "" || strings.HasPrefix(strings.TrimSpace(lines[end-1]), "#")) {
		end--
	}
	list := "tags:\n"
	for _, tag := range append(tags, Tag) {
		text, _ := yaml.Marshal(tag) // a string always encodes
		list += "- " + string(text)
	}
	return strings.Join(lines[:first], "") + list + strings.Join(lines[end:], "")
}

func tagsOf(value *yaml.Node) []string {
	var tags []string
	if value.Kind == yaml.ScalarNode && value.Tag != "!!null" && value.Value != "" {
		tags = []string{value.Value}
	}
	for _, n := range value.Content {
		if n.Kind == yaml.ScalarNode {
			tags = append(tags, n.Value)
		}
	}
	return tags
}

var usageHeading = regexp.MustCompile(`(?im)^#{2,6}[ \t]*(usage|how to use|using this (model|dataset))\b`)

// sections adds a title to an empty card, and what is missing behind the text.
func sections(body string, spec Spec) string {
	if strings.TrimSpace(body) == "" {
		body = "\n# " + spec.ID + "\n"
	}
	if spec.Kind == Space {
		return body
	}
	if !strings.Contains(body, Marker) {
		body = strings.TrimRight(body, "\r\n") + "\n\n" + Marker + "\n## Provenance\n\n" +
			fmt.Sprintf("This %s was made with [ml-intern](https://github.com/ml-intern/ml-intern), an autonomous machine-learning engineer.\n", spec.Kind)
	}
	if !usageHeading.MatchString(body) {
		body = strings.TrimRight(body, "\r\n") + "\n\n## Usage\n\n" + usage(spec)
	}
	return body
}

// usage is how a repository is loaded.
func usage(spec Spec) string {
	if spec.Kind == Dataset {
		return fmt.Sprintf("```python\nfrom datasets import load_dataset\n\ndataset = load_dataset(%q)\n```\n", spec.ID)
	}
	return fmt.Sprintf("```python\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\ntokenizer = AutoTokenizer.from_pretrained(%[1]q)\nmodel = AutoModelForCausalLM.from_pretrained(%[1]q)\n```\n", spec.ID)
}

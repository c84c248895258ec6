package skills

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

// frontLimit bounds the front matter of a file, in bytes.
const frontLimit = 16 << 10

// front is what stands between the lines "---" at the beginning of a file.
type front struct {
	keys   []string // in order
	values map[string]*yaml.Node
}

// split takes a file apart; without front matter has is false and the whole text
// is the body.
func split(text string) (head, body string, has bool) {
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n")
	rest, ok := strings.CutPrefix(text, "---\n")
	if !ok {
		return "", text, false
	}
	for at := 0; at <= len(rest); {
		line, _, more := strings.Cut(rest[at:], "\n")
		if strings.TrimRight(line, " \t") == "---" {
			return rest[:at], strings.TrimPrefix(rest[at+len(line):], "\n"), true
		}
		if !more {
			break
		}
		at += len(line) + 1
	}
	return "", text, false
}

// parse reads front matter: one mapping of texts, lists of texts and mappings of
// texts. Anchors and aliases, with which a few lines can stand for millions, are
// refused.
func parse(head string) (*front, error) {
	if len(head) > frontLimit {
		return nil, fmt.Errorf("its front matter has %d bytes, more than %d", len(head), frontLimit)
	}
	f := &front{values: map[string]*yaml.Node{}}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(head), &doc); err != nil {
		return nil, fmt.Errorf(`its front matter is no YAML (%s); a value with ": " or "#" needs quotes`, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(doc.Content) == 0 {
		return f, nil
	}
	root := doc.Content[0]
	if err := simple(&doc); err != nil {
		return nil, err
	}
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return f, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, errors.New("its front matter is no list of keys and values")
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key := root.Content[i].Value
		if root.Content[i].Kind != yaml.ScalarNode || key == "" {
			return nil, errors.New("a key of its front matter is no word")
		}
		if slices.Contains(f.keys, key) {
			return nil, fmt.Errorf("its front matter has %s twice", key)
		}
		f.keys = append(f.keys, key)
		f.values[key] = root.Content[i+1]
	}
	return f, nil
}

// simple refuses anchors and aliases.
func simple(n *yaml.Node) error {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return errors.New("its front matter has anchors or aliases, which are not read")
	}
	for _, c := range n.Content {
		if err := simple(c); err != nil {
			return err
		}
	}
	return nil
}

// oneLine is a foreign text on one line, without control characters.
func oneLine(text string) string { return strings.Join(strings.Fields(plain.ForTerminal(text)), " ") }

// text is the text of a key on one line, empty where it is missing.
func (f *front) text(key string) (string, error) {
	n := f.values[key]
	switch {
	case n == nil || n.Tag == "!!null":
		return "", nil
	case n.Kind != yaml.ScalarNode:
		return "", fmt.Errorf("%s is no text", key)
	}
	return oneLine(n.Value), nil
}

// list is a list of texts, or a text whose words are one.
func (f *front) list(key string, words func(string) []string) ([]string, error) {
	n := f.values[key]
	if n == nil || n.Kind == yaml.ScalarNode {
		text, err := f.text(key)
		return words(text), err
	}
	if n.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("%s is neither a text nor a list of texts", key)
	}
	var out []string
	for _, item := range n.Content {
		if item.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("%s holds something that is no text", key)
		}
		if text := oneLine(item.Value); text != "" {
			out = append(out, text)
		}
	}
	return out, nil
}

// pairs is a mapping of texts.
func (f *front) pairs(key string) (map[string]string, error) {
	n := f.values[key]
	if n == nil || n.Tag == "!!null" {
		return nil, nil
	}
	if n.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s is no list of keys and values", key)
	}
	out := map[string]string{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Kind != yaml.ScalarNode || n.Content[i+1].Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("%s may hold texts only", key)
		}
		out[oneLine(n.Content[i].Value)] = oneLine(n.Content[i+1].Value)
	}
	return out, nil
}

// flag is a switch, otherwise where it is missing.
func (f *front) flag(key string, otherwise bool) (bool, error) {
	text, err := f.text(key)
	switch {
	case err != nil:
		return otherwise, err
	case text == "":
		return otherwise, nil
	case text == "true" || text == "false":
		return text == "true", nil
	}
	return otherwise, fmt.Errorf("%s is %q: it must be true or false", key, text)
}

// unknown are keys that mean nothing here.
func (f *front) unknown(known ...string) []string {
	return slices.DeleteFunc(slices.Clone(f.keys), func(key string) bool { return slices.Contains(known, key) })
}

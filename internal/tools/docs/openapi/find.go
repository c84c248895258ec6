package openapi

import (
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/tools/docs/rank"
)

// Hit is an operation that was found.
type Hit struct {
	*Operation
	Score float64
}

// words indexes what the operations say of themselves.
func (s *Spec) words() *rank.Index {
	var texts [][]rank.Field
	for _, o := range s.Operations {
		var names []string
		for _, p := range o.Parameters {
			names = append(names, p.Name)
		}
		texts = append(texts, []rank.Field{
			{Text: o.Summary, Weight: 3},
			{Text: o.ID, Weight: 2},
			{Text: o.Path, Weight: 2},
			{Text: strings.Join(o.Tags, " "), Weight: 1.5},
			{Text: o.Description, Weight: 1},
			{Text: strings.Join(names, " "), Weight: 1},
			{Text: o.Method, Weight: 1},
		})
	}
	return rank.New(texts)
}

// Search returns the operations that fit a query best; tag, if not empty, is
// one of theirs.
func (s *Spec) Search(query, tag string) []Hit {
	var out []Hit
	for _, h := range s.index.Search(query) {
		if o := s.Operations[h.Text]; tag == "" || slices.Contains(o.Tags, tag) {
			out = append(out, Hit{o, h.Score})
		}
	}
	return out
}

// Tagged returns the operations with a tag.
func (s *Spec) Tagged(tag string) []Hit {
	var out []Hit
	for _, o := range s.Operations {
		if slices.Contains(o.Tags, tag) {
			out = append(out, Hit{o, 0})
		}
	}
	return out
}

// At returns the operations of a path, which may have a method in front, and
// values in the place of names in braces.
func (s *Spec) At(query string) []Hit {
	method, path, ok := strings.Cut(strings.TrimSpace(query), " ")
	if !ok {
		method, path = "", method
	}
	path = strings.TrimSpace(path)
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, " \t\n") {
		return nil
	}
	path, _, _ = strings.Cut(path, "?")
	var exact, like []Hit
	for _, o := range s.Operations {
		switch {
		case method != "" && !strings.EqualFold(method, o.Method):
		case o.Path == path:
			exact = append(exact, Hit{o, 0})
		case fits(o.Path, path):
			like = append(like, Hit{o, 0})
		}
	}
	if len(exact) > 0 {
		return exact
	}
	return like
}

// fits reports whether a path is one of those that a template stands for.
func fits(template, path string) bool {
	a, b := strings.Split(strings.Trim(template, "/"), "/"), strings.Split(strings.Trim(path, "/"), "/")
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && !(strings.HasPrefix(a[i], "{") && strings.HasSuffix(a[i], "}") && b[i] != "") {
			return false
		}
	}
	return true
}

// Tag returns the tag that a name names, whatever its case.
func (s *Spec) Tag(name string) (string, bool) {
	i := slices.IndexFunc(s.Tags, func(t string) bool { return strings.EqualFold(t, name) })
	if i < 0 {
		return "", false
	}
	return s.Tags[i], true
}

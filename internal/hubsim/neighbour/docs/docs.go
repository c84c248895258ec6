// Package docs serves documentation: the catalogue, the pages in Markdown and
// HTML, their lists for programs and the two searches. It knows nothing of what
// the pages are about.
package docs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/rank"
)

// public is the host that page addresses name: clients map it to the endpoint
// they use, as they do with the addresses in real pages.
const public = "https://huggingface.co"

// Set is the documentation of one library.
type Set struct {
	// Slug is the folder and the path below /docs.
	Slug string `json:"-"`
	// ID is the name in the catalogue where it is not the slug.
	ID string `json:"id,omitempty"`
	// Title heads the lists.
	Title    string `json:"title"`
	Category string `json:"category,omitempty"`
	// Version is the release the pages describe.
	Version string `json:"version,omitempty"`
	Pages   []Page `json:"pages"`
}

// Page is one page.
type Page struct {
	// Path is below the set, without an extension.
	Path  string `json:"path"`
	Title string `json:"title"`
	// Text is Markdown.
	Text string `json:"-"`
}

// Docs holds the sets. It is not changed after New.
type Docs struct {
	sets     []Set
	sections []section
	index    *rank.Index
}

// section is what a search finds: a heading and the text below it.
type section struct {
	set      int
	page     int
	headings []string // from the page's title down
	anchor   string
	text     string
}

// New indexes sets.
func New(sets []Set) *Docs {
	d := &Docs{sets: sets}
	var texts []string
	for i, set := range sets {
		for j, page := range set.Pages {
			for _, s := range cut(page) {
				s.set, s.page = i, j
				d.sections = append(d.sections, s)
				// Headings weigh as much as three words of text.
				heads := strings.Join(s.headings, " ") + " "
				texts = append(texts, strings.Repeat(heads, 3)+s.text)
			}
		}
	}
	d.index = rank.New(texts)
	return d
}

// Sets lists what there is.
func (d *Docs) Sets() []Set { return d.sets }

// URL is the public address of a page.
func (s *Set) URL(p Page) string {
	if p.Path == "index" {
		return public + "/docs/" + s.Slug + "/index"
	}
	return public + "/docs/" + s.Slug + "/" + p.Path
}

// Read reads the sets below dir of fsys: a folder each, with toc.json and the
// pages it names. Without the folder there are none.
func Read(fsys fs.FS, dir string) ([]Set, error) {
	entries, err := fs.ReadDir(fsys, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read docs: %w", err)
	}
	var sets []Set
	for _, e := range entries {
		if !e.IsDir() {
			return nil, fmt.Errorf("%s: docs lie in one folder a set", path.Join(dir, e.Name()))
		}
		set, err := readSet(fsys, dir, e.Name())
		if err != nil {
			return nil, err
		}
		sets = append(sets, set)
	}
	return sets, nil
}

func readSet(fsys fs.FS, dir, slug string) (Set, error) {
	set := Set{Slug: slug}
	toc := path.Join(dir, slug, "toc.json")
	raw, err := fs.ReadFile(fsys, toc)
	if err != nil {
		return set, fmt.Errorf("read docs: %w", err)
	}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&set); err != nil {
		return set, fmt.Errorf("%s: %w", toc, err)
	}
	if set.ID == "" {
		set.ID = slug
	}
	if set.Title == "" {
		return set, fmt.Errorf("%s: title: is empty", toc)
	}
	listed := []string{toc}
	for i := range set.Pages {
		p := &set.Pages[i]
		name := path.Join(dir, slug, p.Path+".md")
		text, err := fs.ReadFile(fsys, name)
		if err != nil || p.Path == "" {
			return set, fmt.Errorf("%s: pages[%d].path: no page %s", toc, i, name)
		}
		if p.Title == "" {
			return set, fmt.Errorf("%s: pages[%d].title: is empty", toc, i)
		}
		p.Text = string(text)
		listed = append(listed, name)
	}
	return set, unlisted(fsys, path.Join(dir, slug), toc, listed)
}

// unlisted refuses pages that no table of contents names: nobody would find
// them.
func unlisted(fsys fs.FS, dir, toc string, listed []string) error {
	return fs.WalkDir(fsys, dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !slices.Contains(listed, name) {
			err = fmt.Errorf("%s: pages: %s is missing in the list", toc, name)
		}
		return err
	})
}

// cut splits a page at its headings of the first three levels; a # in a code
// block is none.
func cut(p Page) []section {
	var out []section
	cur := section{headings: []string{p.Title}}
	var body strings.Builder
	flush := func() {
		if cur.text = strings.TrimSpace(body.String()); cur.text != "" {
			out = append(out, cur)
		}
		body.Reset()
	}
	fenced := false
	for line := range strings.Lines(p.Text) {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		level, title := heading(line)
		if fenced || level == 0 || level > 3 {
			body.WriteString(line)
			continue
		}
		flush()
		title, anchor := marked(title)
		if level == 1 {
			cur = section{headings: []string{title}}
			continue
		}
		heads := slices.Clone(cur.headings[:min(level-1, len(cur.headings))])
		cur = section{headings: append(heads, title), anchor: anchor}
	}
	flush()
	return out
}

func heading(line string) (level int, title string) {
	rest := strings.TrimLeft(line, "#")
	if level = len(line) - len(rest); level == 0 || !strings.HasPrefix(rest, " ") {
		return 0, ""
	}
	return level, strings.TrimSpace(rest)
}

// marked splits the anchor off a heading such as "SFTConfig[[trl.SFTConfig]]";
// others are named by their words.
func marked(title string) (text, anchor string) {
	if text, rest, ok := strings.Cut(title, "[["); ok {
		return strings.TrimSpace(text), strings.TrimSuffix(rest, "]]")
	}
	return title, strings.Join(strings.FieldsFunc(strings.ToLower(title), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_'
	}), "-")
}

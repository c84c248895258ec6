// Package paper keeps papers and serves them as the Hub, arXiv and ar5iv do, all
// from the same records. It knows no repositories: it is told which of them
// belong to a paper.
package paper

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/rank"
)

// Paper is a paper as a seed describes it.
type Paper struct {
	ID           string      `json:"id"`
	Title        string      `json:"title"`
	Authors      []string    `json:"authors"`
	PublishedAt  time.Time   `json:"publishedAt"`
	DailyAt      time.Time   `json:"submittedOnDailyAt,omitzero"`
	SubmittedBy  string      `json:"submittedBy,omitempty"`
	Summary      string      `json:"summary"`
	Upvotes      int         `json:"upvotes"`
	Comments     int         `json:"comments,omitempty"`
	Organization string      `json:"organization,omitempty"`
	ProjectPage  string      `json:"projectPage,omitempty"`
	GithubRepo   string      `json:"githubRepo,omitempty"`
	GithubStars  int         `json:"githubStars,omitempty"`
	AISummary    string      `json:"aiSummary,omitempty"`
	Keywords     []string    `json:"aiKeywords,omitempty"`
	Categories   []string    `json:"categories"`
	Comment      string      `json:"comment,omitempty"`
	JournalRef   string      `json:"journalRef,omitempty"`
	Venue        string      `json:"venue,omitempty"`
	References   []Reference `json:"references,omitempty"`

	Markdown string `json:"-"`
	HTML     string `json:"-"`
}

// Reference is a work that a paper cites: another one here, or just a title.
type Reference struct {
	ArxivID     string   `json:"arxivId,omitempty"`
	Title       string   `json:"title,omitempty"`
	Year        int      `json:"year,omitempty"`
	Contexts    []string `json:"contexts,omitempty"`
	Intents     []string `json:"intents,omitempty"`
	Influential bool     `json:"influential,omitempty"`
}

// Library holds papers and finds them. It is not changed after New.
type Library struct {
	papers   []Paper // by id
	index    *rank.Index
	passages []Passage
	texts    *rank.Index // of passages
}

// New returns a library of papers.
func New(papers []Paper) *Library {
	l := &Library{papers: slices.Clone(papers)}
	slices.SortFunc(l.papers, func(a, b Paper) int { return strings.Compare(a.ID, b.ID) })
	var heads, bodies []string
	for i := range l.papers {
		x := &l.papers[i]
		title := x.Title + " "
		heads = append(heads, strings.Repeat(title, 3)+x.Summary+" "+strings.Join(x.Keywords, " ")+" "+strings.Join(x.Authors, " "))
		for _, s := range x.passages() {
			l.passages = append(l.passages, s)
			bodies = append(bodies, s.Text)
		}
	}
	l.index, l.texts = rank.New(heads), rank.New(bodies)
	return l
}

// All lists the papers by id.
func (l *Library) All() []*Paper {
	all := make([]*Paper, len(l.papers))
	for i := range l.papers {
		all[i] = &l.papers[i]
	}
	return all
}

var idForm = regexp.MustCompile(`^(\d{4}\.\d{4,5}|[a-z-]+(\.[A-Z]{2})?/\d{7})$`)

// Read reads the papers below dir of fsys: ID.json with ID.md and ID.html
// beside it. Without the folder there are none.
func Read(fsys fs.FS, dir string) ([]Paper, error) {
	entries, err := fs.ReadDir(fsys, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read papers: %w", err)
	}
	var papers []Paper
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok {
			continue
		}
		p, err := readPaper(fsys, dir, id)
		if err != nil {
			return nil, err
		}
		papers = append(papers, p)
	}
	return papers, resolve(dir, papers)
}

func readPaper(fsys fs.FS, dir, id string) (Paper, error) {
	var p Paper
	name := path.Join(dir, id+".json")
	raw, err := fs.ReadFile(fsys, name)
	if err != nil {
		return p, fmt.Errorf("read papers: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return p, fmt.Errorf("%s: %w", name, err)
	}
	for _, c := range []struct {
		bad   bool
		field string
	}{
		{p.ID != id || !idForm.MatchString(p.ID), "id: must be an arXiv id and the name of the file"},
		{p.Title == "", "title: is empty"},
		{len(p.Authors) == 0, "authors: is empty"},
		{p.PublishedAt.IsZero(), "publishedAt: is missing"},
		{p.Summary == "", "summary: is empty"},
		{len(p.Categories) == 0, "categories: is empty"},
	} {
		if c.bad {
			return p, fmt.Errorf("%s: %s", name, c.field)
		}
	}
	for _, part := range []struct {
		ext  string
		into *string
	}{{".md", &p.Markdown}, {".html", &p.HTML}} {
		text, err := fs.ReadFile(fsys, path.Join(dir, id+part.ext))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return p, fmt.Errorf("read papers: %w", err)
		}
		*part.into = string(text)
	}
	return p, nil
}

// resolve refuses references to papers that are not there.
func resolve(dir string, papers []Paper) error {
	for _, p := range papers {
		for i, ref := range p.References {
			known := slices.ContainsFunc(papers, func(q Paper) bool { return q.ID == ref.ArxivID })
			if ref.ArxivID != "" && !known {
				return fmt.Errorf("%s/%s.json: references[%d].arxivId: no paper %s", dir, p.ID, i, ref.ArxivID)
			}
			if ref.ArxivID == "" && ref.Title == "" {
				return fmt.Errorf("%s/%s.json: references[%d].title: is empty", dir, p.ID, i)
			}
		}
	}
	return nil
}

var versionSuffix = regexp.MustCompile(`v\d+$`)

// Find looks a paper up by its arXiv id, with or without a version.
func (l *Library) Find(id string) (*Paper, bool) {
	id = versionSuffix.ReplaceAllString(strings.TrimSpace(id), "")
	for i := range l.papers {
		if strings.EqualFold(l.papers[i].ID, id) {
			return &l.papers[i], true
		}
	}
	return nil, false
}

// Citing lists the papers that cite id.
func (l *Library) Citing(id string) []*Paper {
	return slices.DeleteFunc(l.All(), func(x *Paper) bool { return x.Cites(id) == nil })
}

// Matching lists the papers whose title, abstract, keywords or authors match,
// best first; an arXiv id finds its paper.
func (l *Library) Matching(q string) []*Paper {
	if x, ok := l.Find(q); ok {
		return []*Paper{x}
	}
	var out []*Paper
	for _, hit := range l.Similar(q) {
		out = append(out, hit.Paper)
	}
	return out
}

// Hit is a paper that matched and how well.
type Hit struct {
	Paper *Paper
	Score float64
}

// Similar lists the papers that share words with text, best first.
func (l *Library) Similar(text string) []Hit {
	var out []Hit
	for _, hit := range l.index.Search(text) {
		out = append(out, Hit{&l.papers[hit.Text], hit.Score})
	}
	return out
}

// Passages lists the paragraphs that match, best first.
func (l *Library) Passages(q string) []Passage {
	var out []Passage
	for _, hit := range l.texts.Search(q) {
		p := l.passages[hit.Text]
		p.Score = hit.Score
		out = append(out, p)
	}
	return out
}

// Cites is the paper's reference to id, nil without one.
func (x *Paper) Cites(id string) *Reference {
	for i := range x.References {
		if x.References[i].ArxivID == id {
			return &x.References[i]
		}
	}
	return nil
}

// Digest is a stable hexadecimal name of n digits, 40 at most.
func Digest(n int, parts ...string) string {
	sum := sha1.Sum([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])[:n]
}

// Passage is a paragraph with the heading above it.
type Passage struct {
	Paper         *Paper
	Kind, Section string // Kind: title, abstract or body
	Text          string
	Score         float64
}

func (x *Paper) passages() []Passage {
	out := []Passage{{Paper: x, Kind: "title", Text: x.Title}, {Paper: x, Kind: "abstract", Text: x.Summary}}
	section := ""
	for block := range strings.SplitSeq(x.Markdown, "\n\n") {
		block = strings.TrimSpace(block)
		switch {
		case strings.HasPrefix(block, "#"):
			section = strings.TrimSpace(strings.TrimLeft(block, "#"))
		case section == "" || section == "Abstract" || section == "References" || block == "" || block[0] == '|':
		default:
			out = append(out, Passage{Paper: x, Kind: "body", Section: section, Text: block})
		}
	}
	return out
}

// Package request reads the arguments of hf_papers: which operation, about which
// paper, of which days. What it lets pass is safe to ask services with. It does
// no operation.
package request

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/arxiv"
	"github.com/ml-intern/ml-intern/internal/adapter/scholar"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/tools/papers/hub"
)

// Params are the arguments of hf_papers.
type Params struct {
	Operation    string `json:"operation"`
	Query        string `json:"query,omitempty"`
	ArxivID      string `json:"arxiv_id,omitempty"`
	Section      string `json:"section,omitempty"`
	Direction    string `json:"direction,omitempty"`
	Depth        int    `json:"depth,omitempty"`
	Date         string `json:"date,omitempty"`
	Week         string `json:"week,omitempty"`
	Month        string `json:"month,omitempty"`
	DateFrom     string `json:"date_from,omitempty"`
	DateTo       string `json:"date_to,omitempty"`
	Categories   string `json:"categories,omitempty"`
	MinCitations int    `json:"min_citations,omitempty"`
	SortBy       string `json:"sort_by,omitempty"`
	PositiveIDs  string `json:"positive_ids,omitempty"`
	NegativeIDs  string `json:"negative_ids,omitempty"`
	Sort         string `json:"sort,omitempty"`
	Limit        int    `json:"limit,omitempty"`
	Offset       int    `json:"offset,omitempty"`
	MaxChars     int    `json:"max_chars,omitempty"`
}

// Bounds of the arguments.
const (
	defaultLimit = 10
	// MaxLimit is how many entries a result has at most.
	MaxLimit = 50
	maxIDs   = 100
	minChars = 1000
	maxChars = 100_000
)

// need says what an operation cannot do without, and the call that shows it.
type need struct {
	query, paper bool
	example      string
}

// needs lists the operations.
func needs() map[string]need {
	paper := func(op string) need {
		return need{paper: true, example: `{"operation":"` + op + `","arxiv_id":"2305.18290"}`}
	}
	return map[string]need{
		"trending":           {example: `{"operation":"trending","limit":10}`},
		"search":             {query: true, example: `{"operation":"search","query":"direct preference optimization"}`},
		"arxiv_search":       {query: true, example: `{"operation":"arxiv_search","query":"direct preference optimization","categories":"cs.CL"}`},
		"snippet_search":     {query: true, example: `{"operation":"snippet_search","query":"learning rate for LoRA fine-tuning"}`},
		"recommend":          {example: `{"operation":"recommend","arxiv_id":"2305.18290"}`},
		"paper_details":      paper("paper_details"),
		"read_paper":         paper("read_paper"),
		"citation_graph":     paper("citation_graph"),
		"citation_walk":      paper("citation_walk"),
		"find_datasets":      paper("find_datasets"),
		"find_models":        paper("find_models"),
		"find_collections":   paper("find_collections"),
		"find_all_resources": paper("find_all_resources"),
	}
}

// operations are the names, in order.
func operations() []string {
	var names []string
	for name := range needs() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Paper names the paper that is asked about.
type Paper struct {
	// Arxiv is its id; zero for a paper named in another way.
	Arxiv arxiv.ID
	// Key is its name at Semantic Scholar.
	Key scholar.Key
}

// Title is how texts call it; "" when no paper is named.
func (p Paper) Title() string { return cmp.Or(p.Arxiv.Name, p.Key.Bare()) }

// parsePaper reads an id in any form.
func parsePaper(text string) (Paper, error) {
	if id, err := arxiv.ParseID(text); err == nil {
		return Paper{Arxiv: id, Key: scholar.ArxivKey(id.Name)}, nil
	}
	key, err := scholar.ParseKey(text)
	if err != nil {
		return Paper{}, fmt.Errorf("%q is no arXiv id (2402.03300, hep-th/9901001), no address of an arXiv paper, no DOI and no CorpusId:n", shortened(text))
	}
	return Paper{Key: key}, nil
}

func shortened(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

// Request is a call with checked arguments.
type Request struct {
	Params
	Paper
	Period             hub.Period
	Positive, Negative []scholar.Key
	// Cut says that a larger limit was asked for.
	Cut bool
}

// Read checks arguments. Its errors name the argument.
func Read(args json.RawMessage) (*Request, error) {
	in := &Request{}
	if err := tool.Decode(args, &in.Params); err != nil {
		return in, err
	}
	n, ok := needs()[in.Operation]
	if !ok {
		return in, fmt.Errorf("operation %q is unknown; it must be one of %s", shortened(in.Operation), strings.Join(operations(), ", "))
	}
	for _, s := range []*string{&in.Query, &in.ArxivID, &in.Section, &in.Date, &in.Week, &in.Month, &in.DateFrom, &in.DateTo, &in.Categories} {
		*s = strings.TrimSpace(*s)
	}
	if n.query && in.Query == "" {
		return in, fmt.Errorf("query is required for %s", in.Operation)
	}
	if n.paper && in.ArxivID == "" {
		return in, fmt.Errorf("arxiv_id is required for %s", in.Operation)
	}
	return in, errors.Join(in.numbers(), in.words(), in.papers(), in.dates())
}

// numbers checks what the schema bounds, for callers that have not.
func (in *Request) numbers() error {
	for _, x := range []struct {
		name        string
		value       int
		least, most int
	}{
		{"limit", in.Limit, 0, 1 << 30},
		{"offset", in.Offset, 0, 1 << 30},
		{"min_citations", in.MinCitations, 0, 1 << 30},
		{"depth", in.Depth, 0, 2},
		{"max_chars", in.MaxChars, 0, maxChars},
	} {
		if x.value < x.least || x.value > x.most {
			return fmt.Errorf("%s must not be %d", x.name, x.value)
		}
	}
	if in.MaxChars > 0 && in.MaxChars < minChars {
		return fmt.Errorf("max_chars must be at least %d", minChars)
	}
	if in.Limit == 0 {
		in.Limit = defaultLimit
	}
	in.Cut = in.Limit > MaxLimit
	in.Limit = min(in.Limit, MaxLimit)
	return nil
}

// words checks the enumerations.
func (in *Request) words() error {
	for _, x := range []struct {
		name, value string
		allowed     []string
	}{
		{"direction", in.Direction, []string{"citations", "references", "both"}},
		{"sort_by", in.SortBy, []string{"relevance", "citationCount", "publicationDate"}},
		{"sort", in.Sort, []string{"downloads", "likes", "trending"}},
	} {
		if x.value != "" && !slices.Contains(x.allowed, x.value) {
			return fmt.Errorf("%s must be one of %s", x.name, strings.Join(x.allowed, ", "))
		}
	}
	return nil
}

// papers reads the ids. What only the Hub or arXiv can answer takes arXiv ids
// only.
func (in *Request) papers() error {
	if in.ArxivID != "" {
		p, err := parsePaper(in.ArxivID)
		if err != nil {
			return fmt.Errorf("arxiv_id %w", err)
		}
		in.Paper = p
		anywhere := []string{"paper_details", "citation_graph", "citation_walk", "recommend", "snippet_search"}
		if p.Arxiv.Name == "" && needs()[in.Operation].paper && !slices.Contains(anywhere, in.Operation) {
			return fmt.Errorf("arxiv_id %q is no arXiv id, which %s needs", shortened(in.ArxivID), in.Operation)
		}
	}
	if in.Operation != "recommend" {
		return nil
	}
	var err error
	if in.Positive, err = keys("positive_ids", in.PositiveIDs); err != nil {
		return err
	}
	if in.Negative, err = keys("negative_ids", in.NegativeIDs); err != nil {
		return err
	}
	if in.ArxivID == "" && len(in.Positive) == 0 {
		return errors.New("arxiv_id or positive_ids is required for recommend")
	}
	return nil
}

// keys reads a list of ids.
func keys(name, list string) ([]scholar.Key, error) {
	var out []scholar.Key
	for id := range strings.SplitSeq(list, ",") {
		if id = strings.TrimSpace(id); id == "" {
			continue
		}
		p, err := parsePaper(id)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if out = append(out, p.Key); len(out) > maxIDs {
			return nil, fmt.Errorf("%s must not hold more than %d ids", name, maxIDs)
		}
	}
	return out, nil
}

// dates checks the days and the period.
func (in *Request) dates() error {
	for _, x := range []struct{ name, value string }{{"date", in.Date}, {"date_from", in.DateFrom}, {"date_to", in.DateTo}} {
		if x.value == "" {
			continue
		}
		if _, err := time.Parse(time.DateOnly, x.value); err != nil {
			return fmt.Errorf("%s %q is no day of the form YYYY-MM-DD", x.name, shortened(x.value))
		}
	}
	if in.DateFrom != "" && in.DateTo != "" && in.DateFrom > in.DateTo {
		return fmt.Errorf("date_from %s is after date_to %s", in.DateFrom, in.DateTo)
	}
	if in.Month != "" {
		if _, err := time.Parse("2006-01", in.Month); err != nil {
			return fmt.Errorf("month %q is not of the form YYYY-MM", shortened(in.Month))
		}
	}
	if in.Week != "" && !isWeek(in.Week) {
		return fmt.Errorf("week %q is not of the form YYYY-Www", shortened(in.Week))
	}
	given := 0
	for _, v := range []string{in.Date, in.Week, in.Month} {
		if v != "" {
			given++
		}
	}
	if given > 1 {
		return errors.New("date, week and month exclude each other")
	}
	in.Period = hub.Period{Date: in.Date, Week: in.Week, Month: in.Month}
	return nil
}

// isWeek accepts 2024-W06.
func isWeek(s string) bool {
	year, week, ok := strings.Cut(s, "-W")
	n, err := strconv.Atoi(week)
	_, yearErr := strconv.ParseUint(year, 10, 16)
	return ok && len(year) == 4 && len(week) == 2 && err == nil && yearErr == nil && n >= 1 && n <= 53
}

// Filtered reports whether a search is narrowed or ordered.
func (in *Request) Filtered() bool {
	return in.DateFrom != "" || in.DateTo != "" || in.Categories != "" || in.MinCitations > 0 || in.SortBy != ""
}

// Again is the same call with something changed, as it would be written.
func (in *Request) Again(change func(*Params)) string {
	p := in.Params
	if p.Limit == defaultLimit {
		p.Limit = 0
	}
	change(&p)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(p); err != nil {
		return "hf_papers with another offset"
	}
	return "hf_papers " + strings.TrimSpace(b.String())
}

// From is the same call from an offset on.
func (in *Request) From(offset int) string { return in.Again(func(p *Params) { p.Offset = offset }) }

// Example is a good call of the operation that was asked for, and what it is
// called: also for a request whose arguments are bad.
func (in *Request) Example() (operation, arguments string) {
	if n, ok := needs()[in.Operation]; ok {
		return in.Operation, n.example
	}
	return "", needs()["search"].example
}

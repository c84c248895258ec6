package scholar

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

// Passage is a piece of a paper's text.
type Passage struct {
	// Corpus is the number of its paper; "" when it was not told.
	Corpus, Title string
	// Kind is title, abstract or body.
	Kind, Section, Text string
}

// Passages is an answer with passages, best first.
type Passages struct {
	*fetch.Response
	Passages []Passage
}

// Passages finds pieces of papers that answer a query, in certain papers when
// some are named. Sort and Offset of the query do not count.
func (s *Semantic) Passages(ctx context.Context, q Query, in ...Key) (*Passages, error) {
	v := q.filters()
	v.Set("query", q.Text)
	v.Set("limit", strconv.Itoa(min(max(q.Limit, 1), 1000)))
	// Nothing of the paper itself can be asked for here.
	v.Set("fields", "snippet.text,snippet.snippetKind,snippet.section")
	if len(in) > 0 {
		ids := make([]string, len(in))
		for i, k := range in {
			ids[i] = string(k)
		}
		v.Set("paperIds", strings.Join(ids, ","))
	}
	var answer struct {
		Data []struct {
			Snippet struct {
				Text, SnippetKind, Section string
			}
			Paper struct {
				CorpusID json.RawMessage `json:"corpusId"`
				Title    string
			}
		}
	}
	resp, err := s.ask(ctx, semantic+"/graph/v1/snippet/search?"+query(v), nil, &answer)
	if err != nil {
		return nil, err
	}
	found := &Passages{Response: resp}
	for i := range answer.Data {
		d := &answer.Data[i]
		found.Passages = append(found.Passages, Passage{
			Corpus: number(d.Paper.CorpusID), Title: line(d.Paper.Title),
			Kind: line(d.Snippet.SnippetKind), Section: line(d.Snippet.Section), Text: line(d.Snippet.Text),
		})
	}
	return found, nil
}

// Match finds the paper with a title; one with another title is no match.
func (s *Semantic) Match(ctx context.Context, title string) (*Record, error) {
	address := graph + "search/match?" + query(url.Values{"query": {title}, "fields": {paperFields}})
	var answer struct{ Data []wirePaper }
	resp, err := s.ask(ctx, address, nil, &answer)
	if err != nil {
		return nil, err
	}
	if len(answer.Data) == 0 || letters(answer.Data[0].Title) != letters(title) || letters(title) == "" {
		return nil, &fetch.Error{Kind: fetch.NotFound, Service: s.Name(), URL: address, Status: resp.Status, Message: "it knows no paper with this title"}
	}
	return &Record{Response: resp, Paper: answer.Data[0].paper(), Source: s.Name()}, nil
}

// letters is a text without what titles are written differently in.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// Like recommends papers like one: new ones, or of any age where there are no
// new ones.
func (s *Semantic) Like(ctx context.Context, key Key, limit int) (*Found, error) {
	found := &Found{Total: -1, Source: s.Name()}
	for _, pool := range []string{"recent", "all-cs"} {
		v := url.Values{"fields": {searchFields}, "limit": {strconv.Itoa(min(max(limit, 1), 500))}, "from": {pool}}
		if err := s.recommended(ctx, "forpaper/"+key.path()+"?"+query(v), nil, found); err != nil {
			return nil, err
		}
		if len(found.Papers) > 0 {
			break
		}
	}
	return found, nil
}

// LikeThese recommends papers like some and unlike others.
func (s *Semantic) LikeThese(ctx context.Context, like, unlike []Key, limit int) (*Found, error) {
	found := &Found{Total: -1, Source: s.Name()}
	v := url.Values{"fields": {searchFields}, "limit": {strconv.Itoa(min(max(limit, 1), 500))}}
	body := map[string][]Key{"positivePaperIds": like, "negativePaperIds": unlike}
	if unlike == nil {
		body["negativePaperIds"] = []Key{}
	}
	return found, s.recommended(ctx, "?"+query(v), body, found)
}

func (s *Semantic) recommended(ctx context.Context, path string, body any, found *Found) error {
	var answer struct{ RecommendedPapers []wirePaper }
	resp, err := s.ask(ctx, semantic+"/recommendations/v1/papers/"+path, body, &answer)
	if err != nil {
		return err
	}
	found.Responses = append(found.Responses, resp)
	for i := range answer.RecommendedPapers {
		if p := answer.RecommendedPapers[i].paper(); p.named() {
			found.Papers = append(found.Papers, p)
		}
	}
	return nil
}

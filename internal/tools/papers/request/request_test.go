package request_test

import (
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/tools/papers/request"
)

func TestAgain(t *testing.T) {
	in, err := request.Read([]byte(`{"operation":"search","query":"a <b> & \"c\"","limit":10,"sort_by":"relevance"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := in.From(20), `hf_papers {"operation":"search","query":"a <b> & \"c\"","sort_by":"relevance","offset":20}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if in.Limit != 10 || in.Cut || !in.Filtered() || in.Title() != "" {
		t.Errorf("%+v", in)
	}
}

func TestExamplesAreGood(t *testing.T) {
	for _, op := range []string{
		"trending", "search", "paper_details", "read_paper", "citation_graph", "snippet_search", "recommend", "find_datasets",
		"find_models", "find_collections", "find_all_resources", "citation_walk", "arxiv_search",
	} {
		in, _ := request.Read([]byte(`{"operation":"` + op + `"}`)) // most lack something
		name, example := in.Example()
		again, err := request.Read([]byte(example))
		if err != nil || name != op || again.Operation != op {
			t.Errorf("%s: %s %s %v", op, name, example, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`{"operation":"recommend","positive_ids":"2305.18290, DOI:10.1000/x, CorpusId:5","limit":"5"}`)
	f.Add(`{"operation":"trending","week":"2024-W06"}`)
	f.Add(`{"operation":"find_models","arxiv_id":"../../x"}`)
	f.Fuzz(func(t *testing.T, args string) {
		in, err := request.Read([]byte(args))
		if err != nil {
			return
		}
		if in.Limit < 1 || in.Limit > request.MaxLimit || in.Offset < 0 {
			t.Errorf("%q: limit %d, offset %d", args, in.Limit, in.Offset)
		}
		if strings.Contains(in.Arxiv.Name, "..") || strings.ContainsAny(string(in.Key), " ?#\x00") && !strings.HasPrefix(string(in.Key), "DOI:") {
			t.Errorf("%q: %+v", args, in.Paper)
		}
	})
}

package arxiv_test

import (
	"errors"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/adapter/arxiv"
	"github.com/ml-intern/ml-intern/internal/adapter/lookup/lookuptest"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

func TestParseID(t *testing.T) {
	for text, want := range map[string]string{
		"2402.03300": "2402.03300", " 2402.03300v2 ": "2402.03300v2", "0704.0001": "0704.0001",
		"arXiv:2402.03300v2": "2402.03300v2", "ARXIV: 2402.03300": "2402.03300",
		"https://arxiv.org/abs/2402.03300":             "2402.03300",
		"https://arxiv.org/pdf/2402.03300v2.pdf":       "2402.03300v2",
		"http://www.arxiv.org/html/2402.03300v1/":      "2402.03300v1",
		"arxiv.org/abs/2402.03300?context=cs#top":      "2402.03300",
		"https://export.arxiv.org/abs/2402.03300":      "2402.03300",
		"https://ar5iv.labs.arxiv.org/html/2402.03300": "2402.03300",
		"https://huggingface.co/papers/2402.03300":     "2402.03300",
		"https://huggingface.co/papers/2402.03300.md":  "2402.03300",
		"https://HF.co/papers/2402.03300":              "2402.03300",
		"hep-th/9901001":                               "hep-th/9901001",
		"https://arxiv.org/abs/hep-th/9901001v3":       "hep-th/9901001v3",
		"math.GT/0309136":                              "math.GT/0309136",
		"10.48550/arXiv.2402.03300":                    "2402.03300",
		"https://doi.org/10.48550/arXiv.2402.03300":    "2402.03300",
		"doi:10.48550/ARXIV.2402.03300":                "2402.03300",
		"../../x":                                      "",
		"2402.03300/../../x":                           "",
		"":                                             "",
		"2402.033":                                     "",
		"2402.033000":                                  "",
		"24O2.03300":                                   "",
		"2402.03300v":                                  "",
		"hep-th/990100":                                "",
		"math.gt/0309136":                              "",
		"math.G7/0309136":                              "",
		"/9901001":                                     "",
		"https://evil.test/abs/2402.03300":             "",
		"https://arxiv.org.evil.test/abs/2402.03300":   "",
		"https://arxiv.org/abs/../../x":                "",
		"10.1093/MIND/LIX.236.433":                     "",
		"2402.03300 " + strings.Repeat("x", 500):       "",
	} {
		id, err := arxiv.ParseID(text)
		if (err == nil) != (want != "") || id.String() != want {
			t.Errorf("%q: %q %v, want %q", text, id, err, want)
		}
	}
}

func FuzzParseID(f *testing.F) {
	for _, s := range []string{"2402.03300v2", "https://arxiv.org/pdf/hep-th/9901001.pdf", "arXiv:x", "../../x", "v1", "/", "math.GT/0309136"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := arxiv.ParseID(s)
		if err != nil {
			return
		}
		if again, err := arxiv.ParseID(id.String()); err != nil || again != id {
			t.Errorf("%q → %q → %q %v", s, id, again, err)
		}
		if strings.Contains(id.Name, "..") || strings.ContainsAny(id.String(), " ?#%\\") || strings.Count(id.Name, "/") > 1 {
			t.Errorf("%q → %q", s, id)
		}
	})
}

// asked searches and returns what arXiv was asked.
func asked(t *testing.T, q arxiv.Query) string {
	t.Helper()
	s := lookuptest.New(t)
	body, err := os.ReadFile("testdata/query.xml")
	if err != nil {
		t.Fatal(err)
	}
	s.Answer("/arxiv-api/api/query", 200, string(body))
	if _, err := client(t, s).Search(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	return s.Requests("/arxiv-api")[0].Query.Get("search_query")
}

func client(t *testing.T, s *lookuptest.Server) *arxiv.Client {
	t.Helper()
	c, err := arxiv.New(arxiv.Options{Fetch: s.Client()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestQuestions(t *testing.T) {
	for _, c := range []struct {
		q    arxiv.Query
		want string
	}{
		{arxiv.Query{Text: "direct preference optimization"}, "all:direct AND all:preference AND all:optimization"},
		{arxiv.Query{Text: "scaling of the laws"}, "all:scaling AND all:laws"},
		{arxiv.Query{Text: "the of"}, "all:the AND all:of"},
		{arxiv.Query{Text: `low-rank "reward model"`}, `all:"low-rank" AND all:"reward model"`},
		{arxiv.Query{Text: `ti:dpo AND (cat:cs.CL OR abs:"reward model") ANDNOT au:doe`}, `ti:dpo AND (cat:cs.CL OR abs:"reward model") ANDNOT au:doe`},
		{arxiv.Query{Text: "ti:dpo offline"}, "ti:dpo AND all:offline"},
		{arxiv.Query{Text: "AND dpo OR"}, "all:dpo"},
		{arxiv.Query{Text: "(dpo"}, "all:dpo"},
		{arxiv.Query{Text: "() dpo ( AND )"}, "all:dpo"},
		{arxiv.Query{Text: `what: "unclosed quote`}, "all:what AND all:unclosed AND all:quote"},
		{arxiv.Query{Text: "dpo", Categories: []string{"cs.CL", " cs.LG "}}, "all:dpo AND (cat:cs.CL OR cat:cs.LG)"},
		{arxiv.Query{Text: "dpo rlhf", Categories: []string{"cs.*"}, From: "2023-01-01"}, "(all:dpo AND all:rlhf) AND cat:cs.* AND submittedDate:[202301010000 TO 209912312359]"},
		{arxiv.Query{Text: "dpo", From: "2023-01-01", To: "2024-02-29"}, "all:dpo AND submittedDate:[202301010000 TO 202402292359]"},
		{arxiv.Query{Text: "dpo", To: "2024-02-29"}, "all:dpo AND submittedDate:[199101010000 TO 202402292359]"},
		{arxiv.Query{Text: "submittedDate:[202301010000 TO 202312312359] dpo"}, "submittedDate:[202301010000 TO 202312312359] AND all:dpo"},
	} {
		if got := asked(t, c.q); got != c.want {
			t.Errorf("%+v:\n got %s\nwant %s", c.q, got, c.want)
		}
	}
}

// TestQuestionsAreWellFormed: whatever is asked, brackets close, quotes are
// even and operators stand between terms.
func TestQuestionsAreWellFormed(t *testing.T) {
	s := lookuptest.New(t)
	var got string
	s.Handle("/arxiv-api/api/query", func(w http.ResponseWriter, r *http.Request) {
		got = r.URL.Query().Get("search_query")
		_, _ = w.Write([]byte(`<feed xmlns="http://www.w3.org/2005/Atom"></feed>`))
	})
	c := client(t, s)
	phrase := regexp.MustCompile(`"[^"]*"`)
	rapid.Check(t, func(rt *rapid.T) {
		words := rapid.SliceOfN(rapid.SampledFrom([]string{"AND", "OR", "ANDNOT", "(", ")", "dpo", `"a b"`, `"`, "ti:x", "[", "submittedDate:[1 TO 2]", "-", "low-rank", "é"}), 0, 12).Draw(rt, "words")
		if _, err := c.Search(t.Context(), arxiv.Query{Text: strings.Join(words, " ")}); err != nil {
			rt.Fatal(err)
		}
		fields := strings.Fields(phrase.ReplaceAllString(got, "x"))
		if strings.Count(got, "(") != strings.Count(got, ")") || strings.Count(got, `"`)%2 != 0 || strings.Contains(got, "()") {
			rt.Fatalf("%q → %q", words, got)
		}
		if len(fields) > 0 && (isOperator(fields[0]) || isOperator(fields[len(fields)-1])) {
			rt.Fatalf("%q → %q", words, got)
		}
		for i := 1; i < len(fields); i++ {
			if isOperator(fields[i]) && isOperator(fields[i-1]) {
				rt.Fatalf("%q → %q", words, got)
			}
		}
	})
}

func isOperator(s string) bool { return s == "AND" || s == "OR" || s == "ANDNOT" }

func TestAnswers(t *testing.T) {
	s := lookuptest.New(t)
	body, err := os.ReadFile("testdata/query.xml")
	if err != nil {
		t.Fatal(err)
	}
	s.Answer("/arxiv-api/api/query", 200, string(body))
	found, err := client(t, s).Search(t.Context(), arxiv.Query{Text: "tides", Sort: arxiv.Submitted, Offset: 20, Limit: 5000})
	if err != nil {
		t.Fatal(err)
	}
	q := s.Requests("/arxiv-api")[0].Query
	if q.Get("sortBy") != "submittedDate" || q.Get("sortOrder") != "descending" || q.Get("start") != "20" || q.Get("max_results") != "200" {
		t.Errorf("asked %v", q)
	}
	want := []arxiv.Paper{
		{
			ID: arxiv.ID{Name: "2510.99002", Version: "v3"}, Title: "Harbor Chats: Compact Conversations", Summary: "Small sets of conversations.",
			Authors: []string{"Ines Moreau-Tide", "Ada Quill"}, Published: "2025-10-14", Updated: "2025-11-02", Comment: "9 pages",
			Journal: "J. Tides 3 (2025) 1-9", PrimaryCategory: "cs.CL", Categories: []string{"cs.CL", "cs.LG"},
		},
		{ID: arxiv.ID{Name: "math.GT/0309136", Version: "v1"}, Title: "An old one"},
	}
	if d := cmp.Diff(want, found.Papers); d != "" || found.Total != 17 || found.SHA256 == "" {
		t.Errorf("total %d, -want +got\n%s", found.Total, d)
	}
}

func TestRecordedAnswer(t *testing.T) {
	s := lookuptest.New(t)
	s.File("/arxiv-api/api/query", 200, "arxiv-atom-query.xml")
	found, err := client(t, s).Paper(t.Context(), arxiv.ID{Name: "hep-ex/0307015"})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Requests("/arxiv-api")[0].Query.Get("id_list"); got != "hep-ex/0307015" {
		t.Errorf("asked for %q", got)
	}
	p := found.Papers[0]
	if found.Total != 1000 || p.ID.String() != "hep-ex/0307015v1" || p.Title != "Multi-Electron Production at High Transverse Momenta in ep Collisions at HERA" ||
		p.Journal != "Eur.Phys.J. C31 (2003) 17-29" || p.Comment != "23 pages, 8 figures and 4 tables" || p.PrimaryCategory != "hep-ex" || p.Published != "2003-07-07" {
		t.Errorf("%d %+v", found.Total, p)
	}
}

func TestFailures(t *testing.T) {
	refusal, err := os.ReadFile("testdata/error.xml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		status int
		body   string
		kind   fetch.Kind
		says   string
	}{
		{400, string(refusal), fetch.BadArgument, "incorrect id format for 1"},
		{200, string(refusal), fetch.BadArgument, "incorrect id format for 1"},
		{200, `<feed xmlns="http://www.w3.org/2005/Atom"><entry><title></title></entry></feed>`, fetch.NotFound, "2402.03300"},
		{200, `<html>busy`, fetch.Parse, "no Atom feed"},
		{404, `nothing`, fetch.NotFound, ""},
	} {
		s := lookuptest.New(t)
		s.Handle("/arxiv-api/api/query", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		})
		_, err := client(t, s).Paper(t.Context(), arxiv.ID{Name: "2402.03300"})
		var f *fetch.Error
		if !errors.As(err, &f) || f.Kind != c.kind || !strings.Contains(f.Error(), c.says) {
			t.Errorf("%d %.30s: %v, want %s with %q", c.status, c.body, err, c.kind, c.says)
		}
	}
	if _, err := arxiv.New(arxiv.Options{}); err == nil {
		t.Error("a client without Fetch was made")
	}
}

func FuzzAnswer(f *testing.F) {
	for _, name := range []string{"testdata/query.xml", "testdata/error.xml"} {
		body, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(body))
	}
	f.Add("<feed><entry>")
	f.Fuzz(func(t *testing.T, body string) {
		found, err := arxiv.Read([]byte(body))
		if err != nil {
			return
		}
		for _, p := range found.Papers {
			if p.Title == "" || strings.Contains(p.Title, "\n") || p.ID.Name == "" {
				t.Errorf("%+v", p)
			}
		}
	})
}

package papers_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/adapter/lookup/lookuptest"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/engine/arguments"
	"github.com/ml-intern/ml-intern/internal/tools/papers"
)

// now is the time of the tests.
var now = time.Date(2026, 7, 15, 18, 0, 0, 0, time.UTC)

// stage is the tool in front of stand-ins for all services.
type stage struct {
	*lookuptest.Server
	t     *testing.T
	tool  *papers.Tool
	env   *tooltest.Env
	mu    sync.Mutex
	calls int
}

func newStage(t *testing.T, change ...func(*papers.Options)) *stage {
	t.Helper()
	s := &stage{Server: lookuptest.New(t), t: t, env: &tooltest.Env{}}
	o := papers.Options{
		Fetch: s.Client(), Now: func() time.Time { return now },
	}
	for _, f := range change {
		f(&o)
	}
	var err error
	if s.tool, err = papers.New(o); err != nil {
		t.Fatal(err)
	}
	return s
}

// call runs arguments as the engine does: checked against the schema first.
func (s *stage) call(args string) tool.Result {
	s.t.Helper()
	spec := s.tool.Spec()
	checker, err := arguments.Compile(spec.Parameters, spec.Synonyms)
	if err != nil {
		s.t.Fatal(err)
	}
	good, _, err := checker.Check(args)
	if err != nil {
		return tool.Failed("bad_argument: " + err.Error())
	}
	r, err := s.tool.Run(s.t.Context(), s.env, good)
	if err != nil {
		s.t.Fatalf("%s: %v", args, err)
	}
	if n := utf8.RuneCountInString(r.Output); n > lookup.MaxOutput {
		s.t.Errorf("%s: %d characters", args, n)
	}
	for _, secret := range []string{lookuptest.HubToken, lookuptest.ScholarKey, "\x1b", "<nil>", "%!", "null", "None"} {
		if strings.Contains(r.Output, secret) {
			s.t.Errorf("%s: the text has %q:\n%s", args, secret, r.Output)
		}
	}
	return r
}

// good runs a call that must succeed and say all of want.
func (s *stage) good(args string, want ...string) string {
	s.t.Helper()
	r := s.call(args)
	if !r.OK {
		s.t.Errorf("%s failed: %s", args, r.Output)
	}
	s.says(args, r.Output, want...)
	if len(s.env.Sources()) > 0 && !strings.Contains(r.Output[strings.LastIndex(strings.TrimRight(r.Output, "\n"), "\n")+1:], "(fetched ") {
		s.t.Errorf("%s: the last line does not cite:\n%s", args, r.Output)
	}
	return r.Output
}

// bad runs a call that must fail and say all of want.
func (s *stage) bad(args string, want ...string) string {
	s.t.Helper()
	r := s.call(args)
	if r.OK {
		s.t.Errorf("%s succeeded: %s", args, r.Output)
	}
	s.says(args, r.Output, want...)
	return r.Output
}

func (s *stage) says(args, text string, want ...string) {
	s.t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			s.t.Errorf("%s: %q is missing in:\n%s", args, w, text)
		}
	}
}

// lacks checks that a text says none of some.
func (s *stage) lacks(text string, unwanted ...string) {
	s.t.Helper()
	for _, w := range unwanted {
		if strings.Contains(text, w) {
			s.t.Errorf("%q should not be in:\n%s", w, text)
		}
	}
}

// asked is how often a service was asked for what has a part in its path or
// query.
func (s *stage) asked(prefix, part string) int {
	n := 0
	for _, r := range s.Requests(prefix) {
		if strings.Contains(r.Path+"?"+r.Query.Encode(), part) {
			n++
		}
	}
	return n
}

// own plants an answer of testdata.
func (s *stage) own(route, file string) {
	s.t.Helper()
	s.Answer(route, 200, own(s.t, file))
}

func own(t testing.TB, file string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

const (
	dpo      = "/s2/graph/v1/paper/ARXIV:2305.18290"
	batch    = "POST /s2/graph/v1/paper/batch"
	limited  = `{"message":"Too Many Requests. Please wait and try again or apply for a key","code":"429"}`
	openWork = "/openalex/works/doi:10.48550/arXiv.2305.18290"
)

// refuse plants an answer that says to come back later.
func (s *stage) refuse(route string, seconds int) {
	s.Answer(route, 429, limited, "Retry-After", strconv.Itoa(seconds), "Content-Type", "application/json")
}

// echo plants papers for whatever is asked for in one request.
func (s *stage) echo(ids ...string) {
	s.Handle(batch, func(w http.ResponseWriter, r *http.Request) {
		var body struct{ IDs []string }
		_ = json.NewDecoder(r.Body).Decode(&body)
		list := make([]any, len(body.IDs))
		for i, id := range body.IDs {
			if i < len(ids) {
				list[i] = json.RawMessage(ids[i])
			} else {
				list[i] = map[string]any{"paperId": id, "tldr": map[string]any{"text": "A sentence about it."}}
			}
		}
		_ = json.NewEncoder(w).Encode(list)
	})
}

package table_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/table"
	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
)

func ask(t *testing.T, h http.Handler, method, target string) (int, string, http.Header) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(body), w.Result().Header
}

func TestTheFirstRouteThatFitsAnswers(t *testing.T) {
	fsys := fstest.MapFS{
		"routes.json": {Data: []byte(`[
			{"prefix":"/s2","method":"GET","path":"/graph/v1/paper/search","query":{"fields":"*","query":"dpo"},"status":400,"body_file":"bodies/err.json"},
			{"prefix":"/s2","method":"GET","path":"/graph/v1/paper/search","query":{"token":""},"status":200,"body_file":"bodies/ok.json"},
			{"prefix":"/slack","method":"POST","path":"/chat.postMessage","status":429,"headers":{"Retry-After":"2"},"body_file":"","times":2},
			{"method":"","path":"/raw/*","status":0,"body_file":"bodies/x.txt"}
		]`)},
		"bodies/err.json": {Data: []byte(`{"error":"no"}`)},
		"bodies/ok.json":  {Data: []byte(`[]`)},
		"bodies/x.txt":    {Data: []byte("x")},
	}
	tb, err := table.Read(fsys, "routes.json")
	if err != nil {
		t.Fatal(err)
	}
	h := tb.Before(http.NotFoundHandler())
	for _, c := range []struct {
		method, target string
		status         int
		body           string
	}{
		{"GET", "/s2/graph/v1/paper/search?query=dpo&fields=title&limit=3", 400, `{"error":"no"}`},
		{"GET", "/s2/graph/v1/paper/search?query=dpo", 200, `[]`},
		{"HEAD", "/s2/graph/v1/paper/search?query=dpo", 200, ``},
		{"GET", "/s2/graph/v1/paper/search?query=dpo&token=x", 404, "404 page not found\n"},
		{"POST", "/slack/chat.postMessage", 429, ""},
		{"POST", "/slack/chat.postMessage", 429, ""},
		{"POST", "/slack/chat.postMessage", 404, "404 page not found\n"},
		{"GET", "/raw/a/b", 200, "x"},
		{"POST", "/raw/a/b", 404, "404 page not found\n"},
	} {
		if status, body, _ := ask(t, h, c.method, c.target); status != c.status || body != c.body {
			t.Errorf("%s %s: %d %q", c.method, c.target, status, body)
		}
	}
}

func TestBadListsNameTheRouteAndTheField(t *testing.T) {
	for list, want := range map[string]string{
		`[{"path":"x"}]`:                            "routes.json: route 1: path:",
		`[{"path":"/x","prefix":"s2"}]`:             "prefix:",
		`[{"path":"/x","prefix":"/s2/"}]`:           "prefix:",
		`[{"path":"/x","status":99}]`:               "status:",
		`[{"path":"/x","method":"get"}]`:            "method:",
		`[{"path":"/x","times":-1}]`:                "times:",
		`[{"path":"/x"},{"path":"/x","body":"no"}]`: `unknown field "body"`,
		`[{"path":"/x","body_file":"none.json"}]`:   "route 1: body_file:",
		`{`: "routes.json:",
	} {
		_, err := table.Read(fstest.MapFS{"routes.json": {Data: []byte(list)}}, "routes.json")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", list, err, want)
		}
	}
	if _, err := table.Read(fstest.MapFS{}, "routes.json"); err != nil {
		t.Errorf("a seed without routes: %v", err)
	}
}

func TestRecordedAnswersAreServedInPlace(t *testing.T) {
	tb, err := table.New(os.DirFS(fixturetest.Dir(t, "research")), []table.Route{
		{Prefix: "/arxiv-api", Path: "/api/query", BodyFile: "arxiv-atom-query.xml"},
		{Prefix: "/datasets-server", Path: "/info", Status: 500, Headers: map[string]string{"X-Error-Code": "ResponseNotReady"}, BodyFile: "dv-error-500-not-ready.json", Times: 1},
		{Prefix: "/datasets-server", Path: "/info", BodyFile: "dv-info-squad.json"},
	})
	if err != nil {
		t.Fatal(err)
	}
	h := tb.Before(http.NotFoundHandler())
	if status, body, head := ask(t, h, "GET", "/arxiv-api/api/query?search_query=all:electron"); status != 200 ||
		!strings.Contains(body, "Multi-Electron") || !strings.Contains(head.Get("Content-Type"), "atom+xml") {
		t.Errorf("%d %.80s %v", status, body, head)
	}
	if status, _, head := ask(t, h, "GET", "/datasets-server/info?dataset=rajpurkar/squad"); status != 500 || head.Get("X-Error-Code") != "ResponseNotReady" {
		t.Errorf("%d %v", status, head)
	}
	if status, body, _ := ask(t, h, "GET", "/datasets-server/info?dataset=rajpurkar/squad"); status != 200 || !strings.Contains(body, "answer_start") {
		t.Errorf("%d %.80s", status, body)
	}
}

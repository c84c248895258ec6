package neighbour_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/table"
	"github.com/ml-intern/ml-intern/internal/hubsim/simtest"
)

func decoded(rec *httptest.ResponseRecorder) simtest.Reply {
	r := simtest.Reply{Status: rec.Code, Header: rec.Header(), Raw: rec.Body.Bytes()}
	if json.Unmarshal(r.Raw, &r.Body) != nil {
		r.Body = string(r.Raw)
	}
	return r
}

func TestWebSearchHasTheEnginesForm(t *testing.T) {
	w := acme(t, nil)
	page := string(w.get("", "/web-search?q=small+training+runs").Raw)
	hits := regexp.MustCompile(`<a rel="nofollow" class="result__a" href="([^"]+)">([^<]+)</a>`).FindAllStringSubmatch(page, -1)
	if len(hits) < 3 {
		t.Fatalf("%s", page)
	}
	link, err := url.Parse(strings.ReplaceAll(hits[0][1], "&amp;", "&"))
	if err != nil || link.Host != "duckduckgo.com" || link.Path != "/l/" || link.Query().Get("uddg") != "https://blog.example.org/2025/small-runs" {
		t.Errorf("%v %s", err, hits[0][1])
	}
	for _, want := range []string{`class="result__snippet"`, `class="result results_links results_links_deep web-result"`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s", want)
		}
	}
	for q, want := range map[string]string{"GRPO trainer reward functions": "https://huggingface.co/docs/trl/grpo_trainer", "duplicates benchmarks": "https://arxiv.org/abs/" + duplicates, "acme recipes scripts github": "https://github.com/acme/recipes"} {
		if page := string(w.get("", "/web-search?q="+url.QueryEscape(q)).Raw); !strings.Contains(page, url.QueryEscape(want)) {
			t.Errorf("%s does not find %s", q, want)
		}
	}
	if none := string(w.get("", "/web-search?q=zebra").Raw); strings.Contains(none, "result__a") || !strings.Contains(none, "No results") {
		t.Errorf("%s", none)
	}
	w.Equal(w.get("", "/searxng/search?q=small+runs&format=json").At("results", 0, "url"), "https://blog.example.org/2025/small-runs")
	w.Equal(w.get("", "/brave/res/v1/web/search?q=small+runs&count=1").At("web", "results", 0, "url"), "https://blog.example.org/2025/small-runs")
	tavily := w.Must(http.StatusOK, "", "POST", "/tavily/search", map[string]any{"query": "small runs", "max_results": 1})
	w.Equal(len(tavily.At("results").([]any)), 1)
}

func TestWebPages(t *testing.T) {
	w := acme(t, nil)
	for target, want := range map[string]string{
		"/web/blog.example.org/2025/small-runs": "text/html", "/web/blog.example.org/2025/small-runs.html": "text/html", "/web/docs.example.com/jsonl": "text/markdown",
	} {
		if got := w.get("", target).Header.Get("Content-Type"); !strings.HasPrefix(got, want) {
			t.Errorf("%s is %s", target, got)
		}
	}
	w.Must(http.StatusNotFound, "", "GET", "/web/blog.example.org/none", nil)
	w.Must(http.StatusNotFound, "", "GET", "/web/other.example.org/2025/small-runs", nil)
}

// slack posts to a method as Slack's clients do.
func (w *world) slack(method, token, kind, body string) simtest.Reply {
	w.Helper()
	r := httptest.NewRequest(http.MethodPost, "/slack/"+method, strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	rec := httptest.NewRecorder()
	w.Handler.ServeHTTP(rec, r)
	return decoded(rec)
}

func TestSlackKeepsMessages(t *testing.T) {
	w := acme(t, nil)
	const jsonKind = "application/json; charset=utf-8"
	w.Equal(w.slack("auth.test", "xoxb-1", jsonKind, "").At("ok"), true)
	w.Equal(w.slack("chat.postMessage", "", jsonKind, `{"channel":"C1","text":"x"}`).At("error"), "not_authed")
	sent := w.slack("chat.postMessage", "xoxb-1", jsonKind, `{"channel":"C1","text":"[INFO] done","mrkdwn":true,"unfurl_links":false}`)
	w.Equal([]any{sent.At("ok"), sent.At("channel"), sent.At("message", "text")}, []any{true, "C1", "[INFO] done"})
	w.Equal(w.slack("chat.postMessage", "xoxb-1", "application/x-www-form-urlencoded", "channel=C2&text=hi").At("ok"), true)
	w.Equal(w.slack("chat.postMessage", "xoxb-1", jsonKind, `{"channel":"C1"}`).At("error"), "no_text")
	long := w.slack("chat.postMessage", "xoxb-1", jsonKind, `{"channel":"C1","text":"`+strings.Repeat("x", 40_001)+`"}`)
	w.Equal(long.At("warning"), "message_truncated")
	messages := w.services.Slack().Messages()
	if len(messages) != 3 || messages[0].Body["unfurl_links"] != false || messages[0].Body["token"] != nil || messages[1].Channel != "C2" || messages[0].TS >= messages[1].TS {
		t.Errorf("%+v", messages)
	}
	w.Equal(simtest.Each(w.get("", "/slack/__messages").Body, "channel"), []any{"C1", "C2", "C1"})
	w.Equal(w.slack("chat.delete", "xoxb-1", jsonKind, "").At("error"), "unknown_method")

	w.services.Slack().Limit(1, 2)
	limited := w.slack("chat.postMessage", "xoxb-1", jsonKind, `{"channel":"C1","text":"x"}`)
	w.Equal([]any{limited.Status, limited.Header.Get("Retry-After"), limited.At("error")}, []any{429, "2", "ratelimited"})
	w.Equal(w.slack("chat.postMessage", "xoxb-1", jsonKind, `{"channel":"C1","text":"x"}`).At("ok"), true)
	w.services.Slack().Refuse("not_in_channel")
	w.Equal(w.slack("chat.postMessage", "xoxb-1", jsonKind, `{"channel":"C1","text":"x"}`).At("error"), "not_in_channel")
}

func TestSlackTakesFiles(t *testing.T) {
	w := acme(t, nil)
	const form = "application/x-www-form-urlencoded"
	start := w.slack("files.getUploadURLExternal", "xoxb-1", form, "filename=report.md&length=5")
	u, err := url.Parse(start.Text("upload_url"))
	if err != nil {
		t.Fatal(err)
	}
	w.Must(http.StatusOK, "", "POST", u.Path, "hello")
	done := w.slack("files.completeUploadExternal", "xoxb-1", "application/json", `{"channel_id":"C1","files":[{"id":"`+start.Text("file_id")+`","title":"Report"}]}`)
	w.Equal(done.At("ok"), true)
	files := w.services.Slack().Files()
	if len(files) != 1 || string(files[0].Data) != "hello" || files[0].Channel != "C1" || files[0].Title != "Report" || !files[0].Complete {
		t.Errorf("%+v", files)
	}
	w.Equal(w.slack("files.completeUploadExternal", "xoxb-1", form, `files=[{"id":"F0"}]`).At("error"), "file_not_found")
}

func TestMCP(t *testing.T) {
	w := acme(t, nil)
	rpc := func(token, method string, params any) simtest.Reply {
		return w.Must(http.StatusOK, token, "POST", "/mcp", map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	}
	hello := rpc("", "initialize", map[string]any{"protocolVersion": "2025-03-26", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "t", "version": "1"}})
	w.Equal(hello.At("result", "protocolVersion"), "2025-03-26")
	w.Equal(rpc("", "initialize", map[string]any{"protocolVersion": "1999-01-01"}).At("result", "protocolVersion"), "2025-06-18")
	w.Must(http.StatusAccepted, "", "POST", "/mcp", map[string]any{"jsonrpc": "2.0", "method": "notifications/initialized"})
	w.Equal(simtest.Each(rpc("", "tools/list", nil).At("result", "tools"), "name"), []any{"hf_whoami", "hub_repo_details"})
	who := func(token string) any {
		return rpc(token, "tools/call", map[string]any{"name": "hf_whoami", "arguments": map[string]any{}}).At("result", "content", 0, "text")
	}
	w.Equal(who(""), "You are not logged in.")
	w.Equal(who(simtest.BobWrite), "You are logged in as bob.")
	w.push("bob/secret", true, map[string]string{"train.jsonl": `{"a":1}`})
	details := func(token, id string) simtest.Reply {
		return rpc(token, "tools/call", map[string]any{"name": "hub_repo_details", "arguments": map[string]any{"repo_id": id}})
	}
	if text := details("", "acme/tiny-gpt").Text("result", "content", 0, "text"); !strings.Contains(text, "- model.safetensors (78104 bytes)") {
		t.Errorf("%s", text)
	}
	w.Equal(details("", "bob/secret").At("result", "isError"), true)
	w.Equal(details(simtest.BobWrite, "bob/secret").At("result", "isError"), false)
	w.Equal(rpc("", "tools/call", map[string]any{"name": "none"}).At("error", "code"), -32602.0)
	w.Equal(rpc("", "none", nil).At("error", "code"), -32601.0)
	w.Must(http.StatusBadRequest, "", "POST", "/mcp", "{")
	if head := w.Must(http.StatusUnauthorized, "", "POST", "/mcp?login", "{}").Header.Get("WWW-Authenticate"); !strings.HasPrefix(head, "Bearer resource_metadata=") {
		t.Errorf("%q", head)
	}
	w.get("", "/mcp")
	w.get("", "/mcp/server-card")
}

func TestLeaderboards(t *testing.T) {
	w := acme(t, nil)
	board := w.get("", "/api/datasets/acme/mini-bench/leaderboard")
	covers(t, "leaderboard", board.Body, recorded(t, "research", "hub-dataset-leaderboard.json"), "pullRequest")
	w.Equal(simtest.Each(board.Body, "modelId"), []any{"acme/tiny-gpt", "acme/tiny-base"})
	w.Equal(simtest.Each(board.Body, "value"), []any{34.8, 21.4})
	w.Equal(w.get("", "/api/datasets/acme/mini-bench/leaderboard?task_id=none").Body, []any{})
	w.Must(http.StatusNotFound, simtest.BobWrite, "GET", "/api/datasets/acme/none/leaderboard", nil)
}

func TestWrittenDownAnswersWin(t *testing.T) {
	w := acme(t, nil)
	w.services.Table().Add(table.Route{Method: "GET", Prefix: "/datasets-server", Path: "/splits", Status: 500, Headers: map[string]string{"X-Error-Code": "ResponseNotReady"}, Times: 1})
	w.Must(http.StatusInternalServerError, "", "GET", viewer+"splits?dataset=acme/audit-mini", nil)
	w.get("", viewer+"splits?dataset=acme/audit-mini")
	w.services.Table().Add(table.Route{Method: "GET", Path: "/api/kernels", Status: 200})
	w.get("", "/api/kernels")
}

func TestWhatNobodyServesIsLeftToTheHub(t *testing.T) {
	w := acme(t, nil)
	for _, target := range []string{"/api/none", "/router/v2/x", "/datasets-server/none", "/s2/graph/v1/author/1", "/acme/tiny-gpt/resolve/main/config.json"} {
		if r := w.Must(http.StatusNotFound, "", "GET", target, nil); r.At("error") != "unserved" {
			t.Errorf("%s: %s", target, r.Raw)
		}
	}
}

func TestPapersInCollections(t *testing.T) {
	w := acme(t, nil)
	got, err := w.services.Paper(t.Context(), tidepool)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	_ = json.Unmarshal(raw, &v)
	want, _ := recorded(t, "research", "hub-collections-item.json", 0, "items", 0).(map[string]any)
	covers(t, "item", v, want, "_id", "position", "type")
	if _, err := w.services.Paper(t.Context(), "1"); err == nil {
		t.Error("an unknown paper was found")
	}
}

// TestEqualWorldsAnswerEqually: on a manual clock the same requests in the same
// order have the same bytes as answers.
func TestEqualWorldsAnswerEqually(t *testing.T) {
	a, b := acme(t, nil), acme(t, nil)
	for _, c := range []struct {
		method, target string
		body           any
	}{
		{"GET", "/api/daily_papers", nil},
		{"GET", "/api/papers/2510.99002", nil},
		{"GET", "/api/docs/search?q=trainer", nil},
		{"GET", viewer + "statistics?dataset=acme/audit-mini&config=default&split=train", nil},
		{"GET", "/github/repos/acme/recipes/git/trees/HEAD?recursive=1", nil},
		{"GET", "/.well-known/openapi.json", nil},
		{"GET", "/web-search?q=model", nil},
		{"POST", completions, call("sim/scripted", true, user("hello"))},
		{"GET", "/openalex/works", nil},
		{"GET", "/arxiv-api/api/query?search_query=all:model", nil},
		{"GET", "/router/v1/models", nil},
		{"GET", "/api/datasets/acme/mini-bench/leaderboard", nil},
	} {
		x, y := a.Do(simtest.BobWrite, c.method, c.target, c.body), b.Do(simtest.BobWrite, c.method, c.target, c.body)
		if string(x.Raw) != string(y.Raw) || len(x.Raw) == 0 {
			t.Errorf("%s %s differs", c.method, c.target)
		}
	}
}

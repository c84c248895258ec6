package webpage_test

import (
	"encoding/json"
	"flag"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/webpage"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// dot is a picture of one point.
const dot = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

func written(t testing.TB, d document.Document) string {
	t.Helper()
	var b strings.Builder
	if err := webpage.Write(&b, d, now); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func noted(t testing.TB, p event.Payload) event.Event {
	t.Helper()
	raw, err := event.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	return event.Event{Type: p.Type(), Data: raw}
}

func part(v any) json.RawMessage {
	raw, _ := json.Marshal(v)
	return raw
}

type object = map[string]any

// rich has everything that a page can show.
func rich(t testing.TB) document.Document {
	half := 0.5
	d := document.Document{
		SessionID: "7f0c2a34-1111-4222-8333-444455556666", Title: "Tide tables, and a <small> model", Model: "openai/gpt-5.5", Cwd: "/home/ada/tides", GitBranch: "main",
		StartTime: "2026-03-04T05:00:00Z", AppVersion: "1.2.3", PlanKnown: true,
		Plan: []event.PlanItem{{ID: "1", Content: "look at the data", Status: "completed"}, {ID: "2", Content: "train", Status: "in_progress"}, {ID: "3", Content: "report <b>", Status: "pending"}},
		Messages: []llm.Message{
			{Role: llm.System, Text: "the system prompt stays out"},
			{Role: llm.User, Text: "What does @notes.md say?\n\nFile notes.md: …", Timestamp: "2026-03-04T05:00:01.000Z"},
			{
				Role: llm.Assistant, Text: "I look.", Timestamp: "2026-03-04T05:00:02.000Z",
				ToolCalls: []llm.ToolCall{{ID: "c1", Name: "bash", Arguments: `{"command":"cat tides.csv | head"}`}, {ID: "c2", Name: "read", Arguments: "{bad"}, {ID: "c3", Name: "bash", Arguments: `{}`}},
			},
			{Role: llm.ToolRole, ToolCallID: "c1", Name: "bash", Text: "time,level\n05:00,<1.2>\n"},
			{Role: llm.ToolRole, ToolCallID: "c2", Name: "read", Text: "the arguments are not JSON"},
			{Role: llm.User, Text: "[SYSTEM: go on]", Synthetic: true},
			{Role: llm.Assistant, Text: "# Result\n\nAs [S1] says; see https://b.example/never, [a page](https://a.example/x) and [S9].\n\n" +
				"| model | loss |\n|---|--:|\n| a | **0.1** |\n\n- [x] done\n- ~~gone~~\n\n```python\nprint(\"<hi>\") # [S1]\n```\n\n> quoted\n\n![plot](https://c.example/plot.png)\n"},
			{Role: llm.User, Parts: []json.RawMessage{
				part(object{"type": "text", "text": "And this plot?"}),
				part(object{"type": "image_url", "image_url": object{"url": dot}}),
				part(object{"type": "image_url", "image_url": object{"url": "https://tracker.example/x.png"}}),
			}},
			{Role: llm.Assistant, Text: "It is [S1]."},
			{Role: llm.User, Text: "Thanks."},
			{Role: llm.User, Text: "Bye."},
		},
		Said: []event.Said{{Shown: "What does @notes.md say?"}},
	}
	d.Events = []event.Event{
		noted(t, event.Evidence{ID: "S1", Tool: "web_fetch", Title: "Tides & [waves](javascript:x)", URL: "https://a.example/tides", FetchedAt: now}),
		noted(t, event.ToolOutput{ToolCallID: "c2", Tool: "read", Success: false}),
		noted(t, event.LLMCall{Model: "openai/gpt-5.5", Kind: llm.KindMain, CostUSD: &half}),
		noted(t, event.LLMCall{Model: "openai/gpt-5.5", Kind: llm.KindMain, CostSource: llm.PriceUnknown}),
		noted(t, event.TurnComplete{Unverified: []string{"https://b.example/never", "S9"}}),
	}
	return d
}

func TestPage(t *testing.T) {
	got := written(t, rich(t))
	safe(t, got)
	const golden = "testdata/rich.html"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, out := range []string{"the system prompt stays out", "File notes.md", "tracker.example", "<img alt=\"plot\"", "javascript:x\""} {
		if strings.Contains(got, out) {
			t.Errorf("%q is in the page", out)
		}
	}
}

func TestMoneyIsNeverMadeUp(t *testing.T) {
	two := 2.0
	for want, d := range map[string]document.Document{
		"unknown":                        {},
		"$2.00":                          {CostUSD: &two},
		"$2.00 and more that is unknown": {CostUSD: &two, CostIncomplete: true},
		"less than $0.01":                {Events: []event.Event{noted(t, event.LLMCall{Kind: llm.KindMain, CostUSD: new(float64)}), noted(t, cheap())}},
	} {
		if got := written(t, d); !strings.Contains(got, "<dt>Cost</dt><dd>"+want+"</dd>") {
			t.Errorf("no %q in %s", want, got[strings.Index(got, "<dl>"):strings.Index(got, "</dl>")])
		}
	}
}

func cheap() event.LLMCall {
	usd := 0.001
	return event.LLMCall{Kind: llm.KindMain, CostUSD: &usd}
}

// attacks are texts that try to become more than text.
var attacks = []string{
	`<script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `</title><script>alert(1)</script>`, `"><svg onload=alert(1)>`, `' onmouseover='x`,
	`</style><script>alert(1)</script>`, `--><script>alert(1)</script>`, `]]><script>`, `</textarea><script>`, `<!--`, `</pre></details></section><script>x</script>`,
	"[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "[x](java\nscript:alert(1))", "[x](&#106;avascript:alert(1))", "[x](data:text/html;base64,PHNjcmlwdD4=)",
	"[x](vbscript:x) [y](file:///etc/passwd) [z](//evil.example/x)", "<javascript:alert(1)>", "![x](javascript:alert(1))", "![x](data:image/svg+xml;base64,PHN2Zz4=)",
	"![x](https://evil.example/t.png)", "[![x](https://evil.example/t.png)](https://evil.example)", "[x]: javascript:alert(1)\n\n[x]", "[^1]\n\n[^1]: <script>x</script> [y](javascript:x)",
	"[^1](javascript:x)\n\n[^\"><script>x</script>]: y", "<a href=\"javascript:x\" onclick=x>y</a>", "<iframe src=https://evil.example></iframe>", "<base href=https://evil.example>",
	"<meta http-equiv=refresh content=0;url=https://evil.example>", "<form action=https://evil.example><input></form>", "<style>@import 'https://evil.example'</style>",
	"| a |\n|---|\n| <script>x</script> |", "`<script>`", "```\"><script>\n</code></pre><script>x</script>\n```", "# <img src=x onerror=x>", "\u202egnp.exe\u2066 \x1b]0;x\x07\x1b[31m\x00\ufffe",
	"https://evil.example/\"><script>x</script>", "<https://evil.example/\"onclick=x>", "&#x202e;evil &#27;[31m &#x9b;1m [x](&#x202e;https://a.example)", "{{.}} ${x} <%= x %>", "&lt;script&gt;", "<details open ontoggle=x>", "<https://a@b:99999999999>",
}

// hostile has an attack in every place.
func hostile(t testing.TB, attack string) document.Document {
	quoted := string(part(attack))
	return document.Document{
		SessionID: attack, Title: attack, Model: attack, Cwd: attack, GitBranch: attack, StartTime: attack, AppVersion: attack, Program: attack, PlanKnown: true,
		Plan: []event.PlanItem{{ID: attack, Content: attack, Status: attack}},
		Messages: []llm.Message{
			{Role: llm.User, Text: attack, Timestamp: attack},
			{Role: llm.User, Text: attack, Synthetic: true},
			{Role: llm.Assistant, Text: attack, ToolCalls: []llm.ToolCall{{ID: "c", Name: attack, Arguments: attack}, {ID: attack, Name: "n", Arguments: `{"a":` + quoted + `}`}}},
			{Role: llm.ToolRole, ToolCallID: "c", Name: attack, Text: attack},
			{Role: llm.Assistant, Text: "Cited [S1].\n\n" + attack + "\n\n- " + attack + "\n> " + attack},
			{Role: llm.User, Text: attack},
			{Role: llm.User, Text: attack},
			{Role: llm.User, Parts: []json.RawMessage{
				part(object{"type": "text", "text": attack}), part(object{"type": "image_url", "image_url": object{"url": attack}}), part(object{"type": "image_url", "image_url": object{"url": "data:image/png;base64," + attack}}),
				part(object{"type": "image", "source": object{"media_type": attack, "data": attack}}),
			}},
		},
		Events: []event.Event{
			noted(t, event.Evidence{ID: "S1", Tool: attack, Title: attack, URL: attack, FetchedAt: now}),
			noted(t, event.TurnComplete{Unverified: []string{attack}}),
		},
		Said: []event.Said{{Shown: attack}},
	}
}

func TestHostileTextsStayText(t *testing.T) {
	for _, attack := range attacks {
		safe(t, written(t, hostile(t, attack)))
	}
	safe(t, written(t, hostile(t, strings.Join(attacks, "\n\n"))))
}

// What a page may be made of.
var (
	picture  = regexp.MustCompile(`^data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+$`)
	elements = strings.Fields("html head meta title style body h1 h2 h3 h4 h5 h6 dl dt dd ul ol li nav section details summary p pre code a img div span time " +
		"footer strong em del table thead tbody tr th td blockquote hr br sup input")
	attributes = map[string][]string{
		"html": {"lang"}, "meta": {"charset", "http-equiv", "content", "name"}, "a": {"href", "rel", "class", "role", "id", "title"}, "img": {"alt", "src"},
		"li": {"class", "id", "value"}, "ol": {"start"}, "input": {"checked", "disabled", "type"}, "th": {"align"}, "td": {"align"}, "code": {"class"},
		"section": {"id"}, "div": {"class", "role"}, "ul": {"class"}, "nav": {"aria-label"}, "time": {"datetime"}, "summary": {"class"}, "span": {"class"}, "p": {"class"}, "sup": {"id"},
	}
)

// safe holds a page to what is promised: known elements and attributes only,
// nothing that runs or loads, and links to web pages and mail.
func safe(t testing.TB, page string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	titles, policies := 0, 0
	for n := range root.Descendants() {
		switch n.Type {
		case html.CommentNode:
			t.Errorf("a comment: %q", n.Data)
		case html.TextNode:
			if strings.ContainsAny(n.Data, "\x1b\u202e\u2066\x00") {
				t.Errorf("what steers a reader: %q", n.Data)
			}
		case html.ElementNode:
			if !slices.Contains(elements, n.Data) {
				t.Errorf("element %s", n.Data)
			}
			if n.Data == "title" {
				titles++
			}
			for _, a := range n.Attr {
				policies += check(t, n.Data, a)
			}
		}
	}
	if titles != 1 || policies != 1 || !strings.Contains(page, "default-src &#39;none&#39;") {
		t.Errorf("%d titles, %d policies", titles, policies)
	}
	if t.Failed() {
		t.Fatalf("page:\n%s", page[strings.Index(page, "</style>"):])
	}
}

func check(t testing.TB, element string, a html.Attribute) (policy int) {
	t.Helper()
	if !slices.Contains(attributes[element], a.Key) {
		t.Errorf("attribute %s=%q of %s", a.Key, a.Val, element)
	}
	switch a.Key {
	case "http-equiv":
		if a.Val != "Content-Security-Policy" {
			t.Errorf("http-equiv %q", a.Val)
		}
		return 1
	case "src":
		if !picture.MatchString(a.Val) {
			t.Errorf("src %q", a.Val)
		}
	case "href":
		if u, err := url.Parse(a.Val); err != nil || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "mailto" && !strings.HasPrefix(a.Val, "#") {
			t.Errorf("href %q", a.Val)
		}
	case "type":
		if a.Val != "checkbox" {
			t.Errorf("type %q", a.Val)
		}
	}
	return 0
}

// Deep and long texts cost no more than they are worth.
func TestMonstersTakeLittleTime(t *testing.T) {
	begun := time.Now()
	for _, piece := range []string{
		"> ", "- ", "* a\n  ", "[", "![", "](", "**", "_a", "`", "~~", "<", "[^1]", "|", "\\", "&", "1. ", "#", "    ", "\n", "[x](", "[](", "[a](<", "1[x](\n", "| [x](\n", "    - [x](\n", "<!--", "https://a.",
	} {
		text := strings.Repeat(piece, 100_000/len(piece))
		written(t, document.Document{Messages: []llm.Message{{Role: llm.Assistant, Text: text}}})
		if took := time.Since(begun); took > 60*time.Second {
			t.Fatalf("%q took too long: %v", piece, took)
		}
	}
}

// Long lists of links are rendered all the same.
func TestManyLinksAreNoMonster(t *testing.T) {
	text := strings.Repeat("- [a page](https://a.example/x)\n", 2000)
	if got := written(t, document.Document{Messages: []llm.Message{{Role: llm.Assistant, Text: text}}}); strings.Count(got, `<a href="https://a.example/x"`) != 2000 {
		t.Error("links are missing")
	}
}

func FuzzWrite(f *testing.F) {
	for _, attack := range attacks {
		f.Add(attack)
	}
	f.Fuzz(func(t *testing.T, text string) { safe(t, written(t, hostile(t, text))) })
}

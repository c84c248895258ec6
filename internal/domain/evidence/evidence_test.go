package evidence_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/evidence"
)

func refs(text string) []string {
	var out []string
	for _, r := range evidence.References(text) {
		out = append(out, r.Text)
	}
	return out
}

func TestReferencesAreMarksAddressesAndPapers(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"Nothing here: 3.14, 2048.5 and [1].", nil},
		{"See [S12] and [S3, S4]; [S5][S6] too.", []string{"S12", "S3", "S4", "S5", "S6"}},
		{"a footnote [^S7], a range [S1–S3], never given [S0] [S007]", []string{"S7", "S1", "S3", "S0", "S007"}},
		{"no marks: [S], [s1], [SFT], [S1x], [S1", nil},
		{"https://arxiv.org/abs/2402.03300v2.", []string{"https://arxiv.org/abs/2402.03300v2"}},
		{"(see https://en.wikipedia.org/wiki/Adam_(optimizer)).", []string{"https://en.wikipedia.org/wiki/Adam_(optimizer)"}},
		{"[GRPO](https://example.org/a?b=c#d) and <http://example.org/x>", []string{"https://example.org/a?b=c#d", "http://example.org/x"}},
		{"**https://example.org/bold**, \"https://example.org/q\".", []string{"https://example.org/bold", "https://example.org/q"}},
		{"arxiv.org/abs/2402.03300 and github.com/huggingface/trl", []string{"arxiv.org/abs/2402.03300", "github.com/huggingface/trl"}},
		{"2402.03300, arXiv:2305.18290v3, arXiv 1412.6980 and hep-th/9901001", []string{"2402.03300", "arXiv:2305.18290v3", "arXiv 1412.6980", "hep-th/9901001"}},
		{"not papers: 1412.6980, $2402.03300, 2402.03300%, 12402.03300, 2413.03300, x2402.03300, 2402.033001, a/cs/0112017b", nil},
		{"| `2402.03300` | 41.0 |", []string{"2402.03300"}},
		{"```\ncurl https://example.org/in-a-fence # 2402.03300 [S9]\n```\nhttps://example.org/behind", []string{"https://example.org/behind"}},
		{"~~~~\n[S1]\n~~~\n[S2]\n~~~~\n[S3]", []string{"S3"}},
		{"http://localhost:8000/x http://127.0.0.1/y https://huggingface.co/jobs/acme/66aa", nil},
		{"www.example.org/page, https://", []string{"www.example.org/page"}},
	} {
		if diff := cmp.Diff(c.want, refs(c.text)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.text, diff)
		}
	}
}

func source(id, url string) event.Evidence {
	return event.Evidence{ID: id, URL: url, Tool: "web_fetch"}
}

func TestFormsOfOnePageAreOne(t *testing.T) {
	for _, c := range []struct {
		entry event.Evidence
		same  []string
		other []string
	}{
		{
			source("S1", "https://arxiv.org/abs/2402.03300"),
			[]string{
				"http://www.arxiv.org/pdf/2402.03300v2.pdf", "https://arxiv.org/html/2402.03300v1/", "arXiv:2402.03300", "2402.03300v3",
				"https://huggingface.co/papers/2402.03300.md", "hf.co/papers/2402.03300", "https://ar5iv.labs.arxiv.org/html/2402.03300",
				"https://doi.org/10.48550/arXiv.2402.03300", "https://export.arxiv.org/abs/2402.03300",
			},
			[]string{"2402.03301", "https://arxiv.org/list/cs/2402.03300", "https://evil.test/abs/2402.03300"},
		},
		{
			source("S1", "https://huggingface.co/docs/trl/main/en/sft_trainer.md"),
			[]string{"https://hf.co/docs/trl/sft_trainer#trl.SFTConfig", "http://huggingface.co/docs/trl/v0.9.6/sft_trainer/"},
			[]string{"https://huggingface.co/docs/trl/dpo_trainer", "https://huggingface.co/docs/trl"},
		},
		{
			source("S1", "https://api.github.com/repos/huggingface/trl/contents/trl/scripts/sft.py?ref=main"),
			[]string{
				"https://github.com/huggingface/trl/blob/main/trl/scripts/sft.py", "https://github.com/HuggingFace/trl",
				"https://raw.githubusercontent.com/huggingface/trl/v0.9/trl/scripts/sft.py",
			},
			[]string{"https://github.com/huggingface/trl/blob/main/trl/scripts/dpo.py", "https://github.com/huggingface/peft"},
		},
		{
			source("S1", "https://huggingface.co/acme/model/resolve/main/config.json"),
			[]string{"https://huggingface.co/acme/model", "https://huggingface.co/acme/model/blob/main/config.json"},
			[]string{"https://huggingface.co/acme/other"},
		},
		{
			event.Evidence{ID: "S1", Tool: "hf_inspect_dataset", Object: "acme/chat-sft", URL: "https://datasets-server.huggingface.co/first-rows?dataset=acme%2Fchat-sft"},
			[]string{"https://huggingface.co/datasets/acme/chat-sft"},
			[]string{"https://huggingface.co/acme/chat-sft"},
		},
		{
			event.Evidence{ID: "S1", Tool: "hf_papers", Operation: "paper_details", Object: "2402.03300", URL: "https://api.semanticscholar.org/graph/v1/paper/ARXIV:2402.03300?fields=title"},
			[]string{"https://arxiv.org/abs/2402.03300"},
			[]string{"https://arxiv.org/abs/2402.03301"},
		},
		{ // a search does not stand behind what was searched for
			event.Evidence{ID: "S1", Tool: "web_search", Operation: "search", Object: "2402.03300", URL: "https://html.duckduckgo.com/html/?q=2402.03300"},
			nil,
			[]string{"2402.03300"},
		},
		{
			source("S1", "https://example.org/a?x=1"),
			[]string{"http://www.example.org/a/?x=1#top"},
			[]string{"https://example.org/a?x=2", "https://example.org/a", "https://example.org.evil.test/a?x=1"},
		},
	} {
		entries := []event.Evidence{c.entry}
		for _, ref := range c.same {
			if got := evidence.Unverified(ref, entries); len(got) > 0 || len(refs(ref)) != 1 {
				t.Errorf("%s does not stand behind %q (references %q)", c.entry.URL, ref, refs(ref))
			}
		}
		for _, ref := range c.other {
			if got := evidence.Unverified(ref, entries); len(got) != 1 {
				t.Errorf("%s stands behind %q", c.entry.URL, ref)
			}
		}
	}
}

func TestMarkStandsBehindWhatNothingStandsBehind(t *testing.T) {
	entries := []event.Evidence{source("S1", "https://arxiv.org/abs/2402.03300")}
	for text, want := range map[string]string{
		"GRPO [S1] and https://arxiv.org/pdf/2402.03300.": "GRPO [S1] and https://arxiv.org/pdf/2402.03300.",
		"GRPO [S2].":                               "GRPO [S2] [unverified].",
		"[S1, S9] and [S8, S9]":                    "[S1, S9] [unverified] and [S8, S9] [unverified]",
		"see https://a.example/x, then":            "see https://a.example/x [unverified], then",
		"[x](https://a.example/x) <https://b.io/>": "[x](https://a.example/x) [unverified] <https://b.io/> [unverified]",
		"[S2](https://a.example/x)":                "[S2](https://a.example/x) [unverified]",
		"| `2305.18290` | 1 |":                     "| `2305.18290` [unverified] | 1 |",
		"2305.18290 [unverified], 2305.18290":      "2305.18290 [unverified], 2305.18290 [unverified]",
		"```\nhttps://a.example/x\n```":            "```\nhttps://a.example/x\n```",
	} {
		got := evidence.Mark(text, entries)
		if got != want {
			t.Errorf("%q became\n     %q\nwant %q", text, got, want)
		}
		if again := evidence.Mark(got, entries); again != got {
			t.Errorf("%q changed again: %q", got, again)
		}
	}
}

func TestUnverifiedListsEachOnceAndLeavesOutOwnWork(t *testing.T) {
	text := "[S4], https://a.example/x, again [S4] and https://a.example/x. Trained https://huggingface.co/acme/new/tree/main."
	got := evidence.Unverified(text, nil, "https://huggingface.co/acme/new")
	if diff := cmp.Diff([]string{"S4", "https://a.example/x"}, got); diff != "" {
		t.Error(diff)
	}
	if got := evidence.Unverified("https://huggingface.co/acme/newer", nil, "https://huggingface.co/acme/new"); len(got) != 1 {
		t.Errorf("another repository counts as own: %q", got)
	}
}

func TestLedgerNumbersOnceAndStopsAtItsLimit(t *testing.T) {
	l := evidence.New([]event.Evidence{{ID: "S1"}, {ID: "S7"}, {ID: "forged"}})
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() { l.Add(event.Evidence{URL: "https://a.example"}) })
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, e := range l.Entries() {
		if seen[e.ID] {
			t.Errorf("%s is there twice", e.ID)
		}
		seen[e.ID] = true
	}
	if len(seen) != 102 || !seen["S107"] || seen["S2"] {
		t.Errorf("%d entries, S107 %v, S2 %v", len(seen), seen["S107"], seen["S2"])
	}
	for range evidence.Limit - 102 {
		l.Add(event.Evidence{})
	}
	if e := l.Add(event.Evidence{URL: "https://late.example"}); e.ID != "" || len(l.Entries()) != evidence.Limit {
		t.Errorf("a full ledger took %+v", e)
	}
}

func TestEntriesAreOneLineOfLimitedLength(t *testing.T) {
	e := evidence.New(nil).Add(event.Evidence{Title: "a\n## b\x1b[31m\u202ec" + strings.Repeat("x", 1000), URL: "https://a.example/\nb"})
	if strings.ContainsAny(e.Title+e.URL, "\n\x1b\u202e") || utf8.RuneCountInString(e.Title) > 300 {
		t.Errorf("%q %q", e.Title, e.URL)
	}
}

func TestSourcesBeginWithWhatIsCited(t *testing.T) {
	var entries []event.Evidence
	for i := range 50 {
		entries = append(entries, event.Evidence{ID: fmt.Sprintf("S%d", i+1), URL: fmt.Sprintf("https://a.example/%d", i), Title: "T", Tool: "web_fetch"})
	}
	got := evidence.Sources("as [S40] says", entries, 600)
	if !strings.HasPrefix(got, "## Sources\n\n- [S40] T, https://a.example/39 (web_fetch)\n- [S1] ") {
		t.Errorf("got %s", got)
	}
	if utf8.RuneCountInString(got) > 600 || !strings.Contains(got, "more in the session's evidence") {
		t.Errorf("%d characters: %s", len(got), got)
	}
	if full := evidence.Sources("", entries[:2], 6000); strings.Count(full, "\n- ") != 2 || strings.Contains(full, "more in") {
		t.Errorf("got %s", full)
	}
}

func TestFootnotesAreForExports(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	entries := []event.Evidence{{ID: "S1", URL: "https://a.example", Title: "A", Tool: "web_fetch", FetchedAt: at}}
	got := evidence.Footnotes("One [S1, S2], two [S1].\n", entries)
	want := "One [^S1][^S2] [unverified], two [^S1].\n\n[^S1]: A, https://a.example (web_fetch), fetched 2026-03-04T05:06:07Z\n[^S2]: not in the session's evidence\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := evidence.Footnotes("plain\n", entries); got != "plain\n" {
		t.Errorf("got %q", got)
	}
}

func FuzzMark(f *testing.F) {
	for _, seed := range []string{"[S1] https://a.example/(x) `2402.03300`", "```\n[S2]", "[S1,\x00", "](https://", "[S1, S2](x) <https://b.io>", "`a` ``b`"} {
		f.Add(seed)
	}
	entries := []event.Evidence{source("S1", "https://a.example/x")}
	f.Fuzz(func(t *testing.T, text string) {
		marked := evidence.Mark(text, entries)
		if utf8.ValidString(text) && !utf8.ValidString(marked) {
			t.Errorf("%q became invalid: %q", text, marked)
		}
		if len(evidence.Unverified(text, entries)) > 0 == (marked == text) && !strings.Contains(text, evidence.Remark) {
			t.Errorf("%q is marked as %q", text, marked)
		}
		evidence.Footnotes(text, entries)
	})
}

func TestLongTextsTakeLinearTime(t *testing.T) {
	begun := time.Now()
	for _, piece := range []string{"[S1", "`", "https://", "[S1, ", "(", "2402.", "](", "``` ", "arXiv:"} {
		evidence.Mark(strings.Repeat(piece, 50_000), nil)
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}

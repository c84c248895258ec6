package window_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/window"
)

// The counts were made with the o200k vocabulary.
func TestTextIsCloseToARealVocabulary(t *testing.T) {
	type sample struct {
		actual    int
		low, high float64
	}
	near := func(actual int) sample { return sample{actual, 0.78, 1.20} }
	samples := map[string]sample{
		"chinese.txt": near(153), "german.txt": near(140), "json.txt": near(1701), "korean.txt": near(96),
		"listing.txt": near(892), "lock.txt": near(2412), "prose.txt": near(169), "python.txt": near(369),
		"source.txt": near(776),
		// Encoded noise and rare words are known to come out too low; the
		// correction of a Meter makes up for it within its bounds.
		"base64.txt": {1760, 0.60, 1.20}, "korean-tale.txt": {132, 0.65, 1.20},
	}
	for name, s := range samples {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		ratio := float64(window.Text(string(data))) / float64(s.actual)
		t.Logf("%-16s %.2f", name, ratio)
		if ratio < s.low || ratio > s.high {
			t.Errorf("%s: estimated over actual is %.2f, want %.2f to %.2f", name, ratio, s.low, s.high)
		}
	}
}

func TestTextByRuns(t *testing.T) {
	for text, want := range map[string]int{
		"":                      0,
		"a":                     1,
		"eight888":              2, // a word, and three digits
		"abcdefgh":              1,
		"abcdefghijklm":         2, // five letters beyond eight cost one
		"camelCaseName":         4, // 1 + 2 × 0.6 + 1, rounded up
		"ABCdef":                1, // no change from lower to upper
		"1234567":               3,
		"a b":                   2, // a single blank is free
		"a  b":                  3,
		"a\nb":                  3, // 2.9
		"()":                    2, // 1.3
		"漢字":                    2, // 1.6
		"ひらがな":                  4, // 3.2
		"äöü":                   2, // 1.5
		"👍👍":                    2,
		"\xff\xfe":              2, // broken UTF-8 counts by the byte
		"\u3000":                1,
		strings.Repeat("/", 10): 5, // 4.5
	} {
		if got := window.Text(text); got != want {
			t.Errorf("Text(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestTextNeverShrinksByMuchWhenTextGrows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		whole, parts := window.Text(a+b), window.Text(a)+window.Text(b)
		// Joining can only merge two runs, of which each paid its own start.
		if whole > parts+3 || whole < 0 {
			t.Fatalf("Text(a+b) = %d, Text(a)+Text(b) = %d", whole, parts)
		}
	})
}

func TestMessageAndTool(t *testing.T) {
	call := llm.ToolCall{ID: "call_1", Name: "read", Arguments: `{}`}
	for _, c := range []struct {
		name string
		msg  llm.Message
		want int
	}{
		{"text", llm.Message{Role: llm.User, Text: "a b"}, 4 + 2},
		{"call", llm.Message{Role: llm.Assistant, ToolCalls: []llm.ToolCall{call, call}}, 4 + 2*(12+1+2)},
		{"image", llm.Message{Role: llm.User, Parts: []json.RawMessage{
			json.RawMessage(`{"type":"text","text":"a b"}`),
			json.RawMessage(`{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAAAAAAAAAAAAAAAAAAAAAA"}}`),
		}}, 4 + 2 + 1600},
		{"thinking", llm.Message{Role: llm.Assistant, ThinkingBlocks: []json.RawMessage{
			json.RawMessage(`{"type":"thinking","thinking":"a b","signature":"c29tZXRoaW5nIHZlcnkgbG9uZw"}`),
			json.RawMessage(`{"type":"redacted_thinking","data":"c29tZXRoaW5nIHZlcnkgbG9uZw"}`),
		}}, 4 + 2},
	} {
		if got := window.Message(c.msg); got != c.want {
			t.Errorf("%s: Message = %d, want %d", c.name, got, c.want)
		}
	}
	if got := window.Tool(llm.ToolSpec{Name: "read", Description: "a b", Parameters: json.RawMessage(`{}`)}); got != 20+1+2+2 {
		t.Errorf("Tool = %d, want 25", got)
	}
}

func TestThreshold(t *testing.T) {
	for w, want := range map[int]int{200_000: 180_000, 32_768: 29_491, 1: 0, 10: 9, 11: 9, 1_048_576: 943_718} {
		if got := window.Threshold(w); got != want {
			t.Errorf("Threshold(%d) = %d, want %d", w, got, want)
		}
	}
}

func BenchmarkText(b *testing.B) {
	data, err := os.ReadFile(filepath.Join("testdata", "python.txt"))
	if err != nil {
		b.Fatal(err)
	}
	text := strings.Repeat(string(data), 20)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		window.Text(text)
	}
}

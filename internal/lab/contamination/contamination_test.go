package contamination_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/lab/contamination"
	"github.com/ml-intern/ml-intern/internal/lab/text"
)

func index(t testing.TB, items ...[]string) *contamination.Index {
	t.Helper()
	x := contamination.NewIndex()
	for i, texts := range items {
		if err := x.Add(contamination.Item{Benchmark: "acme/mini-bench", Row: int64(i)}, normal(texts)); err != nil {
			t.Fatal(err)
		}
	}
	return x
}

func normal(texts []string) []string {
	out := make([]string, len(texts))
	for i, s := range texts {
		out[i] = text.Normalise(s)
	}
	return out
}

// found is "row:item" of each match.
func found(x *contamination.Index, rows ...[]string) string {
	c, s := x.Collector(), x.Scanner()
	for _, r := range rows {
		c.Add(s.Scan(normal(r)))
	}
	var out []string
	for _, m := range c.Matches() {
		out = append(out, fmt.Sprintf("%d:%d", m.Document, m.Item.Row))
	}
	return strings.Join(out, " ")
}

const (
	question = "A farmer has seventeen sheep and all but nine of them run away during the storm; how many sheep are left on the farm?"
	other    = "Which of the following gases makes up most of the atmosphere of the planet that is second from the sun?"
	filler   = "the model was trained for three epochs on a small set of rows and then it was compared with the base "
)

func TestLongItems(t *testing.T) {
	x := index(t, []string{question, "nine"}, []string{other, "carbon dioxide"})
	for name, c := range map[string]struct{ row, want string }{
		"alone":         {question, "0:0"},
		"case and dots": {strings.ToUpper(strings.ReplaceAll(question, ";", " --")), "0:0"},
		"in a text":     {filler + question + " " + filler, "0:0"},
		"one changed":   {strings.Replace(question, "storm", "night", 1), "0:0"},
		"thirteen":      {filler + strings.Join(strings.Fields(question)[:13], " ") + " " + filler, "0:0"},
		"twelve":        {filler + strings.Join(strings.Fields(question)[:12], " ") + " " + filler, ""},
		"shuffled":      {"sheep farm nine storm seventeen has farmer a during them the of run all but left", ""},
		"unrelated":     {filler, ""},
		"both":          {question + " " + other, "0:0 0:1"},
		"answer":        {"nine", ""},
	} {
		if got := found(x, []string{c.row}, []string{filler}, []string{filler + "again"}, []string{"something else"}); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestShortItemsMustBeThereExactly(t *testing.T) {
	x := index(t, []string{"7 x 8 =", "56"}, []string{"yes"}, []string{"Capital of France?", "Paris"}, []string{"What is the capital of France?"})
	for row, want := range map[string]string{
		"7 x 8 = | 56":                     "0:0",
		"7 X 8 =|56.|more":                 "0:0",
		"7 x 8 = 56":                       "",
		"56":                               "",
		"yes":                              "",
		"capital of france | paris":        "0:2",
		"capital of france | rome":         "",
		"so what is the capital of france": "0:3",
		"the capital of france":            "",
	} {
		if got := found(x, strings.Split(row, "|")); got != want {
			t.Errorf("%q: %q, want %q", row, got, want)
		}
	}
}

func TestCommonWordsCountLess(t *testing.T) {
	// A phrase of fourteen words that most rows have is no overlap; the rest of
	// the item would be.
	phrase := "please think step by step and then give the final answer in one line"
	x := index(t, []string{phrase + " " + question})
	var rows [][]string
	for i := range 60 {
		rows = append(rows, []string{fmt.Sprintf("%s: task number %d", phrase, i)})
	}
	if got := found(x, rows...); got != "" {
		t.Errorf("a common phrase is taken for an overlap: %s", got)
	}
	rows[7] = []string{question}
	if got := found(x, rows...); got != "7:0" {
		t.Errorf("got %q", got)
	}
	// Copies of an item do not hide it.
	for i := range rows {
		rows[i] = []string{question + " " + phrase}
	}
	if got := found(index(t, []string{question}), rows...); strings.Count(got, ":0") != len(rows) {
		t.Errorf("got %q", got)
	}
}

func TestInstructionsOfABenchmarkAreNoContent(t *testing.T) {
	instruction := "Read the text and choose the best of the four answers given below it:"
	var items [][]string
	for i := range 100 {
		items = append(items, []string{fmt.Sprintf("%s item %d tells of a w%dx and of its v%dy in u%dz", instruction, i, i, i, i)})
	}
	x := index(t, items...)
	if got := found(x, []string{instruction + " nothing of it"}, items[42]); got != "1:42" {
		t.Errorf("got %q", got)
	}
}

func TestTextWithoutBlanks(t *testing.T) {
	x := index(t, []string{"以下哪种气体占据金星大气的大部分，为什么？"})
	if got := found(x, []string{"问题：以下哪种气体占据金星大气的大部分，为什么？请回答。"}, []string{"今天的天气很好。"}); got != "0:0" {
		t.Errorf("got %q", got)
	}
}

func TestOrderOfRowsDoesNotMatter(t *testing.T) {
	x := index(t, []string{question}, []string{other}, []string{"two words"})
	rows := [][]string{{question}, {filler}, {other + " " + filler}, {"two words"}, {"x"}, {question + other}}
	rapid.Check(t, func(t *rapid.T) {
		order := rapid.Permutation([]int{0, 1, 2, 3, 4, 5}).Draw(t, "order")
		c, s := x.Collector(), x.Scanner()
		for _, i := range order {
			c.Add(s.Scan(normal(rows[i])))
		}
		got := map[string]bool{}
		for _, m := range c.Matches() {
			got[fmt.Sprint(order[m.Document], m.Item.Row, m.Share, m.Words)] = true
		}
		if len(got) != 5 {
			t.Fatalf("%v", got)
		}
	})
}

func FuzzScan(f *testing.F) {
	f.Add(question, question)
	f.Add("two words", "two words")
	f.Add("a a a a a a a a a", "a a a a a a")
	f.Fuzz(func(t *testing.T, item, row string) {
		x := index(t, []string{item})
		c, s := x.Collector(), x.Scanner()
		c.Add(s.Scan(normal([]string{row, item})))
		for _, m := range c.Matches() {
			if m.Share < 0 || m.Share > 1.0001 {
				t.Fatalf("%+v", m)
			}
		}
		// An item is found in itself when it says enough.
		bare := 0
		for _, w := range text.Words(text.Normalise(item)) {
			if text.Bare(w) != "" {
				bare++
			}
		}
		if bare >= 2 && len(c.Matches()) == 0 {
			t.Fatalf("%q is not found in itself", item)
		}
	})
}

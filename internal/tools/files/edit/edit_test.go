package edit_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/tools/files/edit"
)

func TestApply(t *testing.T) {
	const zeroWidth = "\u200B"
	for _, c := range []struct {
		name   string
		file   string
		req    edit.Request
		want   string
		method edit.Method
	}{
		{name: "exact", file: "a\nb\nc\n", req: edit.Request{Old: "b", New: "x"}, want: "a\nx\nc\n"},
		{name: "inside a line", file: "foo(bar, baz)", req: edit.Request{Old: "bar", New: "qux"}, want: "foo(qux, baz)"},
		{name: "delete a line", file: "a\nb\nc\n", req: edit.Request{Old: "b\n", New: ""}, want: "a\nc\n"},
		{name: "all", file: "a a a", req: edit.Request{Old: "a", New: "aa", All: true}, want: "aa aa aa"},
		{name: "append", file: "a\nb\n", req: edit.Request{Old: "a\n", New: "x\n", Mode: edit.AppendAfter}, want: "a\nx\nb\n"},
		{name: "prepend", file: "a\nb\n", req: edit.Request{Old: "b", New: "x\n", Mode: edit.PrependBefore}, want: "a\nx\nb\n"},
		{name: "append everywhere", file: "a\nb\na\n", req: edit.Request{Old: "a\n", New: "x\n", Mode: edit.AppendAfter, All: true}, want: "a\nx\nb\na\nx\n"},
		{name: "fill an empty file", file: "", req: edit.Request{Old: "", New: "x\n"}, want: "x\n"},
		{name: "fill a file that is only a mark", file: "\uFEFF", req: edit.Request{Old: "", New: "x\n"}, want: "\uFEFFx\n"},

		{name: "CRLF stays", file: "a\r\nb\r\nc\r\n", req: edit.Request{Old: "a\nb", New: "x\ny\nz"}, want: "x\r\ny\r\nz\r\nc\r\n"},
		{name: "CRLF in the request", file: "a\nb\nc\n", req: edit.Request{Old: "a\r\nb", New: "x\r\ny"}, want: "x\ny\nc\n"},
		{name: "mixed ends, LF place", file: "a\r\nb\r\nc\nd\n", req: edit.Request{Old: "c\nd", New: "c\ne"}, want: "a\r\nb\r\nc\ne\n"},
		{name: "mixed ends across", file: "a\r\nb\nc\r\n", req: edit.Request{Old: "a\nb\nc", New: "x"}, want: "x\r\n"},
		{name: "new line in a CRLF line", file: "a\r\nbc\r\n", req: edit.Request{Old: "bc", New: "b\nc"}, want: "a\r\nb\r\nc\r\n"},
		{name: "line end itself", file: "a\r\nb", req: edit.Request{Old: "a\nb", New: "ab"}, want: "ab"},
		{name: "lone carriage return", file: "a\rb\n", req: edit.Request{Old: "a\rb", New: "c"}, want: "c\n"},
		{name: "byte order mark stays", file: "\uFEFFa\r\nb\r\n", req: edit.Request{Old: "a\n", New: "x\n"}, want: "\uFEFFx\r\nb\r\n"},

		{
			// acceptance check 11
			name: "curly quotes inside a line", file: "value = compute(“x”) + other\n",
			req:  edit.Request{Old: `compute("x")`, New: `compute("y")`},
			want: "value = compute(\"y\") + other\n", method: edit.Unicode,
		},
		{
			// acceptance check 13
			name: "zero width characters before it", file: strings.Repeat(zeroWidth, 10) + "head\ntwo\nthree\nprint(“hi”)\nfive\n",
			req:  edit.Request{Old: `print("hi")`, New: `print("ho")`},
			want: strings.Repeat(zeroWidth, 10) + "head\ntwo\nthree\nprint(\"ho\")\nfive\n", method: edit.Unicode,
		},
		{
			name: "zero width characters around a match stay", file: "x" + zeroWidth + "a–b" + zeroWidth + "y",
			req: edit.Request{Old: "a-b", New: "c"}, want: "x" + zeroWidth + "c" + zeroWidth + "y", method: edit.Unicode,
		},
		{
			name: "zero width characters in a match go", file: "fo" + zeroWidth + "o\r\nbar\r\n",
			req: edit.Request{Old: "foo\nb", New: "B"}, want: "Bar\r\n", method: edit.Unicode,
		},
		{
			name: "curly quotes in the request", file: "say(\"hi\")\n",
			req: edit.Request{Old: "say(“hi”)", New: "say(1)"}, want: "say(1)\n", method: edit.Unicode,
		},

		{
			// acceptance check 10
			name: "trailing blanks, next line survives", file: "if a:\n        x = 1   \n        y = 2\n        z = 3\n",
			req:  edit.Request{Old: "        x = 1\n        y = 2\n", New: "        q\n"},
			want: "if a:\n        q\n        z = 3\n", method: edit.TrailingBlanks,
		},
		{
			name: "trailing blanks without a final line end", file: "a  \nb\t\nc\n",
			req: edit.Request{Old: "a\nb", New: "x"}, want: "x\nc\n", method: edit.TrailingBlanks,
		},
		{
			name: "the last line has no end", file: "a\nb  ", req: edit.Request{Old: "b\n", New: "c\n"},
			want: "a\nc", method: edit.TrailingBlanks,
		},
		{
			name: "append behind a last line without end", file: "a\nb", req: edit.Request{Old: "b\n", New: "c\n", Mode: edit.AppendAfter},
			want: "a\nb\nc", method: edit.TrailingBlanks,
		},
		{
			// acceptance check 12, first half
			name: "indentation is carried over", file: "def f():\n    a = 1\n    b = 2\n    return\n",
			req:  edit.Request{Old: "a = 1\nb = 2", New: "a = 2\nif a:\n    b = 3\n\nc = 4"},
			want: "def f():\n    a = 2\n    if a:\n        b = 3\n\n    c = 4\n    return\n", method: edit.Blanks,
		},
		{
			name: "less indentation in the file", file: "a = 1\nb = 2\n",
			req: edit.Request{Old: "    a = 1\n    b = 2\n", New: "    a = 2\n"}, want: "a = 2\n", method: edit.Blanks,
		},
		{
			name: "tabs", file: "\tif x {\n\t\ty()\n\t}\n",
			req: edit.Request{Old: "if x {\n\ty()\n}", New: "if z {\n\ty()\n}"}, want: "\tif z {\n\t\ty()\n\t}\n", method: edit.Blanks,
		},
		{
			name: "inserted text is indented", file: "  a\n  b \n",
			req: edit.Request{Old: "a\nb\n", New: "c\n", Mode: edit.AppendAfter}, want: "  a\n  b \n  c\n", method: edit.Blanks,
		},
		{
			name: "blanks and typographic characters", file: "  say(“a”)\n  say(‘b’)\r\n",
			req:  edit.Request{Old: "say(\"a\")\nsay('b')\n", New: "say(1)\n"},
			want: "  say(1)\n", method: edit.BlanksUnicode,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.req.Mode == "" {
				c.req.Mode = edit.Replace
			}
			got, err := edit.Apply([]byte(c.file), c.req)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got.Content)); diff != "" {
				t.Errorf("content (-want +got):\n%s", diff)
			}
			if got.Method != c.method {
				t.Errorf("method %d %s, want %d", got.Method, got.Method.Note(), c.method)
			}
		})
	}
}

func TestApplyRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		file string
		req  edit.Request
		want string // part of the error
	}{
		{"same", "a", edit.Request{Old: "a", New: "a"}, "must differ"},
		{"same when inserting", "a", edit.Request{Old: "a", New: "a", Mode: edit.AppendAfter}, "must differ"},
		{"line ends only", "a\r\n", edit.Request{Old: "a\r\n", New: "a\n"}, "line ends"},
		{"unknown mode", "a", edit.Request{Old: "a", New: "b", Mode: "upsert"}, `"upsert"`},
		// An empty old text once went between all characters.
		{"empty old, all", "abc", edit.Request{Old: "", New: "-", All: true}, "must not be empty"},
		{"empty old", "abc", edit.Request{Old: "", New: "-"}, "must not be empty"},
		{"empty old, append to empty", "", edit.Request{Old: "", New: "-", Mode: edit.AppendAfter}, "must not be empty"},
		{"two exact places", "a\nb\na\n", edit.Request{Old: "a", New: "x"}, "2 places: line 1, line 3"},
		{"insert at two places", "a\nb\na\n", edit.Request{Old: "a", New: "x", Mode: edit.AppendAfter}, "2 places"},
		{"overlapping places", "aaa", edit.Request{Old: "aa", New: "x"}, "2 places"},
		// Two places equal after trimming were once taken for one.
		{"two trimmed places", "x  \ny\n\nx\t\ny \n", edit.Request{Old: "x\ny\n", New: "q\n"}, "2 places: lines 1-2, lines 4-5"},
		// acceptance check 12, second half
		{"two indented places", "  a = 1\n  b = 2\nc\n    a = 1\n    b = 2\n", edit.Request{Old: "a = 1\nb = 2", New: "q"}, "2 places: lines 1-2, lines 4-5"},
		{"two curly places", "f(“x”)\nf(‘x’)\nf(“x”)\n", edit.Request{Old: `f("x")`, New: "g"}, "2 places: line 1, line 3"},
		// A first line without its indentation once took the line behind the match with it.
		{
			"indentation differs from line to line", "if a:\n        x = 1   \n        y = 2\n        z = 3\n",
			edit.Request{Old: "x = 1\n        y = 2\n", New: "q\n"},
			"lines 2-3 would match, but the indentation differs",
		},
		{"new text cannot lose the indentation", "a\nb\n", edit.Request{Old: "  a\n  b\n", New: "c\n"}, "indentation"},
		{"not there", "alpha\nbeta\n", edit.Request{Old: "zz9!", New: "x"}, "not found; nothing in the file resembles it"},
		{"blank lines only", "a\n  \nb\n", edit.Request{Old: "\t\n", New: "x"}, "not found"},
		{"similar", "one\nlearning_rate = 2e-5\nthree\n", edit.Request{Old: "learning_rate = 3e-5", New: "x"}, "most similar: line 2\n     2\tlearning_rate = 2e-5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.req.Mode == "" {
				c.req.Mode = edit.Replace
			}
			_, err := edit.Apply([]byte(c.file), c.req)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestNotFoundNamesAtMostThreePlaces(t *testing.T) {
	var b strings.Builder
	for i := range 50 {
		fmt.Fprintf(&b, "x%d\ntrainer = Trainer(model, args%d)\n", i, i)
	}
	_, err := edit.Apply([]byte(b.String()), edit.Request{Old: "trainer = Trainer(model, argz)\n", New: "x", Mode: edit.Replace})
	var nf *edit.NotFound
	if !errors.As(err, &nf) || len(nf.Near) != 3 {
		t.Fatalf("error %v, want three similar places", err)
	}
}

// lf is the text as both sides see it: without carriage returns before \n.
func lf(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

// verify checks that only what the changes name is different.
func verify(t interface{ Fatalf(string, ...any) }, file []byte, r edit.Request, got edit.Result) {
	at, out := 0, []byte{}
	for _, c := range got.Changes {
		if c.Start < at || c.End < c.Start || c.End > len(file) {
			t.Fatalf("change %+v of %d bytes after %d", c, len(file), at)
		}
		out = append(append(out, file[at:c.Start]...), c.New...)
		at = c.End
		if got.Method == edit.Exact && r.Mode == edit.Replace && r.Old != "" {
			old := r.Old
			if bytes.HasPrefix(file, []byte("\uFEFF")) {
				old = strings.TrimPrefix(old, "\uFEFF")
			}
			if piece := string(file[c.Start:c.End]); lf(piece) != lf(old) && piece != old {
				t.Fatalf("replaced %q for %q", piece, r.Old)
			}
		}
	}
	if out = append(out, file[at:]...); !bytes.Equal(out, got.Content) {
		t.Fatalf("content differs from its changes:\n%q\n%q", got.Content, out)
	}
	if len(got.Changes) == 0 || !r.All && len(got.Changes) != 1 {
		t.Fatalf("%d changes", len(got.Changes))
	}
}

func FuzzApply(f *testing.F) {
	f.Add("if a:\n        x = 1   \n        y = 2\n", "        x = 1\n        y = 2\n", "q\n", uint8(0), false)
	f.Add("value = compute(“x”) + other", `compute("x")`, "y", uint8(1), true)
	f.Add("\u200B\uFEFFa\r\nb\r", "a\nb", "\r\n", uint8(2), false)
	f.Add("\uFEFF\uFEFF", "\uFEFF", "x", uint8(0), false)
	f.Add("0\uFEFF", "\uFEFF", "0", uint8(0), false)
	f.Add("  a\n\tb\n\n  a\n\tb", "a\nb\n", "c\n\n", uint8(0), true)
	f.Fuzz(func(t *testing.T, file, old, new string, mode uint8, all bool) {
		modes := []edit.Mode{edit.Replace, edit.AppendAfter, edit.PrependBefore}
		r := edit.Request{Old: old, New: new, Mode: modes[int(mode)%len(modes)], All: all}
		got, err := edit.Apply([]byte(file), r)
		if err != nil {
			_ = err.Error()
			return
		}
		verify(t, []byte(file), r, got)
	})
}

// FuzzUniqueText takes a piece of the file itself: when it stands there once,
// the replacement must succeed, exactly there.
func FuzzUniqueText(f *testing.F) {
	f.Add("a\r\nb\nc “d”\n", uint(1), uint(4), "new\n")
	f.Add("\uFEFFabc", uint(0), uint(5), "")
	f.Fuzz(func(t *testing.T, file string, from, length uint, new string) {
		body := strings.TrimPrefix(file, "\uFEFF")
		if len(body) == 0 {
			return
		}
		start := int(from % uint(len(body)))
		old := body[start : start+int(length%uint(len(body)-start))]
		flat, want := lf(body), lf(old)
		if old == "" || lf(new) == want || strings.HasPrefix(old, "\uFEFF") {
			return
		}
		// A piece may begin or end between \r and \n; it is unique when both views say so.
		i, raw := strings.Index(flat, want), strings.Index(body, old)
		if i >= 0 && strings.Contains(flat[i+1:], want) || strings.Contains(body[raw+1:], old) {
			return
		}
		r := edit.Request{Old: old, New: new, Mode: edit.Replace}
		got, err := edit.Apply([]byte(file), r)
		if err != nil {
			t.Fatalf("unique text %q refused in %q: %v", old, file, err)
		}
		if got.Method != edit.Exact {
			t.Fatalf("unique text %q matched by method %d", old, got.Method)
		}
		verify(t, []byte(file), r, got)
	})
}

// Typographic characters sprinkled over a unique text never make an edit touch
// anything but that text.
func TestUnicodeStepTouchesOnlyTheText(t *testing.T) {
	disguise := map[rune][]string{'-': {"–", "—", "−"}, '\'': {"‘", "’"}, '"': {"“", "”"}, ' ': {"\u00A0", "\u2002"}}
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-z]{0,5}[\-'" ]{0,2}[a-z]{0,4}\n?`)
		before := strings.Join(rapid.SliceOfN(word, 0, 8).Draw(t, "before"), "")
		after := strings.Join(rapid.SliceOfN(word, 0, 8).Draw(t, "after"), "")
		target := "Q" + rapid.StringMatching(`[a-z]{1,3}[\-'" ][a-z]{1,3}`).Draw(t, "target") + "Q"
		hide := func(s string, always bool) string {
			var b strings.Builder
			for _, r := range s {
				if to := disguise[r]; len(to) > 0 && (always || rapid.Bool().Draw(t, "hide")) {
					b.WriteString(rapid.SampledFrom(to).Draw(t, "as"))
				} else {
					b.WriteRune(r)
				}
				if rapid.IntRange(0, 9).Draw(t, "zero") == 0 {
					b.WriteString("\u200B")
				}
			}
			return strings.TrimRight(b.String(), "\u200B")
		}
		head, tail := hide(before, false), hide(after, false)
		got, err := edit.Apply([]byte(head+hide(target, true)+tail), edit.Request{Old: target, New: "NEW", Mode: edit.Replace})
		if err != nil {
			t.Fatal(err)
		}
		if want := head + "NEW" + tail; string(got.Content) != want {
			t.Fatalf("got %q, want %q", got.Content, want)
		}
	})
}

// big is a text of about 5 MB in lines that resemble code.
func big(eol string) []byte {
	var b bytes.Buffer
	r := rand.New(rand.NewPCG(1, 2))
	for i := 0; b.Len() < 5<<20; i++ {
		fmt.Fprintf(&b, "    value_%d = compute(%d, \"x\")%s", i, r.IntN(1000), eol)
	}
	return b.Bytes()
}

func TestLargeFileIsFast(t *testing.T) {
	file := big("\r\n")
	for _, old := range []string{"value_70000 =", "value_70000 = \nnot there", "value_70000 = compute(“nope”)"} {
		begun := time.Now()
		_, _ = edit.Apply(file, edit.Request{Old: old, New: "x", Mode: edit.Replace})
		// A generous bound that quadratic work misses by far, even under the race detector.
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%q took %v", old, took)
		}
	}
}

func BenchmarkApply(b *testing.B) {
	for _, c := range []struct{ name, eol, old string }{
		{"exact LF", "\n", "value_70000 ="},
		{"exact CRLF", "\r\n", "value_70000 ="},
		{"blanks", "\n", "value_70000 = compute("},
		{"not found", "\n", "value_zz = computes(1"},
	} {
		file := big(c.eol)
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				_, _ = edit.Apply(file, edit.Request{Old: c.old, New: "x", Mode: edit.Replace})
			}
		})
	}
}

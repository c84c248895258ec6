package highlight_test

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/highlight"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

var dark = theme.New(theme.Options{Color: theme.True, Dark: true})

// marked writes the spans of code with a letter for each role.
func marked(lang, code string) string {
	letters := map[theme.Style]string{}
	for role, letter := range map[theme.Role]string{
		theme.Keyword: "k", theme.String: "s", theme.Number: "n", theme.Comment: "c", theme.Function: "f", theme.Code: "o",
		theme.Added: "+", theme.Removed: "-", theme.Strong: "b", theme.Dim: "d", theme.Heading: "h", theme.Accent: "a",
	} {
		letters[theme.In(role)] = letter
	}
	h := highlight.New(lang, dark)
	var b strings.Builder
	for i, line := range strings.Split(code, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		for _, s := range h.Spans(line) {
			if letter := letters[s.Style]; letter != "" {
				b.WriteString("‹" + letter + s.Text + "›")
			} else {
				b.WriteString(s.Text)
			}
		}
	}
	return b.String()
}

func TestLanguages(t *testing.T) {
	for _, c := range []struct{ lang, code, want string }{
		{"python", "@torch.no_grad()\ndef f(x: int = 1e-5): # hi", "‹f@torch.no_grad›()\n‹kdef› ‹ff›(x: int = ‹n1e-5›): ‹c# hi›"},
		{"py", "re.match(x, a.None)", "re.‹fmatch›(x, a.None)"},
		{"py", "s = f\"a\\\"{b}\" + rb'c' if not None else foo(x1)", "s = ‹sf\"a\\\"{b}\"› + ‹srb'c'› ‹kif› ‹knot› ‹nNone› ‹kelse› ‹ffoo›(x1)"},
		{"{.python .numberLines}", "\"\"\"a\nif b\n\"\"\" if", "‹s\"\"\"a›\n‹sif b›\n‹s\"\"\"› ‹kif›"},
		{"train.py", "'open\nif", "‹s'open›\n‹kif›"},
		{"bash", "export A=$HOME/x # c\necho a#b ${X:-1} \"$Y\n z\" $1", "‹kexport› A=‹n$HOME›/x ‹c# c›\necho a#b ‹n${X:-1}› ‹s\"$Y›\n‹s z\"› ‹n$1›"},
		{"sh", "cat > f <<'EOF'\nit's\nEOF\nif true", "cat > f <<‹s'EOF'›\n‹sit's›\n‹sEOF›\n‹kif› ‹ntrue›"},
		{"sh", "cat <<-X.y\nX\neval.json eval", "cat <<-X.y\n‹sX›\neval.json ‹keval›"},
		{"sh", "x <<< \"$a\"\nfi", "x <<< ‹s\"$a\"›\n‹kfi›"},
		{"console", "$ for i in a\ndon't for", "‹a$ ›‹kfor› i ‹kin› a\ndon't for"},
		{"json", `{"a": "b", "c": [1, -2.5e+3, null]}`, `{‹f"a"›: ‹s"b"›, ‹f"c"›: [‹n1›, -‹n2.5e+3›, ‹nnull›]}`},
		{"yaml", "a: 1 # x\n- b-c: \"d: e\"\n  url: http://x:1\n- {a: 'b'}", "‹fa›: ‹n1› ‹c# x›\n- ‹fb-c›: ‹s\"d: e\"›\n  ‹furl›: http://x:‹n1›\n- {a: ‹s'b'›}"},
		{"toml", "[a.b]\nx = true\ny = '''\n[z]\n'''", "‹k[a.b]›\n‹fx› = ‹ntrue›\n‹fy› = ‹s'''›\n‹s[z]›\n‹s'''›"},
		{"ini", "; c\n[s]\nk = 1", "‹c; c›\n‹k[s]›\n‹fk› = ‹n1›"},
		{"go", "func (a *B) f() { return `x\ny` /* c\nd */ + g('\"') }", "‹kfunc› (a *B) ‹ff›() { ‹kreturn› ‹s`x›\n‹sy`› ‹c/* c›\n‹cd */› + ‹fg›(‹s'\"'›) }"},
		{"rust", "fn f<'a>(x: &'a str) { '\\'' /* a /* b */ c */ r#\"x\"#; }", "‹kfn› ‹ff›<'a>(x: &'a ‹kstr›) { ‹s'\\''› ‹c/* a /* b */ c */› ‹sr#\"x\"#›; }"},
		{"cpp", "#include <a>\nint main() { return 0x1F; } // e", "‹k#include› <a>\n‹kint› ‹fmain›() { ‹kreturn› ‹n0x1F›; } ‹c// e›"},
		{"java", "class A { String s = \"x\"; }", "‹kclass› ‹fA› { String s = ‹s\"x\"›; }"},
		{"ts", "const $a = `b\n${c}` as Foo", "‹kconst› $a = ‹s`b›\n‹s${c}`› ‹kas› Foo"},
		{"sql", "SELECT count(*) FROM t WHERE a='it''s' -- c", "‹kSELECT› ‹fcount›(*) ‹kFROM› t ‹kWHERE› a=‹s'it''s'› ‹c-- c›"},
		{"html", "<a href=\"x\" b>t &amp;</a> <!-- c\nd --> <br/>", "‹k<a› ‹fhref›=‹s\"x\"› ‹fb›‹k>›t ‹n&amp;›‹k</a>› ‹c<!-- c›\n‹cd -->› ‹k<br/>›"},
		{"css", "a { color: red; /* c */ }\n  margin-top: 10px;", "a { color: red; ‹c/* c */› }\n  ‹fmargin-top›: ‹n10px›;"},
		{"markdown", "# T\n- a `b` **c**\n```\n# x\n```", "‹h# T›\n‹k-› a ‹o`b`› ‹b**c**›\n‹c```›\n‹o# x›\n‹c```›"},
		{"diff", "--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n z", "‹b--- a›\n‹b+++ b›\n‹f@@ -1 +1 @@›\n‹-x›\n‹+y›\n z"},
		{"Dockerfile", "FROM a:1 AS b\nRUN pip install \"x\" # c", "‹kFROM› a:‹n1› ‹kAS› b\n‹kRUN› pip install ‹s\"x\"› ‹c# c›"},
		{"makefile", "all: a b\n\tcc $(X) # c\nX ?= 1", "‹fall›: a b\n\tcc ‹n$›(X) ‹c# c›\n‹fX› ?= ‹n1›"},
		{"r", "f <- function(x) x$a.b # c", "f <- ‹kfunction›(x) x$a.b ‹c# c›"},
		{"julia", "#= a #= b =# =# function f(A) A' * 'c' end", "‹c#= a #= b =# =#› ‹kfunction› ‹ff›(A) A' * ‹s'c'› ‹kend›"},
		{"", "if x", "‹oif x›"},
		{"brainfuck", "if \"x\"\n", "‹oif \"x\"›\n"},
	} {
		got := strings.ReplaceAll(marked(c.lang, c.code), "‹--- a›", "‹b--- a›")
		want := strings.NewReplacer("‹-x›", "‹--x›", "‹+y›", "‹++y›").Replace(c.want)
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", c.lang, got, want)
		}
	}
}

var names = []string{
	"python", "bash", "console", "json", "yaml", "toml", "ini", "go", "rust", "cpp", "java", "ts", "sql", "html", "css",
	"markdown", "diff", "dockerfile", "makefile", "r", "julia", "",
}

// The text stays what it is, whatever it is and wherever it is cut into lines.
func unchanged(t interface{ Fatalf(string, ...any) }, lang, code string) {
	h := highlight.New(lang, dark)
	for line := range strings.SplitSeq(plain.String(code), "\n") {
		before := h.Clone()
		painted := h.Line(line)
		if got := ansi.Strip(painted); got != line {
			t.Fatalf("%s: %q became %q", lang, line, got)
		}
		if again := before.Line(line); again != painted {
			t.Fatalf("%s: a clone paints %q as %q", lang, painted, again)
		}
	}
}

func TestTextStays(t *testing.T) {
	pieces := []string{
		"a", "if ", "def f(", "\"", "'", "\"\"\"", "'''", "`", "#", "//", "/*", "*/", "<!--", "-->", "<a ", "/>", "<<EOF", "EOF", "\n", "\n", " ",
		"1e-", "0x", "$", "${", "}", "\\", "r#\"", "\"#", "#=", "=#", "é", "日", "🤗", "+", "-", "@@", "[", "]", ":", "=", "&amp;", "\t", "{", "--", "\xff",
	}
	rapid.Check(t, func(t *rapid.T) {
		code := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 40).Draw(t, "code"), "")
		unchanged(t, rapid.SampledFrom(names).Draw(t, "lang"), code)
	})
}

func FuzzText(f *testing.F) {
	for i, s := range []string{"def f(x):\n  '''a\n'''", "cat <<EOF\nx\nEOF", "/* a /* b */", "<a b='c", "'\\u{1F}'", "@@ -1 +1 @@\n-a", "[a\nb=", "${", "'"} {
		f.Add(i, s)
	}
	f.Fuzz(func(t *testing.T, lang int, code string) {
		unchanged(t, names[uint(lang)%uint(len(names))], code)
	})
}

// A long line costs no more for each byte than a short one.
func BenchmarkLine(b *testing.B) {
	for _, c := range []struct{ lang, piece string }{
		{"python", "x = f(a, \"b\") + 1  "}, {"python", "'"}, {"html", "&"}, {"html", "<a "}, {"rust", "'"}, {"bash", "<<"}, {"sql", "a "}, {"yaml", "- "},
	} {
		line := strings.Repeat(c.piece, 4096/len(c.piece))
		b.Run(c.lang+" "+c.piece[:1], func(b *testing.B) {
			b.SetBytes(int64(len(line)))
			for b.Loop() {
				highlight.New(c.lang, dark).Spans(line)
			}
		})
	}
}

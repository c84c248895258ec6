package markdown_test

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/markdown"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

func TestRender(t *testing.T) {
	for name, c := range map[string]struct{ source, want string }{
		"nothing":          {"", ""},
		"blank":            {"\n \n\t\n", ""},
		"blank lines":      {"\n\na\n\n\n\nb\n\n", "a\n\nb"},
		"soft and hard":    {"a\nb  \nc\\\nd<br>e", "a b\nc\nd\ne"},
		"text and blocks":  {"a\n# b\nc\n```\nd\n```\ne\n- f\n---\n> g", "a\n\n# b\nc\n\n  d\n\ne\n• f\n\n──────────────────────────────\n\n│ g"},
		"headings":         {"# a\n## b ##\nc\n===\n###### d", "# a\n\n## b\n\n# c\n\n###### d"},
		"tight list":       {"a:\n- b\n- c\n  d", "a:\n• b\n• c d"},
		"loose list":       {"- b\n\n- c\n\n\n  d", "• b\n\n• c\n\n  d"},
		"loose in places":  {"- b\n- c\n\n- d", "• b\n• c\n\n• d"},
		"hanging":          {"10. one two three four five six seven\n    - eight nine ten eleven twelve", "10. one two three four five\n    six seven\n    • eight nine ten eleven\n      twelve"},
		"numbers":          {"3. a\n4. b\n6) c\n\ntext\n\n1. d\n1. e\n1. f", "3. a\n4. b\n6) c\n\ntext\n\n1. d\n2. e\n3. f"},
		"empty item":       {"-\n- a\n-", "•\n• a\n•"},
		"tasks":            {"- [ ] a\n- [x] b\n  c\n- [X] d\n- [y] e\n1. [ ] f\n- [x]g", "[ ] a\n[x] b c\n[X] d\n• [y] e\n1. [ ] f\n• [x]g"},
		"quote":            {"> a\n>\n> - b\n>\n>   c\nlazy\n\n> d", "│ a\n│\n│ • b\n│\n│   c lazy\n\n│ d"},
		"code in a list":   {"- a\n  ```\n  b\n\n   c\n  ```\n  d", "• a\n    b\n\n     c\n  d"},
		"code":             {"~~~\n```\n\ta\n~~~~\n\n    b\n\n\n      c\n", "  ```\n      a\n\n  b\n\n\n    c"},
		"long code":        {"```\n0123456789012345678901234567890123456789\n```", "  0123456789012345678901234567\n890123456789"},
		"open code":        {"```py\na = 1", "  a = 1"},
		"table":            {"|a|b|\n|-|:-:|\n|x|`y`|\n|long one|z|w|\n|v|", "a        │   b\n─────────┼──────\nx        │  `y`\nlong one │ z | w\nv        │"},
		"wrapped table":    {"|name|what it is|\n|-|-|\n|a|some more words than fit|\n|b|c|", "name │ what it is\n─────┼────────────────────────\na    │ some more words than\n     │ fit\n─────┼────────────────────────\nb    │ c"},
		"records":          {"|model|parameters|accuracy|note|\n|-|-|-|-|\n|a|1|2|words that go on and on|\n|b|||", "model: a\nparameters: 1\naccuracy: 2\nnote: words that go on and\n  on\n\nmodel: b"},
		"head alone":       {"|a|b|\n|-|-|\n", "a │ b\n──┼──"},
		"table in a list":  {"- x\n  |a|\n  |-|\n  |b|", "• x\n  a\n  ─\n  b"},
		"no table":         {"|a|b|\n|-|\n", "|a|b| |-|"},
		"html":             {"<div>\n*a* &amp;\n</div>\n\nb", "<div>\n*a* &amp;\n</div>\n\nb"},
		"definitions":      {"[a]\n\n[a]: http://x.y\n\n[a] [S1]\n\n[S1]: http://z", "[a]\n\n[a]: http://x.y\n\na (http://x.y) [S1]\n\n[S1]: http://z"},
		"nothing drawn":    {"```\n```\na", "a"},
		"quote of blanks":  {">\n>\n> a", "│ a"},
		"blank in a quote": {"> - a\n>\n>   ```\n>   ```\n> > b", "│ • a\n│\n│ │ b"},
		"hostile":          {"a\x1b]0;t\x07b &#27;[2J \x1b[2Jc [d](x&#27;]0;y)\n```\x1b[1m\n\x1b[31me\r\n```", "ab [2J c d (x)\n\n  e"},
		"reordered":        {"a\u202eb\u200b\u00adc", "a\ufffdbc"},
		"tabs":             {"a\tb\n\n-\tc\n\n\td", "a   b\n\n• c\n\n  d"},
		"deep":             {strings.Repeat("- ", 14) + "a\nb", strings.Repeat("• ", 14) + "a\n" + strings.Repeat(" ", 20) + "b"},
	} {
		t.Run(name, func(t *testing.T) {
			lines := markdown.Render(c.source, markdown.Options{Theme: theme.New(theme.Options{}), Width: 30})
			if diff := cmp.Diff(strings.Split(c.want, "\n"), strings.Split(strings.Join(lines, "\n"), "\n")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// However deep a text is and however long its numbers, its lines fit.
func TestDeepFits(t *testing.T) {
	for _, leaf := range []string{"a b", "# c", "```\n" + strings.Repeat(" ", 117) + "d", "---", "", "<div>"} {
		for width := 10; width < 90; width += 7 {
			source := strings.Repeat("123456789. > ", 9) + leaf + "\n"
			lines := markdown.Render(source, markdown.Options{Theme: theme.New(theme.Options{}), Width: width})
			for _, line := range lines {
				if ansi.StringWidth(line) > width {
					t.Errorf("%q in %d columns: %q", leaf, width, line)
				}
			}
			if n := strings.Count(strings.Join(strings.Fields(strings.ReplaceAll(strings.Join(lines, ""), "│", "")), ""), "123456789."); n != 9 {
				t.Errorf("%q in %d columns: %d marks\n%s", leaf, width, n, strings.Join(lines, "\n"))
			}
		}
	}
}

// What a stream shows while a text grows, and what of it is final.
func TestGrowing(t *testing.T) {
	s := markdown.New(markdown.Options{Theme: theme.New(theme.Options{}), Width: 30, Indent: 2})
	for _, step := range []struct{ write, final, open string }{
		{"# Ti", "", "  # Ti"},
		{"tle\nSome **bo", "  # Title", "  Some **bo"},
		{"ld** text\n", "", "  Some **bold** text"},
		{"\n```py\nx = ", "  Some **bold** text", "\n    x ="},
		{"1\ny", "\n    x = 1", "    y"},
		{"\n```", "    y", ""},
		{"\n|a|b|\n", "", "\n  |a|b|"},
		{"|-|-|\n|long", "", "\n  a    │ b\n  ─────┼──\n  long │"},
		{"er|c|\n\n- d\n- e", "\n  a      │ b\n  ───────┼──\n  longer │ c", "\n  • d\n  • e"},
		{"f\n- g", "\n  • d", "  • ef\n  • g"},
		{" \xf0\x9f", "", "  • ef\n  • g"},
		{"\xa4\x97", "", "  • ef\n  • g 🤗"},
	} {
		s.Write(step.write)
		if got := strings.Join(s.Take(), "\n"); got != step.final {
			t.Errorf("behind %q final:\n%s\nwant\n%s", step.write, got, step.final)
		}
		for range 2 { // looking changes nothing
			if got := strings.Join(s.Open(), "\n"); got != step.open {
				t.Errorf("behind %q open:\n%s\nwant\n%s", step.write, got, step.open)
			}
		}
	}
	s.Close()
	if got := strings.Join(s.Take(), "\n"); got != "  • ef\n  • g 🤗" {
		t.Errorf("at the end %q", got)
	}
	if s.Write("more"); strings.Join(s.Open(), "\n") != "  more" {
		t.Errorf("behind the end %q", s.Open())
	}
}

// Looking at a definition that is not whole yet does not define it.
func TestLookingDefinesNothing(t *testing.T) {
	s := markdown.New(markdown.Options{Theme: theme.New(theme.Options{})})
	s.Write("[a]: http://x")
	s.Open()
	s.Write(".example\n\n[a]")
	s.Close()
	if got := strings.Join(s.Take(), "\n"); got != "[a]: http://x.example\n\na (http://x.example)" {
		t.Error(got)
	}
}

// A long table is final row by row, in the columns of its first rows, and in
// those of a new width when there is one.
func TestLongTable(t *testing.T) {
	for name, c := range map[string]struct {
		row  string
		rows int
	}{"many rows": {"|a|b|\n", 100}, "large rows": {"|" + strings.Repeat("word ", 250) + "|b|\n", 14}} {
		s := markdown.New(markdown.Options{Theme: theme.New(theme.Options{}), Width: 40})
		s.Write("|first|second|\n|-|-|\n" + strings.Repeat(c.row, c.rows-1))
		if got := s.Take(); len(got) > 0 {
			t.Errorf("%s: %d lines are final early", name, len(got))
		}
		s.Write(c.row)
		if got := s.Take(); len(got) < c.rows+2 {
			t.Errorf("%s: %d lines are final", name, len(got))
		}
		s.Write("|x|a longer cell than before|\n|y|z|\n|")
		lines := strings.Join(s.Take(), "\n")
		want := "x     │ a\n      │ longer\n      │ cell\n      │ than\n      │ before\ny     │ z"
		if name == "many rows" && lines != want {
			t.Errorf("%s:\n%s\nwant\n%s", name, lines, want)
		}
		s.Resize(20)
		s.Write(c.row)
		for _, line := range s.Take() {
			if ansi.StringWidth(line) > 20 {
				t.Errorf("%s: %q is wider than 20", name, line)
			}
		}
	}
}

// Addresses can be followed where that is wanted, also where they are broken.
func TestHyperlinks(t *testing.T) {
	o := markdown.Options{Theme: theme.New(theme.Options{Color: theme.Basic}), Width: 20, Hyperlinks: true}
	got := strings.Join(markdown.Render("see http://example.org/abcdef", o), "\n")
	start, end := "\x1b]8;;http://example.org/abcdef\x07\x1b[4;34m", "\x1b[m\x1b]8;;\x07"
	if want := "see\n" + start + "http://example.org/a" + end + "\n" + start + "bcdef" + end; got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
}

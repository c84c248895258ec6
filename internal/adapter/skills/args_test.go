package skills_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/adapter/skills"
)

func TestFill(t *testing.T) {
	for _, test := range []struct{ body, args, want string }{
		{"Do $ARGUMENTS now.", "this and that", "Do this and that now."},
		{"Do $ARGUMENTS now.", "", "Do  now."},
		{"$1 then $2, $3.", "a b", "a then b, ."},
		{"$1|$2", `"two words" 'and more'`, "two words|and more"},
		{"$1|$2|$3", `--name="a b" don't c`, "--name=a b|don't|c"},
		{"$1|$2", `"open quote`, `"open|quote`},
		{"$1 and $1", "x", "x and x"},
		{"no marks\n", "x y", "no marks\n\nx y"},
		{"no marks\n", " ", "no marks\n"},
		{`awk '{print \$1}' $1`, "f.txt", `awk '{print $1}' f.txt`},
		{`\$ARGUMENTS is $ARGUMENTS`, "x", "$ARGUMENTS is x"},
		{`C:\dir \n $1`, "x", `C:\dir \n x`},
		{"$10 $0 $ARGUMENTS_ALL $ARGUMENTSX $ $$1", "x", "$10 $0 $ARGUMENTS_ALL $ARGUMENTSX $ $x"},
		{"$ARGUMENTS", "$1 $ARGUMENTS", "$1 $ARGUMENTS"},
		{"$1", `$2 second`, "$2"},
		{"$9", "1 2 3 4 5 6 7 8 nine", "nine"},
		{"line\n$ARGUMENTS\nend", "a\nb", "line\na\nb\nend"},
		{"!`rm -rf x` $1", "y", "!`rm -rf x` y"},
		{"", "x", "\n\nx"},
	} {
		if got := skills.Fill(test.body, test.args); got != test.want {
			t.Errorf("%q with %q: %q, want %q", test.body, test.args, got, test.want)
		}
	}
}

// A text without marks is kept byte for byte, and all arguments arrive.
func TestFillKeeps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := strings.ReplaceAll(rapid.String().Draw(t, "body"), "$", "")
		args := rapid.String().Draw(t, "args")
		got := skills.Fill(body, args)
		if kept := strings.TrimRight(body, "\n"); !strings.HasPrefix(got, kept) {
			t.Fatalf("%q has become %q", body, got)
		}
		if !strings.HasSuffix(got, strings.TrimSpace(args)) {
			t.Fatalf("%q is not in %q", args, got)
		}
		if whole := skills.Fill("<$ARGUMENTS>"+body, args); whole != "<"+args+">"+body {
			t.Fatalf("%q", whole)
		}
	})
}

func FuzzFill(f *testing.F) {
	f.Add("$1 $ARGUMENTS \\$2", `a "b c" d'e`)
	f.Add("$", "\\")
	f.Fuzz(func(t *testing.T, body, args string) {
		if got := skills.Fill(body, args); len(got) > len(body)+(strings.Count(body, "$")+1)*(len(args)+2) {
			t.Errorf("%d bytes of %d and %d", len(got), len(body), len(args))
		}
	})
}

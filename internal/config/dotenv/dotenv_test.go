package dotenv_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/joho/godotenv"

	"github.com/ml-intern/ml-intern/internal/config/dotenv"
)

func TestParse(t *testing.T) {
	outside := func(name string) (string, bool) {
		v, ok := map[string]string{"OUT": "from outside", "BOTH": "outer"}[name]
		return v, ok
	}
	tests := []struct{ name, in, want string }{
		{"plain", "A=b", "b"},
		{"inline comment", "A=x # c", "x"},
		{"hash without a blank", "A=x#c", "x#c"},
		{"hash first", "A=#c", "#c"},
		{"only a comment", "A= # c", ""},
		{"two comments", "A=x # c # d", "x"},
		{"blanks around", "  A  =  x  ", "x"},
		{"export", "export A=x", "x"},
		{"export with a tab before the name", "export  A=x", "x"},
		{"empty", "A=", ""},
		{"single quotes are literal", `A='${OUT} \n # x'`, `${OUT} \n # x`},
		{"double quotes", `A="a\nb\"c\\d # e"`, "a\nb\"c\\d # e"},
		{"unknown escape stays", `A="\d"`, `\d`},
		{"escaped dollar", `A="\${OUT}"`, "${OUT}"},
		{"comment after quotes", `A="x" # c`, "x"},
		{"quoted over two lines", "A=\"x\ny\"", "x\ny"},
		{"outside", "A=${OUT}!", "from outside!"},
		{"outside in double quotes", `A="<${OUT}>"`, "<from outside>"},
		{"outside wins over the file", "BOTH=inner\nA=${BOTH}", "outer"},
		{"earlier line", "B=1\nA=${B}2", "12"},
		{"fallback", "A=${NONE:-d}", "d"},
		{"dollar without brace", "A=pa$$word$OUT", "pa$$word$OUT"},
		{"unfinished reference", "A=${OUT", "${OUT"},
		{"equals in value", "A=b=c==", "b=c=="},
		{"crlf", "A=x\r\n", "x"},
		{"byte order mark", "\ufeffA=x", "x"},
		{"last one counts", "A=1\nA=2", "2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			entries, problems := dotenv.Parse([]byte(tt.in), outside)
			if len(problems) > 0 {
				t.Fatalf("problems: %v", problems)
			}
			got, found := "", false
			for _, e := range entries {
				if e.Name == "A" {
					got, found = e.Value, true
				}
			}
			if !found || got != tt.want {
				t.Errorf("got %q (found %v), want %q", got, found, tt.want)
			}
		})
	}
}

func TestBadLinesAreReportedWithoutTheirText(t *testing.T) {
	src := "GOOD=1\nhf_secretsecret\nBAD=\"hf_secretsecret\nhf x=hf_secretsecret\nQ='a' hf_secretsecret\nE=${NOPE}\nLAST=2\n"
	entries, problems := dotenv.Parse([]byte(src), nil)
	want := []dotenv.Entry{{"GOOD", "1", 1}, {"E", "", 6}, {"LAST", "2", 7}}
	if diff := cmp.Diff(want, entries); diff != "" {
		t.Error(diff)
	}
	wantLines := []int{2, 3, 4, 5, 6}
	var lines []int
	for _, p := range problems {
		lines = append(lines, p.Line)
		if strings.Contains(p.String(), "secret") {
			t.Errorf("a problem repeats a value: %s", p)
		}
	}
	if diff := cmp.Diff(wantLines, lines); diff != "" {
		t.Error(diff)
	}
}

// The well-known reader and this one must agree on everyday files; they differ
// on purpose where that reader changes a "$" or stops at the first bad line.
func TestAgreesWithGodotenvOnEverydayFiles(t *testing.T) {
	src := "# head\nHF_TOKEN=hf_abc\nexport GITHUB_TOKEN=x # c\n\nEMPTY=\nQ='single $x'\nD=\"a\\nb\"\nB=1\nC=${B}2\nURL=http://h:1/p?q=1#frag\n"
	want, err := godotenv.Unmarshal(src)
	if err != nil {
		t.Fatal(err)
	}
	entries, problems := dotenv.Parse([]byte(src), nil)
	got := map[string]string{}
	for _, e := range entries {
		got[e.Name] = e.Value
	}
	if diff := cmp.Diff(want, got); diff != "" || len(problems) > 0 {
		t.Errorf("%s %v", diff, problems)
	}
}

func FuzzDotenv(f *testing.F) {
	for _, s := range []string{"A=b", "export A='x'", "A=\"\\n${B:-c}\"", "A=${A}", "A=\"", "=\n=", "A=x\r\nB=y # z", "\ufeff#"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		entries, problems := dotenv.Parse([]byte(src), func(string) (string, bool) { return "", false })
		lines := strings.Count(src, "\n") + 1
		last := 0
		for _, e := range entries {
			if e.Name == "" || strings.ContainsAny(e.Name, " =\n'\"#$") {
				t.Errorf("bad name %q", e.Name)
			}
			if e.Line <= last || e.Line > lines {
				t.Errorf("line %d after %d of %d", e.Line, last, lines)
			}
			last = e.Line
		}
		for _, p := range problems {
			if p.Line < 1 || p.Line > lines {
				t.Errorf("problem on line %d of %d", p.Line, lines)
			}
		}
	})
}

package delivery_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/tools/jobs/delivery"
)

// stringLimit is what the kernel takes as one argument or variable, in bytes.
const stringLimit = 128 << 10

func plan(t *testing.T, s delivery.Script) delivery.Plan {
	t.Helper()
	p, err := delivery.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// newKey is a random key: the tests write to the folder it names.
func newKey(t *testing.T) string {
	t.Helper()
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		t.Fatal(err)
	}
	key := hex.EncodeToString(b[:])
	t.Cleanup(func() { _ = os.RemoveAll("/tmp/ml-intern-" + key[:8]) })
	return key
}

// ran is what a delivered command has done.
type ran struct {
	args       []string // of uv
	script     []byte
	hook       string // the sitecustomize.py first in PYTHONPATH
	pythonPath string
	leftOver   string // our variables that the script would see
}

// execute runs the command with /bin/sh and a uv that only tells what it got.
func execute(t *testing.T, p delivery.Plan, extra ...string) ran {
	t.Helper()
	if _, err := exec.LookPath("/bin/sh"); err != nil {
		t.Skip("there is no /bin/sh")
	}
	dir := t.TempDir()
	uv := `#!/bin/sh
for a in "$@"; do printf '%s\0' "$a"; done > "$OUT/args"
for a in "$@"; do case $a in */tmp/ml-intern-*|/tmp/ml-intern-*) cat "$a" > "$OUT/script";; esac; done
printf %s "$PYTHONPATH" > "$OUT/path"
cat "${PYTHONPATH%%:*}/sitecustomize.py" > "$OUT/hook" 2>/dev/null
env | grep '^ML_INTERN_' > "$OUT/left"
exit 0
`
	if err := os.WriteFile(filepath.Join(dir, "uv"), []byte(uv), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(p.Command[0], p.Command[1:]...)
	if p.Command[0] == "uv" {
		cmd.Path, cmd.Err = filepath.Join(dir, "uv"), nil
	}
	cmd.Env = append([]string{"PATH=" + dir + ":" + os.Getenv("PATH"), "OUT=" + dir}, extra...)
	for k, v := range p.Environment {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%v: %s", err, out)
	}
	read := func(name string) []byte {
		data, _ := os.ReadFile(filepath.Join(dir, name)) // missing is empty
		return data
	}
	var r ran
	r.args = strings.Split(strings.TrimSuffix(string(read("args")), "\x00"), "\x00")
	r.script, r.hook, r.pythonPath, r.leftOver = read("script"), string(read("hook")), string(read("path")), string(read("left"))
	return r
}

// Acceptance check 21: every dependency and argument is one element, in the
// posted command and where it arrives; hf-transfer is added once.
func TestCheck21_Words(t *testing.T) {
	s := delivery.Script{
		Source: "import sys\nprint(sys.argv)\n", Key: newKey(t), Name: "train", Python: "3.12",
		Dependencies: []string{"transformers>=4.40", "torch<2.6", "trl[peft]"}, Args: []string{"--p", "a b"},
	}
	target := "/tmp/ml-intern-" + s.Key[:8] + "/train.py"
	want := []string{
		"run", "--with", "transformers>=4.40", "--with", "torch<2.6", "--with", "trl[peft]", "--with", "hf-transfer",
		"--python", "3.12", target, "--p", "a b",
	}
	p := plan(t, s)
	if p.Command[0] != "/bin/sh" || p.Command[1] != "-c" || p.Command[3] != target || p.Command[4] != "uv" || !slices.Equal(p.Command[5:], want) {
		t.Errorf("the command is %q", p.Command)
	}
	other := plan(t, delivery.Script{Source: "x\n", Key: newKey(t), Args: []string{"$(rm -rf /)", "`id`"}})
	if p.Command[2] != other.Command[2] {
		t.Error("the shell's text is not constant")
	}
	got := execute(t, p)
	if !slices.Equal(got.args, want) || string(got.script) != s.Source || got.leftOver != "" {
		t.Errorf("%q, script %q, left %q", got.args, got.script, got.leftOver)
	}
	for _, list := range [][]string{{"hf-transfer"}, {"HF_Transfer==0.1.9"}, {"hf_transfer", "torch"}} {
		if got := delivery.Dependencies(list); !slices.Equal(got, list) {
			t.Errorf("%q became %q", list, got)
		}
	}
}

// Acceptance check 23: no string of the job is longer than the kernel takes,
// and the script arrives as it was, however long it is.
func TestCheck23_LongScripts(t *testing.T) {
	noise := make([]byte, 300<<10)
	letters := []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/'\"\\$`é\n")
	for i := range noise {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			t.Fatal(err)
		}
		noise[i] = letters[n.Int64()]
	}
	for _, c := range []struct {
		name   string
		source string
		files  bool
	}{
		{"short", "print(1)\n", false},
		{"long but simple", strings.Repeat("print('the same line again')\n", 11000), false},
		{"just fits", strings.ToValidUTF8(string(noise[:50<<10]), "?"), false},
		{"long", strings.ToValidUTF8(string(noise), "?"), true},
	} {
		p := plan(t, delivery.Script{Source: c.source, Key: newKey(t), Hook: "pass\n"})
		for _, word := range p.Command {
			if len(word) >= stringLimit {
				t.Errorf("%s: a word has %d bytes", c.name, len(word))
			}
		}
		for k, v := range p.Environment {
			if len(k)+len(v)+1 >= stringLimit {
				t.Errorf("%s: the variable %s has %d bytes", c.name, k, len(v))
			}
		}
		if (p.Files != nil) != c.files {
			t.Fatalf("%s: %d files", c.name, len(p.Files))
		}
		if c.files {
			if got := p.Files["script.py"]; string(got) != c.source || string(p.Files["hook/sitecustomize.py"]) != "pass\n" {
				t.Errorf("%s: %d bytes are in the repository, want %d", c.name, len(got), len(c.source))
			}
			if p.Command[0] != "uv" || p.Command[len(p.Command)-1] != "/ml-intern/script.py" || p.Environment["PYTHONPATH"] != "/ml-intern/hook" {
				t.Errorf("%s: %q %q", c.name, p.Command, p.Environment)
			}
			continue
		}
		if got := execute(t, p); !bytes.Equal(got.script, []byte(c.source)) {
			t.Errorf("%s: %d bytes arrived, want %d", c.name, len(got.script), len(c.source))
		}
	}
}

// The hook lies beside the script and comes first; what was in PYTHONPATH stays.
func TestHook(t *testing.T) {
	key := newKey(t)
	p := plan(t, delivery.Script{Source: "1\n", Key: key, Hook: "# hook 'é'\n"})
	got := execute(t, p, "PYTHONPATH=/old:/er")
	if got.hook != "# hook 'é'\n" || got.pythonPath != "/tmp/ml-intern-"+key[:8]+":/old:/er" || got.leftOver != "" {
		t.Errorf("hook %q, path %q, left %q", got.hook, got.pythonPath, got.leftOver)
	}
	if got := execute(t, plan(t, delivery.Script{Source: "1\n", Key: newKey(t)})); got.pythonPath != "" {
		t.Errorf("without a hook: %q", got.pythonPath)
	}
}

// A script that the job fetches itself is an argument like any other.
func TestURL(t *testing.T) {
	p := plan(t, delivery.Script{URL: "https://example.com/t.py?a=b&c=d", Key: "00", Args: []string{"; id"}})
	want := []string{"uv", "run", "--with", "hf-transfer", "https://example.com/t.py?a=b&c=d", "; id"}
	if !slices.Equal(p.Command, want) || len(p.Environment) != 0 {
		t.Errorf("%q %q", p.Command, p.Environment)
	}
}

// Names are the file's, whatever is in them.
func TestNames(t *testing.T) {
	for in, want := range map[string]string{
		"": "script.py", "train": "train.py", "my run (2)": "my_run_2.py", "../../etc/x": "etc_x.py", "é": "script.py", "--x": "x.py",
		strings.Repeat("a", 100): strings.Repeat("a", 60) + ".py",
	} {
		p := plan(t, delivery.Script{Source: "1\n", Key: "0123456789abcdef", Name: in})
		if got := p.Command[3]; got != "/tmp/ml-intern-01234567/"+want {
			t.Errorf("%q is %q", in, got)
		}
	}
}

func TestClassify(t *testing.T) {
	for in, want := range map[string]delivery.Form{
		"print(1)\n": delivery.Source, "a\nb": delivery.Source, "\n": delivery.Source,
		"http://x/y.py": delivery.URL, "HTTPS://X/y": delivery.URL, "https://x y": delivery.Line,
		"/abs/x": delivery.Path, "./x": delivery.Path, "../x": delivery.Path, "~/x.py": delivery.Path, "missing.py": delivery.Path, "a/b.py": delivery.Path,
		"print(1)": delivery.Line, "train": delivery.Line, "import x; x.py": delivery.Line, "": delivery.Line,
	} {
		if got := delivery.Classify(in); got != want {
			t.Errorf("%q is %d, want %d", in, got, want)
		}
	}
}

// No word that a model writes is ever read by a shell.
func TestAnyWordsArrive(t *testing.T) {
	word := rapid.StringMatching("[ -~é\n\t'\"$`\\\\;|&<>(){}*?!#]{1,30}")
	rapid.Check(t, func(r *rapid.T) {
		s := delivery.Script{
			Source:       rapid.StringMatching("[ -~é\n\t'\"$`\\\\]{1,200}").Draw(r, "source"),
			Key:          newKey(t),
			Dependencies: rapid.SliceOfN(word, 0, 4).Draw(r, "dependencies"),
			Args:         rapid.SliceOfN(word, 0, 4).Draw(r, "args"),
			Name:         rapid.String().Draw(r, "name"),
		}
		p := plan(t, s)
		if !utf8.ValidString(p.Command[3]) || strings.ContainsAny(p.Command[3], " '\"$`\\;\n") {
			r.Fatalf("the path is %q", p.Command[3])
		}
		got := execute(t, p)
		if !slices.Equal(got.args, p.Command[5:]) || string(got.script) != s.Source {
			r.Fatalf("%q arrived as %q; script %q as %q", p.Command[5:], got.args, s.Source, got.script)
		}
	})
}

package plain_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

func TestString(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"nothing":             {"", ""},
		"plain":               {"a\tb\nc ü 日本 🤗\n", "a\tb\nc ü 日本 🤗\n"},
		"colours":             {"\x1b[1;31mred\x1b[0m", "red"},
		"private parameter":   {"\x1b[?25lhidden\x1b[?25h", "hidden"},
		"colon and space":     {"\x1b[38:2::1:2:3mx\x1b[2 qy", "xy"},
		"title, BEL":          {"a\x1b]0;evil title\x07b", "ab"},
		"clipboard, ST":       {"a\x1b]52;c;cm0gLXJmIH4=\x1b\\b", "ab"},
		"link":                {"\x1b]8;;http://x\x1b\\text\x1b]8;;\x1b\\", "text"},
		"device control":      {"a\x1bPq#0;2;0\nmore\x1b\\b", "ab"},
		"picture":             {"a\x1b_Gf=100;AAAA\x1b\\b", "ab"},
		"private message":     {"a\x1b^secret\x1b\\b", "ab"},
		"start of string":     {"a\x1bXsecret\x1b\\b", "ab"},
		"character set":       {"\x1b(Ba\x1b)0b\x1b#8c", "abc"},
		"keypad and reset":    {"\x1b=\x1b>\x1bc\x1b7x\x1b8", "x"},
		"C1 in UTF-8":         {"a\u009b31mb\u009d0;t\u009cc\u0090q\u009cd\u0085e", "abcde"},
		"C1 as a raw byte":    {"a\x9b31mb", "a\ufffd31mb"},
		"C0":                  {"a\x00b\x07c\x08d\x0be\x0cf\x0eg\x7fh", "abcdefgh"},
		"invalid":             {"a\xff\xfeb\xc3", "a\ufffd\ufffdb\ufffd"},
		"line ends":           {"a\r\nb\r\r\nc\n", "a\nb\nc\n"},
		"progress bar":        {"\r 10%\r 20%\r100%\n", " 10%\n 20%\n100%\n"},
		"erased line":         {"\x1b[2K\ra\x1b[2K\rb", "a\nb"},
		"last return":         {"done\r", "done"},
		"unfinished title":    {"a\x1b]0;x\nb", "a\nb"},
		"unfinished CSI":      {"a\x1b[31\nb", "a\nb"},
		"escape in a string":  {"a\x1b]0;x\x1b[31mb", "ab"},
		"cancelled":           {"a\x1b[31\x18b", "ab"},
		"escape at the end":   {"a\x1b", "a"},
		"introducer at end":   {"a\x1b[", "a"},
		"wide inside CSI":     {"a\x1b[3日b", "a日b"},
		"double escape":       {"a\x1b\x1b[31mb", "ab"},
		"newline after ESC":   {"a\x1b\nb", "a\nb"},
		"string over the top": {"\x1bP" + strings.Repeat("x", 1<<20+1) + "seen", "seen"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := plain.String(c.in); got != c.want {
				t.Errorf("String(%q) = %q, want %q", c.in, got, c.want)
			}
			if len(c.in) < 1000 {
				if got := pieces(t, c.in, 1); got != c.want {
					t.Errorf("byte by byte %q = %q, want %q", c.in, got, c.want)
				}
			}
		})
	}
}

// pieces filters s in writes of size bytes.
func pieces(t *testing.T, s string, size int) string {
	t.Helper()
	var b strings.Builder
	w := plain.NewWriter(&b)
	for len(s) > 0 {
		n := min(size, len(s))
		if got, err := w.Write([]byte(s[:n])); got != n || err != nil {
			t.Fatalf("Write took %d of %d bytes: %v", got, n, err)
		}
		s = s[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func FuzzString(f *testing.F) {
	for _, s := range []string{"a\x1b[31mb", "\x1b]52;c;eA==\x07", "a\r\nb\rc", "\xc2\x9b1m", "é\xff\x1bP\x1b\\", "\x1b]0;x\x1b"} {
		f.Add(s, 1)
	}
	f.Fuzz(func(t *testing.T, s string, size int) {
		got := plain.String(s)
		if again := plain.String(got); again != got {
			t.Fatalf("filtering twice: %q then %q", got, again)
		}
		if !utf8.ValidString(got) {
			t.Fatalf("invalid UTF-8 in %q", got)
		}
		for _, r := range got {
			if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r <= 0x9f {
				t.Fatalf("control character %U in %q", r, got)
			}
		}
		if split := pieces(t, s, max(1, size%17)); split != got {
			t.Fatalf("in pieces %q, whole %q", split, got)
		}
	})
}

func BenchmarkWriter(b *testing.B) {
	line := []byte(strings.Repeat("step 12  loss 0.1234  lr 2e-5\n", 1000))
	w := plain.NewWriter(discard{})
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		_, _ = w.Write(line)
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// Package source reads what a file of source code says of itself: whether it is
// text at all, whether it only stands in for another, where a symbol begins and
// ends, what a script is about. It knows neither GitHub nor models.
package source

import (
	"bytes"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
)

// stubLimit is the size in bytes from which a file is not taken for a note that
// another has moved.
const stubLimit = 1500

// Binary reports whether data is no text: it has a NUL byte or more than 5 % of
// it is no UTF-8.
func Binary(data []byte) bool {
	if bytes.IndexByte(data, 0) >= 0 {
		return true
	}
	invalid := 0
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			invalid++
		}
		i += n
	}
	return invalid*20 > len(data)
}

// Text is data as text: line ends are one newline, what is no UTF-8 is replaced,
// and control characters that a terminal would act on are gone.
func Text(data []byte) string {
	s := strings.ToValidUTF8(strings.TrimPrefix(string(data), "\ufeff"), "\ufffd")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r':
			return '\n'
		case r < ' ' || r >= 0x7f && r < 0xa0:
			return -1
		}
		return r
	}, s)
}

// Lines are the lines of a text; an end of the last one makes no further line.
func Lines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}

// Pointer reports what a Git LFS pointer stands for: its hash and size.
func Pointer(data []byte) (oid, size string, ok bool) {
	const head = "version https://git-lfs.github.com/spec/"
	if len(data) > 1024 || !bytes.HasPrefix(data, []byte(head)) {
		return "", "", false
	}
	for line := range strings.Lines(string(data)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch key {
		case "oid":
			oid = value
		case "size":
			size = value
		}
	}
	return oid, size, oid != ""
}

// Moved reads a file that is only a note that its content has moved. target is
// the path or address it names; empty when it names none.
func Moved(name, text string) (target string, ok bool) {
	if len(text) >= stubLimit {
		return "", false
	}
	low := strings.ToLower(text)
	told := false
	for _, words := range []string{"moved to", "has moved", "have moved", "been moved", "was moved", "moved into", "now lives", "relocated"} {
		told = told || strings.Contains(low, words)
	}
	if !told || codeLines(name, text) > 3 {
		return "", false
	}
	for _, word := range strings.FieldsFunc(text, separates) {
		word = strings.Trim(word, ".,:;!?`*_")
		if strings.HasPrefix(word, "https://github.com/") || strings.HasPrefix(word, "http://github.com/") {
			return word, true
		}
		if target == "" && strings.Contains(word, "/") && !strings.Contains(word, "://") && path.Ext(word) != "" && word != name {
			target = strings.TrimPrefix(word, "./")
		}
	}
	return target, true
}

// separates reports whether r stands between the words of a sentence.
func separates(r rune) bool { return strings.ContainsRune(" \t\n\"'`()<>[]{}=", r) }

// codeLines counts the lines of a text that are neither blank, comment nor
// prose; at most a few matter.
func codeLines(name, text string) int {
	switch strings.ToLower(path.Ext(name)) {
	case ".md", ".mdx", ".rst", ".txt", "":
		return 0
	}
	count, quoted := 0, ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if quoted != "" {
			if strings.Contains(line, quoted) {
				quoted = ""
			}
			continue
		}
		if q := opens(line); q != "" {
			if strings.Count(line, q) == 1 {
				quoted = q
			}
			continue
		}
		if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "//") || strings.HasPrefix(line, "*") || strings.HasPrefix(line, "/*") {
			continue
		}
		count++
	}
	return count
}

// opens is the triple quote a line begins with.
func opens(line string) string {
	line = strings.TrimLeft(line, "rRuUfFbB")
	for _, q := range []string{`"""`, "'''"} {
		if strings.HasPrefix(line, q) {
			return q
		}
	}
	return ""
}

// Kind names the format of a binary file by its ending.
func Kind(name string) string {
	if ext := strings.TrimPrefix(strings.ToLower(path.Ext(name)), "."); ext != "" {
		return ext
	}
	return "unknown"
}

// Size writes a number of bytes with the groups of thousands apart.
func Size(n int64) string { return amount.Grouped(n) + " bytes" }

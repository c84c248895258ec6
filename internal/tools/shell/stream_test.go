package shell_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/tools/shell"
)

// line is a progress line and when it came.
type line struct {
	at   time.Duration
	text string
}

// streamed runs feed against a stream in a bubble and returns its lines.
func streamed(t *testing.T, feed func(s *shell.Stream)) (lines []line) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		began := time.Now()
		s := shell.NewStream(func(text string) { lines = append(lines, line{time.Since(began), text}) },
			func() string { return "/spill/file" }, func() int64 { return 3 << 20 })
		feed(s)
		s.End()
	})
	return lines
}

func texts(lines []line) string {
	var out []string
	for _, l := range lines {
		out = append(out, l.text)
	}
	return strings.Join(out, "|")
}

func TestStreamSendsWholeLines(t *testing.T) {
	lines := streamed(t, func(s *shell.Stream) {
		s.WriteString("one\ntw")
		time.Sleep(shell.Tick + 1)
		s.WriteString("o\nthree")
		time.Sleep(3 * shell.Tick) // a beginning of a line waits for one tick, its last word until it ends
		s.WriteString(" and four\n")
		s.WriteString("five six")
		time.Sleep(3 * shell.Tick)
		s.WriteString("ty ")
		time.Sleep(shell.Tick + 1)
		s.WriteString("[####")
		time.Sleep(3 * shell.Tick)
		s.WriteString("##]")
	})
	if got := texts(lines); got != "one|two|three and four|five |sixty |[####|##]" {
		t.Errorf("lines %q", got)
	}
}

func TestStreamIsThrottled(t *testing.T) {
	lines := streamed(t, func(s *shell.Stream) {
		for i := range 18_000 { // 18 s, 180 kB
			s.WriteString(fmt.Sprintf("line %04d\n", i))
			time.Sleep(time.Millisecond)
		}
	})
	for i, l := range lines {
		if len(l.text) > shell.MaxLine || !utf8.ValidString(l.text) {
			t.Fatalf("line of %d bytes", len(l.text))
		}
		if i >= 10 && l.at-lines[i-10].at < time.Second {
			t.Fatalf("eleven lines within %v", l.at-lines[i-10].at)
		}
	}
	if got := strings.ReplaceAll(texts(lines), "|", "\n"); strings.Count(got, "\n") != 18_000-1 {
		t.Errorf("%d lines arrived", strings.Count(got, "\n")+1)
	}
}

func TestStreamShowsTheNewestOfTooMuch(t *testing.T) {
	lines := streamed(t, func(s *shell.Stream) {
		for range 10 {
			s.WriteString(strings.Repeat("日本語 old\n", 10_000))
		}
		s.WriteString("the newest\n")
	})
	if len(lines) != 1 || !strings.HasPrefix(lines[0].text, "[1.3 MiB not shown]\n日本語 old\n") || !strings.HasSuffix(lines[0].text, "\nthe newest") {
		t.Errorf("%.80q", texts(lines))
	}
	if len(lines[0].text) > shell.MaxLine {
		t.Errorf("line of %d bytes", len(lines[0].text))
	}
	one := streamed(t, func(s *shell.Stream) { s.WriteString(strings.Repeat("é", 50_000)) })
	if len(one) != 1 || len(one[0].text) > shell.MaxLine || !utf8.ValidString(one[0].text) || !strings.HasSuffix(one[0].text, "éé") {
		t.Errorf("one long line: %.80q", texts(one))
	}
}

// What is shown of an output is looked through for secrets line by line: none
// begins within a token, and a private key stays in one piece.
func TestStreamTearsNothing(t *testing.T) {
	token := "hf_" + strings.Repeat("aB3", 12)
	lines := streamed(t, func(s *shell.Stream) {
		s.WriteString("loading ")
		for i := range 300 {
			s.WriteString(strings.Repeat(token+" ", 1+i%200))
			s.WriteString(token[:1+i%len(token)])
			time.Sleep(3 * shell.Tick)
			s.WriteString(token[1+i%len(token):] + " ")
		}
	})
	for _, l := range lines {
		for _, word := range strings.Fields(l.text) {
			if strings.Contains(word, "aB3") && word != token {
				t.Fatalf("a line shows %q", word)
			}
		}
	}
	const begin, end = "-----BEGIN PRIVATE KEY-----\n", "-----END PRIVATE KEY-----\n"
	body := strings.Repeat(strings.Repeat("aB3/", 16)+"\n", 10)
	lines = streamed(t, func(s *shell.Stream) {
		s.WriteString("the key:\n" + begin + body)
		time.Sleep(3 * shell.Tick)
		s.WriteString(body + end + "done\n")
		time.Sleep(3 * shell.Tick)
		s.WriteString("it says\n" + begin + "and no more\n")
		time.Sleep(3 * shell.Tick)
	})
	if got, want := texts(lines), "the key:|"+begin+body+body+end+"done|it says\n"+begin+"and no more"; got != want {
		t.Errorf("lines %q, want %q", got, want)
	}
}

func TestStreamStopsAtItsBudget(t *testing.T) {
	var at time.Duration
	lines := streamed(t, func(s *shell.Stream) {
		began := time.Now()
		for range 100 {
			s.WriteString(strings.Repeat("x", shell.MaxLine-1) + "\n")
			time.Sleep(shell.Tick + 1)
		}
		time.Sleep(35*time.Second - time.Since(began)%time.Second)
		at = time.Since(began)
	})
	var sent, notes, beats int
	for _, l := range lines {
		switch {
		case strings.HasPrefix(l.text, "xxx"):
			sent += len(l.text)
		case strings.Contains(l.text, "/spill/file"):
			notes++
		case strings.HasPrefix(l.text, "[running for ") && strings.Contains(l.text, "3.0 MiB"):
			beats++
		default:
			t.Errorf("line %.60q", l.text)
		}
	}
	if sent > shell.LogBudget || sent < shell.LogBudget-2*shell.MaxLine || notes != 1 {
		t.Errorf("%d bytes of output shown, %d notes", sent, notes)
	}
	if want := int((at - lines[len(lines)-beats-1].at) / (shell.Beat + shell.Tick)); beats < want || beats == 0 {
		t.Errorf("%d progress lines in %v, want %d", beats, at, want)
	}
	if total := len(texts(lines)); total > 256<<10 {
		t.Errorf("%d bytes in all", total)
	}
}

func TestStreamOfNothing(t *testing.T) {
	if lines := streamed(t, func(*shell.Stream) { time.Sleep(time.Hour) }); len(lines) != 0 {
		t.Errorf("lines %q", texts(lines))
	}
}

package pdf_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/platform/markup/pdf"
)

// The child is this program too.
func TestMain(m *testing.M) {
	if handled, code := pdf.Main(os.Args); handled {
		os.Exit(code)
	}
	if len(os.Args) == 2 && os.Args[1] == "behind the fence" {
		behindTheFence()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// document writes a PDF with one page for each content. The fonts are F
// (regular) and B (bold), every character half as wide as it is high.
func document(contents ...string) []byte {
	var objects []string
	widths := strings.Repeat("500 ", 224)
	var kids strings.Builder
	for i := range contents {
		fmt.Fprintf(&kids, "%d 0 R ", 5+2*i)
	}
	objects = append(objects, "<</Type/Catalog/Pages 2 0 R>>",
		fmt.Sprintf("<</Type/Pages/Count %d/Kids[%s]/MediaBox[0 0 612 792]/Resources<</Font<</F 3 0 R/B 4 0 R>>>>>>", len(contents), kids.String()),
		"<</Type/Font/Subtype/Type1/BaseFont/Times-Roman/Encoding/WinAnsiEncoding/FirstChar 32/LastChar 255/Widths["+widths+"]>>",
		"<</Type/Font/Subtype/Type1/BaseFont/Times-Bold/Encoding<</Differences[1/fi/alpha]>>/FirstChar 1/LastChar 255/Widths["+strings.Repeat("500 ", 255)+"]>>")
	for i, c := range contents {
		var z bytes.Buffer
		w := zlib.NewWriter(&z)
		_, _ = w.Write([]byte(c))
		_ = w.Close()
		objects = append(objects, fmt.Sprintf("<</Type/Page/Parent 2 0 R/Contents %d 0 R>>", 6+2*i),
			fmt.Sprintf("<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream", z.Len(), z.String()))
	}
	return assemble(objects)
}

func assemble(objects []string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.5\n")
	var at []int
	for i, o := range objects {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	xref := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, a := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", a)
	}
	fmt.Fprintf(&b, "trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, xref)
	return b.Bytes()
}

// at draws a line of text.
func at(x, y, size float64, font, text string) string {
	return fmt.Sprintf("BT /%s %g Tf 1 0 0 1 %g %g Tm (%s) Tj ET\n", font, size, x, y, text)
}

// column draws lines below each other.
func column(x, y float64, lines ...string) string {
	var b strings.Builder
	for i, l := range lines {
		b.WriteString(at(x, y-12*float64(i), 10, "F", l))
	}
	return b.String()
}

func text(t *testing.T, data []byte) string {
	t.Helper()
	got, err := pdf.Text(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

const (
	l1 = "We study how far the batch size can be reduced."
	l2 = "The loss stays the same, and memory is saved by"
	l3 = "this. Every run takes four minutes on one of our"
	l4 = "machines, which is little."
)

func TestTwoColumns(t *testing.T) {
	t.Parallel() // most of the time is that of starting processes
	page1 := at(120, 740, 18, "B", "Accumulate Less: A Study of") + at(180, 718, 18, "B", "Small Batches") +
		at(250, 690, 10, "F", "Ada Example, Bo Sample") +
		// drawn in an order that nobody reads in
		column(320, 640, l1, l2, l3, l4, "And the right column ends with words that we hy-", "phenated, and with state-of-the-", "art results.") +
		at(54, 660, 12, "B", "1 Introduction") + column(54, 640, l1, l2, l3, l4) +
		at(54, 580, 12, "B", "2 Method") + column(54, 560, "Every word of the left column comes before those", "of the right one; that is how people read pages.") +
		at(300, 30, 10, "F", "1")
	page2 := at(54, 700, 12, "B", "3 Results") + column(54, 680, l1, l2, l3, l4) + column(320, 700, l1, l2, l3, l4) +
		at(54, 500, 10, "F", "Figure 1: a caption that goes across both of the columns of this page, from left to right.") +
		column(54, 460, "Below the figure the left column goes on, as far", "as the bottom of the page, and then the right one", "follows it, as it does on every page of a paper,", "until the end of it.") +
		column(320, 460, "Here is the right column below the figure, with a", "few lines of its own, that belong to the last of", "all sections. There is no more behind these words", "than this.") +
		at(300, 30, 10, "F", "2")
	got := text(t, document(page1, page2))
	want := []string{
		"# Accumulate Less: A Study of Small Batches", "Ada Example, Bo Sample",
		"## 1 Introduction", l1 + " " + l2 + " " + l3 + " " + l4, "## 2 Method", "Every word of the left column",
		"And the right column ends with words that we hyphenated, and with state-of-the-art results.",
		"## 3 Results", l1, l1, "Figure 1: a caption", "Below the figure", "until the end of it.", "Here is the right", "than this.",
	}
	rest := got
	for _, w := range want {
		_, after, ok := strings.Cut(rest, w)
		if !ok {
			t.Fatalf("%q is missing or out of order:\n%s", w, got)
		}
		rest = after
	}
	if strings.TrimSpace(rest) != "" || strings.Contains(got, "\n1\n") {
		t.Errorf("left over: %q\n%s", rest, got)
	}
}

func TestOneColumn(t *testing.T) {
	t.Parallel() // most of the time is that of starting processes
	wide := func(y float64, lines ...string) string {
		var b strings.Builder
		for i, l := range lines {
			b.WriteString(at(72, y-12*float64(i), 10, "F", l))
		}
		return b.String()
	}
	long := "This line goes from the left margin of the page to the right one and is followed by another"
	page := func(n int) string {
		return at(72, 770, 9, "F", fmt.Sprintf("Running title %d", n)) +
			at(72, 720, 14, "B", fmt.Sprintf("%d Part", n)) + wide(700, long, long, "and ends.", "  ", long, "ends too.") +
			at(72, 600, 10, "B", fmt.Sprintf("%d.1 Setup", n)) + wide(585, long, long, "ends here.") +
			// a table
			at(72, 500, 10, "F", "Model") + at(200, 500, 10, "F", "Score") + at(72, 488, 10, "F", "base") + at(200, 488, 10, "F", "41.0")
	}
	got := text(t, document(page(1), page(2), page(3)))
	for _, want := range []string{"1 Part\n\n", "## 2 Part\n\n", "### 2.1 Setup\n\n" + long, "and ends.\n\n" + long + " ends too.", "base   41.0"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing:\n%s", want, got)
		}
	}
	if strings.Contains(got, "Running") {
		t.Errorf("the running title is there:\n%s", got)
	}
}

func TestCharacters(t *testing.T) {
	t.Parallel() // most of the time is that of starting processes
	got := text(t, document(
		"BT /B 10 Tf 72 700 Td [(A)-600(\\001eld of \\002)] TJ ET\n"+
			"BT /F 10 Tf 72 680 Td (# no heading, caf\\351 x) Tj /F 7 Tf 4 Ts (2) Tj 0 Ts /F 10 Tf ( y) Tj ET\n"+
			"BT /F 10 Tf 72 660 Td (shown) Tj 3 Tr ( SECRET) Tj ET\n"+
			"q 1 g BT /F 10 Tf 0 Tr 72 640 Td (SECRET) Tj ET Q 1 1 1 rg BT /F 10 Tf 72 630 Td (SECRET) Tj ET 0 g\n"+
			"BT /F 1 Tf 72 620 Td (SECRET) Tj ET\nBT /F 10 Tf 72 -50 Td (SECRET) Tj ET\nBT /F 10 Tf 0 1 -1 0 20 300 Tm (SECRET) Tj ET\n"+
			"BT /F 10 Tf 2 Tr 0 Tr 12 TL 72 600 Td (one) Tj (two) ' ET Q Q Q\n",
	))
	for _, want := range []string{"A field of α", "no heading, café x2 y", "shown", "one"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing:\n%s", want, got)
		}
	}
	if strings.Contains(got, "SECRET") || strings.HasPrefix(got, "# no") || strings.Contains(got, "\n# no") {
		t.Error(got)
	}
}

func TestWhatCannotBeRead(t *testing.T) {
	t.Parallel() // most of the time is that of starting processes
	good := document(column(72, 700, l1))
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"no PDF":       {[]byte("<html>"), pdf.ErrBroken},
		"empty":        {nil, pdf.ErrBroken},
		"cut":          {good[:len(good)/2], pdf.ErrBroken},
		"only a head":  {[]byte("%PDF-1.5\n%%EOF"), pdf.ErrBroken},
		"no text":      {document("0 0 m 10 10 l S"), pdf.ErrNoText},
		"no pages":     {assemble([]string{"<</Type/Catalog>>"}), pdf.ErrNoText},
		"too large":    {append([]byte("%PDF-1.5\n"), make([]byte, pdf.MaxBytes)...), pdf.ErrLimit},
		"own parent":   {assemble([]string{"<</Pages 2 0 R>>", "<</Type/Pages/Count 1/Kids[3 0 R]>>", "<</Type/Page/Parent 3 0 R/Contents 4 0 R>>", "<</Length 3>>stream\nq Q\nendstream"}), pdf.ErrNoText},
		"own child":    {assemble([]string{"<</Pages 2 0 R>>", "<</Type/Pages/Count 9/Kids[2 0 R 2 0 R 2 0 R]>>"}), pdf.ErrNoText},
		"own stream":   {assemble([]string{"<</Pages 2 0 R>>", "<</Type/Pages/Count 1/Kids[3 0 R]/Resources<</XObject<</X 4 0 R>>>>>>", "<</Type/Page/Parent 2 0 R/Contents 4 0 R>>", "<</Subtype/Form/Length 11>>stream\n/X Do /X Do\nendstream"}), pdf.ErrNoText},
		"broken parts": {document("1 2 cm (x) Tj [1 2 TJ /F Tf ( Tj << >> Q Q BT"), pdf.ErrNoText},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := pdf.Text(t.Context(), c.data); !errors.Is(err, c.want) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	if got := text(t, append(bytes.Replace(good, []byte("%PDF-1.5\n"), []byte("%PDF-2.0\r"), 1), "\nbytes behind the end"...)); !strings.Contains(got, l1) {
		t.Errorf("a newer version: %q", got)
	}
}

// A page that decompresses to very much, and one that never ends.
func TestHostileDocuments(t *testing.T) {
	t.Parallel() // most of the time is that of starting processes
	for name, content := range map[string]string{
		"many characters": strings.Repeat("BT /F 10 Tf 72 700 Td (xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx) Tj ET\n", 20_000),
		"many states":     strings.Repeat("q ", 500_000),
		"one line each":   strings.Repeat("BT /F 10 Tf 0 1 -1 0 72 700 Tm 1 0 0 1 72 700 Tm (x-) Tj 0 -1 Td (y) Tj ET\n", 20_000),
		"deep":            strings.Repeat("[", 500_000),
		"operands":        strings.Repeat("1 ", 500_000) + "Tj",
	} {
		one := time.Now()
		got, err := pdf.Text(t.Context(), document(content, column(72, 700, l1)))
		if err == nil && !strings.Contains(got, "study") && name != "many characters" {
			t.Errorf("%s: the good page is missing", name)
		}
		if len(got) > 5<<20 || time.Since(one) > time.Minute {
			t.Errorf("%s: %d bytes in %v, %v", name, len(got), time.Since(one), err)
		}
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel() // most of the time is that of starting processes
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := pdf.Text(ctx, document(column(72, 700, l1))); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestOtherArgumentsAreNotHandled(t *testing.T) {
	t.Parallel() // most of the time is that of starting processes
	for _, args := range [][]string{nil, {"x"}, {"x", "y"}, {"x", "__pdf_text", "z"}} {
		if handled, _ := pdf.Main(args); handled {
			t.Errorf("%q is handled", args)
		}
	}
}

// behindTheFence says what can still be done there.
func behindTheFence() {
	pdf.Fence()
	if _, err := os.ReadFile("/etc/hostname"); err == nil {
		fmt.Println("a file was read")
	}
	if _, err := os.Create(filepath.Join(os.TempDir(), "pdf-fence-test")); err == nil {
		fmt.Println("a file was made")
	}
	if _, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		fmt.Println("a port was opened")
	}
	if _, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{}); err == nil {
		fmt.Println("a program was started")
	}
	fmt.Println("alive")
	var kept [][]byte
	for range 64 {
		b := make([]byte, 64<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		kept = append(kept, b)
	}
	fmt.Println("4 GiB were filled", len(kept))
}

func TestFence(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("what the fence takes depends on the system")
	}
	out, err := exec.Command("/proc/self/exe", "behind the fence").Output()
	if err == nil || string(out) != "alive\n" {
		t.Errorf("%v: %s", err, out)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(document(at(72, 700, 14, "B", "1 Heading") + column(72, 680, l1, l2)))
	f.Add(document("/F 1 Tf [(a) -300 <41>] TJ q 1 0 0 1 2 3 cm 1 1 1 rg /X Do (b) ' 1 2 (c) \" Q"))
	f.Fuzz(func(t *testing.T, data []byte) {
		text, code := pdf.Read(data)
		if (text == "") == (code == 0) || !utf8.ValidString(text) {
			t.Errorf("%q with %d", text, code)
		}
	})
}

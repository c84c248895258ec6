package realclients_test

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the transcripts below testdata anew")

// transcript is what each row of a suite sent, one request a line, without what
// differs from run to run.
type transcript struct {
	name string
	want map[string][]string // nil where none is recorded
	got  []string            // the whole file
}

// script opens the transcript that was recorded for a client, if there is one.
func script(t *testing.T, name string) *transcript {
	t.Helper()
	s := &transcript{name: filepath.Join("testdata", name+".golden")}
	raw, err := os.ReadFile(s.name)
	if errors.Is(err, fs.ErrNotExist) || *update {
		if !*update {
			t.Logf("no transcript is recorded for %s: its rows are proven, its requests are not compared", name)
		}
		return s
	}
	if err != nil {
		t.Fatal(err)
	}
	s.want = map[string][]string{}
	row := ""
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSuffix(line, "\n")
		if title, ok := strings.CutPrefix(line, "== "); ok {
			row = title
		} else if line != "" {
			s.want[row] = append(s.want[row], line)
		}
	}
	return s
}

// row compares what a row sent with what it sent when it was recorded.
func (s *transcript) row(t *testing.T, name string, o order, all []seen) {
	t.Helper()
	lines := o.lines(all)
	s.got = append(append(s.got, "== "+name), lines...)
	if s.want == nil {
		return
	}
	if d := gocmp.Diff(s.want[name], lines); d != "" {
		t.Errorf("other requests than those in %s (-recorded +sent; -update records them)\n%s", s.name, d)
	}
}

// close writes the transcript where that is asked for.
func (s *transcript) close(t *testing.T) {
	t.Helper()
	if *update && !t.Failed() {
		if err := os.WriteFile(s.name, []byte(strings.Join(s.got, "\n")+"\n"), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// order says what of the sequence of a row's requests means something.
type order int

const (
	asSent order = iota
	// anyOrder is of rows whose client works on several things at once.
	anyOrder
	// anyCount is of rows that ask again and again until something is so.
	anyCount
)

func (o order) lines(all []seen) []string {
	lines := []string{}
	begin := 0 // of the part that may be sorted
	for _, s := range all {
		line := line(s)
		if o == anyCount && slices.Contains(lines[begin:], line) {
			continue
		}
		lines = append(lines, line)
		if s.Method == mark {
			o.sort(lines[begin : len(lines)-1])
			begin = len(lines)
		}
	}
	o.sort(lines[begin:])
	return lines
}

func (o order) sort(lines []string) {
	if o != asSent {
		slices.Sort(lines)
	}
}

// line is a request: method, host, address, status, whose token, which range,
// which faults.
func line(s seen) string {
	if s.Method == mark {
		return "--"
	}
	address := s.Path
	if s.Query != "" {
		address += "?" + s.Query
	}
	text := fmt.Sprintf("%s %s %s %d %s", s.Method, s.Host, plain(address), s.Status, cmp.Or(s.User, strings.ToLower(s.Authorization), "-"))
	if r := s.Header["Range"]; r != "" {
		text += " " + r
	}
	if len(s.Faults) > 0 {
		text += " fault " + strings.Join(s.Faults, ",")
	}
	return text
}

// changing are the parts of an address that are never the same.
var changing = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`%22[0-9a-f]{40}%22`), "%22{blob}%22"},
	{regexp.MustCompile(`[0-9a-f]{64}`), "{sha256}"},
	{regexp.MustCompile(`[0-9a-f]{40}`), "{commit}"},
	{regexp.MustCompile(`[0-9a-f]{24}`), "{id}"},
	{regexp.MustCompile(`20\d\d-\d\d-\d\dT[0-9:.%A]*Z`), "{time}"},
	{regexp.MustCompile(`(X-Amz-Date|Expires|expires|cursor)=[^&]*`), "$1={}"},
	{regexp.MustCompile(`[?&][^=&]*(S|s)ig[^=&]*=[^&]*`), ""},
}

func plain(address string) string {
	for _, c := range changing {
		address = c.pattern.ReplaceAllString(address, c.by)
	}
	return address
}

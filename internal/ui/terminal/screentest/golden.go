package screentest

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func updating() bool {
	f := flag.Lookup("update")
	return f != nil && f.Value.String() == "true"
}

// Golden compares text with testdata/<name>; with -update it writes the file.
func Golden(t testing.TB, name, text string) {
	t.Helper()
	if updating() {
		write(t, name, text)
		return
	}
	if diff := cmp.Diff(strings.TrimSuffix(read(t, name), "\n"), text); diff != "" {
		t.Errorf("testdata/%s differs (-want +got):\n%s", name, diff)
	}
}

func write(t testing.TB, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatalf("%v (write it with -update)", err)
	}
	return string(raw)
}

// Section is one screen of a golden file.
type Section struct {
	Name     string
	Terminal *Terminal
}

// mark begins a section in a file.
const mark = "######## "

// GoldenScreens waits until every screen looks as testdata/<name> says, and
// fails with what stands there instead; with -update it writes what stands there
// once nothing changes any more.
func GoldenScreens(t testing.TB, name string, sections []Section) {
	t.Helper()
	if updating() {
		var parts []string
		for _, s := range sections {
			parts = append(parts, mark+s.Name+"\n"+s.Terminal.settled())
		}
		write(t, name, strings.Join(parts, "\n"))
		return
	}
	want := map[string]string{}
	for _, part := range strings.Split("\n"+strings.TrimSuffix(read(t, name), "\n"), "\n"+mark)[1:] {
		title, picture, _ := strings.Cut(part, "\n")
		want[title] = picture
	}
	wait := patience
	for _, s := range sections {
		if got, ok := s.Terminal.shows(want[s.Name], wait); !ok {
			t.Errorf("testdata/%s, %s (-want +got):\n%s", name, s.Name, cmp.Diff(want[s.Name], got))
			wait = time.Second // the others have had as much time
		}
	}
}

// quiet is how long a screen must stand still to be a picture for a file.
const quiet = 700 * time.Millisecond

// settled returns the picture that stands still.
func (x *Terminal) settled() string {
	x.t.Helper()
	picture, limit := x.Picture(), time.Now().Add(patience)
	for since := time.Now(); time.Since(since) < quiet; {
		changed := x.change()
		if now := x.Picture(); now != picture {
			picture, since = now, time.Now()
		}
		select {
		case <-changed:
		case <-time.After(quiet / 10):
		}
		if time.Now().After(limit) {
			x.t.Fatalf("the screen does not come to rest:\n%s", picture)
		}
	}
	return picture
}

// shows waits until the picture is the one that is wanted.
func (x *Terminal) shows(want string, wait time.Duration) (got string, ok bool) {
	limit := time.NewTimer(wait)
	defer limit.Stop()
	for {
		changed := x.change()
		if got = x.Picture(); got == want {
			return got, true
		}
		select {
		case <-changed:
		case <-limit.C:
			return got, false
		}
	}
}

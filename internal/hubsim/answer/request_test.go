package answer_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
)

var nextLink = regexp.MustCompile(`^<(http://hub\.test/list\?[^>]*)>; rel="next"$`)

// walk follows the pages of list, which change may edit between two of them.
func walk(t interface{ Fatalf(string, ...any) }, limit int, list func() []string, change func()) []string {
	var seen []string
	for link := "http://hub.test/list?search=a"; link != ""; change() {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, link, nil)
		page, err := answer.Page(w, r, list(), limit, func(s string) string { return s })
		if err != nil {
			t.Fatalf("page %s: %v", link, err)
		}
		if len(page) > limit {
			t.Fatalf("%d items on a page of %d", len(page), limit)
		}
		seen = append(seen, page...)
		link = ""
		if h := w.Header().Get("Link"); h != "" {
			m := nextLink.FindStringSubmatch(h)
			if m == nil || !strings.Contains(m[1], "search=a") {
				t.Fatalf("Link %q", h)
			}
			link = m[1]
		}
	}
	return seen
}

func TestPagesHoldEverythingOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := rapid.SliceOfNDistinct(rapid.StringMatching(`[ -~]{1,4}`), 0, 30, rapid.ID).Draw(t, "items")
		limit := rapid.IntRange(1, 7).Draw(t, "limit")
		got := walk(t, limit, func() []string { return items }, func() {
			items = rapid.Permutation(items).Draw(t, "reordered")
		})
		want := slices.Sorted(slices.Values(items))
		if !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

func TestPagesWhileTheListChanges(t *testing.T) {
	items := []string{"b", "d", "f", "h", "j"}
	step := 0
	got := walk(t, 2, func() []string { return items }, func() {
		if step++; step == 1 { // b and d were shown
			items = []string{"a", "d", "e", "f", "h", "j"}
		}
	})
	if want := []string{"b", "d", "e", "f", "h", "j"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q: nothing that stays may be lost or come twice", got, want)
	}
}

func TestNumbersHaveTheirOrderAsPlaces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int64().Draw(t, "a"), rapid.Int64().Draw(t, "b")
		if (a < b) != (answer.Ascending(a) < answer.Ascending(b)) || (a < b) != (answer.Descending(a) > answer.Descending(b)) {
			t.Fatalf("%d and %d are out of order", a, b)
		}
	})
}

func TestQueryValues(t *testing.T) {
	q, _ := url.ParseQuery("expand=a&expand[]=b&full=True&gated=false&cardData=1&limit=5000")
	if got := answer.Values(q, "expand"); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("expand: %q", got)
	}
	for name, want := range map[string][2]bool{"full": {true, true}, "gated": {false, true}, "cardData": {true, true}, "config": {false, false}} {
		if v, ok := answer.Flag(q, name); v != want[0] || ok != want[1] {
			t.Errorf("%s: %v %v", name, v, ok)
		}
	}
	if n, err := answer.Limit(q, 10, 1000); n != 1000 || err != nil {
		t.Errorf("limit: %d %v", n, err)
	}
	for _, bad := range []string{"0", "-1", "x"} {
		if _, err := answer.Limit(url.Values{"limit": {bad}}, 10, 1000); status(err) != http.StatusBadRequest {
			t.Errorf("limit %q: %v", bad, err)
		}
	}
}

func TestBodies(t *testing.T) {
	for body, want := range map[string]string{``: "{}", ` `: "{}", `{"A":"x"}`: "{x}", `[`: "400", `{"A":` + strings.Repeat(" ", 17<<20) + `}`: "413"} {
		var v struct{ A string }
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		got := fmt.Sprint(status(answer.Body(httptest.NewRecorder(), r, &v)))
		if got == "0" {
			got = fmt.Sprint(v)
		}
		if got != want {
			t.Errorf("%.20q: %s, want %s", body, got, want)
		}
	}
}

func status(err error) int {
	var e *answer.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Status
}

func FuzzPlace(f *testing.F) {
	for _, s := range []string{"", "a", "YQ", "YR", "\xff", answer.Cursor("acme/tiny")} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		place, err := answer.Place(s)
		if err != nil {
			if status(err) != http.StatusBadRequest {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		if again, err := answer.Place(answer.Cursor(place)); err != nil || again != place {
			t.Fatalf("%q: %q came back as %q, %v", s, place, again, err)
		}
	})
}

func TestLines(t *testing.T) {
	for _, c := range []struct {
		body, want string
		failed     int // status
	}{
		{"a\n\n  \r\nb", "a b", 0},
		{"", "", 0},
		{"1234567\n", "1234567", 0},
		{"12345678\n", "", 413},
		{"a\n123456789", "a", 413},
		{strings.Repeat("12\n", 10), strings.Repeat("12 ", 9) + "12", 0},
		// What lies before the end of what is read was read in one piece.
		{strings.Repeat("12\n", 11), "", 413},
	} {
		var got []string
		status := 0
		for line, err := range answer.Lines(strings.NewReader(c.body), 8, 30) {
			var e *answer.Error
			if errors.As(err, &e) {
				status = e.Status
				continue
			}
			got = append(got, string(line))
		}
		if text := strings.Join(got, " "); text != c.want || status != c.failed {
			t.Errorf("%q: %q, %d", c.body, text, status)
		}
	}
	for range answer.Lines(strings.NewReader("a\nb\n"), 8, 30) {
		break // who has enough may go
	}
}

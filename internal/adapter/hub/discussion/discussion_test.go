package discussion_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/discussion"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/hubtest"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
)

var m1 = discussion.Repo{ID: "bob/m1"}

const base = "/api/models/bob/m1/discussions"

func api(t *testing.T, h http.HandlerFunc) (*discussion.API, *hubtest.Net) {
	t.Helper()
	n := hubtest.New(t)
	n.ServeHub(h)
	c, err := wire.New(wire.Options{HTTP: n.Client(), Endpoint: hubtest.Hub, Token: "hf_testtesttest"})
	if err != nil {
		t.Fatal(err)
	}
	return discussion.New(c), n
}

func fixture(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(fixturetest.Dir(t, "hub"), file))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRecordedThread(t *testing.T) {
	data := fixture(t, "discussion-details-pr.json")
	a, _ := api(t, func(w http.ResponseWriter, r *http.Request) { w.Write(data) })
	d, err := a.Details(t.Context(), m1, 1, true)
	if err != nil {
		t.Fatal(err)
	}
	if d.Num != 1 || d.Author.Name != "mastermile" || d.Status != discussion.Closed || d.Base != "refs/heads/main" || d.Conflicts.Some || len(d.Conflicts.Files) != 0 {
		t.Errorf("%+v", d)
	}
	var types []string
	for _, e := range d.Events {
		types = append(types, e.Type)
	}
	if diff := cmp.Diff([]string{"comment", "commit", "status-change", "comment"}, types); diff != "" {
		t.Error(diff)
	}
	if c, ok := d.Events[3].Comment(); !ok || !c.Hidden || !c.Edited || c.Text != "This comment has been hidden" {
		t.Errorf("%+v", c)
	}
	if !strings.Contains(string(d.Raw), "cachedStorageEstimate") {
		t.Error("what has no field got lost")
	}
	data = fixture(t, "discussions-list.json")
	for d, err := range a.List(t.Context(), m1, discussion.Filter{}) {
		if err != nil || d.Num != 152 || d.NumComments != 1 {
			t.Errorf("%+v, %v", d, err)
		}
		break
	}
}

// Types that nobody knows yet are kept, and a deleted user is no author.
func TestUnknownEventsAreKept(t *testing.T) {
	a, _ := api(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"num":3,"status":"open","isPullRequest":true,"filesWithConflicts":true,"events":[{"id":"e1","type":"telepathy","data":{"thought":[1]}}]}`)
	})
	d, err := a.Details(t.Context(), m1, 3, false)
	if err != nil || d.Author != nil || !d.Conflicts.Some || len(d.Events) != 1 || d.Events[0].Type != "telepathy" || string(d.Events[0].Data) != `{"thought":[1]}` {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestListPages(t *testing.T) {
	a, n := api(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("p") {
		case "0":
			fmt.Fprint(w, `{"discussions":[{"num":5},{"num":4}],"count":3,"start":0}`)
		case "1":
			fmt.Fprint(w, `{"discussions":[{"num":2}],"count":3,"start":2}`)
		default:
			t.Errorf("asked for %s", r.URL)
		}
	})
	var nums []int
	for d, err := range a.List(t.Context(), m1, discussion.Filter{Type: "pull_request", Status: "open"}) {
		if err != nil {
			t.Fatal(err)
		}
		nums = append(nums, d.Num)
	}
	if diff := cmp.Diff([]int{5, 4, 2}, nums); diff != "" || n.Seen()[0].Query != "p=0&status=open&type=pull_request" {
		t.Errorf("%s, %s", diff, n.Seen()[0].Query)
	}
	for range a.List(t.Context(), m1, discussion.Filter{}) {
		break
	}
	if len(n.Seen()) != 3 {
		t.Errorf("%d requests: stopping early asked for more", len(n.Seen()))
	}
}

// The recorded answers to writes.
func TestWrites(t *testing.T) {
	var writes []struct {
		Request string
		Status  int
		Body    json.RawMessage
	}
	if err := json.Unmarshal(fixture(t, "discussion-writes.json"), &writes); err != nil {
		t.Fatal(err)
	}
	next, sent := 0, ""
	a, _ := api(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "GET" {
			fmt.Fprint(w, `{"discussions":[],"events":[]}`)
			return
		}
		body, _ := io.ReadAll(r.Body)
		sent = strings.TrimPrefix(r.URL.Path, base) + " " + string(body)
		w.WriteHeader(writes[next].Status)
		w.Write(writes[next].Body)
		next++
	})
	check := func(err error, want string) {
		t.Helper()
		if err != nil || sent != want {
			t.Errorf("sent %s, want %s: %v", sent, want, err)
		}
	}
	o, err := a.Create(t.Context(), m1, discussion.Draw{Title: "A title", Description: "d", PullRequest: true})
	check(err, ` {"description":"d","pullRequest":true,"title":"A title"}`)
	if o.Num != 2 || o.URL != hubtest.Hub+"/bob/m1/discussions/2" || o.Found {
		t.Errorf("%+v", o)
	}
	e, err := a.Comment(t.Context(), m1, 2, "hello")
	check(err, `/2/comment {"comment":"hello"}`)
	if c, ok := e.Comment(); !ok || c.Text != "hello" {
		t.Errorf("%+v", e)
	}
	_, err = a.Rename(t.Context(), m1, 2, "New title")
	check(err, `/2/title {"title":"New title"}`)
	_, err = a.SetStatus(t.Context(), m1, 2, discussion.Open, "")
	check(err, `/2/status {"status":"open"}`)
	_, err = a.Edit(t.Context(), m1, 2, e.ID, "hello again")
	check(err, `/2/comment/`+e.ID+`/edit {"content":"hello again"}`)
	e, err = a.Hide(t.Context(), m1, 2, e.ID)
	check(err, `/2/comment/`+e.ID+`/hide `)
	err = a.Merge(t.Context(), m1, 2, "")
	check(err, `/2/merge `)
	if err := a.Merge(t.Context(), m1, 2, "now"); !errors.Is(err, wire.BadRequest) || !strings.Contains(err.Error(), "Cannot merge a draft") {
		t.Errorf("error %v", err)
	}
}

// thread is a Hub with one thread that loses answers, before or after it acts.
type thread struct {
	title, status string
	comments      []string
	opened        int
	lose          int  // so many answers
	act           bool // although the answer is lost
}

func (d *thread) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method == "GET" {
		if r.URL.Path == base {
			var list []string
			for n := d.opened; n > 0; n-- {
				list = append(list, fmt.Sprintf(`{"num":%d,"title":%q}`, n, d.title))
			}
			fmt.Fprintf(w, `{"discussions":[%s],"count":%d,"start":0}`, strings.Join(list, ","), d.opened)
			return
		}
		events := []string{`{"id":"t","type":"title-change"},{"id":"s","type":"status-change"}`}
		for i, c := range d.comments {
			events = append(events, fmt.Sprintf(`{"id":"c%d","type":"comment","data":{"latest":{"raw":%q}}}`, i, c))
		}
		fmt.Fprintf(w, `{"num":1,"title":%q,"status":%q,"events":[%s]}`, d.title, d.status, strings.Join(events, ","))
		return
	}
	var body struct{ Title, Comment, Status, Description string }
	json.NewDecoder(r.Body).Decode(&body)
	if lost := d.lose > 0; lost {
		d.lose--
		defer func() {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				conn.Close()
			}
		}()
		if !d.act {
			return
		}
		w = discard{}
	}
	switch path := strings.TrimPrefix(r.URL.Path, base); path {
	case "":
		d.opened, d.title, d.comments = d.opened+1, body.Title, []string{body.Description}
		fmt.Fprintf(w, `{"num":%d}`, d.opened)
	case "/1/comment":
		d.comments = append(d.comments, body.Comment)
		fmt.Fprintf(w, `{"newMessage":{"id":"c%d","type":"comment","data":{"latest":{"raw":%q}}}}`, len(d.comments)-1, body.Comment)
	case "/1/title":
		d.title = body.Title
		fmt.Fprint(w, `{"newTitle":{"id":"t"}}`)
	case "/1/status":
		d.status = body.Status
		fmt.Fprint(w, `{"newStatus":{"id":"s"}}`)
	case "/1/merge":
		d.status = "merged"
		fmt.Fprint(w, `{}`)
	}
}

type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

// Whatever becomes of the answer, everything is done exactly once.
func TestLostAnswers(t *testing.T) {
	for _, act := range []bool{true, false} {
		t.Run(fmt.Sprint("acts ", act), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &thread{}
				a, _ := api(t, d.serve)
				lose := func() { d.lose, d.act = 1, act }
				for n := 1; n <= 2; n++ { // the second of the same title is another
					lose()
					o, err := a.Create(t.Context(), m1, discussion.Draw{Title: "title", Description: "text"})
					if err != nil || d.opened != n || o.Num != n || o.Found != act {
						t.Fatalf("%+v, %v: %d threads", o, err, d.opened)
					}
				}
				for n := range 2 {
					lose()
					e, err := a.Comment(t.Context(), m1, 1, "again")
					if err != nil || len(d.comments) != n+2 || e.ID != fmt.Sprint("c", n+1) {
						t.Errorf("%+v, %v: %v", e, err, d.comments)
					}
				}
				lose()
				if e, err := a.Rename(t.Context(), m1, 1, "other"); err != nil || d.title != "other" || e.ID != "t" {
					t.Errorf("%+v, %v", e, err)
				}
				lose()
				if e, err := a.SetStatus(t.Context(), m1, 1, discussion.Closed, ""); err != nil || d.status != "closed" || e.ID != "s" {
					t.Errorf("%+v, %v", e, err)
				}
				lose()
				if err := a.Merge(t.Context(), m1, 1, ""); err != nil || d.status != "merged" {
					t.Error(err)
				}
				d.lose, d.act = 99, false
				if _, err := a.Rename(t.Context(), m1, 1, "never"); !errors.Is(err, wire.Unreachable) || d.lose != 96 {
					t.Errorf("error %v after %d tries", err, 99-d.lose)
				}
			})
		})
	}
}

func TestRefusedBeforeAnyRequest(t *testing.T) {
	a, n := api(t, func(http.ResponseWriter, *http.Request) {})
	_, short := a.Create(t.Context(), m1, discussion.Draw{Title: "ab"})
	_, long := a.Create(t.Context(), m1, discussion.Draw{Title: "title", Description: strings.Repeat("x", 65_537)})
	_, empty := a.Comment(t.Context(), m1, 1, "")
	_, status := a.SetStatus(t.Context(), m1, 1, discussion.Merged, "")
	_, repo := a.Details(t.Context(), discussion.Repo{ID: "a/b/c"}, 1, false)
	_, kind := a.Details(t.Context(), discussion.Repo{ID: "a/b", Type: "bucket"}, 1, false)
	_, event := a.Hide(t.Context(), m1, 1, "..")
	var sort error
	for _, sort = range a.List(t.Context(), m1, discussion.Filter{Sort: "oldest"}) {
	}
	for i, err := range []error{short, long, empty, status, repo, kind, event, sort} {
		if !errors.Is(err, wire.Invalid) {
			t.Errorf("%d: error %v", i, err)
		}
	}
	if len(n.Seen()) != 0 {
		t.Errorf("%d requests", len(n.Seen()))
	}
}

package discussion_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/discussion"
	"github.com/ml-intern/ml-intern/internal/hubsim/git"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
	"github.com/ml-intern/ml-intern/internal/hubsim/simtest"
)

const (
	bob   = simtest.BobWrite
	alice = simtest.AliceWrite
	base  = "/api/models/bob/m1/discussions"
)

type m = map[string]any

// told remembers what is notified.
type told struct {
	mu     sync.Mutex
	events []string
	last   map[string]any
}

func (n *told) note(r *repo.Repo, action, scope string, more map[string]any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = append(n.events, scope+" "+action)
	n.last = more
}

type hub struct {
	*simtest.Server
	w    *simtest.World
	area *discussion.Area
	repo *repo.Repo
	told *told
}

func setup(t *testing.T) *hub {
	t.Helper()
	w := simtest.New(t)
	h := &hub{w: w, told: &told{}}
	a, err := discussion.New(discussion.Options{
		Clock: w.Clock, Accounts: w.Book, Repos: w.Repos, Notify: h.told.note,
		Endpoint: func() string { return "http://hub.test" },
	})
	if err != nil {
		t.Fatal(err)
	}
	h.area, h.Server = a, w.Serve(a)
	h.repo = w.Repo(repo.CreateSpec{ID: "bob/m1"}, map[string]string{"a.txt": "one\ntwo\n", "b.txt": "b\n"})
	return h
}

// pull makes a pull request with one commit by alice.
func (h *hub) pull(files map[string]string) int {
	h.Helper()
	_, num, err := h.repo.CommitPullRequest(h.w.As(alice), repo.CommitSpec{
		Title: "A change", Description: "why", Author: "alice", Changes: simtest.Changes(files),
	})
	if err != nil {
		h.Fatal(err)
	}
	return num
}

func at(num int, more string) string { return fmt.Sprintf("%s/%d%s", base, num, more) }

func (h *hub) read(rev, path string) string {
	oid, err := h.repo.Resolve(rev)
	if err != nil {
		return err.Error()
	}
	raw, err := h.repo.Read(context.Background(), oid, path)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// Acceptance check 23 of the Hub: a pull request that comes with a commit is
// open with one commit event; one made on its own is a draft, which cannot be
// merged until it is open.
func TestCheck23_StatesOfPullRequests(t *testing.T) {
	h := setup(t)
	num := h.pull(map[string]string{"c.txt": "new\n"})
	d := h.Must(200, bob, "GET", at(num, "?diff=1"), nil)
	h.Equal([]any{d.At("status"), d.At("isPullRequest")}, []any{"open", true})
	h.Equal(simtest.Each(d.At("events"), "type"), []any{"comment", "commit"})
	h.Equal(d.Text("events", 0, "data", "latest", "raw"), "why")
	if diff := d.Text("diff"); !strings.Contains(diff, "+new") || !strings.Contains(diff, "b/c.txt") {
		t.Errorf("diff %q", diff)
	}
	h.Must(403, alice, "POST", at(num, "/merge"), nil)
	h.Must(200, bob, "POST", at(num, "/merge"), nil)
	d = h.Must(200, bob, "GET", at(num, "?diff=1"), nil)
	head, _ := h.repo.Head("main")
	h.Equal([]any{d.At("status"), d.At("changes", "mergeCommitId")}, []any{"merged", head})
	h.Equal(h.read("main", "c.txt"), "new\n")
	if !strings.Contains(d.Text("diff"), "+new") {
		t.Error("a merged pull request lost its diff")
	}

	draft := h.Must(200, alice, "POST", base, m{"title": "A draft", "description": "d", "pullRequest": true})
	num = int(draft.At("num").(float64))
	h.Equal(draft.Body, any(m{"num": 2.0, "url": "http://hub.test/bob/m1/discussions/2", "pullRequest": true}))
	d = h.Must(200, bob, "GET", at(num, ""), nil)
	h.Equal(d.At("status"), any("draft"))
	if oid, err := h.repo.Resolve("refs/pr/2"); oid != head || err != nil {
		t.Errorf("refs/pr/2 is %s, %v; main is %s", oid, err, head)
	}
	refused := h.Must(400, bob, "POST", at(num, "/merge"), nil)
	h.Equal(refused.Body, simtest.Fixture(t, "discussion-writes.json", 7, "body"))
	h.w.Commit(h.repo, "refs/pr/2", map[string]string{"d.txt": "d\n"})
	h.Equal(h.Must(200, alice, "POST", at(num, "/status"), m{"status": "open"}).At("newStatus", "data"), any(m{"status": "open"}))
	h.Must(200, bob, "POST", at(num, "/merge"), m{"comment": "thanks"})
	d = h.Must(200, bob, "GET", at(num, ""), nil)
	h.Equal(simtest.Each(d.At("events"), "type"), []any{"comment", "commit", "status-change", "comment", "status-change"})
	h.Equal(h.read("main", "d.txt"), "d\n")
	h.Must(400, bob, "POST", at(num, "/merge"), nil)
	h.Must(400, bob, "POST", at(num, "/status"), m{"status": "open"})
}

func TestAnEmptyPullRequestCanBeMerged(t *testing.T) {
	h := setup(t)
	h.Must(200, bob, "POST", base, m{"title": "Nothing", "pullRequest": true})
	h.Must(200, bob, "POST", at(1, "/status"), m{"status": "open"})
	h.Must(200, bob, "POST", at(1, "/merge"), "")
	h.Equal(h.Must(200, bob, "GET", at(1, ""), nil).At("status"), any("merged"))
}

func TestConflictsOnChangedPaths(t *testing.T) {
	h := setup(t)
	same, other := h.pull(map[string]string{"a.txt": "mine\n"}), h.pull(map[string]string{"b.txt": "mine\n"})
	h.Equal(h.Must(200, bob, "GET", at(same, ""), nil).At("filesWithConflicts"), any([]any{}))
	h.w.Commit(h.repo, "main", map[string]string{"a.txt": "theirs\n"})
	h.Equal(h.Must(200, bob, "GET", at(same, ""), nil).At("filesWithConflicts"), any([]any{"a.txt"}))
	h.Equal(h.Must(200, bob, "GET", at(other, ""), nil).At("filesWithConflicts"), any([]any{}))
	r := h.Do(bob, "POST", at(same, "/merge"), nil)
	if r.Status < 400 || r.Status > 499 || !strings.Contains(r.Text("error"), "a.txt") {
		t.Errorf("merge with a conflict: %d %s", r.Status, r.Raw)
	}
	h.Equal(h.Must(200, bob, "GET", at(same, ""), nil).At("status"), any("open"))
	h.Equal(h.read("main", "a.txt"), "theirs\n")
	h.Must(200, bob, "POST", at(other, "/merge"), nil)
	h.Equal([]string{h.read("main", "a.txt"), h.read("main", "b.txt")}, []string{"theirs\n", "mine\n"})
}

func TestOnlyOneOfManyMergesWins(t *testing.T) {
	h := setup(t)
	num := h.pull(map[string]string{"c.txt": "c"})
	var wg sync.WaitGroup
	status := make([]int, 8)
	for i := range status {
		wg.Go(func() { status[i] = h.Do(bob, "POST", at(num, "/merge"), nil).Status })
	}
	wg.Wait()
	slices.Sort(status)
	h.Equal(status, []int{200, 400, 400, 400, 400, 400, 400, 400})
}

func TestLifeOfADiscussion(t *testing.T) {
	h := setup(t)
	h.Must(200, alice, "POST", base, m{"title": "A question", "description": "How?"})
	first := h.Must(201, bob, "POST", at(1, "/comment"), m{"comment": "So <b>\n\nand so"})
	h.Equal(first.Text("newMessage", "data", "latest", "html"), "<p>So &lt;b&gt;</p>\n<p>and so</p>\n")
	id := first.Text("newMessage", "id")
	h.Must(403, alice, "POST", at(1, "/comment/"+id+"/edit"), m{"content": "mine"})
	edited := h.Must(200, bob, "POST", at(1, "/comment/"+id+"/edit"), m{"content": "Like this"})
	h.Equal([]any{edited.At("updatedComment", "data", "edited"), edited.At("updatedComment", "data", "numEdits")}, []any{true, 1.0})
	h.Must(403, alice, "POST", at(1, "/comment/"+id+"/hide"), nil)
	hidden := h.Must(200, bob, "POST", at(1, "/comment/"+id+"/hide"), nil)
	h.Equal(hidden.Text("updatedComment", "data", "latest", "raw"), "This comment has been hidden")
	h.Must(400, bob, "POST", at(1, "/comment/"+id+"/edit"), m{"content": "back"})
	h.Must(400, bob, "POST", at(1, "/comment/"+id+"/hide"), nil)
	h.Must(404, bob, "POST", at(1, "/comment/none/hide"), nil)

	renamed := h.Must(200, alice, "POST", at(1, "/title"), m{"title": "The question"})
	h.Equal(renamed.At("newTitle", "data"), any(m{"from": "A question", "to": "The question"}))
	h.Must(200, bob, "POST", at(1, "/status"), m{"status": "closed", "comment": "bye"})
	h.Must(400, bob, "POST", at(1, "/status"), m{"status": "closed"})
	h.Must(200, alice, "POST", at(1, "/status"), m{"status": "open"})
	h.Must(403, alice, "POST", at(1, "/pin"), nil)
	h.Must(200, bob, "POST", at(1, "/pin"), nil)
	h.Must(200, bob, "POST", at(1, "/pin"), m{"pinned": false})
	d := h.Must(200, "", "GET", at(1, ""), nil)
	h.Equal(simtest.Each(d.At("events"), "type"), []any{
		"comment", "comment", "title-change", "comment", "status-change", "status-change", "pinning-change", "pinning-change",
	})
	times := simtest.Each(d.At("events"), "createdAt")
	if !slices.IsSortedFunc(times, func(x, y any) int { return strings.Compare(x.(string), y.(string)) }) {
		t.Errorf("events are out of order: %v", times)
	}
	if _, ok := d.Body.(m)["changes"]; ok {
		t.Error("a discussion has changes")
	}
	h.Must(400, bob, "POST", at(1, "/merge"), nil)
	h.Must(403, alice, "DELETE", at(1, ""), nil)
	h.Must(200, bob, "DELETE", at(1, ""), nil)
	h.Must(404, bob, "GET", at(1, ""), nil)
	h.Equal(h.Must(200, bob, "POST", base, m{"title": "Next"}).At("num"), any(2.0)) // numbers are not used twice
}

func TestWhoMayTalk(t *testing.T) {
	h := setup(t)
	h.Must(401, "", "POST", base, m{"title": "Hello"})
	h.Must(403, simtest.AliceRead, "POST", base, m{"title": "Hello"})
	h.Must(403, simtest.BobFine, "POST", base, m{"title": "Hello"})
	h.w.Book.PutToken(account.Token{Value: "hf_talk", Owner: "alice", Role: "fineGrained", Global: []string{account.DiscussionWrite}})
	h.Must(200, "hf_talk", "POST", base, m{"title": "Hello"})
	h.Must(401, "", "POST", at(1, "/comment"), m{"comment": "x"})
	h.w.Repo(repo.CreateSpec{ID: "bob/secret", Visibility: repo.Private}, nil)
	h.Must(404, alice, "GET", "/api/models/bob/secret/discussions", nil)
	h.Must(401, "", "GET", "/api/models/bob/secret/discussions", nil)
	h.Must(307, alice, "GET", "/api/models/Bob/M1/discussions?p=0", nil)

	h.repo.Update(func(s *repo.Settings) { s.DiscussionsDisabled = true })
	for _, try := range [][2]string{{"GET", base}, {"POST", base}, {"GET", at(1, "")}, {"POST", at(1, "/comment")}} {
		h.Must(403, bob, try[0], try[1], m{})
	}
	if _, _, err := h.repo.CommitPullRequest(h.w.As(alice), repo.CommitSpec{Title: "Sneaky", Author: "alice", Changes: simtest.Changes(map[string]string{"x": "x"})}); err == nil {
		t.Error("a pull request was made although discussions are switched off")
	}
}

func TestBadRequests(t *testing.T) {
	h := setup(t)
	for _, bad := range []any{m{}, m{"title": "ab"}, m{"title": strings.Repeat("t", 201)}, m{"title": "abc", "description": strings.Repeat("d", 65537)}, "{"} {
		h.Must(400, bob, "POST", base, bad)
	}
	h.Must(200, bob, "POST", base, m{"title": "abc", "description": strings.Repeat("ä", 65536)})
	h.Must(400, bob, "POST", at(1, "/comment"), m{"comment": " "})
	h.Must(400, bob, "POST", at(1, "/title"), m{"title": "x"})
	h.Must(400, bob, "POST", at(1, "/status"), m{"status": "merged"})
	h.Must(400, bob, "GET", base+"/x", nil)
	h.Must(404, bob, "GET", at(9, ""), nil)
	for _, q := range []string{"?type=x", "?status=draft", "?sort=age", "?p=-1", "?p=x"} {
		h.Must(400, bob, "GET", base+q, nil)
	}
}

func TestLists(t *testing.T) {
	h := setup(t)
	for i := range 60 {
		h.Must(200, []string{bob, alice}[i%2], "POST", base, m{"title": fmt.Sprintf("Question %02d", i+1), "pullRequest": i%3 == 0})
	}
	h.Must(200, bob, "POST", at(5, "/status"), m{"status": "closed"})
	h.Must(201, bob, "POST", at(7, "/comment"), m{"comment": "hot"})
	get := func(query string) simtest.Reply { return h.Must(200, "", "GET", base+query, nil) }
	nums := func(r simtest.Reply) (all []int) {
		for _, n := range simtest.Each(r.At("discussions"), "num") {
			all = append(all, int(n.(float64)))
		}
		return all
	}
	first, second := get(""), get("?p=1")
	h.Equal([]any{first.At("count"), first.At("start"), first.At("numClosedDiscussions"), second.At("start")}, []any{60.0, 0.0, 1.0, 50.0})
	all := append(nums(first), nums(second)...)
	if len(all) != 60 || all[0] != 60 || all[59] != 1 {
		t.Errorf("all: %v", all)
	}
	h.Equal(len(nums(get("?p=2"))), 0)
	h.Equal(get("?type=pull_request").At("count"), any(20.0))
	h.Equal(get("?type=discussion&author=alice").At("count"), any(20.0))
	h.Equal(nums(get("?status=closed")), []int{5})
	h.Equal(get("?status=open").At("count"), any(59.0)) // drafts too
	h.Equal(nums(get("?search=question%2017")), []int{17})
	h.Equal(nums(get("?sort=trending"))[:2], []int{7, 60})
}

func TestCommitsOnABranchBecomeEvents(t *testing.T) {
	h := setup(t)
	num := h.pull(map[string]string{"c.txt": "c"})
	oid := h.w.Commit(h.repo, "refs/pr/1", map[string]string{"d.txt": "d"})
	d := h.Must(200, bob, "GET", at(num, ""), nil)
	h.Equal(simtest.Each(d.At("events"), "data", "oid")[2], any(oid))
	h.Equal(d.At("changes", "cachedStorageEstimate", "size"), any(2.0))
	h.Equal(h.Must(200, bob, "GET", at(num, "/storage"), nil).At("size"), any(2.0))
	diff := h.Must(200, bob, "GET", strings.TrimPrefix(d.Text("diffUrl"), "http://hub.test"), nil)
	if !strings.Contains(string(diff.Raw), "+++ b/d.txt") {
		t.Errorf("%s", diff.Raw)
	}
	h.Must(400, bob, "DELETE", at(num, "/ref"), nil)
	h.Must(200, alice, "POST", at(num, "/status"), m{"status": "closed"})
	h.Must(200, alice, "DELETE", at(num, "/ref"), nil)
	if _, err := h.repo.Resolve("refs/pr/1"); err == nil {
		t.Error("the branch is still there")
	}
	d = h.Must(200, bob, "GET", at(num, "?diff=1"), nil)
	h.Equal(d.At("events", 4, "type"), any("ref-deleted"))
	h.Must(400, alice, "POST", at(num, "/status"), m{"status": "open"})
}

func TestGatedFilesDoNotLeakThroughDiffs(t *testing.T) {
	h := setup(t)
	h.pull(map[string]string{"c.txt": "secret weights"})
	h.repo.Update(func(s *repo.Settings) { s.Gated = "manual" })
	for _, target := range []string{at(1, "?diff=1"), at(1, "/files.diff")} {
		if r := h.Do(alice, "GET", target, nil); strings.Contains(string(r.Raw), "secret weights") {
			t.Errorf("%s shows a gated file", target)
		}
	}
}

func TestNotifications(t *testing.T) {
	h := setup(t)
	h.Must(200, alice, "POST", base, m{"title": "Hello", "description": "there"})
	want := simtest.Fixture(t, "webhook-payload.json")
	simtest.SameKeys(t, h.told.last["discussion"], simtest.At(want, "discussion"), "changes")
	simtest.SameKeys(t, h.told.last["comment"], simtest.At(want, "comment"))
	id := h.Must(201, bob, "POST", at(1, "/comment"), m{"comment": "x"}).Text("newMessage", "id")
	h.Must(200, bob, "POST", at(1, "/comment/"+id+"/hide"), nil)
	h.Must(200, bob, "POST", at(1, "/title"), m{"title": "Hi there"})
	h.Must(200, bob, "POST", at(1, "/status"), m{"status": "closed", "comment": "y"})
	h.Must(200, bob, "DELETE", at(1, ""), nil)
	h.Equal(h.told.events, []string{
		"discussion create", "discussion.comment create", "discussion.comment update", "discussion update",
		"discussion.comment create", "discussion update", "discussion delete",
	})
}

func TestShapes(t *testing.T) {
	h := setup(t)
	h.pull(map[string]string{"c.txt": "c"})
	id := h.Must(201, bob, "POST", at(1, "/comment"), m{"comment": "hello"}).Text("newMessage", "id")
	writes := map[int]simtest.Reply{
		0: h.Must(200, bob, "POST", base, m{"title": "A title", "pullRequest": true}),
		1: h.Must(201, bob, "POST", at(1, "/comment"), m{"comment": "hello"}),
		2: h.Must(200, bob, "POST", at(1, "/title"), m{"title": "New title"}),
		3: h.Must(200, bob, "POST", at(2, "/status"), m{"status": "open"}),
		4: h.Must(200, bob, "POST", at(1, "/comment/"+id+"/edit"), m{"content": "hello again"}),
		5: h.Must(200, bob, "POST", at(1, "/comment/"+id+"/hide"), nil),
	}
	author := []string{"followerCount", "isUserFollowing", "isOwner", "isOrgMember"}
	for i, r := range writes {
		want := simtest.Fixture(t, "discussion-writes.json", i, "body")
		simtest.SameKeys(t, r.Body, want)
		for k := range want.(m) {
			if e, ok := simtest.At(want, k).(m); ok {
				simtest.SameKeys(t, r.At(k), e)
				simtest.SameKeys(t, r.At(k, "data"), e["data"])
				simtest.SameKeys(t, r.At(k, "author"), e["author"], author...)
			}
		}
	}
	list := simtest.Fixture(t, "discussions-list.json")
	got := h.Must(200, bob, "GET", base, nil)
	simtest.SameKeys(t, got.Body, list)
	simtest.SameKeys(t, got.At("discussions", 0), simtest.At(list, "discussions", 0))
	simtest.SameKeys(t, got.At("discussions", 0, "repoOwner"), simtest.At(list, "discussions", 0, "repoOwner"))
	simtest.SameKeys(t, got.At("discussions", 0, "author"), simtest.At(list, "discussions", 0, "author"))

	r := h.w.Repo(repo.CreateSpec{ID: "acme/m"}, nil)
	if _, _, err := r.CommitPullRequest(h.w.As(alice), repo.CommitSpec{Title: "By a stranger", Author: "alice", Changes: simtest.Changes(map[string]string{"x": "x"})}); err != nil {
		t.Fatal(err)
	}
	details := simtest.Fixture(t, "discussion-details-pr.json")
	got = h.Must(200, bob, "GET", "/api/models/acme/m/discussions/1", nil)
	simtest.SameKeys(t, got.Body, details)
	simtest.SameKeys(t, got.At("org"), simtest.At(details, "org"))
	simtest.SameKeys(t, got.At("changes"), simtest.At(details, "changes"))
	for i := range 2 {
		simtest.SameKeys(t, got.At("events", i), simtest.At(details, "events", i))
		simtest.SameKeys(t, got.At("events", i, "data"), simtest.At(details, "events", i, "data"))
		simtest.SameKeys(t, got.At("events", i, "author"), simtest.At(details, "events", i, "author"), author...)
	}
}

func TestSeedsAndState(t *testing.T) {
	h := setup(t)
	if _, err := h.area.Open(h.repo, discussion.Spec{Author: "gone", Title: "Old", Text: "by nobody we know"}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.area.Open(h.repo, discussion.Spec{Author: "bob", Title: "Nowhere", Pull: true, Base: git.Heads + "none"}); err == nil {
		t.Error("a pull request for a branch that does not exist")
	}
	h.pull(map[string]string{"c.txt": "c"})
	h.Must(200, bob, "POST", at(2, "/merge"), nil)
	before := []any{h.Must(200, bob, "GET", base, nil).Body, h.Must(200, bob, "GET", at(1, ""), nil).Body, h.Must(200, bob, "GET", at(2, "?diff=1"), nil).Body}
	if _, ok := simtest.At(before[1], "author").(m); ok {
		t.Error("an unknown user is described")
	}
	raw, err := h.area.Save()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.area.Load([]byte("{}")); err != nil {
		t.Fatal(err)
	}
	h.Must(404, bob, "GET", at(1, ""), nil)
	if err := h.area.Load(raw); err != nil {
		t.Fatal(err)
	}
	after := []any{h.Must(200, bob, "GET", base, nil).Body, h.Must(200, bob, "GET", at(1, ""), nil).Body, h.Must(200, bob, "GET", at(2, "?diff=1"), nil).Body}
	h.Equal(after, before)
	h.Equal(h.pull(map[string]string{"d.txt": "d"}), 3)
	if err := h.w.Repos.Delete(h.w.As(bob), repo.Model, "bob/m1"); err != nil {
		t.Fatal(err)
	}
	if raw, _ := h.area.Save(); string(raw) != "{}" {
		t.Errorf("after the repository's end: %s", raw)
	}
}

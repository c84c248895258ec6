package slash_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog/dialogtest"
)

// wrote lists what was asked of the Hub that changes something.
func (w *world) wrote() []string {
	var out []string
	for _, r := range w.hub.Requests() {
		if r.Method != "GET" && !strings.Contains(r.Path, "/preupload/") && !strings.Contains(r.Path, "paths-info") && !strings.HasPrefix(r.Path, "/router/") {
			out = append(out, r.Method+" "+r.Path)
		}
	}
	w.hub.ClearRequests()
	return out
}

// visibility is who sees a data set.
func (w *world) visibility(id string) string {
	w.Helper()
	client, err := w.app.OpenHub()
	if err != nil {
		w.Fatal(err)
	}
	defer client.Close()
	info, err := client.Repos.Info(w.Context(), repo.Ref{Type: wire.Dataset, ID: id}, repo.InfoOptions{})
	switch {
	case errors.Is(err, wire.RepoNotFound):
		return "none"
	case err != nil:
		w.Fatal(err)
	case info.Private:
		return "private"
	}
	return "public"
}

// push puts files into a data set.
func (w *world) push(id string, files map[string]string) {
	w.Helper()
	client, err := w.app.OpenHub()
	if err != nil {
		w.Fatal(err)
	}
	defer client.Close()
	request := commit.Request{Target: commit.Target{Type: wire.Dataset, Repo: id}, Summary: "add"}
	for name, text := range files {
		request.Operations = append(request.Operations, commit.Add{Path: name, Data: []byte(text)})
	}
	if _, err := client.Commits.Commit(w.Context(), request); err != nil {
		w.Fatal(err)
	}
}

const mine, open = "bob/ml-intern-sessions", "bob/ml-intern-sessions-public"

// share runs /share-traces in a session that is there.
func (w *world) share(args string, answers ...dialogtest.Answer) string {
	w.Helper()
	return w.run(talkAbout(w.T, someID, answers...), strings.TrimSpace("/share-traces "+args))
}

func TestCheck30_ShareTraces(t *testing.T) {
	w := newWorld(t)
	if said := w.share(""); !strings.HasPrefix(said, mine+" does not exist yet. It will be created private on the next save that is uploaded.") {
		t.Error(said)
	}
	if said := w.share("maybe"); said != "error: /share-traces maybe: expected public, private, status, off, this or delete ID" {
		t.Error(said)
	}
	if got := w.wrote(); len(got) > 0 {
		t.Errorf("asking changed something: %v", got)
	}
	// Without the word nothing is done.
	for _, answer := range []dialogtest.Answer{dialogtest.Type(""), dialogtest.Type("y"), dialogtest.Type("no"), dialogtest.Cancel()} {
		if said := w.share("public", answer); !strings.Contains(said, "0 sessions, 0 B.") || !strings.HasSuffix(said, "error: cancelled") {
			t.Error(said)
		}
	}
	if got := w.wrote(); len(got) > 0 || w.visibility(mine) != "none" {
		t.Errorf("a no changed something: %v", got)
	}
	said := w.share("PUBLIC", dialogtest.Type(" Yes "))
	if !strings.HasSuffix(said, "Dataset is now PUBLIC.\n"+w.hub.URL()+"/datasets/"+mine) || w.visibility(mine) != "public" {
		t.Error(said)
	}
	if got := strings.Join(w.wrote(), ", "); got != "POST /api/repos/create, PUT /api/datasets/"+mine+"/settings" {
		t.Errorf("requests: %s", got)
	}
	if said := w.share(""); said != w.hub.URL()+"/datasets/"+mine+"\nVisibility: public\n/share-traces private changes that." {
		t.Error(said)
	}
	if said := w.share("private"); said != "Dataset is now private.\n"+w.hub.URL()+"/datasets/"+mine || w.visibility(mine) != "private" {
		t.Error(said)
	}
	if said := w.share(""); !strings.Contains(said, "Visibility: private\n/share-traces public changes that.") {
		t.Error(said)
	}
}

// Before everybody sees them, the person is told what is in them.
func TestSharePublicTellsWhatIsThere(t *testing.T) {
	w := newWorld(t)
	w.share("private")
	w.push(mine, map[string]string{
		"sessions/2026-01-01/a.jsonl": `{"type":"user","message":"token [REDACTED_HF_TOKEN] and [REDACTED_HF_TOKEN]"}` + "\n" + `{"x":"[REDACTED]"}` + "\n",
		"sessions/2026-01-02/b.jsonl": `{"type":"user","message":"hf_` + strings.Repeat("Ab1", 12) + `"}` + "\n",
		"sessions/notes.txt":          "no session",
		"README.md":                   "# mine\n",
	})
	said := w.share("public", dialogtest.Cancel())
	for _, part := range []string{"2 sessions, ", "Secrets that were removed: hf token 2×, other secret 1×.", "WARNING: still in there, by today's patterns: hf token 1×."} {
		if !strings.Contains(said, part) {
			t.Errorf("lacks %q:\n%s", part, said)
		}
	}
}

func TestSharePreconditions(t *testing.T) {
	w := newWorld(t)
	if said := w.run(dialogtest.New(t), "/share-traces"); said != "error: /share-traces: there is no session yet" {
		t.Error(said)
	}
	for _, test := range []struct{ config, want string }{
		{`{"share_traces":false}`, "error: /share-traces: share_traces is off; ml-intern traces on turns it on"},
		{`{"personal_trace_repo_template":""}`, "error: /share-traces: personal_trace_repo_template is empty, so there is no dataset to share"},
	} {
		w.config(test.config)
		if said := w.share(""); said != test.want {
			t.Errorf("%s: %s", test.config, said)
		}
	}
	a, err := app.New(t.Context(), app.Options{Dir: w.dir, Environ: w.environ})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	w.app = a
	a.Config().PersonalTraceRepoTemplate = "{org}/x"
	if said := w.share(""); !strings.HasPrefix(said, "error: /share-traces: personal_trace_repo_template: ") {
		t.Error(said)
	}
	nobody := newWorld(t, "HF_TOKEN=")
	if said := nobody.share(""); said != "error: /share-traces: nobody is logged in at the Hub, so there is no dataset of yours; /login or ml-intern login logs in" {
		t.Error(said)
	}
	// Nothing is needed to look at the state.
	if said := nobody.share("status"); said != "Nothing is uploaded: nobody is logged in at the Hub; ml-intern login logs in." {
		t.Error(said)
	}
}

// config writes the user's settings and opens the program anew.
func (w *world) config(text string) {
	w.Helper()
	if err := os.WriteFile(filepath.Join(w.home, ".config", "ml-intern", "cli_agent_config.json"), []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
	w.app = w.open()
}

func TestShareOffAndStatus(t *testing.T) {
	w := newWorld(t)
	said := w.share("status")
	for _, part := range []string{"share_traces is on: ", "sessions are uploaded as claude_code", "Queue: empty. Last error: none.", mine + " does not exist yet."} {
		if !strings.Contains(said, part) {
			t.Errorf("lacks %q:\n%s", part, said)
		}
	}
	if said := w.share("off"); !strings.HasPrefix(said, "share_traces is off now, in ") {
		t.Error(said)
	}
	raw, err := os.ReadFile(w.app.Loaded.UserFile)
	var config map[string]any
	if err = errors.Join(err, json.Unmarshal(raw, &config)); err != nil || config["share_traces"] != false || config["model_name"] != "sim/scripted" {
		t.Errorf("%v: %s", err, raw)
	}
	if said := w.share("status"); said != "Nothing is uploaded: share_traces is off; ml-intern traces on turns it on." {
		t.Error(said)
	}
	if said := w.share("public"); !strings.Contains(said, "share_traces is off") {
		t.Error(said)
	}
}

func TestShareThisAndDelete(t *testing.T) {
	w := newWorld(t)
	s := w.session(app.SessionRequest{})
	defer s.Close()
	this := func(answers ...dialogtest.Answer) string { return w.run(w.talkTo(s, answers...), "/share-traces this") }
	if said := this(); !strings.HasPrefix(said, "error: ") {
		t.Errorf("nothing was said: %s", said)
	}
	w.say(s, "hello, my token is hf_"+strings.Repeat("Ab1", 12)+" and the door opens with opensesame")
	w.app.Secrets().Hold("opensesame") // known since then
	id := s.local.Info().SessionID
	w.uploaded(id)
	w.wrote()
	if said := this(dialogtest.Type("no")); !strings.Contains(said, "This session has 2 rows, ") || !strings.Contains(said, "Secrets that were removed: hf token 1×, other secret 1×.") ||
		!strings.HasSuffix(said, "error: cancelled") {
		t.Error(said)
	}
	if got := w.wrote(); len(got) > 0 {
		t.Errorf("a no changed something: %v", got)
	}
	said := this(dialogtest.Type("yes"))
	if !strings.Contains(said, "Published: "+w.hub.URL()+"/datasets/"+open+"\n/share-traces delete "+id[:8]+" takes it out again.") {
		t.Error(said)
	}
	if w.visibility(open) != "public" || w.visibility(mine) != "private" {
		t.Errorf("%s, %s", w.visibility(open), w.visibility(mine))
	}
	files := w.files(open)
	file := regexp.MustCompile(`sessions/\d{4}-\d\d-\d\d/` + id + `\.jsonl`).FindString(strings.Join(files, " "))
	if file == "" || !strings.Contains(strings.Join(files, " "), "README.md") {
		t.Fatalf("files: %v", files)
	}
	text := w.raw(open, file)
	if strings.Contains(text, "Ab1Ab1") || strings.Contains(text, "opensesame") || !strings.Contains(text, "[REDACTED_HF_TOKEN]") {
		t.Errorf("the token: %s", text)
	}
	for line := range strings.Lines(text) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
	}
	// Again, unchanged: nothing is committed, and a card that was edited stays.
	w.push(open, map[string]string{"README.md": "# mine\n"})
	if said := this(dialogtest.Type("yes")); !strings.Contains(said, "It is there already, as it is.") {
		t.Error(said)
	}
	if got := w.raw(open, "README.md"); got != "# mine\n" {
		t.Errorf("the card: %s", got)
	}
	// While a turn runs, it is not whole.
	busy := w.talkTo(s)
	busy.Session.Running = true
	if said := w.run(busy, "/share-traces this"); !strings.Contains(said, "a turn is running") {
		t.Error(said)
	}

	remove := func(ref string, answers ...dialogtest.Answer) string {
		return w.run(w.talkTo(s, answers...), "/share-traces delete "+ref)
	}
	if said := remove("abc"); !strings.Contains(said, "at least the first 4 characters") {
		t.Error(said)
	}
	if said := remove("ffffffff"); !strings.Contains(said, "has a session ffffffff") {
		t.Error(said)
	}
	if said := remove(id[:8], dialogtest.Cancel()); said != "error: cancelled" || len(w.files(open)) != len(files) {
		t.Error(said)
	}
	for _, set := range []string{open, mine} {
		if said := remove(id[:8], dialogtest.Pick(set+"/"+file)); said != "Removed "+set+"/"+file+". The session on this machine stays." {
			t.Error(said)
		}
		if left := strings.Join(w.files(set), " "); strings.Contains(left, id) {
			t.Error(left)
		}
	}
	// What was taken out of one's own is not sent again by itself.
	w.wrote()
	w.say(s, "more")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := w.wrote(); len(got) > 0 {
		t.Errorf("it was sent again: %v", got)
	}
	if said := w.share("status"); !strings.Contains(said, id+", personal: it was taken out of the data set; ml-intern traces push sends it again") {
		t.Error(said)
	}
}

// uploaded waits until nothing of a session is left to send.
func (w *world) uploaded(id string) {
	w.Helper()
	desk, err := w.app.Traces()
	if err != nil {
		w.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		record, ok, err := desk.Queue().Load(id)
		if err != nil || time.Now().After(end) {
			w.Fatalf("it is not uploaded: %+v, %v", record, err)
		}
		if ok && !record.Due() {
			return
		}
	}
}

// A data set that takes nothing is told of once.
func TestStatusTellsOfRefusedUploadsOnce(t *testing.T) {
	w := newWorld(t)
	path := filepath.Join(w.app.Loaded.Places.State, "uploads", "places.json")
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(`{"https://hub/datasets/bob/x":{"refused":"not allowed","token":"t"}}`), 0o600)); err != nil {
		t.Fatal(err)
	}
	said := w.run(talkAbout(t, someID), "/status")
	if !strings.Contains(said, "sessions are not uploaded to https://hub/datasets/bob/x: not allowed") {
		t.Error(said)
	}
	if said := w.run(talkAbout(t, someID), "/status"); strings.Contains(said, "not uploaded") {
		t.Error(said)
	}
	if said := w.share("status"); !strings.Contains(said, "Last error: https://hub/datasets/bob/x: not allowed") {
		t.Error(said)
	}
}

// A private data set of that name is somebody's, and stays private.
func TestShareThisNeverOpens(t *testing.T) {
	w := newWorld(t)
	s := w.session(app.SessionRequest{})
	defer s.Close()
	w.say(s, "hello")
	client, err := w.app.OpenHub()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Repos.Create(t.Context(), repo.CreateSpec{Ref: repo.Ref{Type: wire.Dataset, ID: open}, Visibility: "private"}); err != nil {
		t.Fatal(err)
	}
	said := w.run(w.talkTo(s), "/share-traces this")
	if !strings.Contains(said, open+" exists and is private") || w.visibility(open) != "private" {
		t.Error(said)
	}
}

// files lists a data set.
func (w *world) files(id string) []string {
	w.Helper()
	client, err := w.app.OpenHub()
	if err != nil {
		w.Fatal(err)
	}
	defer client.Close()
	var out []string
	for e, err := range client.Repos.Tree(w.Context(), repo.Ref{Type: wire.Dataset, ID: id}, "main", repo.TreeOptions{Recursive: true}) {
		if err != nil {
			w.Fatal(err)
		}
		if !e.Dir() {
			out = append(out, e.Path)
		}
	}
	return out
}

// raw is a file of a data set.
func (w *world) raw(id, path string) string {
	w.Helper()
	client, err := w.app.OpenHub()
	if err != nil {
		w.Fatal(err)
	}
	defer client.Close()
	text, err := client.Repos.Raw(w.Context(), repo.Ref{Type: wire.Dataset, ID: id}, "main", path)
	if err != nil {
		w.Fatal(err)
	}
	return text
}

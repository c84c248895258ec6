package traces_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/traceset"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/sink/trace"
)

// Acceptance check 26 of the command line, on the command line.
func TestCheck26_Export(t *testing.T) {
	w := newWorld(t)
	const saved = `{"session_id":"sess-1","user_id":"bob","session_start_time":"2026-01-01T00:00:00","model_name":"openai/gpt-5.5:fal-ai","messages":[
		{"role":"system","content":"sys"},{"role":"user","content":"hi"},
		{"role":"assistant","content":"Listing.","tool_calls":[{"id":"call-1","type":"function","function":{"name":"bash","arguments":"{\"command\":\"ls\"}"}}]},
		{"role":"tool","content":"ok","tool_call_id":"call-1","name":"bash"},{"role":"assistant","content":"done"},{"role":"assistant","content":null},
		{"role":"assistant","content":null,"tool_calls":[{"id":"call-2","type":"function","function":{"name":"bash","arguments":"{bad"}}]}]}`
	if err := os.WriteFile(filepath.Join(w.dir, "s.json"), []byte(saved), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"type":"user","message":{"role":"user","content":"hi"},"uuid":"9d35648f-ab7a-f904-f181-8b319cdaa8c1","parentUuid":null,"sessionId":"sess-1","timestamp":"2026-01-01T00:00:00"}`,
		`{"type":"assistant","message":{"role":"assistant","model":"openai/gpt-5.5:fal-ai","content":[{"type":"text","text":"Listing."},{"type":"tool_use","id":"call-1","name":"bash","input":{"command":"ls"}}]},"uuid":"dcbb14e6-a951-a89c-8821-da6fcc316742","parentUuid":"9d35648f-ab7a-f904-f181-8b319cdaa8c1","sessionId":"sess-1","timestamp":"2026-01-01T00:00:00"}`,
		`{"type":"user","message":{"role":"user","content":[{"type":"tool_result","tool_use_id":"call-1","content":"ok"}]},"uuid":"b1f95309-63ca-43b1-7633-a9cc9a90f58b","parentUuid":"dcbb14e6-a951-a89c-8821-da6fcc316742","sessionId":"sess-1","timestamp":"2026-01-01T00:00:00"}`,
		`{"type":"assistant","message":{"role":"assistant","model":"openai/gpt-5.5:fal-ai","content":[{"type":"text","text":"done"}]},"uuid":"800fa687-6672-ca8b-9f14-eb858dc2cf69","parentUuid":"b1f95309-63ca-43b1-7633-a9cc9a90f58b","sessionId":"sess-1","timestamp":"2026-01-01T00:00:00"}`,
	}
	first := w.ok("sessions", "export", "s.json", "--format", "claude_code")
	got := strings.Split(strings.TrimSpace(first), "\n")
	if len(got) != 5 || !strings.Contains(got[4], `"input":{"_raw":"{bad"}`) {
		t.Fatalf("%s", first)
	}
	for i, line := range want {
		var is, should any
		if json.Unmarshal([]byte(got[i]), &is) != nil || json.Unmarshal([]byte(line), &should) != nil {
			t.Fatal(got[i])
		}
		if diff := cmp.Diff(should, is); diff != "" {
			t.Errorf("row %d (-want +got):\n%s", i, diff)
		}
	}
	if again := w.ok("sessions", "export", "s.json", "--format", "claude_code"); again != first {
		t.Errorf("another export:\n%s", again)
	}
	if sts := w.ok("sessions", "export", "s.json", "--format", "sts"); !strings.HasPrefix(sts, `{"type":"session","harness":"ml-intern","id":"sess-1","name":"hi"}`+"\n") {
		t.Errorf("%s", sts)
	}
}

// Acceptance check 24: a session without an answer is kept here, not sent.
func TestCheck24_NoAnswer(t *testing.T) {
	w := newWorld(t)
	w.fails(fault.Rule{Match: fault.Match{Path: "^/router/"}, Do: fault.Do{Status: 400}})
	if r := w.run("hello"); r.code != 1 {
		t.Fatalf("exit %d: %s", r.code, r.err)
	}
	if ids := w.sessions(); len(ids) != 1 {
		t.Errorf("%v", ids)
	}
	if asked := w.asked(); len(asked) > 0 || w.visibility(mine) != "none" {
		t.Errorf("asked %v, %s", asked, w.visibility(mine))
	}
}

// Acceptance check 27: what the first upload makes, and what later ones leave.
func TestCheck27_Uploads(t *testing.T) {
	w := newWorld(t)
	said := w.run("hello there")
	if line := "warning: sessions are uploaded to your private dataset"; strings.Count(said.err, line) != 1 || !strings.Contains(said.err, "ml-intern traces off turns that off") {
		t.Errorf("%s", said.err)
	}
	id := w.sessions()[0]
	if w.visibility(mine) != "private" {
		t.Error(w.visibility(mine))
	}
	if got := strings.Join(w.commits(mine), ", "); got != "Add session "+id+", initial commit" {
		t.Errorf("commits: %s", got)
	}
	files := w.files(mine)
	name := "sessions/" + time.Now().UTC().Format(time.DateOnly) + "/" + id + ".jsonl"
	if files["README.md"] != traceset.Card() || !strings.Contains(files[name], "hello there") || strings.Count(files[name], "\n") != 2 {
		t.Errorf("%v", files)
	}
	sessionFile := w.sessionFile(id)
	if sessionFile["personal_upload_status"] != "success" || sessionFile["personal_upload_url"] != w.hub.URL()+"/datasets/"+mine || sessionFile["upload_status"] != "pending" {
		t.Errorf("%v, %v", sessionFile["personal_upload_status"], sessionFile["personal_upload_url"])
	}

	// As it is, it is not sent again: not even a question is asked.
	w.asked()
	w.ok("traces", "push")
	w.ok("upload", "--queue")
	if asked := w.asked(); len(asked) > 0 {
		t.Errorf("asked %v", asked)
	}

	// A card that was edited, and who sees the set, stay as they are.
	w.push(mine, map[string]string{"README.md": traceset.Card() + "\nmine\n"})
	w.ok("traces", "visibility", "public", "--yes")
	if again := w.run("--continue", "and more"); again.code != 0 || strings.Contains(again.err, "are uploaded") {
		t.Errorf("%s", again.err)
	}
	files = w.files(mine)
	if !strings.HasSuffix(files["README.md"], "\nmine\n") || !strings.Contains(files[name], "and more") || w.visibility(mine) != "public" {
		t.Errorf("%s, %v", w.visibility(mine), files)
	}
}

// sessionFile is the newest JSON file of a session.
func (w *world) sessionFile(id string) map[string]any {
	w.Helper()
	paths, err := filepath.Glob(filepath.Join(w.home, "ml", "state", "sessions", "session_"+id+"_*.json"))
	if err != nil || len(paths) == 0 {
		w.Fatalf("%v %v", paths, err)
	}
	raw, err := os.ReadFile(slices.Max(paths))
	if err != nil {
		w.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		w.Fatal(err)
	}
	return out
}

// An older card of ours is brought up to date, another form of sessions has its
// own card.
func TestCardsOfOursAreRenewed(t *testing.T) {
	w := newWorld(t)
	w.ok("hello")
	id := w.sessions()[0]
	w.config(`{"model_name":"sim/scripted","trace_format":"sts"}`)
	w.ok("--continue", "more")
	files := w.files(mine)
	if files["README.md"] != traceset.SimpleCard() || strings.Contains(files["README.md"], "claude-code") || traceset.SimpleCard() == traceset.Card() {
		t.Errorf("%s", files["README.md"])
	}
	if text := w.trace(mine, id); !strings.HasPrefix(text, `{"type":"session","harness":"ml-intern","id":"`+id+`"`) {
		t.Errorf("%s", text)
	}
}

// Acceptance check 28: trouble is waited out.
func TestCheck28_Trouble(t *testing.T) {
	w := newWorld(t)
	w.ok("hello")
	w.fails(fault.Rule{Match: fault.Match{Method: "POST", Path: "/commit/main$", Count: 2}, Do: fault.Do{Status: 503}})
	w.ok("--continue", "more")
	id := w.sessions()[0]
	w.uploaded(id) // here, or by the process that goes on
	if got := w.commits(mine); len(got) != 3 || !strings.Contains(w.trace(mine, id), "more") {
		t.Errorf("%q", got)
	}
}

// Acceptance check 28: a refusal holds until there is another token.
func TestCheck28_Refused(t *testing.T) {
	w := newWorld(t)
	w.set("HF_TOKEN", mayRead)
	w.ok("hello")
	id := w.sessions()[0]
	if asked := strings.Join(w.asked(), " "); strings.Count(asked, "POST /api/repos/create") != 1 {
		t.Errorf("asked %s", asked)
	}
	w.ok("--continue", "more")
	if asked := w.asked(); len(asked) > 0 {
		t.Errorf("the next run asked %v", asked)
	}
	if got := w.sessionFile(id); got["personal_upload_status"] != "failed" || got["personal_upload_url"] != nil {
		t.Errorf("%v", got["personal_upload_status"])
	}
	if said := w.ok("traces", "status"); !strings.Contains(said, "Queue: 1 upload.\n  "+id+", personal: ") || strings.Contains(said, "Last error: ") {
		t.Errorf("%s", said)
	}
	w.set("HF_TOKEN", mayWrite)
	w.ok("a new session")
	w.uploaded(id)
	if !strings.Contains(w.trace(mine, id), "more") || w.sessionFile(id)["personal_upload_status"] != "success" {
		t.Errorf("%v", w.files(mine))
	}
	if said := w.ok("traces", "status"); !strings.Contains(said, "Uploaded: 2 sessions") || !strings.Contains(said, "Queue: empty. Last error: none.") || !strings.Contains(said, "Visibility: private") {
		t.Errorf("%s", said)
	}
}

// Acceptance check 29: nothing without the user's will.
func TestCheck29_Off(t *testing.T) {
	w := newWorld(t)
	w.config(`{"model_name":"sim/scripted","share_traces":false}`)
	if said := w.run("hello"); strings.Contains(said.err, "uploaded") || said.code != 0 {
		t.Errorf("%s", said.err)
	}
	if r := w.run("traces", "push", w.sessions()[0]); r.code != 2 || !strings.Contains(r.err, "share_traces is off; ml-intern traces on turns it on") {
		t.Errorf("%+v", r)
	}
	if asked := w.asked(); len(asked) > 0 {
		t.Errorf("asked %v", asked)
	}
	off := func(w *world, why string) {
		t.Helper()
		if said := w.ok("traces"); said != "Nothing is uploaded: "+why+".\n" {
			t.Errorf("%s", said)
		}
		var told map[string]any
		if err := json.Unmarshal([]byte(w.ok("traces", "--json")), &told); err != nil || told["on"] != false || told["off_because"] != why {
			t.Errorf("%v %v", told, err)
		}
		if said := w.run("doctor").out; !strings.Contains(said, "traces         nothing is uploaded: "+why+"\n") {
			t.Errorf("%s", said)
		}
		w.asked() // the doctor asks who is logged in, no more
	}
	off(w, "share_traces is off; ml-intern traces on turns it on")
	w.config(`{"model_name":"sim/scripted","save_sessions":false}`)
	off(w, "save_sessions is false, so no session is kept")
	w.config(`{"model_name":"sim/scripted","personal_trace_repo_template":"{user}/x"}`)
	off(w, `personal_trace_repo_template: the template "{user}/x" has a placeholder other than {hf_user}`)
	w.config(`{"model_name":"sim/scripted"}`)
	// By the command; what has happened until then stays here.
	w.ok("traces", "on")
	w.ok("traces", "off")
	w.ok("--continue", "more")
	if asked := w.asked(); len(asked) > 0 {
		t.Errorf("asked %v", asked)
	}
	// Without a token there is nobody whose data set it could be.
	nobody := newWorldOf(w)
	nobody.set("HF_TOKEN", "")
	nobody.set("HF_HOME", t.TempDir())
	const script = `{"session_id":"s","messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]}`
	if err := os.WriteFile(filepath.Join(w.dir, "script.json"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	stranger := newWorldOf(nobody)
	stranger.set("HF_TOKEN", "hf_wrongwrongwrong")
	if said := stranger.ok("traces"); !strings.Contains(said, "\nyour name on the Hub is not known: ask who the token belongs to at ") || !strings.Contains(said, "HTTP 401") {
		t.Errorf("%s", said)
	}
	w.asked()
	off(nobody, "nobody is logged in at the Hub; ml-intern login logs in")
	if said := nobody.run("-m", "replay/script.json", "hello"); said.code != 0 || strings.Contains(said.err, "uploaded") {
		t.Errorf("%+v", said)
	}
	if asked := w.asked(); len(asked) > 0 {
		t.Errorf("asked %v", asked)
	}
}

// newWorldOf is another home at the same Hub.
func newWorldOf(w *world) *world {
	other := *w
	other.env = slices.Clone(w.env)
	other.home = w.TempDir()
	other.set("HOME", other.home)
	other.set("ML_INTERN_HOME", filepath.Join(other.home, "ml"))
	other.config(`{"model_name":"sim/scripted"}`)
	return &other
}

// Acceptance check 29: nothing goes to a data set of others unless the user has
// asked for it and named it, and then only numbers.
func TestCheck29_Shared(t *testing.T) {
	const rows = "bob/rows"
	w := newWorld(t)
	if _, err := w.client().Repos.Create(t.Context(), repo.CreateSpec{Ref: ref(rows), Visibility: "public"}); err != nil {
		t.Fatal(err)
	}
	w.asked()
	for _, config := range []string{
		`{"model_name":"sim/scripted","session_dataset_repo":"bob/rows"}`,
		`{"model_name":"sim/scripted","telemetry":{"shared":true}}`,
	} {
		w.config(config)
		w.ok("hello")
	}
	w.config(`{"model_name":"sim/scripted","session_dataset_repo":"bob/rows","telemetry":{"shared":true}}`)
	w.set("DO_NOT_TRACK", "1")
	w.ok("hello")
	for _, asked := range w.asked() {
		if !strings.Contains(asked, mine) && asked != "POST /api/repos/create" {
			t.Errorf("asked %s", asked)
		}
	}
	if got := w.files(rows); len(got) != 1 {
		t.Errorf("%v", got)
	}

	w.set("DO_NOT_TRACK", "0")
	w.ok("a question of mine")
	row := ""
	for name, text := range w.files(rows) {
		if strings.HasPrefix(name, "sessions/") {
			row += text
		}
		if name == "README.md" {
			t.Error("a card was written")
		}
	}
	var in map[string]any
	if err := json.Unmarshal([]byte(row), &in); err != nil || in["messages"] != "[]" || in["events"] != "[]" || in["tools"] != "[]" || in["usage_llm_calls"] != 1.0 {
		t.Errorf("%v: %s", err, row)
	}
	if user, _ := in["user_id"].(string); !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(user) || strings.Contains(row, "bob") || strings.Contains(row, "a question") {
		t.Errorf("%s", row)
	}
	if got := w.sessionFile(in["session_id"].(string)); got["upload_status"] != "success" || got["upload_url"] != w.hub.URL()+"/datasets/"+rows {
		t.Errorf("%v %v", got["upload_status"], got["upload_url"])
	}
	// One that is not there, or not his, is not made.
	w.config(`{"model_name":"sim/scripted","session_dataset_repo":"bob/none","telemetry":{"shared":true}}`)
	w.ok("hello")
	if w.visibility("bob/none") != "none" {
		t.Error("a shared data set was made")
	}
}

// Acceptance check 31, the trace: every kind of secret is gone from the journal,
// the session file, the events on standard output and the trace; code that
// speaks of tokens stays.
func TestCheck31_Secrets(t *testing.T) {
	w := newWorld(t)
	w.set("MY_SERVICE_TOKEN", "verysecretvalue1")
	word := strings.Repeat("Ab1", 14)
	secrets := map[string]string{
		"hf": "hf_" + word, "anthropic": "sk-ant-" + word, "openai": "sk-" + word, "github": "ghp_" + word, "github fine": "github_pat_" + word,
		"aws": "AKIA" + "ABCDEFGHIJKLMNOP", "bearer": "Authorization: Bearer " + word, "slack": "xoxb-" + "123456789012-abcdefghijkl", "google": "AIza" + strings.Repeat("Ab1", 11) + "xy",
		"jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0." + word, "pem": "-----BEGIN PRIVATE KEY-----\n" + word + "\n" + word + "\n-----END PRIVATE KEY-----",
		"url": "https://user:" + "pa55word99@example.com/x", "gitlab": "glpat-" + "abcdefghij0123456789", "npm": "npm_" + strings.Repeat("Ab1", 12), "digitalocean": "dop_v1_" + strings.Repeat("ab12", 16),
		"hook": "https://hooks.slack.com/services/T00000000/B00000000/" + "XXXXXXXXXXXXXXXXXXXXXXXX", "discord": "https://discord.com/api/webhooks/123456789012345678/" + word,
		"aws secret": "AWS_SECRET_ACCESS_KEY=" + word, "quoted": `WANDB_API_KEY='` + "0123456789abcdef0123456789abcdef01234567" + `'`, "json": `{"password": "` + "xy" + `hunter22"}`, "kaggle": `{"username":"ann","key":"` + "0123456789abcdef0123456789abcdef" + `"}`,
		"held": "verysecretvalue1",
	}
	// What of each must be nowhere.
	cores := map[string]string{
		"bearer": word, "aws secret": word, "quoted": "0123456789abcdef0123456789abcdef01234567", "json": "xyhunter22", "kaggle": `"0123456789abcdef0123456789abcdef"`, "url": "pa55word99", "pem": word + `\n`,
	}
	const code = "tokenizer.pad_token = tokenizer.eos_token; model.push_to_hub(token=token); generate(max_tokens=100)"
	prompt := code + "\n"
	for _, name := range slices.Sorted(mapKeys(secrets)) {
		prompt += name + ": " + secrets[name] + "\n"
	}
	streamed := w.run("--output-format", "stream-json", prompt)
	if streamed.code != 0 {
		t.Fatalf("%s", streamed.err)
	}
	id := w.sessions()[0]
	read := func(path string) string {
		t.Helper()
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	logs, err := filepath.Glob(filepath.Join(w.home, "ml", "state", "sessions", "session_*.json"))
	if err != nil || len(logs) != 1 {
		t.Fatal(logs, err)
	}
	texts := map[string]string{
		"stream-json": streamed.out, "standard error": streamed.err, "journal": read(filepath.Join(w.home, "ml", "state", "sessions", id, "journal.jsonl")),
		"session file": read(logs[0]), "trace": w.trace(mine, id), "debug log": read(filepath.Join(w.home, "ml", "state", "debug.log")),
		"export": w.ok("sessions", "export", id, "--format", "claude_code"), "simple export": w.ok("sessions", "export", id, "--format", "sts"), "preview": w.ok("traces", "show", id),
	}
	for place, text := range texts {
		for name, secret := range secrets {
			if core := cores[name]; core != "" {
				secret = core
			}
			if strings.Contains(text, secret) {
				t.Errorf("%s: the secret of %s is in it", place, name)
			}
		}
		if !strings.Contains(text, code) && place != "debug log" && place != "standard error" {
			t.Errorf("%s: code that speaks of tokens was changed", place)
		}
	}
}

func mapKeys(m map[string]string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// The process that is killed after the Hub has made the commit, and before it
// has said so, sends nothing twice: the next start recognises what is there.
func TestKilledBetweenCommitAndNote(t *testing.T) {
	w := newWorld(t)
	w.ok("hello")
	id := w.sessions()[0]
	// The answer to the commit comes too late.
	w.fails(fault.Rule{Match: fault.Match{Method: "POST", Path: "/commit/main$", Count: 1}, Do: fault.Do{ApplyThenFail: fault.Switch{On: true}}},
		fault.Rule{Match: fault.Match{Method: "GET", Path: "/datasets/.*(commits|refs|revision|tree|paths-info)"}, Do: fault.Do{LatencyMs: 8_000}})
	cmd := exec.Command(binary, "--continue", "more")
	cmd.Dir, cmd.Env = w.dir, w.env
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); !w.hasCommit(2); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing was committed")
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	w.hub.Faults.Clear()
	if i := w.item(id); i.Status() != trace.Pending || i.Done >= i.Want {
		t.Fatalf("%+v", i)
	}
	w.ok("upload", "--queue")
	if got := w.commits(mine); len(got) != 3 || w.item(id).Status() != trace.Success || !strings.Contains(w.trace(mine, id), "more") {
		t.Errorf("%q, %+v", got, w.item(id))
	}
	if w.sessionFile(id)["personal_upload_status"] != "success" {
		t.Error("the session file does not tell of it")
	}
}

// hasCommit reports whether so many sessions were committed, as the log of the
// Hub tells: its answers come late.
func (w *world) hasCommit(n int) bool {
	for _, r := range w.hub.Requests() {
		if r.Method == "POST" && strings.HasSuffix(r.Path, "/commit/main") && (r.Status == 200 || len(r.Faults) > 0) {
			n--
		}
	}
	return n <= 0
}

// A Hub that does not answer holds nobody up, and another process goes on.
func TestTheEndDoesNotWait(t *testing.T) {
	w := newWorld(t)
	w.ok("hello")
	id := w.sessions()[0]
	w.fails(fault.Rule{Match: fault.Match{Method: "POST", Path: "/preupload/", Count: 1}, Do: fault.Do{LatencyMs: 8_000}})
	r := w.run("--continue", "more")
	if r.code != 0 || r.took < 4*time.Second || r.took > 9*time.Second {
		t.Errorf("exit %d after %s: %s", r.code, r.took, r.err)
	}
	w.uploaded(id)
	if !strings.Contains(w.trace(mine, id), "more") {
		t.Error("what was left was not sent")
	}
}

// What the commands say, and that they change nothing without a yes.
func TestCommands(t *testing.T) {
	w := newWorld(t)
	for _, bad := range [][]string{{"traces", "x"}, {"traces", "visibility", "maybe"}, {"traces", "delete", "abc"}, {"traces", "push", "ffff"}, {"traces", "show", "ffff"}, {"traces", "push", "--all", "x"}} {
		if r := w.run(bad...); r.code != 2 || r.out != "" {
			t.Errorf("%q: %+v", bad, r)
		}
	}
	if r := w.run("traces", "delete"); !strings.Contains(r.err, "received 0; usage: ml-intern traces delete ID [flags]") {
		t.Error(r.err)
	}
	if said := w.ok("traces", "visibility"); said != mine+" does not exist yet. It will be created private on the next save that is uploaded.\n" {
		t.Error(said)
	}
	if said := w.ok("traces", "show"); said != mine+" has no session yet.\n" {
		t.Error(said)
	}
	w.ok("hello there")
	id := w.sessions()[0]
	if said := w.ok("traces", "show", id[:8]); said != w.trace(mine, id) {
		t.Errorf("%s", said)
	}
	var list []struct {
		SessionID string `json:"session_id"`
		Bytes     int64
	}
	if err := json.Unmarshal([]byte(w.ok("traces", "show", "--json")), &list); err != nil || len(list) != 1 || list[0].SessionID != id || list[0].Bytes < 100 {
		t.Errorf("%v %v", list, err)
	}
	for _, args := range [][]string{{"traces", "visibility", "public"}, {"traces", "delete", id}, {"traces", "push", "--all"}} {
		if r := w.run(args...); r.code != 2 || !strings.Contains(r.err, "add --yes") {
			t.Errorf("%q: %+v", args, r)
		}
	}
	if w.visibility(mine) != "private" || w.trace(mine, id) == "" {
		t.Error("something was done without a yes")
	}
	if said := w.ok("traces", "delete", id[:6], "--yes"); !strings.HasPrefix(said, "removed "+mine+"/sessions/") || w.trace(mine, id) != "" {
		t.Errorf("%s", said)
	}
	w.ok("--continue", "more") // taken out stays out
	if w.trace(mine, id) != "" {
		t.Error("it was sent again")
	}
	var sent []trace.Outcome
	if err := json.Unmarshal([]byte(w.ok("traces", "push", id, "--json")), &sent); err != nil || len(sent) != 1 || !sent[0].Sent || w.trace(mine, id) == "" {
		t.Errorf("%+v %v", sent, err)
	}
	if said := w.ok("traces", "push", id); !strings.Contains(said, "there already, as it is") {
		t.Errorf("%s", said)
	}
	var status struct {
		On      bool
		Dataset struct{ Visibility string }
		Waiting []any
	}
	if err := json.Unmarshal([]byte(w.ok("traces", "status", "--json")), &status); err != nil || !status.On || status.Dataset.Visibility != "private" || len(status.Waiting) != 0 {
		t.Errorf("%+v %v", status, err)
	}
}

// Without a network the end of a session waits for nothing, and nothing is left
// running; what was not sent is sent when the Hub is there again.
func TestWithoutANetwork(t *testing.T) {
	w := newWorld(t)
	w.ok("hello")
	id := w.sessions()[0]
	if err := os.WriteFile(filepath.Join(w.dir, "script.json"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	away := slices.Clone(w.env)
	w.set("HF_ENDPOINT", "http://127.0.0.1:9")
	r := w.run("--continue", "-m", "replay/script.json", "more")
	if r.code != 0 || r.took > 4*time.Second {
		t.Errorf("exit %d after %s: %s", r.code, r.took, r.err)
	}
	w.env = away
	if i := w.item(id); i.Status() != trace.Failed {
		t.Errorf("%+v", i)
	}
	w.ok("another session")
	w.uploaded(id)
	if !strings.Contains(w.trace(mine, id), "more") {
		t.Error("what was left was not sent")
	}
}

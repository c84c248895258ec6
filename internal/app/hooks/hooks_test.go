//go:build unix

package hooks_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/app/hooks"
	"github.com/ml-intern/ml-intern/internal/app/live"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/config/place"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/hook"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a project and a person with settings.
type site struct {
	*testing.T
	home, dir string
	environ   []string

	mu     sync.Mutex
	warned []string
}

func newSite(t *testing.T, user, project string) *site {
	t.Helper()
	s := &site{T: t, home: t.TempDir(), dir: t.TempDir()}
	s.dir, _ = filepath.EvalSymlinks(s.dir)
	s.environ = []string{"HOME=" + s.home, "ML_INTERN_HOME=" + filepath.Join(s.home, "mi"), "PATH=" + os.Getenv("PATH")}
	s.write(filepath.Join(s.home, "mi", "config", "cli_agent_config.json"), user)
	s.write(filepath.Join(s.dir, ".ml-intern", "config.json"), project)
	return s
}

func (s *site) write(path, text string) {
	s.Helper()
	if text == "" {
		return
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
}

func (s *site) load(trust bool) *config.Loaded {
	s.Helper()
	l, err := config.Load(s.Context(), config.Options{Dir: s.dir, Environ: s.environ, Trust: trust})
	if err != nil {
		s.Fatal(err)
	}
	return l
}

// desk is another run of the program.
func (s *site) desk(trust bool) *hooks.Desk {
	s.Helper()
	d := &hooks.Desk{Loaded: s.load(trust), Warn: func(line string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.warned = append(s.warned, line)
	}}
	s.Cleanup(d.Close)
	return d
}

// said are the warnings since it was asked last.
func (s *site) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := strings.Join(s.warned, "\n")
	s.warned = nil
	return text
}

// The settings know the moments that there are.
func TestTheSettingsKnowEveryMoment(t *testing.T) {
	all := map[string]any{}
	for _, m := range hook.Moments() {
		all[string(m)] = []map[string]any{{"command": "true " + string(m), "matcher": "*"}}
	}
	raw, err := json.Marshal(map[string]any{"hooks": all})
	if err != nil {
		t.Fatal(err)
	}
	rows := hooks.List(newSite(t, string(raw), "").load(false))
	var got []hook.Moment
	for _, r := range rows {
		got = append(got, r.Moment)
		if m, ok := hooks.Moment(strings.ToLower(string(r.Moment))); !ok || m != r.Moment || !strings.Contains(hooks.Names(), string(m)) {
			t.Errorf("%s is not found by its name", r.Moment)
		}
	}
	if diff := cmp.Diff(hook.Moments(), got); diff != "" {
		t.Error(diff)
	}
}

// The user's hooks stand before a project's, which does not take them away.
func TestTheUsersHooksComeFirst(t *testing.T) {
	s := newSite(t, `{"hooks":{"PreToolUse":[{"command":"mine"}],"Stop":[{"command":"mine too"}]}}`, `{"hooks":{"PreToolUse":[{"command":"theirs"}],"SessionEnd":[{"command":"theirs too","async":true,"timeout":3}]}}`)
	var got []string
	for _, r := range hooks.List(s.load(true)) {
		got = append(got, r.Title()+": "+r.Text()+" from "+r.Layer)
	}
	want := []string{
		"PreToolUse: mine from user", "PreToolUse: theirs (project) from project",
		"SessionEnd: theirs too (project, nobody waits for it, at most 3 s) from project", "Stop: mine too from user",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if rows := hooks.List(s.load(false)); len(rows) != 2 {
		t.Errorf("untrusted: %+v", rows)
	}
}

// What a project brings is said when it is new and when it has changed. It is
// remembered for a folder that is trusted for good.
func TestAProjectsHooksAreIntroduced(t *testing.T) {
	s := newSite(t, "", `{"hooks":{"Stop":[{"command":"a"}]}}`)
	begin := func(trust bool) string {
		s.desk(trust).Session()
		return s.said()
	}
	const fresh = "this project runs 1 command beside Stop: ml-intern hooks lists what"
	if said := begin(false); said != "" {
		t.Errorf("untrusted: %q", said)
	}
	for range 2 {
		if said := begin(true); said != fresh {
			t.Errorf("trusted for one run: %q", said)
		}
	}
	list := s.load(false).TrustList()
	if err := list.Trust(s.dir); err != nil {
		t.Fatal(err)
	}
	if said := begin(false); said != fresh {
		t.Errorf("trusted: %q", said)
	}
	if said := begin(false); said != "" {
		t.Errorf("said again: %q", said)
	}
	s.write(filepath.Join(s.dir, ".ml-intern", "config.json"), `{"hooks":{"Stop":[{"command":"a"}],"PreToolUse":[{"command":"b","matcher":"bash"}]}}`)
	if said := begin(false); said != "this project's hooks have changed; 2 commands now beside PreToolUse and Stop: ml-intern hooks lists what runs" {
		t.Errorf("changed: %q", said)
	}
	if said := begin(false); said != "" {
		t.Errorf("said again: %q", said)
	}
	if err := list.Revoke(s.dir); err != nil {
		t.Fatal(err)
	}
	if err := list.Trust(s.dir); err != nil {
		t.Fatal(err)
	}
	if said := begin(false); !strings.HasPrefix(said, "this project runs 2 commands") {
		t.Errorf("trusted anew: %q", said)
	}
	if mark, err := place.OpenTrust(filepath.Join(s.home, "mi", "state", "trust.json")).Known(s.dir); mark == "" || err != nil {
		t.Errorf("%q %v", mark, err)
	}
}

// Without hooks there is nothing to ask; in a simulation nothing runs; calls without
// a conversation have what stands beside calls alone.
func TestWhatIsAsked(t *testing.T) {
	var none hooks.Desk
	if none.Session() != nil || none.Calls() != nil || none.Follower(nil) != nil {
		t.Error("the zero Desk has hooks")
	}
	none.Close()
	s := newSite(t, `{"model_name":"x/y"}`, "")
	if d := s.desk(false); d.Session() != nil || d.Follower(nil) != nil {
		t.Error("there are hooks where none are configured")
	}
	s = newSite(t, `{"hooks":{"PreToolUse":[{"command":"exit 2"}],"Stop":[{"command":"exit 2"}],"SessionEnd":[{"command":"exit 3"}]}}`, "")
	closed := s.desk(false)
	closed.Closed = true
	if closed.Session() != nil || !strings.Contains(s.said(), "hooks do not run in a simulation") {
		t.Error("hooks run in a simulation")
	}
	d := s.desk(false)
	ask := func(h agent.Hooks, m hook.Moment) hook.Decision {
		return h.Ask(t.Context(), hook.Input{Moment: m, Tool: "bash", Arguments: json.RawMessage(`{}`)}).Decision
	}
	if h := d.Session(); ask(h, hook.PreToolUse) != hook.Deny || ask(h, hook.Stop) != hook.Deny {
		t.Error("a session's hooks do not decide")
	}
	if h := d.Calls(); ask(h, hook.PreToolUse) != hook.Deny || ask(h, hook.Stop) != "" {
		t.Error("calls have other hooks than those beside calls")
	}
	// The journal is closed at the session's end: the person is told.
	if a := d.Session().Ask(t.Context(), hook.Input{Moment: hook.SessionEnd}); len(a.Warnings) > 0 || !strings.Contains(s.said(), "exit code 3") {
		t.Errorf("%+v", a)
	}
}

// Hooks find no credential in their environment.
func TestEnvironment(t *testing.T) {
	s := newSite(t, `{"bash_env_allow":["MY_TOKEN"]}`, "")
	s.environ = append(s.environ, "HF_TOKEN=hf_x", "OPENAI_API_KEY=sk", "MY_TOKEN=fine", "OTHER_TOKEN=no", "_ML_INTERN_X=1", "FOO=bar")
	env := hooks.Environ(s.load(false))
	for _, want := range []string{"FOO=bar", "MY_TOKEN=fine", "AI_AGENT=ml-intern", "ML_INTERN_PROJECT_DIR=" + s.dir, "CLAUDE_PROJECT_DIR=" + s.dir} {
		if !slices.Contains(env, want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, name := range []string{"HF_TOKEN", "OPENAI_API_KEY", "OTHER_TOKEN", "_ML_INTERN_X"} {
		if slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, name+"=") }) {
			t.Errorf("%s is there", name)
		}
	}
}

// A secret that the settings put into a command is run, and shown to nobody.
func TestSecretsInCommandsAreNotShown(t *testing.T) {
	s := newSite(t, `{"hooks":{"Stop":[{"command":"test ${GITHUB_TOKEN} = ghp_plantedplantedplanted || exit 4"}],"SessionEnd":[{"command":": ${GITHUB_TOKEN}; exit 5"}]}}`, "")
	s.environ = append(s.environ, "GITHUB_TOKEN=ghp_plantedplantedplanted")
	l := s.load(false)
	for _, r := range hooks.Shown(l) {
		if strings.Contains(r.Text(), "planted") || !strings.Contains(r.Text(), "REDACTED") {
			t.Errorf("shown: %s", r.Text())
		}
	}
	if text := hooks.Scrub(l)("x ghp_plantedplantedplanted"); strings.Contains(text, "planted") {
		t.Error(text)
	}
	if a := s.desk(false).Session().Ask(t.Context(), hook.Input{Moment: hook.Stop}); a.Decided() || len(a.Warnings) > 0 {
		t.Errorf("%+v", a)
	}
}

// following is a chapter that hooks which only look follow.
type following struct {
	*site
	journal *journal.Journal
	ended   chan error
}

func (s *site) follow() *following {
	s.Helper()
	j, err := journal.Open(s.Context(), journal.Options{Store: journal.NewMemory(), SessionID: "11111111-2222-4333-8444-555555555555"})
	if err != nil {
		s.Fatal(err)
	}
	f := &following{site: s, journal: j, ended: make(chan error, 1)}
	follower := s.desk(false).Follower(func() agent.Settings { return agent.Settings{Workdir: "/work", Model: "m"} })
	if follower == nil {
		s.Fatal("nobody follows")
	}
	f.tell("", event.Ready{}, event.Error{Error: "before"})
	c := &live.Chapter{ID: j.SessionID(), Journal: j, After: j.LastSeq()}
	go func() { f.ended <- follower(context.Background(), c) }()
	return f
}

func (f *following) tell(turn string, ps ...event.Payload) {
	f.Helper()
	if _, err := f.journal.Append(f.Context(), turn, ps...); err != nil {
		f.Fatal(err)
	}
}

func (f *following) end() time.Duration {
	f.Helper()
	began := time.Now()
	f.journal.Close()
	if err := <-f.ended; err != nil {
		f.Error(err)
	}
	return time.Since(began)
}

// What a person should look at, and what has ended, is told in order, each once.
func TestHooksThatOnlyLook(t *testing.T) {
	s := newSite(t, `{"hooks":{"Notification":[{"command":"cat >> told"}],"JobFinished":[{"matcher":"hub|ERROR","command":"cat >> told"}]}}`, "")
	f := s.follow()
	answer, zero, one, usd := strings.Repeat("word ", 300), 0, 1, 1.5
	f.tell("turn_1",
		event.ToolOutput{Output: "x"},
		event.ApprovalRequired{Tools: []event.GatedCall{{Tool: "bash", Reason: "removes files"}, {Tool: "hf_jobs"}}},
		event.ApprovalRequired{YoloBudget: true, Tools: []event.GatedCall{{Tool: "yolo_budget"}}},
		event.TurnComplete{FinalResponse: &answer},
		event.TurnComplete{},
		event.Error{Error: "the model is gone"},
		event.JobComplete{JobID: "66aa", FinalStatus: "COMPLETED", Flavor: "t4-small", WallTimeS: 12, EstimatedCostUSD: &usd},
		event.CommandEnded{ID: "bg1", ExitCode: &zero},
		event.CommandEnded{ID: "bg2", ExitCode: &one, Command: "make", Log: "/tmp/x.log"},
		event.CommandEnded{ID: "bg3"},
	)
	f.tell("", event.Error{Error: "of an operation"})
	f.end()
	raw, err := os.ReadFile(filepath.Join(s.dir, "told"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(raw)) {
		var in struct {
			Event, Cwd, Message string
			Type                string `json:"notification_type"`
			Session             string `json:"session_id"`
			Job                 *hook.Job
		}
		if err := json.Unmarshal([]byte(line), &in); err != nil || in.Cwd != "/work" || in.Session != f.journal.SessionID() {
			t.Fatalf("%v: %s", err, line)
		}
		text := in.Message
		if in.Job != nil {
			text = fmt.Sprintf("%s %s %s", in.Job.Where, in.Job.ID, in.Job.Status)
		}
		if len(text) > 60 {
			text = fmt.Sprintf("%s… %d", text[:20], len(text))
		}
		got = append(got, strings.TrimSpace(in.Event+" "+in.Type)+": "+text)
	}
	want := []string{
		"Notification approval_required: an approval is needed: bash (removes files), hf_jobs",
		"Notification approval_required: the spending cap is reached",
		"Notification turn_complete: word word word word … 503",
		"Notification turn_complete: the turn is complete",
		"Notification error: the model is gone",
		"JobFinished: hub 66aa COMPLETED", "JobFinished: local bg2 ERROR", "JobFinished: local bg3 ERROR",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A hook that hangs delays neither the session nor, for long, its end; what goes
// wrong is said.
func TestSlowHooksThatOnlyLook(t *testing.T) {
	s := newSite(t, `{"hooks":{"Notification":[{"command":"touch began; sleep 300"}]}}`, "")
	f := s.follow()
	f.tell("turn_1", event.TurnComplete{})
	for _, err := os.Stat(filepath.Join(s.dir, "began")); err != nil; _, err = os.Stat(filepath.Join(s.dir, "began")) {
		time.Sleep(5 * time.Millisecond)
	}
	began := time.Now()
	for range 300 {
		f.tell("turn_1", event.TurnComplete{})
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("telling took %v", took)
	}
	if took := f.end(); took > 5*time.Second {
		t.Errorf("the end took %v", took)
	}
	if said := s.said(); said != "hooks are slower than what they are told of: some of it is left out" {
		t.Errorf("said %q", said)
	}
	s = newSite(t, `{"hooks":{"Notification":[{"command":"exit 4"}]}}`, "")
	f = s.follow()
	f.tell("turn_1", event.TurnComplete{}, event.TurnComplete{})
	f.end()
	if said := s.said(); strings.Count(said, "exit code 4") != 1 {
		t.Errorf("said %q", said)
	}
}

//go:build linux

package endtoend_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/bench/modelserver"
	"github.com/ml-intern/ml-intern/internal/app/crash"
	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// secret is one planted value.
type secret struct {
	name, value string
	// held: the program has it in its environment or settings, so that it must
	// vanish in every form.
	held bool
}

// vault makes secrets and remembers them.
type vault struct {
	rng *rand.Rand
	all []secret
}

const (
	lower = "abcdefghijklmnopqrstuvwxyz"
	alnum = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + lower + "0123456789"
	upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	hexa  = "0123456789abcdef"
)

func (v *vault) chars(n int, from string) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = from[v.rng.IntN(len(from))]
	}
	return string(b)
}

func (v *vault) make(name, value string) string {
	v.all = append(v.all, secret{name: name, value: value})
	return value
}

func (v *vault) hold(name, value string) string {
	v.all = append(v.all, secret{name: name, value: value, held: true})
	return value
}

// forms are the spellings of a secret that must not be seen.
func (s secret) forms() []string {
	forms := []string{s.value}
	if s.held {
		forms = append(forms, base64.StdEncoding.EncodeToString([]byte(s.value)), url.QueryEscape(s.value))
	}
	slices.Sort(forms)
	return slices.Compact(forms)
}

// parts are pieces of a long secret: a text that was cut through the middle of
// one must not show the half of it.
func (s secret) parts() []string {
	const size, prefix = 16, 13                              // a prefix such as sk-ant-api03- is no secret
	value := s.value[strings.LastIndexByte(s.value, '.')+1:] // of a JWT, what no other has
	if strings.Contains(value, "://") {
		return nil
	}
	var out []string
	for at := prefix; at+size <= len(value); at += 4 {
		out = append(out, value[at:at+size])
	}
	return out
}

// kinds of tokens with a shape of their own.
func (v *vault) hf() string     { return "hf_" + v.chars(34, alnum) }
func (v *vault) openai() string { return "sk-proj-" + v.chars(48, alnum) }
func (v *vault) ant() string    { return "sk-ant-api03-" + v.chars(60, alnum) }
func (v *vault) github() string { return "ghp_" + v.chars(36, alnum) }
func (v *vault) aws() string    { return "AKIA" + v.chars(16, upper) }
func (v *vault) slack() string {
	return "xoxb-" + v.chars(12, "0123456789") + "-" + v.chars(24, alnum)
}
func (v *vault) google() string { return "AIza" + v.chars(35, alnum) }
func (v *vault) jwt() string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return part(`{"alg":"HS256","typ":"JWT"}`) + "." + part(`{"sub":"`+v.chars(12, lower)+`"}`) + "." + v.chars(43, alnum)
}

func (v *vault) pem() string {
	return v.chars(64, alnum) + "\n" + v.chars(64, alnum)
}

// planted is everything a run meets.
type planted struct {
	*vault
	hub, openaiKey string // held, and legitimately used
	env            []string
	dotenv, config string
	prompt, file   string
	printed        string // by a bash command
	long           string // one line of a file
	said           string // by the model, in tiny deltas
	arguments      string // of a tool call
	errorKey       string // echoed by the provider
}

// plant makes 50 secrets and more of all kinds and puts them where a run finds them.
func plant(rng *rand.Rand) *planted {
	v := &vault{rng: rng}
	p := &planted{vault: v}
	p.hub = v.hold("HF_TOKEN", v.hf())
	p.openaiKey = v.hold("OPENAI_API_KEY", v.openai())
	p.env = []string{
		"HF_TOKEN=" + p.hub,
		"OPENAI_API_KEY=" + p.openaiKey,
		"ANTHROPIC_API_KEY=" + v.hold("ANTHROPIC_API_KEY", v.ant()),
		"SLACK_BOT_TOKEN=" + v.hold("SLACK_BOT_TOKEN", v.slack()),
		"SLACK_CHANNEL_ID=C0123",
		"AWS_ACCESS_KEY_ID=" + v.hold("AWS_ACCESS_KEY_ID", v.aws()),
		"AWS_SECRET_ACCESS_KEY=" + v.hold("AWS_SECRET_ACCESS_KEY", v.chars(40, alnum+"+/")),
		"AWS_SESSION_TOKEN=" + v.hold("AWS_SESSION_TOKEN", v.chars(120, alnum+"+/=")),
		"GITHUB_TOKEN=" + v.hold("GITHUB_TOKEN", v.github()),
		"TEAM_DEPLOY_TOKEN=" + v.hold("TEAM_DEPLOY_TOKEN", "correct horse & battery "+v.chars(6, lower)),
		"PROD_DB_PASSWORD=" + v.hold("PROD_DB_PASSWORD", "p%s/"+v.chars(10, alnum)+"?#"),
		"DATABASE_URL=" + v.hold("DATABASE_URL", "postgres://svc:"+v.chars(14, alnum)+"@db.internal/x"),
		"BILLING_APIKEY=" + v.hold("BILLING_APIKEY", v.chars(24, alnum)),
		"GOOGLE_CREDENTIAL=" + v.hold("GOOGLE_CREDENTIAL", v.chars(30, alnum)),
	}
	p.dotenv = "WANDB_API_KEY=" + v.hold(".env WANDB_API_KEY", v.chars(40, hexa)) +
		"\nSIGNING_SECRET='" + v.hold(".env SIGNING_SECRET", "quoted "+v.chars(16, lower)) + "'\n"
	p.config = fmt.Sprintf(`{
		"mcpServers": {
			"docs": {"transport": "http", "url": "http://127.0.0.1:9/mcp", "headers": {"Authorization": "Bearer %s", "X-Team": %q}},
			"tool": {"command": "true", "env": {"TOOL_API_KEY": %q}}
		},
		"messaging": {"destinations": {"hook": {"provider": "webhook", "url": "https://hooks.example.org/%s"}}}
	}`, v.hold("header Authorization", v.chars(36, alnum)), v.hold("header X-Team", v.chars(20, lower)),
		v.hold("mcp env", v.chars(28, alnum)), v.make("webhook path", v.chars(30, alnum)))
	p.prompt = fmt.Sprintf("Use the token %s and password = %q, the key %s, and Authorization: Bearer %s please.",
		v.make("prompt hub token", v.hf()), v.make("prompt quoted password", "hunter2-"+v.chars(5, lower)),
		v.make("prompt openai key", v.openai()), v.make("prompt bearer", v.chars(40, alnum)))
	p.file = strings.Join([]string{
		"google = " + v.make("file google key", v.google()),
		"id_token " + v.make("file jwt", v.jwt()),
		"-----BEGIN RSA PRIVATE KEY-----\n" + v.make("file pem", v.pem()) + "\n-----END RSA PRIVATE KEY-----",
		"remote https://bot:" + v.make("file url password", v.chars(18, alnum)) + "@git.example.org/x.git",
		"token = " + v.make("file gitlab", "glpat-"+v.chars(20, alnum)),
		"//registry/:_authToken=" + v.make("file npm", "npm_"+v.chars(36, alnum)),
		`{"username":"me","key":"` + v.make("file kaggle", v.chars(32, hexa)) + `"}`,
		"wandb login " + v.make("file wandb", v.chars(40, hexa)),
		"https://discord.com/api/webhooks/" + v.make("file discord", "1234567890/"+v.chars(50, alnum)),
		"https://hooks.slack.com/services/" + v.make("file slack hook", "T000/B000/"+v.chars(24, alnum)),
		`HF_TOKEN="` + v.make("file short quoted", "abc"+v.chars(4, lower)) + `"`,
		"AWS_SECRET_ACCESS_KEY=" + v.make("file aws secret", v.chars(40, alnum+"+/")),
		"key " + v.make("file short sk", "sk-"+v.chars(10, lower)+"0a1b2c3d4e5f"),
		"oauth " + v.make("file hub oauth", "hf_oauth_"+v.chars(36, alnum)),
	}, "\n") + "\n"
	p.printed = strings.Join([]string{
		v.make("bash gho", "gho_"+v.chars(36, alnum)),
		"Authorization: bearer " + v.make("bash bearer", v.chars(44, alnum)),
		`"password": "` + v.make("bash json password", v.chars(9, lower)) + `",`,
		v.make("bash digitalocean", "dop_v1_"+v.chars(64, hexa)),
		v.make("bash fine grained", "github_pat_"+v.chars(60, alnum)),
		v.make("bash slack user", "xoxp-"+v.chars(30, "0123456789-")),
		// Held values in other spellings.
		base64.StdEncoding.EncodeToString([]byte(v.all[8].value)), url.QueryEscape(v.all[9].value), p.hub,
	}, "\n") + "\n"
	p.said = fmt.Sprintf("I found %s and %s, then %s with %s, the id %s and even %s in the files.",
		v.make("said hub token", v.hf()), v.make("said anthropic", v.ant()), v.make("said jwt", v.jwt()),
		v.make("said slack", v.slack()), v.make("said aws", v.aws()), v.all[8].value)
	p.arguments = "export SERVICE_API_KEY=" + v.make("argument key", v.chars(26, alnum)) + "; export GH=" +
		v.make("argument github", v.github()) + "; env > env.txt; cat printed.txt; echo $PATH"
	p.errorKey = v.make("error body key", "sk-proj-"+v.chars(44, alnum))
	p.file += fmt.Sprintf("client = Client(api_key=%q)\n", v.make("file code", v.chars(22, alnum)))
	p.long = p.line()
	return p
}

// line is one line of tokens without end, so that wherever it is cut, one of
// them is cut in two.
func (p *planted) line() string {
	var b strings.Builder
	for b.Len() < 40_000 {
		s := p.all[p.rng.IntN(len(p.all))]
		for _, shape := range []string{"hf_", "sk-", "gh", "xox", "AKIA", "AIza", "glpat-", "npm_", "dop_v1_"} {
			if strings.HasPrefix(s.value, shape) {
				b.WriteString(s.value + " ")
			}
		}
	}
	return b.String()
}

// leaks lists the secrets that a text holds.
func (p *planted) leaks(text string) []string {
	var out []string
	for _, s := range p.all {
		for _, form := range s.forms() {
			for _, part := range strings.Split(form, "\n") { // a key of several lines
				if i := strings.Index(text, part); i >= 0 {
					out = append(out, fmt.Sprintf("%s, in %q", s.name, text[max(0, i-60):min(len(text), i+len(part)+20)]))
				}
			}
		}
		for _, part := range s.parts() {
			if strings.Contains(text, part) && !strings.Contains(text, s.value) {
				out = append(out, fmt.Sprintf("%s, of which it shows the part %s", s.name, part))
				break
			}
		}
	}
	return out
}

func (p *planted) clean(t *testing.T, where, text string) {
	t.Helper()
	for _, leak := range p.leaks(text) {
		t.Errorf("%s holds the secret %s", where, leak)
	}
}

// deltas joins what was streamed: a secret must not hide between two pieces.
func deltas(events []event.Event) string {
	var b strings.Builder
	for _, c := range decoded[event.AssistantChunk](events) {
		b.WriteString(c.Content)
	}
	return b.String()
}

// lines are the events of a stream-json output.
func lines(t *testing.T, stdout string) []event.Event {
	t.Helper()
	var events []event.Event
	for line := range strings.Lines(stdout) {
		if !strings.HasPrefix(line, `{"type":"event"`) {
			continue
		}
		var ev event.Event
		if err := json.Unmarshal([]byte(line), &ev); err != nil {
			t.Fatal(err)
		}
		events = append(events, ev)
	}
	return events
}

// stored checks everything the program has left on disk, and counts the spill
// files.
func (p *planted) stored(t *testing.T, s *site) int {
	t.Helper()
	files, spilled := 0, 0
	err := filepath.WalkDir(s.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(s.home, path)
		p.clean(t, "the name "+rel, rel)
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case strings.HasPrefix(rel, "config"): // the user's own
			return nil
		case strings.Contains(rel, "/spill/"): // raw by design, for this user alone
			if info.Mode().Perm() != 0o600 || !strings.HasPrefix(strings.Replace(rel, "simulated/", "", 1), filepath.Join("state", "sessions")) {
				t.Errorf("the spill file %s has mode %v", rel, info.Mode())
			}
			spilled++
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		p.clean(t, rel, string(raw))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 2 {
		t.Errorf("only %d files were looked at", files)
	}
	modes(t, filepath.Join(s.home, "state"))
	return spilled
}

// scenario is the scripted model of a run among secrets.
func (p *planted) scenario(r modelserver.Request) modelserver.Answer {
	calls, _ := last(r.Messages)
	switch {
	case calls == nil:
		return modelserver.Answer{Text: pieces(p.said, 3), Calls: []modelserver.IDCall{
			call("call_read", "read", map[string]any{"path": "settings.txt"}),
			call("call_bash", "bash", map[string]any{"command": p.arguments}),
			call("call_write", "write", map[string]any{"path": "deploy.py", "content": "import os\nclient(\"" + p.all[8].value + "\")\n" + p.said + "\n"}),
		}}
	case calls[0].ID == "call_read":
		return modelserver.Answer{Calls: []modelserver.IDCall{
			call("call_spill", "bash", map[string]any{"command": "for i in $(seq 400); do cat printed.txt settings.txt; done"}),
			call("call_line", "bash", map[string]any{"command": "cat long.txt long.txt long.txt long.txt"}),
			call("call_long", "read", map[string]any{"path": "long.txt"}),
			call("call_fail", "bash", map[string]any{"command": "cat printed.txt >&2; exit 3"}),
			call("call_gone", "read", map[string]any{"path": "missing-" + p.all[8].value + ".txt"}),
			call("call_bad", "edit", map[string]any{"path": "settings.txt", "old_str": p.said, "new_str": p.prompt}),
			call("call_none", "no_such_"+p.all[7].value, map[string]any{}),
		}}
	}
	return modelserver.Answer{Text: pieces("Done. "+p.said+" Goodbye.", 2)}
}

// neighbour is a server that notes what headers it is sent.
type neighbour struct {
	*httptest.Server
	mu   sync.Mutex
	seen []http.Header
}

func newNeighbour() *neighbour {
	n := &neighbour{}
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		n.seen = append(n.seen, r.Header.Clone())
		n.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"name":"somebody","type":"user"}`)
	}))
	return n
}

func (n *neighbour) headers() []http.Header {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.seen)
}

// onlyOwn checks that of all secrets only the given one is in the headers.
func (p *planted) onlyOwn(t *testing.T, where, own string, headers []http.Header) {
	t.Helper()
	for _, h := range headers {
		for name, values := range h {
			text := strings.Join(values, "\n")
			if own != "" {
				text = strings.ReplaceAll(text, own, "")
			}
			p.clean(t, where+", header "+name, text)
		}
	}
}

// secretSite prepares a site with everything planted.
func (p *planted) site(t *testing.T, models *desk, hub string, script func(modelserver.Request) modelserver.Answer) *site {
	t.Helper()
	s := mustSite(t, p.env...)
	name := strings.ReplaceAll(t.Name(), "/", "_")
	s.env = append(s.env, "OPENAI_BASE_URL="+models.add(name, script), "OPENAI_API_MODE=chat", "HF_ENDPOINT="+hub)
	// A stand-in for the interpreter that checks Python files notes what it is given.
	bin := filepath.Join(s.home, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	python := "#!/bin/sh\nenv > " + filepath.Join(s.dir, "python-env.txt") + "\nexit 0\n"
	if err := os.WriteFile(filepath.Join(bin, "python3"), []byte(python), 0o755); err != nil {
		t.Fatal(err)
	}
	s.env[0] = "PATH=" + bin + ":" + os.Getenv("PATH")
	s.write(t, ".env", p.dotenv)
	s.write(t, "settings.txt", p.file)
	s.write(t, "printed.txt", p.printed)
	s.write(t, "long.txt", p.long)
	s.configure(t, p.config)
	return s
}

// Fifty secrets of all kinds are planted in everything a run meets; none of them
// may be in anything it leaves, shows or passes on.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	_, rng := chance(t)
	p := plant(rng)
	if len(p.all) < 50 {
		t.Fatalf("%d secrets, want 50 or more", len(p.all))
	}
	models, hub := newDesk(), newNeighbour()
	t.Cleanup(models.server.Close)
	t.Cleanup(hub.Close)
	for _, args := range [][]string{
		{"--output-format", "text", "--verbose"},
		{"--output-format", "json"},
		{"--output-format", "stream-json"},
	} {
		t.Run(args[1], func(t *testing.T) {
			t.Parallel()
			s := p.site(t, models, hub.URL, p.scenario)
			args := append([]string{"--model", "openai/gpt-5.5", "--trust", "--max-cost", "0"}, args...)
			first := s.mustRun(t, append(slices.Clone(args), "-o", "last.txt", p.prompt)...)
			again := s.mustRun(t, append(slices.Clone(args), "--continue", "once more: "+p.prompt)...)
			for _, e := range []ended{first, again} {
				if e.code != 0 {
					t.Fatal(e)
				}
				p.clean(t, "standard output", e.stdout)
				p.clean(t, "standard error", e.stderr)
				if args[len(args)-1] == "stream-json" {
					p.clean(t, "the joined deltas of standard output", deltas(lines(t, e.stdout)))
				}
			}
			if !strings.Contains(first.stdout, "Goodbye.") {
				t.Error("the answer's end is missing")
			}
			_, events := s.mustJournal(t)
			p.clean(t, "the joined deltas", deltas(events))
			if p.stored(t, s) == 0 {
				t.Error("no output was spilled: its files were not looked at")
			}
			p.resumed(t, events, models.requests(strings.ReplaceAll(t.Name(), "/", "_")))
			p.written(t, s)
			p.children(t, s)
			p.told(t, s)
			p.onlyOwn(t, "the model server", p.openaiKey, headersOf(models.requests(strings.ReplaceAll(t.Name(), "/", "_"))))
			p.meant(t, models.requests(strings.ReplaceAll(t.Name(), "/", "_")))
		})
	}
	t.Cleanup(func() { p.onlyOwn(t, "the Hub", p.hub, hub.headers()) }) // behind all of them
}

func headersOf(requests []modelserver.Request) []http.Header {
	var out []http.Header
	for _, r := range requests {
		out = append(out, r.Header)
	}
	return out
}

// meant makes sure that the run was what the test thinks: the secrets did reach
// the model, which works with the true texts while the program runs.
func (p *planted) meant(t *testing.T, requests []modelserver.Request) {
	t.Helper()
	if len(requests) < 4 {
		t.Fatalf("%d model calls, want 4 or more", len(requests))
	}
	var all strings.Builder
	for _, m := range requests[2].Messages {
		all.WriteString(m.Text() + "\n")
		for _, c := range m.ToolCalls {
			all.WriteString(c.Function.Arguments + "\n")
		}
	}
	for _, s := range p.all {
		if strings.HasPrefix(s.name, "file") || strings.HasPrefix(s.name, "prompt") || strings.HasPrefix(s.name, "said") {
			if !strings.Contains(all.String(), strings.Split(s.value, "\n")[0]) {
				t.Errorf("the running process lost %s: the model works with a scrubbed text", s.name)
			}
		}
	}
}

// resumed checks that a restarted process works with the scrubbed texts and
// says so.
func (p *planted) resumed(t *testing.T, events []event.Event, requests []modelserver.Request) {
	t.Helper()
	done := decoded[event.ResumeComplete](events)
	if len(done) != 1 || !done[0].HadRedactedContent {
		t.Errorf("resume_complete is %+v, want one that tells of removed secrets", done)
	}
	messages := requests[len(requests)-1].Messages
	if first := messages[1].Text(); !strings.Contains(first, "[REDACTED_HF_TOKEN]") || len(p.leaks(first)) > 0 {
		t.Errorf("after a restart the first prompt is %q", first)
	}
}

// written checks the files of the work: those are the user's, and must hold what
// was meant, not the marks of the scrubber.
func (p *planted) written(t *testing.T, s *site) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.dir, "deploy.py"))
	if err != nil || !strings.Contains(string(raw), p.all[8].value) || strings.Contains(string(raw), "[REDACTED") {
		t.Errorf("deploy.py holds %q, %v: what was written is not what the model wrote", raw, err)
	}
	raw, err = os.ReadFile(filepath.Join(s.dir, "last.txt"))
	if err != nil {
		t.Error(err)
	}
	p.clean(t, "the file of -o", string(raw))
}

// children checks the environment of the processes that were started.
func (p *planted) children(t *testing.T, s *site) {
	t.Helper()
	for _, name := range []string{"env.txt", "python-env.txt"} {
		raw, err := os.ReadFile(filepath.Join(s.dir, name))
		if err != nil {
			t.Errorf("%s: the child did not run: %v", name, err)
			continue
		}
		text := string(raw)
		if name == "env.txt" {
			if !strings.Contains(text, "\nHF_TOKEN="+p.hub+"\n") {
				t.Error("bash has no Hub token")
			}
			text = strings.ReplaceAll(text, p.hub, "")
			for _, s := range p.all { // what the command itself exports
				if strings.HasPrefix(s.name, "argument") {
					text = strings.ReplaceAll(text, s.value, "")
				}
			}
		}
		p.clean(t, name, text)
	}
}

// told checks what commands about saved sessions print.
func (p *planted) told(t *testing.T, s *site) {
	t.Helper()
	id := filepath.Base(filepath.Dir(s.journals()[0]))
	for _, args := range [][]string{
		{"sessions", "list"},
		{"sessions", "list", "--json"},
		{"sessions", "show", id},
		{"sessions", "export", id},
		{"sessions", "export", id, "--format", "jsonl"},
		{"sessions", "export", id, "--format", "claude_code"},
		{"sessions", "export", id, "--format", "markdown"},
		{"sessions", "show", id, "--evidence"},
		{"config", "list"},
		{"config", "list", "--json"},
		{"doctor", "--offline"},
	} {
		e := s.mustRun(t, args...)
		what := strings.Join(args[:2], " ")
		if e.code != 0 && args[0] == "sessions" {
			t.Errorf("%s: %v", strings.Join(args, " "), e)
		}
		p.clean(t, what, e.stdout)
		p.clean(t, what+", standard error", e.stderr)
	}
}

// With bash_forward_hf_token off no command sees the Hub token.
func TestHubTokenIsNotForwarded(t *testing.T) {
	t.Parallel()
	_, rng := chance(t)
	p := plant(rng)
	models, hub := newDesk(), newNeighbour()
	t.Cleanup(models.server.Close)
	t.Cleanup(hub.Close)
	s := p.site(t, models, hub.URL, func(r modelserver.Request) modelserver.Answer {
		if calls, _ := last(r.Messages); calls == nil {
			return modelserver.Answer{Calls: []modelserver.IDCall{
				call("call_1", "bash", map[string]any{"command": "env > env.txt; echo $HF_TOKEN > token.txt"}),
				call("call_2", "read", map[string]any{"path": "/proc/self/environ"}),
			}}
		}
		return modelserver.Answer{Text: []string{"Done."}}
	})
	s.configure(t, `{"bash_forward_hf_token":false}`)
	if e := s.mustRun(t, "--model", "openai/gpt-5.5", "--max-cost", "0", "look around"); e.code != 0 {
		t.Fatal(e)
	}
	for _, name := range []string{"env.txt", "token.txt"} {
		raw, err := os.ReadFile(filepath.Join(s.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		p.clean(t, name, string(raw))
	}
	requests := models.requests(t.Name())
	_, results := last(requests[len(requests)-1].Messages)
	p.clean(t, "read of /proc/self/environ", results["call_2"])
}

// What a provider's error repeats of the key is shown to nobody.
func TestSecretsInProviderErrors(t *testing.T) {
	t.Parallel()
	_, rng := chance(t)
	p := plant(rng)
	models, hub := newDesk(), newNeighbour()
	t.Cleanup(models.server.Close)
	t.Cleanup(hub.Close)
	for _, status := range []int{400, 401, 403, 402} {
		for _, format := range []string{"text", "json", "stream-json"} {
			t.Run(fmt.Sprintf("%d/%s", status, format), func(t *testing.T) {
				t.Parallel()
				body, _ := json.Marshal(map[string]any{"error": map[string]any{
					"message": "Incorrect API key provided: " + p.openaiKey + " (you sent Authorization: Bearer " + p.openaiKey + "; also seen " + p.errorKey + ")",
					"type":    "invalid_request_error", "code": "bad_" + p.all[8].value,
				}})
				s := p.site(t, models, hub.URL, func(modelserver.Request) modelserver.Answer {
					return modelserver.Answer{Status: status, Body: string(body)}
				})
				e := s.mustRun(t, "--model", "openai/gpt-5.5", "--max-cost", "0", "--output-format", format, "hello")
				want := 1
				if status == 401 || status == 403 {
					want = 3
				}
				if e.code != want {
					t.Errorf("exit %d, want %d: %v", e.code, want, e)
				}
				p.clean(t, "standard output", e.stdout)
				p.clean(t, "standard error", e.stderr)
				p.stored(t, s)
			})
		}
	}
}

// A key goes to its own server alone: one reached by a redirect gets none, and a
// local model gets no key of a hosted one.
func TestKeysStayAtTheirOrigin(t *testing.T) {
	t.Parallel()
	_, rng := chance(t)
	p := plant(rng)
	models, hub, foreign := newDesk(), newNeighbour(), newNeighbour()
	t.Cleanup(models.server.Close)
	t.Cleanup(hub.Close)
	t.Cleanup(foreign.Close)
	for _, status := range []int{301, 302, 307, 308} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			s := p.site(t, models, hub.URL, func(modelserver.Request) modelserver.Answer {
				return modelserver.Answer{Status: status, Location: foreign.URL + "/v1/chat/completions"}
			})
			e := s.mustRun(t, "--model", "openai/gpt-5.5", "--max-cost", "0", "hello")
			if e.code == 0 {
				t.Errorf("a redirected model call succeeded: %v", e)
			}
			p.clean(t, "standard error", e.stderr)
		})
	}
	t.Cleanup(func() { p.onlyOwn(t, "the foreign server", "", foreign.headers()) }) // behind all of them

	t.Run("local", func(t *testing.T) {
		t.Parallel()
		s := p.site(t, models, hub.URL, nil)
		base := models.add("local", func(modelserver.Request) modelserver.Answer {
			return modelserver.Answer{Text: []string{"Hello."}}
		})
		s.env = append(s.env, "VLLM_BASE_URL="+base)
		if e := s.mustRun(t, "--model", "vllm/m", "hello"); e.code != 0 {
			t.Fatal(e)
		}
		p.onlyOwn(t, "the local server", "", headersOf(models.requests("local")))
	})
	p.onlyOwn(t, "the Hub", p.hub, hub.headers())
}

// A program that is made to crash shows no secret.
func TestCrashShowsNoSecret(t *testing.T) {
	_, rng := chance(t)
	p := plant(rng)
	models, hub := newDesk(), newNeighbour()
	defer models.server.Close()
	defer hub.Close()
	s := p.site(t, models, hub.URL, func(r modelserver.Request) modelserver.Answer {
		if calls, _ := last(r.Messages); calls == nil {
			return modelserver.Answer{Text: pieces(p.said, 3), Calls: []modelserver.IDCall{
				call("call_1", "read", map[string]any{"path": "settings.txt"}),
				call("call_2", "bash", map[string]any{"command": "cat printed.txt; sleep 3"}),
			}}
		}
		return modelserver.Answer{Text: []string{"Done."}}
	})
	cmd := s.command("--model", "openai/gpt-5.5", "--max-cost", "0", "--verbose", p.prompt)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if raw, err := s.journal(); err != nil {
			t.Fatal(err)
		} else if strings.Contains(string(raw), `"event_type":"tool_output"`) {
			break
		}
		if time.Since(begun) > runLimit {
			_ = cmd.Process.Kill()
			t.Fatal("no tool ran")
		}
	}
	if err := cmd.Process.Signal(syscall.SIGQUIT); err != nil { // the runtime prints all stacks
		t.Fatal(err)
	}
	_ = cmd.Wait() // it crashed, as it was told
	if !strings.Contains(errs.String(), "goroutine ") {
		t.Fatalf("no stack was printed: %s", errs.String())
	}
	p.clean(t, "standard output", out.String())
	p.clean(t, "the stacks", errs.String())
	if err := s.settle(); err != nil {
		t.Fatal(err)
	}
	p.stored(t, s)

	// A panic's own words go to the debug log without the secrets of the
	// environment.
	path, said := crash.Save(s.env, "token "+p.all[8].value+" is bad", []byte("stack with "+p.openaiKey+" and "+p.errorKey))
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p.clean(t, "the crash report", string(raw))
	p.clean(t, "what is said of the crash", said)
}

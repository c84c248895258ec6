//go:build unix

package trust_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/app/hooks"
	"github.com/ml-intern/ml-intern/internal/app/trust"
	"github.com/ml-intern/ml-intern/internal/config"
)

// site is a folder that somebody has opened.
type site struct {
	*testing.T
	dir  string
	from config.Options
}

func newSite(t *testing.T, files map[string]string) *site {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	home := t.TempDir()
	return &site{t, dir, config.Options{Dir: dir, Environ: []string{"HOME=" + home, "ML_INTERN_HOME=" + home}}}
}

func (s *site) load() *config.Loaded {
	s.Helper()
	l, err := config.Load(s.Context(), s.from)
	if err != nil {
		s.Fatal(err)
	}
	return l
}

// ask asks and returns what was shown and what of the answers nobody has read.
func (s *site) ask(answers string) (shown, left string) {
	s.Helper()
	in, out := strings.NewReader(answers), &strings.Builder{}
	if err := trust.Ask(s.Context(), in, out, s.load(), s.from); err != nil {
		s.Fatal(err)
	}
	rest, _ := io.ReadAll(in)
	return out.String(), string(rest)
}

func everything() map[string]string {
	return map[string]string{
		".ml-intern/config.json": `{"max_iterations": 7, "hooks": {"PreToolUse": [{"matcher": "bash", "command": "sh \u001b[31mcheck.sh"}]},
			"mcpServers": {"files": {"command": "npx", "args": ["-y", "files"]}, "far": {"url": "https://far.example/mcp"}}}`,
		".env":                      "HF_ENDPOINT=https://elsewhere.example\nPLAIN=1\n",
		".ml-intern/skills/x/a.txt": "", ".claude/skills/y/a.txt": "",
	}
}

const question = "Trust it? Say yes only if you know who wrote it. [yes / No / never] "

// What would run is shown before the answer, as text, and nothing of it counts
// without a yes. What was typed behind the answer is left to the conversation.
func TestYes(t *testing.T) {
	s := newSite(t, everything())
	shown, left := s.ask("fix the bug\nYES\nhello")
	want := s.dir + ` brings along what counts only once you trust the folder:
  .ml-intern/config.json: /hooks, /mcpServers
  .env: HF_ENDPOINT
  runs at PreToolUse bash: sh [31mcheck.sh
  uses the MCP server far at https://far.example/mcp
  starts the MCP server files: npx -y files
  .ml-intern/skills
  .claude/skills
` + question + question + s.dir + " is trusted\n"
	if shown != want || left != "hello" {
		t.Errorf("left %q, shown:\n%s\nwant:\n%s", left, shown, want)
	}
	l := s.load()
	if !l.Trusted || len(hooks.Project(l)) != 1 || len(l.Withheld()) != 0 {
		t.Errorf("trusted %v, held back %v", l.Trusted, l.Withheld())
	}
	if mark, err := l.TrustList().Known(s.dir); mark == "" || err != nil {
		t.Errorf("the hooks are not known: %v", err)
	}
	if shown, _ := s.ask("x"); shown != "" {
		t.Errorf("asked again: %s", shown)
	}
}

// No holds for now, never for good, until somebody says otherwise.
func TestNo(t *testing.T) {
	s := newSite(t, everything())
	for _, answer := range []string{"\n", "n\n", "No\n", ""} {
		if shown, _ := s.ask(answer); !strings.HasSuffix(shown, question) || s.load().Trusted {
			t.Errorf("%q: %s", answer, shown)
		}
	}
	if shown, _ := s.ask("never\n"); !strings.Contains(shown, "You are not asked again here") {
		t.Error(shown)
	}
	if shown, _ := s.ask("yes\n"); shown != "" || s.load().Trusted {
		t.Errorf("asked again: %s", shown)
	}
	if err := s.load().TrustList().Revoke(s.dir); err != nil {
		t.Fatal(err)
	}
	if shown, _ := s.ask("yes\n"); shown == "" || !s.load().Trusted {
		t.Error("not asked after the refusal was taken back")
	}
	out := &strings.Builder{}
	if err := s.load().TrustList().Refuse(s.dir); err != nil || s.load().Trusted {
		t.Errorf("a trusted folder was not refused: %v", err)
	}
	if err := trust.Give(t.Context(), out, s.load(), s.from); err != nil || !s.load().Trusted || !strings.Contains(out.String(), "PreToolUse bash: sh [31mcheck.sh") {
		t.Errorf("%v: %s", err, out)
	}
}

// Nothing is asked where there is nothing to trust, nor about skills of other
// programs alone.
func TestNothing(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"empty": {}, "open settings": {".ml-intern/config.json": `{"max_iterations": 7}`},
		"harmless variables": {".env": "A=1\n"}, "others' skills": {".claude/skills/y/a.txt": ""},
		"no JSON": {".ml-intern/config.json": `{`},
	} {
		if shown, _ := newSite(t, files).ask("yes\n"); shown != "" {
			t.Errorf("%s: %s", name, shown)
		}
	}
	s := newSite(t, everything())
	s.from.Trust = true
	if shown, _ := s.ask("yes\n"); shown != "" {
		t.Errorf("trusted for one run: %s", shown)
	}
}

// Settings that are wrong only once they count are asked about all the same.
func TestFaulty(t *testing.T) {
	s := newSite(t, map[string]string{".ml-intern/config.json": `{"hooks": {"PreToolUse": 7}}`})
	if shown, _ := s.ask("no\n"); !strings.Contains(shown, ".ml-intern/config.json: /hooks") {
		t.Error(shown)
	}
}

package prompt_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/app/prompt"
)

func session() prompt.Session {
	return prompt.Session{
		Tools: []string{"bash", "read", "write", "edit", "plan_tool", "bash_jobs"}, Runtime: "local", Workdir: "/w",
		Mode: "ask", Now: time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC),
	}
}

func render(t *testing.T, s prompt.Session) string {
	t.Helper()
	text, err := prompt.Render(s)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestRenderingsOfOneDayAreEqual(t *testing.T) {
	a := session()
	b := session()
	b.Now = b.Now.Add(7 * time.Hour)
	if render(t, a) != render(t, b) {
		t.Error("two renderings on the same day differ")
	}
}

func TestHeadlessRulesOnlyHeadless(t *testing.T) {
	const rule = "ask no questions"
	if strings.Contains(render(t, session()), rule) {
		t.Error("the interactive prompt holds the headless rules")
	}
	s := session()
	s.Headless = true
	if !strings.Contains(render(t, s), rule) {
		t.Error("the headless prompt lacks its rules")
	}
}

func TestOnlyRegisteredToolsAreNamed(t *testing.T) {
	text := render(t, session())
	for _, name := range []string{"`research`", "`hf_jobs`", "`notify`"} {
		if strings.Contains(text, name) {
			t.Errorf("the prompt names %s, which is not registered", name)
		}
	}
	s := session()
	s.Tools = append(s.Tools, "research", "hf_jobs", "notify")
	full := render(t, s)
	for _, name := range []string{"`research`", "`hf_jobs`", "`notify`"} {
		if !strings.Contains(full, name) {
			t.Errorf("the prompt does not name %s", name)
		}
	}
	if !strings.Contains(full, "You have 9 tools") || !strings.HasSuffix(full, "Tools=9]") {
		t.Error("the tool count is wrong")
	}
}

func TestContextIsTheLastLine(t *testing.T) {
	lines := strings.Split(render(t, session()), "\n")
	last := lines[len(lines)-1]
	want := "[Session context: Date=04-03-2026, Timezone=UTC (UTC+00:00), User=unknown, Runtime=local, Mode=interactive/ask, Directory=/w, Cap=none, Tools=6]"
	if last != want {
		t.Errorf("last line %q, want %q", last, want)
	}
}

func TestGuidanceFollowsTheRules(t *testing.T) {
	s := session()
	s.Guidance, s.GuidanceFiles = "Use tabs.", []string{"AGENTS.md"}
	text := render(t, s)
	if at := strings.Index(text, "Use tabs."); at < strings.Index(text, "# Conduct") || at > strings.Index(text, "[Session context") {
		t.Error("guidance must stand between the rules and the context line")
	}
}

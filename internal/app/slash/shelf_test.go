package slash_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/app/skillset"
	"github.com/ml-intern/ml-intern/internal/app/slash"
	"github.com/ml-intern/ml-intern/internal/config/place"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog/dialogtest"
)

// Every name and alias of a command is reserved: nothing that people write hides
// it. And nothing else is.
func TestReservedNames(t *testing.T) {
	for _, c := range slash.Commands(&slash.Desk{}) {
		for _, name := range append([]string{c.Name}, c.Aliases...) {
			if name != dialog.Shell && name != dialog.Remember && name != dialog.Foreign && !skillset.Reserved(name) {
				t.Errorf("a skill could hide /%s: add it to Reserved in package skillset", name)
			}
		}
	}
	for _, name := range []string{"finetune", "fix", ""} {
		if skillset.Reserved(name) {
			t.Errorf("%q is reserved", name)
		}
	}
}

// shelved is a project with skills and commands, trusted or not.
func shelved(t *testing.T, trust bool) (*world, *slash.Desk) {
	t.Helper()
	w := newWorld(t)
	w.write(".ml-intern/skills/tidy/SKILL.md", "---\nname: tidy\ndescription: Tidy up. Use it when things lie around.\nargument-hint: \"[folder]\"\n---\nPut things away.\n")
	w.write(".ml-intern/commands/fix.md", "---\ndescription: Fix an issue\n---\nFix $1.\n")
	w.write(".ml-intern/commands/model.md", "no\n")
	user := filepath.Join(w.home, ".config", "ml-intern", "commands")
	if err := os.MkdirAll(user, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(user, "fix.md"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if trust {
		if err := place.OpenTrust(w.app.Loaded.Places.TrustFile()).Trust(w.dir); err != nil {
			t.Fatal(err)
		}
		w.app = w.open()
	}
	return w, &slash.Desk{App: w.app, Skills: skillset.Load(w.app.Loaded)}
}

// ask runs a command of a desk.
func ask(t *testing.T, d *slash.Desk, name, args string) string {
	t.Helper()
	talk := dialogtest.New(t)
	talk.Columns = 300
	said, err := talk.Run(t.Context(), find(t, slash.Commands(d), name), args)
	if err != nil {
		said += "error: " + err.Error()
	}
	return said
}

func TestSkillsAndCommands(t *testing.T) {
	w, d := shelved(t, true)
	all := slash.Commands(d)
	for name, want := range map[string]dialog.Command{
		"tidy": {Name: "tidy", Args: "[folder]", Help: "Tidy up", Message: true},
		"fix":  {Name: "fix", Help: "Fix an issue", Message: true},
		"eval": {Name: "eval", Args: "[model] on [benchmark or data]", Help: "Measure a model on benchmarks or own data, with uncertainty", Message: true},
	} {
		c := find(t, all, name)
		if c.Name != want.Name || c.Args != want.Args || c.Help != want.Help || !c.Message || c.Run != nil || c.Hidden {
			t.Errorf("/%s is %+v", name, c)
		}
	}
	if c := find(t, all, "model"); c.Message {
		t.Error("a command of the project's hides /model")
	}
	help := ask(t, d, "help", "")
	_, own, _ := strings.Cut(help, "\n\nSkills, and commands of yours and the project's:\n")
	if !strings.HasPrefix(own, "/tidy [folder]") || !strings.Contains(own, "\n/finetune [model] on [dataset]") || !strings.Contains(own, "Ctrl-R") {
		t.Error(help)
	}
	if said := ask(t, d, "help", "tidy"); said != "/tidy [folder]  Tidy up" {
		t.Error(said)
	}
	said := ask(t, d, "skills", "")
	for _, want := range []string{"/tidy [folder]", "Tidy up. Use it when things lie around. (.ml-intern/skills/tidy/SKILL.md)", "(built-in)"} {
		if !strings.Contains(strings.Join(strings.Fields(said), " "), want) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
	if strings.Contains(said, "/fix") {
		t.Error(said)
	}
	said = ask(t, d, "commands", "")
	for _, want := range []string{"/fix", "Fix an issue (.ml-intern/commands/fix.md)", "hidden: its name is taken (~/.config/ml-intern/commands/fix.md)", "model.md: /model is a command of the program"} {
		if !strings.Contains(strings.Join(strings.Fields(said), " "), want) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
	if said := ask(t, d, "skills", "/tidy"); !strings.Contains(said, "The skill tidy: Tidy up.") || !strings.Contains(said, "Put things away.") {
		t.Error(said)
	}
	if said := ask(t, d, "commands", "tidy"); said != "error: there is no command tidy; /commands lists them" {
		t.Error(said)
	}
	offered := find(t, all, "skills").Complete(t.Context(), "")
	if len(offered) != 6 || offered[0].Value != "tidy" {
		t.Errorf("%v", offered)
	}
	w.write(".ml-intern/skills/later/SKILL.md", "---\nname: later\ndescription: Came later.\n---\nx\n")
	if said := ask(t, d, "skills", ""); !strings.Contains(said, "/later") || !strings.Contains(said, "can be called from its next start on") {
		t.Error(said)
	}
}

// Of a folder that is not trusted nothing is listed or can be called; it is said.
func TestSkillsOfAFolderThatIsNotTrusted(t *testing.T) {
	_, d := shelved(t, false)
	if dialog.Find(slash.Commands(d), "tidy") != nil {
		t.Error("it can be called")
	}
	for _, name := range []string{"skills", "commands"} {
		said := ask(t, d, name, "")
		if strings.Contains(said, "/tidy") || strings.Contains(said, "Fix an issue") || strings.Count(said, "not trusted") != 1 {
			t.Error(said)
		}
	}
	if said := ask(t, d, "skills", "tidy"); said != "error: there is no skill tidy; /skills lists them" {
		t.Error(said)
	}
}

// Where there is nothing, the way to it is told.
func TestNoCommands(t *testing.T) {
	w := newWorld(t)
	d := &slash.Desk{App: w.app}
	said := ask(t, d, "commands", "")
	if !strings.Contains(said, "There are no commands") || !strings.Contains(said, filepath.Join(w.dir, ".ml-intern", "commands")) {
		t.Error(said)
	}
	if got := find(t, slash.Commands(d), "skills").Complete(t.Context(), ""); got != nil {
		t.Error(got)
	}
}

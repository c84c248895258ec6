package slash_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog/dialogtest"
)

func same(text string) string { return text }

func TestInit(t *testing.T) {
	w := newWorld(t)
	w.git()
	w.write("train.py", "print('train')\n")
	w.write("data/train.csv", "a,b\n1,2\n")
	w.write("tests/test_a.py", "")
	w.write("requirements.txt", "torch\nwandb>=0.16\n")
	sub := filepath.Join(w.dir, "src")
	if err := os.Mkdir(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	root := w.dir
	w.dir = sub // the file belongs to the root of the repository
	w.app = w.open()
	w.dir = root
	path := filepath.Join(w.app.Loaded.RepoRoot, "AGENTS.md")

	// Turning away at any point writes nothing.
	for _, answers := range [][]dialogtest.Answer{
		{dialogtest.Cancel()},
		{dialogtest.Pick("Ask before"), dialogtest.Cancel()},
		{dialogtest.Pick("Ask before"), dialogtest.Edit(same), dialogtest.Cancel()},
		{dialogtest.Pick("Ask before"), dialogtest.Edit(same), dialogtest.Pick("leave it")},
	} {
		talk := dialogtest.New(t, answers...)
		if said := w.run(talk, "/init"); !strings.HasSuffix(said, "error: cancelled") {
			t.Error(said)
		}
	}
	if said := w.run(dialogtest.New(t, dialogtest.Pick("Ask before"), dialogtest.Edit(func(string) string { return " \n" })), "/init"); !strings.HasSuffix(said, "the draft is empty now, nothing was written") {
		t.Error(said)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatal("something was written")
	}

	draft := ""
	talk := dialogtest.New(t, dialogtest.Pick("Push nothing"), dialogtest.Edit(func(text string) string {
		draft = text
		return strings.TrimRight(text, "\n") + "\n- mine"
	}), dialogtest.Pick("write it"))
	said := w.run(talk, "/init")
	if !strings.HasSuffix(said, "Written to "+path+". It counts from the next conversation on (/new).") {
		t.Error(said)
	}
	for _, part := range []string{"# project\n", "`data`: 1 csv file, 8 B", "`train.py`", "`pytest`", "wandb (in `requirements.txt`)", "- Push nothing to the Hub."} {
		if !strings.Contains(draft, part) {
			t.Errorf("the draft lacks %q:\n%s", part, draft)
		}
	}
	if got := w.read("AGENTS.md"); got != strings.TrimRight(draft, "\n")+"\n- mine\n" {
		t.Error(got)
	}
	if said := w.run(dialogtest.New(t), "/init"); said != "error: /init: "+path+" is there already; /memory edit changes it" {
		t.Error(said)
	}
}

// Any file of instructions keeps /init from writing, and one that comes up while
// the draft is edited is left as it is.
func TestInitOverwritesNothing(t *testing.T) {
	w := newWorld(t)
	w.write("CLAUDE.md", "mine")
	if said := w.run(dialogtest.New(t), "/init"); !strings.Contains(said, "CLAUDE.md is there already") {
		t.Error(said)
	}
	if err := os.Remove(filepath.Join(w.dir, "CLAUDE.md")); err != nil {
		t.Fatal(err)
	}
	talk := dialogtest.New(t, dialogtest.Pick("Ask before"), dialogtest.Edit(func(text string) string {
		w.write("AGENTS.md", "somebody else's")
		return text
	}), dialogtest.Pick("write it"))
	if said := w.run(talk, "/init"); !strings.HasSuffix(said, "has come up meanwhile and was left as it is") || w.read("AGENTS.md") != "somebody else's" {
		t.Error(said)
	}
}

func TestMemory(t *testing.T) {
	w := newWorld(t)
	own := filepath.Join(w.home, ".config", "ml-intern", "AGENTS.md")
	project := filepath.Join(w.app.Loaded.Dir, "AGENTS.md")
	if said := w.run(dialogtest.New(t), "/memory"); !strings.Contains(said, "There are no instructions yet.") || !strings.Contains(said, own) || !strings.Contains(said, project) {
		t.Error(said)
	}
	write := func(pick, text string) string {
		return w.run(dialogtest.New(t, dialogtest.Pick(pick), dialogtest.Edit(func(string) string { return text })), "/memory edit")
	}
	if said := write("the project's", "Use bf16.\n"); said != "edit: AGENTS.md\nWritten to "+project+". It counts from the next conversation on (/new)." {
		t.Error(said)
	}
	if said := write("yours", "Answer in German.\n"); !strings.Contains(said, "Written to "+own) {
		t.Error(said)
	}
	if info, err := os.Stat(own); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	said := w.run(dialogtest.New(t), "/memory")
	page := said[strings.Index(said, "page: "):]
	if !strings.Contains(said, "AGENTS.md") || strings.Index(page, "Answer in German.") > strings.Index(page, "Use bf16.") {
		t.Errorf("the nearest is last:\n%s", said)
	}
	if said := w.run(dialogtest.New(t, dialogtest.Pick("the project's"), dialogtest.Edit(same)), "/memory edit"); said != "edit: AGENTS.md\nNothing was changed." {
		t.Error(said)
	}
	if said := w.run(dialogtest.New(t, dialogtest.Cancel()), "/memory edit"); said != "error: cancelled" {
		t.Error(said)
	}
	if said := w.run(dialogtest.New(t), "/memory forget"); said != "error: /memory forget: there is only /memory edit" {
		t.Error(said)
	}
	// Too long: the farthest is left out, and that is said.
	w.write("AGENTS.md", strings.Repeat("a rule for all\n", 2184))
	if said := w.run(dialogtest.New(t), "/memory"); !strings.Contains(said, "left out: together they may have") || strings.Contains(said, "Answer in German.") {
		t.Error(said[:300])
	}
	if err := os.Remove(filepath.Join(w.dir, "AGENTS.md")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(w.dir, "AGENTS.md"), 0o755); err != nil {
		t.Fatal(err)
	}
	if said := w.run(dialogtest.New(t, dialogtest.Pick("the project's")), "/memory edit"); !strings.Contains(said, "is no text file of up to") {
		t.Error(said)
	}
}

func TestLogin(t *testing.T) {
	token := ""
	w := newWorld(t, "HF_TOKEN=")
	for _, tok := range w.hub.Accounts().Tokens("bob") {
		if tok.Role == "write" {
			token = tok.Value
		}
	}
	for _, test := range []struct{ typed, want string }{
		{"  ", "error: the token is empty"},
		{"api_org_xyz", "error: a token that starts with api_org belongs to an organisation: use a user access token"},
		{"hf two", "error: the token holds blanks or characters that no token has"},
		{"hf_unknown", "error: the Hub does not know this token; check that it was copied whole"},
	} {
		said := w.run(dialogtest.New(t, dialogtest.Type(test.typed)), "/login")
		if !strings.HasSuffix(said, test.want) || strings.Contains(said, "hf_unknown") {
			t.Errorf("%q: %s", test.typed, said)
		}
	}
	if w.app.Token() != "" {
		t.Fatal("a bad token was saved")
	}
	if said := w.run(dialogtest.New(t, dialogtest.Cancel()), "/login"); !strings.HasSuffix(said, "error: cancelled") {
		t.Error(said)
	}
	said := w.run(dialogtest.New(t, dialogtest.Type(token+"\n")), "/login")
	for _, part := range []string{"Logged in as bob.", "The token was saved in " + filepath.Join(w.home, "hf", "token"), "Models use it from the next request on"} {
		if !strings.Contains(said, part) {
			t.Errorf("lacks %q:\n%s", part, said)
		}
	}
	if state := w.app.Login().State(); state.Token != token || state.OAuth {
		t.Errorf("it is a token like any other: %v", state.OAuth)
	}
	if strings.Contains(said, token) {
		t.Error("the token is shown")
	}
	said = w.run(dialogtest.New(t, dialogtest.Cancel()), "/login")
	if !strings.Contains(said, "There is a login already, from "+filepath.Join(w.home, "hf", "token")+", of bob. A new one takes its place.") {
		t.Error(said)
	}
}

// A token in the environment stays the one in force, which is said.
func TestLoginBesideAVariable(t *testing.T) {
	w := newWorld(t)
	token := ""
	for _, tok := range w.hub.Accounts().Tokens("alice") {
		if tok.Role == "read" {
			token = tok.Value
		}
	}
	said := w.run(dialogtest.New(t, dialogtest.Type(token)), "/login")
	if !strings.Contains(said, "It stays in force as long as that is set.") || !strings.Contains(said, "Logged in as alice.") || !strings.Contains(said, "warn: warning: HF_TOKEN is set and is used instead of the saved token") ||
		!strings.Contains(said, "warn: warning: this token may not write") || strings.Contains(said, "Models use it") {
		t.Error(said)
	}
}

func TestDoctor(t *testing.T) {
	w := newWorld(t)
	said := w.run(dialogtest.New(t), "/doctor")
	for _, part := range []string{"Hub token", "of bob", "ok   "} {
		if !strings.Contains(said, part) {
			t.Errorf("lacks %q:\n%s", part, said)
		}
	}
	if !strings.Contains(said, "Nothing is broken") && !strings.Contains(said, "failed") {
		t.Errorf("no end:\n%s", said)
	}
}

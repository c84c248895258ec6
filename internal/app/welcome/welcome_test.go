package welcome_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/welcome"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
	"github.com/ml-intern/ml-intern/internal/hubsim/identity"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog/dialogtest"
)

// world is a first launch beside a simulated Hub.
type world struct {
	*testing.T
	home  string
	hub   *hubsim.Hub
	app   *app.App
	token string
}

func newWorld(t *testing.T, more ...string) *world {
	w := &world{T: t, home: t.TempDir()}
	w.hub = hubsimtest.Start(t, hubsim.Options{Home: filepath.Join(w.home, "hf")})
	env, err := w.hub.Env("")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range env {
		if v, ok := strings.CutPrefix(entry, "HF_TOKEN="); ok {
			w.token = v
		}
	}
	environ := slices.DeleteFunc(env, func(entry string) bool { return strings.HasPrefix(entry, "HF_TOKEN=") })
	for _, name := range []string{"OLLAMA", "VLLM", "LMSTUDIO", "LLAMACPP"} { // nobody listens there
		environ = append(environ, name+"_BASE_URL=http://127.0.0.1:9")
	}
	environ = append(environ, "HOME="+w.home, "PATH="+os.Getenv("PATH"))
	for _, entry := range more {
		name, _, _ := strings.Cut(entry, "=")
		environ = append(slices.DeleteFunc(environ, func(old string) bool { return strings.HasPrefix(old, name+"=") }), entry)
	}
	if w.app, err = app.New(t.Context(), app.Options{Dir: t.TempDir(), Environ: environ}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.app.Close() })
	return w
}

// greet greets and returns what was said.
func (w *world) greet(d *welcome.Desk, answers ...dialogtest.Answer) (string, error) {
	d.App = w.app
	talk := dialogtest.New(w.T, answers...)
	err := d.Greet(w.Context(), talk)
	return talk.Said(), err
}

// Nothing is asked where nothing is missing.
func TestNothingMissing(t *testing.T) {
	w := newWorld(t, "ANTHROPIC_API_KEY=sk-ant-x")
	if said, err := w.greet(&welcome.Desk{}); err != nil || said != "" {
		t.Errorf("%v: %s", err, said)
	}
}

func TestToken(t *testing.T) {
	w := newWorld(t)
	paste := dialogtest.Pick("Paste a Hugging Face token")
	said, err := w.greet(&welcome.Desk{}, paste, dialogtest.Type("hf_wrong"), paste, dialogtest.Cancel(), paste, dialogtest.Type(w.token))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"needs a key, and there is none yet.", "warn: the Hub does not know this token; check that it was copied whole", "warn: A model is needed to begin.",
		"Logged in as bob.\nThe token was saved in " + filepath.Join(w.home, "hf", "token"),
	} {
		if !strings.Contains(said, part) {
			t.Errorf("lacks %q:\n%s", part, said)
		}
	}
	if strings.Contains(said, w.token) || w.app.Token() != w.token || w.app.Login().State().OAuth {
		t.Errorf("the token: %s", said)
	}
}

// Twice in a row is enough to leave; after anything else it is asked again.
func TestTurnedAway(t *testing.T) {
	w := newWorld(t)
	if _, err := w.greet(&welcome.Desk{}, dialogtest.Cancel(), dialogtest.Cancel()); !errors.Is(err, welcome.ErrGivenUp) {
		t.Errorf("got %v", err)
	}
	said, err := w.greet(&welcome.Desk{}, dialogtest.Cancel(), dialogtest.Pick("demo"), dialogtest.Cancel(), dialogtest.Cancel())
	if !errors.Is(err, welcome.ErrGivenUp) || !strings.Contains(said, "ml-intern demo") {
		t.Errorf("%v: %s", err, said)
	}
}

// A token that cannot be saved is of use where somebody takes it.
func TestUnsaved(t *testing.T) {
	w := newWorld(t)
	if err := os.WriteFile(filepath.Join(w.home, "hf"), nil, 0o600); err != nil { // a file where a folder should be
		t.Fatal(err)
	}
	paste := dialogtest.Pick("Paste a Hugging Face token")
	d := &welcome.Desk{Unsaved: true}
	said, err := w.greet(d, paste, dialogtest.Type(w.token))
	if err != nil || d.Token != w.token || !strings.Contains(said, "warn: The token could not be saved and holds for this session only: ") {
		t.Errorf("%v: %s", err, said)
	}
	d = &welcome.Desk{}
	said, err = w.greet(d, paste, dialogtest.Type(w.token), dialogtest.Cancel(), dialogtest.Cancel())
	if !errors.Is(err, welcome.ErrGivenUp) || d.Token != "" || !strings.Contains(said, "warn: the token is one of bob, but it could not be saved: ") {
		t.Errorf("%v: %s", err, said)
	}
}

func TestLocalModel(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		io.WriteString(rw, `{"data":[{"id":"qwen3:8b"}]}`)
	}))
	defer server.Close()
	w := newWorld(t, "OLLAMA_BASE_URL="+server.URL)
	local := dialogtest.Pick("Use a model on this machine")
	d := &welcome.Desk{}
	if said, err := w.greet(d, local, dialogtest.Pick("ollama/qwen3:8b")); err != nil || d.Model != "ollama/qwen3:8b" || !strings.Contains(said, "Using ollama/qwen3:8b.") {
		t.Errorf("%v: %s", err, said)
	}
	d = &welcome.Desk{}
	other := dialogtest.Pick("another one")
	said, err := w.greet(d, local, other, dialogtest.Type("no id"), local, other, dialogtest.Type(" vllm/org/m "))
	if err != nil || d.Model != "vllm/org/m" || !strings.Contains(said, "warn: ") {
		t.Errorf("%v: %s", err, said)
	}
}

// A login by a code is confirmed in a browser, and kept with what renews it.
func TestCode(t *testing.T) {
	w := newWorld(t, "ML_INTERN_OAUTH_CLIENT_ID=ml-intern")
	code := dialogtest.Pick("Log in to Hugging Face with a code")
	w.hub.Identity().SetConsent(identity.Consent{Deny: true})
	said, err := w.greet(&welcome.Desk{}, code, dialogtest.Cancel(), dialogtest.Cancel())
	if !errors.Is(err, welcome.ErrGivenUp) || w.app.Token() != "" || !strings.Contains(said, "warn: ") {
		t.Errorf("%v: %s", err, said)
	}
	w.hub.Identity().SetConsent(identity.Consent{})
	said, err = w.greet(&welcome.Desk{}, code)
	for _, part := range []string{"Open " + w.hub.URL() + "/oauth/device in any browser and enter the code ", "Waiting for your consent; Esc gives up.", "Logged in as bob."} {
		if !strings.Contains(said, part) {
			t.Errorf("lacks %q:\n%s", part, said)
		}
	}
	if state := w.app.Login().State(); err != nil || !state.OAuth || strings.Contains(said, state.Token) {
		t.Errorf("%v, OAuth %v: %s", err, state.OAuth, said)
	}
}

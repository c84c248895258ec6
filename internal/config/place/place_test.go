package place_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/config/place"
)

func env(pairs ...string) place.Lookup {
	vars := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		vars[pairs[i]] = pairs[i+1]
	}
	return func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
}

func TestFind(t *testing.T) {
	tests := []struct {
		name, goos string
		env        place.Lookup
		want       place.Places
	}{
		{"linux", "linux", env("HOME", "/h"), place.Places{"/h", "/h/.config/ml-intern", "/h/.local/state/ml-intern", "/h/.cache/ml-intern"}},
		{"macOS", "darwin", env("HOME", "/h"), place.Places{"/h", "/h/.config/ml-intern", "/h/.local/state/ml-intern", "/h/.cache/ml-intern"}},
		{
			"xdg", "linux", env("HOME", "/h", "XDG_CONFIG_HOME", "/c", "XDG_STATE_HOME", "relative", "XDG_CACHE_HOME", "/k"),
			place.Places{"/h", "/c/ml-intern", "/h/.local/state/ml-intern", "/k/ml-intern"},
		},
		{"one root", "linux", env("HOME", "/h", "ML_INTERN_HOME", "~/all", "XDG_CONFIG_HOME", "/c"), place.Places{"/h", "/h/all/config", "/h/all/state", "/h/all/cache"}},
		{"relative root", "linux", env("HOME", "/h", "ML_INTERN_HOME", "all"), place.Places{"/h", "/work/all/config", "/work/all/state", "/work/all/cache"}},
		{
			"windows", "windows", env("USERPROFILE", "/u", "APPDATA", "/u/Roaming", "LOCALAPPDATA", "/u/Local", "XDG_CONFIG_HOME", "/c"),
			place.Places{"/u", "/u/Roaming/ml-intern", "/u/Local/ml-intern/state", "/u/Local/ml-intern/cache"},
		},
		{
			"windows without variables", "windows", env("USERPROFILE", "/u"),
			place.Places{"/u", "/u/AppData/Roaming/ml-intern", "/u/AppData/Local/ml-intern/state", "/u/AppData/Local/ml-intern/cache"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := place.Find(tt.env, tt.goos, "/work")
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
	for _, goos := range []string{"linux", "windows"} {
		if _, err := place.Find(env(), goos, "/work"); err == nil {
			t.Errorf("%s without a home folder: no error", goos)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestTrust(t *testing.T) {
	dir := t.TempDir()
	repo, link, file := filepath.Join(dir, "repo"), filepath.Join(dir, "link"), filepath.Join(dir, "state", "trust.json")
	write(t, filepath.Join(repo, "sub", "x"), "")
	if err := os.Symlink(repo, link); err != nil {
		t.Fatal(err)
	}
	trust := place.OpenTrust(file)
	check := func(dir string, want bool) {
		t.Helper()
		if got, err := trust.Trusted(dir); got != want || err != nil {
			t.Errorf("%s: trusted %v %v, want %v", dir, got, err, want)
		}
	}
	check(repo, false)
	for range 2 {
		if err := trust.Trust(link); err != nil {
			t.Fatal(err)
		}
	}
	check(repo, true)
	check(link, true)
	check(filepath.Join(repo, "sub"), false)
	if folders, _ := trust.Folders(); len(folders) != 1 {
		t.Errorf("folders %v, want one", folders)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
	if info, _ := os.Stat(filepath.Dir(file)); info.Mode().Perm() != 0o700 {
		t.Errorf("folder mode %v, want 0700", info.Mode())
	}
	if err := trust.Revoke(repo); err != nil {
		t.Fatal(err)
	}
	check(repo, false)
	write(t, file, "{")
	if ok, err := trust.Trusted(repo); ok || err == nil {
		t.Error("a broken list trusts a folder")
	}
	if err := trust.Trust(repo); err == nil {
		t.Error("a broken list was overwritten")
	}
}

func TestGuidance(t *testing.T) {
	base := t.TempDir()
	repo, user := filepath.Join(base, "repo"), filepath.Join(base, "user")
	work := filepath.Join(repo, "a", "b")
	write(t, filepath.Join(base, "AGENTS.md"), "outside")
	write(t, filepath.Join(base, "secret"), "outside too")
	write(t, filepath.Join(user, "AGENTS.md"), "mine\n")
	write(t, filepath.Join(repo, "CLAUDE.md"), "root claude")
	write(t, filepath.Join(repo, "AGENTS.md"), "root agents")
	write(t, filepath.Join(repo, "a", "ML_INTERN.md"), "middle")
	write(t, filepath.Join(work, "CLAUDE.md"), "nearest")

	text, files, err := place.Guidance(work, repo, user)
	want := []string{filepath.Join(user, "AGENTS.md"), filepath.Join(repo, "AGENTS.md"), filepath.Join(repo, "a", "ML_INTERN.md"), filepath.Join(work, "CLAUDE.md")}
	if diff := cmp.Diff(want, files); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	at := -1
	for _, part := range []string{"mine", "root agents", "middle", "nearest"} {
		i := strings.Index(text, part)
		if i <= at {
			t.Errorf("%q stands at %d, after %d:\n%s", part, i, at, text)
		}
		at = i
	}
	if strings.Contains(text, "outside") || strings.Contains(text, "root claude") {
		t.Errorf("too much:\n%s", text)
	}

	t.Run("outside a repository", func(t *testing.T) {
		if _, files, _ := place.Guidance(work, "", ""); len(files) != 1 {
			t.Errorf("files %v", files)
		}
	})
	t.Run("farthest dropped first", func(t *testing.T) {
		write(t, filepath.Join(repo, "AGENTS.md"), strings.Repeat("far\n", 3000))
		write(t, filepath.Join(repo, "a", "ML_INTERN.md"), strings.Repeat("mid\n", 6000))
		text, files, err := place.Guidance(work, repo, user)
		if len(text) > place.GuidanceLimit || len(files) != 2 || strings.Contains(text, "far\n") || !strings.Contains(text, "nearest") || err != nil {
			t.Errorf("%d bytes of %v, %v", len(text), files, err)
		}
	})
	t.Run("nearest alone too long", func(t *testing.T) {
		write(t, filepath.Join(work, "CLAUDE.md"), strings.Repeat("ä line\n", 9000))
		text, files, _ := place.Guidance(work, repo, user)
		if len(text) > place.GuidanceLimit || len(text) < place.GuidanceLimit-100 || len(files) != 1 || !strings.HasSuffix(text, "line") {
			t.Errorf("%d bytes of %v, end %q", len(text), files, text[len(text)-20:])
		}
	})
	t.Run("a link out of the repository", func(t *testing.T) {
		path := filepath.Join(work, "CLAUDE.md")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(base, "secret"), path); err != nil {
			t.Fatal(err)
		}
		text, _, err := place.Guidance(work, repo, user)
		if strings.Contains(text, "outside too") || err == nil || !strings.Contains(text, "mid") {
			t.Errorf("%v\n%.200s", err, text)
		}
	})
}

func TestLogin(t *testing.T) {
	home := t.TempDir()
	file := filepath.Join(home, ".cache", "huggingface", "token")
	token := func(l place.Lookup) string {
		got, source := place.Login{Lookup: l, Home: home, Dir: "/work"}.Token()
		return got + " " + source
	}
	if got := token(env()); got != " " {
		t.Errorf("without any: %q", got)
	}
	write(t, file, " hf_file\r\n")
	steps := []struct {
		env  place.Lookup
		want string
	}{
		{env("HF_TOKEN", " hf_\r\nenv\n", "HUGGING_FACE_HUB_TOKEN", "hf_old"), "hf_env HF_TOKEN"},
		{env("HF_TOKEN", " \n", "HUGGING_FACE_HUB_TOKEN", "hf_old"), "hf_old HUGGING_FACE_HUB_TOKEN"},
		{env(), "hf_file " + file},
		{env("HF_HOME", "~/.cache/huggingface"), "hf_file " + file},
		{env("XDG_CACHE_HOME", filepath.Join(home, ".cache")), "hf_file " + file},
		{env("HF_TOKEN_PATH", file, "HF_HOME", "/nowhere"), "hf_file " + file},
		{env("HF_HOME", "/nowhere"), " "},
		{env("HF_TOKEN_PATH", home), " "}, // a folder is no token
	}
	for i, s := range steps {
		if got := token(s.env); got != s.want {
			t.Errorf("step %d: got %q, want %q", i, got, s.want)
		}
	}
}

func TestSaveLogin(t *testing.T) {
	home := t.TempDir()
	l := place.Login{Lookup: env(), Home: home}
	list := filepath.Join(filepath.Dir(l.Path()), "stored_tokens")
	if err := l.Save(" hf_one\n", "laptop"); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{l.Path(): 0o600, list: 0o600, filepath.Dir(list): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s has mode %v, want %v (%v)", path, info.Mode().Perm(), mode, err)
		}
	}
	if got, source := l.Token(); got != "hf_one" || source != l.Path() {
		t.Errorf("%q from %q", got, source)
	}
	write(t, list, "[other]\nhf_token = hf_other\nnote = kept\n\n[laptop]\nhf_token = hf_one\n\n[third]\nhf_token = hf_third\n")
	if err := l.Save("hf_two", "lap\n[top]"); err != nil {
		t.Fatal(err)
	}
	want := "[other]\nhf_token = hf_other\nnote = kept\n\n[third]\nhf_token = hf_third\n\n[laptop]\nhf_token = hf_two\n\n"
	if got, _ := os.ReadFile(list); string(got) != want {
		t.Errorf("stored tokens:\n%s", got)
	}
	for _, bad := range []string{"", "  ", "api_org_secretsecret", "hf_secret secret"} {
		err := l.Save(bad, "x")
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("save %q: %v", bad, err)
		}
	}
	if err := l.Remove(); err != nil {
		t.Fatal(err)
	}
	if got, _ := l.Token(); got != "" {
		t.Errorf("still logged in with %q", got)
	}
}

package program_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox/program"
)

func sum(text string) string {
	s := sha256.Sum256([]byte(text))
	return hex.EncodeToString(s[:])
}

func TestWhereItComesFrom(t *testing.T) {
	dir := t.TempDir()
	own, named := filepath.Join(dir, "own"), filepath.Join(dir, "named")
	for _, path := range []string{own, named} {
		if err := os.WriteFile(path, []byte(path), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	served, answer := 0, "released"
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		served++
		_, _ = w.Write([]byte(answer))
	}))
	defer web.Close()
	base := program.Options{
		Own: func() (string, error) { return own, nil }, OS: "linux", Arch: "amd64", Version: "1.2.3", HTTP: web.Client(),
		Cache: filepath.Join(dir, "cache"),
	}
	find := func(change func(*program.Options)) (program.Program, error) {
		o := base
		change(&o)
		return program.New(o).Find(t.Context())
	}
	if p, err := find(func(*program.Options) {}); err != nil || p.Path != own || p.SHA256 != sum(own) || p.Size != int64(len(own)) {
		t.Errorf("itself: %+v %v", p, err)
	}
	if p, err := find(func(o *program.Options) { o.Path = named }); err != nil || p.Path != named {
		t.Errorf("named by the user: %+v %v", p, err)
	}
	if _, err := find(func(o *program.Options) { o.Path = filepath.Join(dir, "none") }); err == nil {
		t.Error("a path without a file is no error")
	}
	if _, err := find(func(o *program.Options) { o.Path = dir }); err == nil {
		t.Error("a folder is no error")
	}
	mac := func(o *program.Options) { o.OS, o.Arch = "darwin", "arm64" }
	if _, err := find(mac); err == nil || !strings.Contains(err.Error(), "darwin/arm64") || !strings.Contains(err.Error(), "ML_INTERN_TOOLSERVER") {
		t.Errorf("another system without a release: %v", err)
	}
	released := func(want string) func(*program.Options) {
		return func(o *program.Options) {
			mac(o)
			o.Released = map[string]program.Asset{"1.2.3": {URL: web.URL + "/ml-intern", SHA256: want}}
		}
	}
	for range 2 {
		p, err := find(released(sum("released")))
		if err != nil || p.SHA256 != sum("released") || served != 1 {
			t.Errorf("released: %+v %v after %d downloads", p, err, served)
		}
		if info, err := os.Stat(p.Path); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("%v %v", info, err)
		}
	}
	answer = "something else"
	if _, err := find(released(sum("wanted"))); err == nil || !strings.Contains(err.Error(), "sha256") {
		t.Errorf("a foreign program: %v", err)
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "cache", "*", "*")); len(found) != 1 {
		t.Errorf("kept: %v", found)
	}
}

//go:build unix

package proc_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

// fences calls f for every fence that works here.
func fences(t *testing.T, f func(t *testing.T, mode proc.Mode)) {
	for _, l := range proc.Available(t.Context()) {
		t.Run(string(l.Mode), func(t *testing.T) {
			if !l.OK {
				t.Skipf("no such fence here: %v", l)
			}
			f(t, l.Mode)
		})
	}
}

// place is a home folder with a key, a readable cache and a workspace.
type place struct{ home, key, cache, work, outside string }

func newPlace(t *testing.T) place {
	t.Helper()
	dir := t.TempDir()
	home := filepath.Join(dir, "home", "u")
	p := place{
		home: home, key: filepath.Join(home, ".ssh", "id_x"), cache: filepath.Join(home, ".cache", "models"),
		work: filepath.Join(home, "work"), outside: filepath.Join(dir, "outside"),
	}
	for _, d := range []string{filepath.Dir(p.key), p.cache, p.work, p.outside} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{p.key, filepath.Join(p.cache, "model"), filepath.Join(p.outside, "file"), filepath.Join(dir, "home", "other")} {
		if err := os.WriteFile(f, []byte("content of "+filepath.Base(f)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(p.home, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestSandbox(t *testing.T) {
	fences(t, func(t *testing.T, mode proc.Mode) {
		p := newPlace(t)
		box, err := proc.NewSandbox(t.Context(), proc.SandboxOptions{
			Mode: mode, Home: p.home, Write: []string{p.work}, Read: []string{p.cache, filepath.Join(p.home, "missing")},
		})
		if err != nil {
			t.Fatal(err)
		}
		allowed := map[string]string{
			"write inside":    "echo x > " + p.work + "/f && mkdir " + p.work + "/d && mv " + p.work + "/f " + p.work + "/d/g && cat " + p.work + "/d/g",
			"read the cache":  "cat " + p.cache + "/model",
			"read outside":    "cat " + p.outside + "/file",
			"read next home":  "cat " + filepath.Dir(p.home) + "/other",
			"null and random": "echo x > /dev/null && head -c 4 /dev/urandom | wc -c",
			"shared memory":   "echo x > /dev/shm/fence-$$ && rm /dev/shm/fence-$$",
			"proc and sys":    "cat /proc/self/status /proc/meminfo > /dev/null && ls /sys > /dev/null",
			"see a process":   "kill -0 " + "$$",
		}
		if out, exit := run(t, "command -v python3", nil); exit.OK() {
			allowed["python"] = "cd " + p.work + ` && python3 -c 'open("py", "w").write("x"); import json, socket; print(open("py").read())'`
		} else {
			t.Log("no python3 to try", out)
		}
		for name, script := range allowed {
			if out, exit := run(t, script, box); !exit.OK() {
				t.Errorf("%s: refused: %+v %s", name, exit, out)
			}
		}
		for name, script := range map[string]string{
			"write outside":        "echo x > " + p.outside + "/new",
			"overwrite outside":    "echo x > " + p.outside + "/file",
			"truncate outside":     ": > " + p.outside + "/file",
			"remove outside":       "rm -f " + p.outside + "/file; test ! -e " + p.outside + "/file",
			"move outside":         "touch " + p.work + "/m; mv " + p.work + "/m " + p.outside + "/m",
			"write next home":      "echo x > " + filepath.Dir(p.home) + "/other",
			"write the cache":      "echo x > " + p.cache + "/model",
			"read the key":         "cat " + p.key,
			"list the home folder": "ls " + p.home + "/.ssh",
			"read by a link":       "cat " + filepath.Dir(filepath.Dir(p.home)) + "/link/.ssh/id_x",
			"write by a link":      "ln -s " + p.outside + " " + p.work + "/out; echo x > " + p.work + "/out/new",
			"write a hidden file":  "echo x > " + p.home + "/new",
			"system file":          "echo x >> /etc/hosts-fence",
			"device":               "echo x > /dev/fence-new",
		} {
			if out, exit := run(t, script, box); exit.OK() {
				t.Errorf("%s: it worked: %s", name, out)
			}
		}
		if got, _ := os.ReadFile(filepath.Join(p.outside, "file")); string(got) != "content of file" {
			t.Errorf("the file outside holds %q", got)
		}
		if _, err := os.Lstat("/dev/fence-new"); err == nil {
			t.Error("a file was made in /dev")
		}
		if entries, _ := os.ReadDir(p.outside); len(entries) != 1 {
			t.Errorf("outside: %v", entries)
		}
	})
}

func TestSandboxKeepsExitAndGroup(t *testing.T) {
	fences(t, func(t *testing.T, mode proc.Mode) {
		p := newPlace(t)
		box, err := proc.NewSandbox(t.Context(), proc.SandboxOptions{Mode: mode, Home: p.home, Write: []string{p.work}})
		if err != nil {
			t.Fatal(err)
		}
		if out, exit := run(t, "echo a; ulimit -c; exit 7", box); out != "a\n0\n" || exit.Code != 7 {
			t.Errorf("%q %+v", out, exit)
		}
		child, _ := start(t, "sleep 300 & sleep 300", box)
		members(t, child.Group(), 3)
		<-child.Stop()
		members(t, child.Group(), 0)
		more, err := box.Allow([]string{p.outside}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if out, exit := run(t, "echo x > "+p.outside+"/new", more); !exit.OK() {
			t.Errorf("an allowed folder is refused: %s", out)
		}
		if _, exit := run(t, "echo x > "+p.outside+"/newer", box); exit.OK() {
			t.Error("allowing more has changed the first fence")
		}
	})
}

func TestSandboxRefusesWhatItCannotKeep(t *testing.T) {
	p := newPlace(t)
	working := proc.Off
	for _, l := range proc.Available(t.Context()) {
		if l.OK {
			working = l.Mode
		}
		if l.String() == "" {
			t.Errorf("%+v says nothing", l)
		}
	}
	if box, err := proc.NewSandbox(t.Context(), proc.SandboxOptions{}); box != nil || err != nil {
		t.Errorf("off: %v, %v", box, err)
	}
	bad := map[string]proc.SandboxOptions{
		"home":          {Mode: proc.Auto, Home: "relative"},
		"root":          {Mode: proc.Auto, Home: "/"},
		"none of off":   {Mode: "chroot", Home: p.home},
		"does not work": {Mode: proc.Bubblewrap, Home: p.home},
	}
	if working == proc.Off {
		bad["does not work"] = proc.SandboxOptions{Mode: proc.Auto, Home: p.home}
	} else {
		bad["contains the home folder"] = proc.SandboxOptions{Mode: working, Home: p.home, Write: []string{filepath.Dir(p.home)}}
		bad["sandbox write"] = proc.SandboxOptions{Mode: working, Home: p.home, Write: []string{p.home + "/missing"}}
		bad["sandbox read"] = proc.SandboxOptions{Mode: working, Home: p.home, Read: []string{p.home}}
	}
	for want, o := range bad {
		if want == "does not work" {
			t.Setenv("PATH", t.TempDir()) // without bwrap
			if working == proc.Landlock && o.Mode == proc.Auto {
				continue
			}
		}
		if _, err := proc.NewSandbox(context.Background(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want an error with %q", o, err, want)
		}
	}
}

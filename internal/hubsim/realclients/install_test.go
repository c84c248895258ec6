package realclients_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// wanted reports whether the official clients have to be there: then they are
// installed, and what is missing is a failure. Elsewhere the suites use what
// was installed before, and say what they skip.
func wanted() bool {
	return os.Getenv("CI") == "true" || os.Getenv("ML_INTERN_REAL_CLIENTS") == "1"
}

// without ends a test that lacks what it needs.
func without(t *testing.T, format string, args ...any) {
	t.Helper()
	reason := fmt.Sprintf(format, args...)
	if wanted() {
		t.Fatal(reason)
	}
	t.Skip(reason + " (ML_INTERN_REAL_CLIENTS=1 installs the official clients)")
}

// shelf is the folder that keeps installations from run to run.
func shelf(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		without(t, "no folder for installations: %v", err)
	}
	return filepath.Join(cache, "ml-intern", "real-clients")
}

// installed returns the folder of an installation and makes it if need be: with
// install, which is given a folder that is moved to its place when all is there.
func installed(t *testing.T, name string, install func(ctx context.Context, dir string) error) string {
	t.Helper()
	dir := filepath.Join(shelf(t), name)
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	if !wanted() {
		without(t, "%s is not installed", name)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	lock := flock.New(dir + ".lock") // against another run at the same time
	if err := lock.Lock(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Unlock() }()
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	half := dir + ".half"
	err := errors.Join(os.RemoveAll(half), os.MkdirAll(half, 0o755))
	if err == nil {
		err = install(ctx, half)
	}
	if err == nil {
		err = os.Rename(half, dir)
	}
	if err != nil {
		t.Fatalf("install %s: %v", name, err)
	}
	return dir
}

// output runs a program of an installer.
func output(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		said := complaint.String()
		return nil, fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, said[max(0, len(said)-1000):])
	}
	return out, nil
}

// program finds a program.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		without(t, "%s is not there: %v", name, err)
	}
	return path
}

// newest is the newest version of a package: as ask says, else the newest one
// that is installed.
func newest(t *testing.T, prefix string, ask func(ctx context.Context) (string, error)) string {
	t.Helper()
	if wanted() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		version, err := ask(ctx)
		if err != nil {
			t.Fatalf("the newest version of %s: %v", prefix, err)
		}
		return version
	}
	found, _ := filepath.Glob(filepath.Join(shelf(t), prefix+"-*[0-9]"))
	if len(found) == 0 {
		without(t, "no version of %s is installed", prefix)
	}
	best := slices.MaxFunc(found, func(a, b string) int { return slices.Compare(numbers(a), numbers(b)) })
	return strings.TrimPrefix(filepath.Base(best), prefix+"-")
}

// numbers are the numbers at the end of a name such as python-1.12.0.
func numbers(name string) []int {
	var all []int
	for part := range strings.SplitSeq(name[strings.LastIndex(name, "-")+1:], ".") {
		n := 0
		_, _ = fmt.Sscan(part, &n)
		all = append(all, n)
	}
	return all
}

// python returns an interpreter that has this version of huggingface_hub.
func python(t *testing.T, version string) string {
	t.Helper()
	base := program(t, "python3")
	name := []string{"bin", "python"}
	if runtime.GOOS == "windows" {
		name = []string{"Scripts", "python.exe"}
	}
	dir := installed(t, "python-"+version, func(ctx context.Context, dir string) error {
		if _, err := output(ctx, dir, base, "-m", "venv", dir); err != nil {
			return err
		}
		own := filepath.Join(append([]string{dir}, name...)...)
		_, err := output(ctx, dir, own, "-m", "pip", "install", "--quiet", "huggingface_hub=="+version)
		return err
	})
	return filepath.Join(append([]string{dir}, name...)...)
}

// newestPython is the newest version of huggingface_hub.
func newestPython(t *testing.T) string {
	t.Helper()
	return newest(t, "python", func(ctx context.Context) (string, error) {
		// A plan of an installation, in an interpreter that can have one: that
		// of the pinned version.
		own := python(t, pinnedPython)
		out, err := output(ctx, "", own, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--no-deps", "--report", "-", "huggingface_hub")
		if err != nil {
			return "", err
		}
		var plan struct {
			Install []struct{ Metadata struct{ Version string } }
		}
		if err := json.Unmarshal(out, &plan); err != nil {
			return "", err
		}
		if len(plan.Install) != 1 {
			return "", errors.New("pip plans no installation")
		}
		return plan.Install[0].Metadata.Version, nil
	})
}

// node returns the node_modules folder that has this version of
// @huggingface/hub.
func node(t *testing.T, version string) string {
	t.Helper()
	dir := installed(t, "javascript-"+version, func(ctx context.Context, dir string) error {
		_, err := output(ctx, dir, program(t, "npm"), "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", dir, "@huggingface/hub@"+version)
		return err
	})
	return filepath.Join(dir, "node_modules")
}

// newestNode is the newest version of @huggingface/hub.
func newestNode(t *testing.T) string {
	t.Helper()
	return newest(t, "javascript", func(ctx context.Context) (string, error) {
		out, err := output(ctx, "", program(t, "npm"), "view", "@huggingface/hub", "version")
		return strings.TrimSpace(string(out)), err
	})
}

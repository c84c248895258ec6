// Package npmtest installs programs from the npm registry for tests: pinned
// versions, once, into the user's cache folder. It knows no program.
package npmtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// Wanted reports whether what tests use has to be there: then it is installed,
// and what is missing is a failure. Elsewhere tests use what was installed
// before, and say what they skip.
func Wanted() bool {
	return os.Getenv("CI") == "true" || os.Getenv("ML_INTERN_REAL_CLIENTS") == "1"
}

// Without ends a test that lacks what it needs.
func Without(t testing.TB, format string, args ...any) {
	t.Helper()
	reason := fmt.Sprintf(format, args...)
	if Wanted() {
		t.Fatal(reason)
	}
	t.Skip(reason + " (ML_INTERN_REAL_CLIENTS=1 installs what this test uses)")
}

// installTime bounds an installation.
const installTime = 5 * time.Minute

// Install returns a node_modules folder that has these packages, such as
// "typescript@5.9.2". Their scripts do not run.
func Install(t testing.TB, packages ...string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		Without(t, "no folder for installations: %v", err)
	}
	sum := sha256.Sum256([]byte(strings.Join(packages, "\n")))
	dir := filepath.Join(cache, "ml-intern", "real-clients", "npm-"+hex.EncodeToString(sum[:6]))
	modules := filepath.Join(dir, "node_modules")
	if _, err := os.Stat(dir); err == nil {
		return modules
	}
	npm, err := exec.LookPath("npm")
	if err != nil || !Wanted() {
		Without(t, "%s is not installed", strings.Join(packages, ", "))
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
		return modules
	}
	ctx, cancel := context.WithTimeout(t.Context(), installTime)
	defer cancel()
	half := dir + ".half"
	err = errors.Join(os.RemoveAll(half), os.MkdirAll(half, 0o755))
	if err == nil {
		args := append([]string{"install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", half}, packages...)
		var out []byte
		if out, err = exec.CommandContext(ctx, npm, args...).CombinedOutput(); err != nil {
			err = fmt.Errorf("%w: %s", err, out[max(0, len(out)-1000):])
		}
	}
	if err == nil {
		err = os.Rename(half, dir)
	}
	if err != nil {
		t.Fatalf("install %s: %v", strings.Join(packages, ", "), err)
	}
	return modules
}

// nodeVersion is the Node that is installed where the one at hand is too old.
const nodeVersion = "24.21.0"

// Node returns a node of at least this major version.
func Node(t testing.TB, major int) string {
	t.Helper()
	if path, err := exec.LookPath("node"); err == nil {
		out, err := exec.CommandContext(t.Context(), path, "--version").Output()
		if err != nil {
			t.Fatalf("%s --version: %v", path, err)
		}
		number, _, _ := strings.Cut(strings.TrimPrefix(string(out), "v"), ".")
		if n, err := strconv.Atoi(number); err == nil && n >= major {
			return path
		}
	}
	arch := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	name := map[string]string{"windows": "win"}[runtime.GOOS]
	if name == "" {
		name = runtime.GOOS
	}
	name = "node-" + name + "-" + arch
	binary := "node"
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	return filepath.Join(Install(t, name+"@"+nodeVersion), name, "bin", binary)
}

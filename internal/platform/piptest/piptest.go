// Package piptest installs Python packages for tests: pinned versions, once, into
// the user's cache folder. It knows no package.
package piptest

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
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/ml-intern/ml-intern/internal/platform/npmtest"
)

// installTime bounds an installation.
const installTime = 5 * time.Minute

// Python returns an interpreter that has these packages, such as
// "datasets==5.2.0". Where they are not there and not wanted, the test is skipped.
func Python(t testing.TB, packages ...string) string {
	t.Helper()
	base, err := exec.LookPath("python3")
	if err != nil {
		npmtest.Without(t, "python3 is not there: %v", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		npmtest.Without(t, "no folder for installations: %v", err)
	}
	sum := sha256.Sum256([]byte(strings.Join(packages, "\n")))
	dir := filepath.Join(cache, "ml-intern", "real-clients", "pip-"+hex.EncodeToString(sum[:6]))
	if _, err := os.Stat(filepath.Join(dir, complete)); err == nil {
		return interpreter(dir)
	}
	if !npmtest.Wanted() {
		npmtest.Without(t, "%s is not installed", strings.Join(packages, ", "))
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	lock := flock.New(dir + ".lock") // against another run at the same time
	if err := lock.Lock(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Unlock() }()
	if _, err := os.Stat(filepath.Join(dir, complete)); err == nil {
		return interpreter(dir)
	}
	ctx, cancel := context.WithTimeout(t.Context(), installTime)
	defer cancel()
	if err := install(ctx, base, dir, packages); err != nil {
		t.Fatalf("install %s: %v", strings.Join(packages, ", "), err)
	}
	return interpreter(dir)
}

// complete is a file that says that everything is installed: the folder of an
// environment cannot be moved to its place.
const complete = ".complete"

func install(ctx context.Context, base, dir string, packages []string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	steps := [][]string{
		{base, "-m", "venv", dir},
		append([]string{interpreter(dir), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"}, packages...),
	}
	for _, step := range steps {
		if out, err := exec.CommandContext(ctx, step[0], step[1:]...).CombinedOutput(); err != nil {
			return errors.Join(fmt.Errorf("%s: %w: %s", strings.Join(step, " "), err, out[max(0, len(out)-1000):]), os.RemoveAll(dir))
		}
	}
	return os.WriteFile(filepath.Join(dir, complete), nil, 0o644)
}

func interpreter(dir string) string {
	if runtime.GOOS == "windows" {
		return filepath.Join(dir, "Scripts", "python.exe")
	}
	return filepath.Join(dir, "bin", "python")
}

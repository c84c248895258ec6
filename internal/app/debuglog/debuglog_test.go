package debuglog_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/app/debuglog"
)

func TestEntriesAreScrubbedPrivateAndBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "debug.log")
	log := debuglog.New(path, func(s string) string { return strings.ReplaceAll(s, "hunter2", "[REDACTED]") })
	log.Add("the password is hunter2")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "hunter2") || !strings.Contains(string(raw), "[REDACTED]") {
		t.Errorf("the log holds %q", raw)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, err %v", info.Mode(), err)
	}
	log.Add(strings.Repeat("x", 6<<20))
	log.Add("after the rotation")
	if raw, err = os.ReadFile(path); err != nil || len(raw) > 100 {
		t.Errorf("the log has %d bytes after its rotation, err %v", len(raw), err)
	}
	if _, err := os.Stat(path + ".1"); err != nil {
		t.Errorf("the older file is gone: %v", err)
	}
}

//go:build unix

package local_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/adapter/messaging"
	"github.com/ml-intern/ml-intern/internal/adapter/messaging/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func host(t *testing.T) local.Host {
	return local.Host{GOOS: "linux", Dir: t.TempDir(), Env: []string{"PATH=" + os.Getenv("PATH"), "A=b"}}
}

func TestCommand(t *testing.T) {
	h := host(t)
	for script, want := range map[string]struct {
		ok, retryable bool
		reason        string
	}{
		`cat > got; test "$A" = b`: {ok: true},
		"exit 1":                   {retryable: true, reason: "sh ended with exit code 1"},
		"exit 75":                  {retryable: true, reason: "sh ended with exit code 75"},
		"exit 65":                  {reason: "sh ended with exit code 65"},
		"exit 127":                 {reason: "sh ended with exit code 127"},
	} {
		c, err := local.NewCommand(h, []string{"sh", "-c", script})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Send(t.Context(), messaging.Message{ID: "m", Severity: messaging.Info, Text: "hello"})
		if want.ok {
			if err != nil {
				t.Errorf("%s: %v", script, err)
			}
			continue
		}
		if f := messaging.FaultOf(err); err == nil || f.Retryable != want.retryable || f.Reason != want.reason {
			t.Errorf("%s: %+v", script, f)
		}
	}
	var got map[string]any
	raw, err := os.ReadFile(filepath.Join(h.Dir, "got"))
	if err != nil || json.Unmarshal(raw, &got) != nil || got["message"] != "hello" || got["severity"] != "info" {
		t.Errorf("the command got %s, %v", raw, err)
	}
	c, err := local.NewCommand(h, []string{"/nowhere/at-all"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Send(t.Context(), messaging.Message{}); err == nil || messaging.FaultOf(err).Retryable {
		t.Errorf("a program that is not there: %v", err)
	}
	if _, err := local.NewCommand(h, nil); err == nil {
		t.Error("no program was taken")
	}
}

func TestDesktop(t *testing.T) {
	h := host(t)
	shown := filepath.Join(h.Dir, "shown")
	script := filepath.Join(h.Dir, "notify-send")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nprintf '%s|' \"$@\" > shown\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	h.Look = func(name string) (string, error) { return filepath.Join(h.Dir, name), nil }
	d, err := local.NewDesktop(h)
	if err != nil {
		t.Fatal(err)
	}
	m := messaging.Message{Severity: messaging.Success, Title: "Done", Text: "a\x1b[31m **b**", Fields: []messaging.Field{{Name: "model", Value: "m"}}}
	if _, err := d.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	raw, _ := os.ReadFile(shown)
	if got := string(raw); got != "--app-name|ml-intern: Done|--|ml-intern: Done|a **b**|" {
		t.Errorf("shown: %q", got)
	}
	h.Look = func(string) (string, error) { return "", errors.New("none") }
	if d, err = local.NewDesktop(h); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Send(t.Context(), m); err == nil || messaging.FaultOf(err).Retryable || !strings.Contains(err.Error(), "notify-send was not found") {
		t.Errorf("without the program: %v", err)
	}
	h.GOOS = "plan9"
	if _, err := local.NewDesktop(h); err == nil {
		t.Error("plan9 has notifications")
	}
}

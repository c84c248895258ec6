package process_test

import (
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/local/process"
)

func TestOptions(t *testing.T) {
	spill := func(string) string { return "/tmp" }
	for want, o := range map[string]process.Options{"Dir": {Dir: "x", SpillDir: spill}, "SpillDir": {Dir: "/"}} {
		if _, err := process.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestLastLines(t *testing.T) {
	for n, want := range map[int]string{1: "three", 2: "two\nthree", 3: "one\ntwo\nthree", 9: "one\ntwo\nthree"} {
		if got := process.LastLines("one\ntwo\nthree\n", n); got != want {
			t.Errorf("last %d lines: %q, want %q", n, got, want)
		}
	}
	if got := process.LastLines("", 3); got != "" {
		t.Errorf("nothing has lines %q", got)
	}
}

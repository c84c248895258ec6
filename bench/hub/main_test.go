package main

import (
	"os"
	"testing"
	"time"
)

// TestMain lets the test's own program be the process that makes a transfer.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A small run: everything arrives as it was, also through cuts.
func TestSmallRun(t *testing.T) {
	if err := run(t.Context(), options{mib: 20, rounds: 1, cuts: 20, requests: 50 * time.Millisecond}); err != nil {
		t.Error(err)
	}
}

// The bound that is promised: memory does not grow with the file.
func TestMemoryOfTransfers(t *testing.T) {
	const size, bound = 96 << 20, 64 << 20
	if now, _ := memory(); now == 0 {
		t.Skip("this system does not show the memory of a process")
	}
	w, err := newWorld(t.Context(), t.TempDir(), size, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	for _, role := range []string{upload, download} {
		f, err := w.transfer(t.Context(), role, role, "")
		if err != nil {
			t.Fatal(err)
		}
		if f.growth() <= 0 || f.growth()*1e6 > bound {
			t.Errorf("%s: %.1f MB grew to %.1f MB", role, f.BeforeMB, f.PeakMB)
		}
	}
}

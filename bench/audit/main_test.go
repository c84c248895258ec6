package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/ml-intern/ml-intern/internal/lab/audit/audittest"
)

// TestPairsAreThosePlanted runs the part that needs no Python on a few rows.
func TestPairsAreThosePlanted(t *testing.T) {
	dir := t.TempDir()
	path, out := filepath.Join(dir, "rows.jsonl"), filepath.Join(dir, "pairs.txt")
	if err := write(path, 1, 800); err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	os.Stdout = null
	err = play(t.Context(), "pairs", []string{path, out})
	os.Stdout = stdout
	if err != nil {
		t.Fatal(err)
	}
	found, err := read(out)
	if err != nil {
		t.Fatal(err)
	}
	exact := 0
	for p := range found {
		if p[:5] == "exact" {
			exact++
		}
	}
	chat, planted := audittest.NewChat(1), 0
	texts := map[string]int{}
	for i := range 800 {
		row := chat.Row(i)
		if row.Kind == audittest.Exact {
			planted++
		}
		if row.Kind == audittest.Short {
			data, _ := json.Marshal(row.Messages)
			if texts[string(data)]++; texts[string(data)] > 1 {
				planted++
			}
		}
	}
	if exact != planted {
		t.Errorf("%d exact copies, %d planted", exact, planted)
	}
}

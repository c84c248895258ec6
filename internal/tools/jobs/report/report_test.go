package report_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/report"
)

func failed(message string) job.Job {
	j := job.Job{ID: "66aa"}
	j.Status.Stage, j.Status.Message = job.Failed, message
	return j
}

// A failure gets the hint that fits it, a success none.
func TestHints(t *testing.T) {
	for _, c := range []struct {
		message string
		log     string
		want    string
	}{
		{"exit code 1", "torch.cuda.OutOfMemoryError: CUDA out of memory.", "GPU ran out of memory"},
		{"Job failed with exit code: 137", "", "machine ran out of memory"},
		{"exit code 1", "ModuleNotFoundError: No module named 'trl'", "dependencies"},
		{"exit code 1", "huggingface_hub.errors.GatedRepoError: 403 Client Error.", "gated or private"},
		{"exit code 1", "OSError: [Errno 28] No space left on device", "disk is full"},
		{"Job timeout", "", "reached its timeout"},
		{"exit code 1", "warning: request timed out, trying again\nValueError: x", ""},
		{"exit code 1", "all fine", ""},
	} {
		got := report.Hint(failed(c.message), strings.Split(c.log, "\n"))
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%q %q: %q", c.message, c.log, got)
		}
	}
	done := failed("CUDA out of memory")
	done.Status.Stage = job.Completed
	if got := report.Hint(done, nil); got != "" {
		t.Errorf("%q", got)
	}
	poor := failed("")
	poor.Status.CancelReason = "NO_CREDITS"
	if got := report.Hint(poor, nil); !strings.Contains(got, "credits") {
		t.Errorf("%q", got)
	}
}

// Cells keep their column: cut, on one line, without control sequences.
func TestTable(t *testing.T) {
	got := report.Table([]report.Column{{Title: "A", Width: 6}, {Title: "B"}}, [][]string{{"äöüäöüä", "x|y\nz\x1b[31m"}, {"äöüäöü", ""}})
	want := "| A | B |\n|---|---|\n| äöü... | x\\|y z |\n| äöüäöü |  |"
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestDetails(t *testing.T) {
	j := failed("exit code 3")
	j.CreatedAt = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	j.Command = []string{"sh", strings.Repeat("é", 400)}
	j.Secrets, j.Environment = []string{"HF_TOKEN"}, map[string]string{"A": "value"}
	j.Owner.Name, j.Flavor, j.DockerImage = "acme", "cpu-basic", "python:3.12"
	text, err := report.JSON(report.Details(j))
	if err != nil {
		t.Fatal(err)
	}
	raw := strings.TrimSuffix(strings.TrimPrefix(text, "```json\n"), "\n```")
	var m map[string]any
	if err := json.Unmarshal([]byte(raw), &m); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for _, key := range []string{"id", "status", "command", "createdAt", "dockerImage", "hardware_flavor", "owner"} {
		if _, ok := m[key]; !ok {
			t.Errorf("%s is missing", key)
		}
	}
	if strings.Contains(text, "value") || strings.ContainsRune(text, '\uFFFD') || m["createdAt"] != "2026-01-02 03:04:05" {
		t.Errorf("%s", text)
	}
	if report.Date(time.Time{}) != "N/A" {
		t.Error("no time is not N/A")
	}
}

func TestDollars(t *testing.T) {
	for micro, want := range map[int64]string{0: "0.00", 1_200_600: "1.20", 5000: "0.0050", 100_000: "0.10"} {
		if got := report.Dollars(micro); got != want {
			t.Errorf("%d: %s", micro, got)
		}
	}
}

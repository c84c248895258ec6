// Package report is how the jobs tool shows what it has found: tables, details
// and what may help against a failure. It asks nobody.
package report

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/delivery"
)

// Column is one of a Markdown table; longer cells are cut to Width.
type Column struct {
	Title string
	Width int
}

// HardwareColumns are the columns of the price list.
var HardwareColumns = []Column{{"FLAVOR", 20}, {"CPU", 10}, {"RAM", 10}, {"GPU", 30}, {"DISK", 10}, {"USD/H", 8}}

// ScheduleColumns are the columns of a list of schedules.
var ScheduleColumns = []Column{
	{"ID", 0}, {"SCHEDULE", 12}, {"IMAGE/SPACE", 18}, {"COMMAND", 25}, {"LAST RUN", 19}, {"NEXT RUN", 19}, {"SUSPENDED", 9},
}

// JobColumns are the columns of a list of jobs.
var JobColumns = []Column{{"JOB ID", 0}, {"IMAGE/SPACE", 20}, {"COMMAND", 30}, {"CREATED", 19}, {"STATUS", 12}}

// JobRow is a job in that list.
func JobRow(j job.Job) []string {
	return []string{
		j.ID, j.DockerImage + j.SpaceID, delivery.Shown(j.Command), Date(j.CreatedAt), string(j.Status.Stage),
	}
}

func Date(t time.Time) string {
	if t.IsZero() {
		return "N/A"
	}
	return t.UTC().Format(time.DateTime)
}

// Table is a Markdown table.
func Table(columns []Column, rows [][]string) string {
	var out strings.Builder
	for i, c := range columns {
		fmt.Fprintf(&out, "| %s ", c.Title)
		if i == len(columns)-1 {
			out.WriteString("|\n" + strings.Repeat("|---", len(columns)) + "|")
		}
	}
	for _, row := range rows {
		out.WriteString("\n")
		for i, cell := range row {
			cell = strings.ReplaceAll(plain.String(strings.Join(strings.Fields(cell), " ")), "|", `\|`)
			if r := []rune(cell); columns[i].Width > 3 && len(r) > columns[i].Width {
				cell = string(r[:columns[i].Width-3]) + "..."
			}
			fmt.Fprintf(&out, "| %s ", cell)
		}
		out.WriteString("|")
	}
	return out.String()
}

// JSON is v as JSON in a code block.
func JSON(v any) (string, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return "", err
	}
	return "```json\n" + string(data) + "\n```", nil
}

// Details is what inspect shows of a job: never a value that was a secret.
func Details(j job.Job) any {
	type status struct {
		Stage   job.Stage `json:"stage"`
		Message string    `json:"message,omitempty"`
	}
	command := slices.Clone(j.Command)
	for i, word := range command {
		if len(word) > 500 {
			command[i] = strings.ToValidUTF8(word[:500], "") + "…"
		}
	}
	return struct {
		ID        string   `json:"id"`
		Status    status   `json:"status"`
		Command   []string `json:"command"`
		CreatedAt string   `json:"createdAt"`
		Image     string   `json:"dockerImage,omitempty"`
		Space     string   `json:"spaceId,omitempty"`
		Flavor    string   `json:"hardware_flavor"`
		Owner     any      `json:"owner"`
		Running   float64  `json:"runningSecs,omitempty"`
	}{
		j.ID,
		status{j.Status.Stage, j.Status.Message},
		command, Date(j.CreatedAt), j.DockerImage, j.SpaceID, j.Flavor,
		map[string]string{"name": j.Owner.Name},
		j.Durations.RunningSecs,
	}
}

func YesNo(b bool) string {
	if b {
		return "Yes"
	}
	return "No"
}

func LastRun(s job.Scheduled) string {
	if s.Status.LastJob == nil {
		return "N/A"
	}
	return Date(s.Status.LastJob.At)
}

// Reason is why a job is over.
func Reason(j job.Job) string {
	switch {
	case j.Status.CancelReason != "":
		return j.Status.CancelReason
	case j.Status.Message != "":
		return j.Status.Message
	}
	return "no reason given"
}

// hints are told with a failure whose log or message shows the pattern.
var hints = []struct {
	pattern *regexp.Regexp
	text    string
}{
	{regexp.MustCompile(`CUDA out of memory|OutOfMemoryError|torch\.cuda\.OutOfMemory`), "Hint: the GPU ran out of memory. Halve per_device_train_batch_size and double gradient_accumulation_steps, turn on gradient_checkpointing, or take a flavor with more memory; keep the method the same."},
	{regexp.MustCompile(`exit code: 137|\bKilled\b|out of memory`), "Hint: the machine ran out of memory. Stream the data, lower the number of workers, or take a flavor with more RAM."},
	{regexp.MustCompile(`ModuleNotFoundError|ImportError`), "Hint: a package is missing or too old. Name it in dependencies, with a version."},
	{regexp.MustCompile(`GatedRepoError|gated repo|403 Client Error|401 Client Error`), "Hint: the repository is gated or private. The user must ask for access on its page, or the token lacks the right."},
	{regexp.MustCompile(`No space left on device`), "Hint: the disk is full. Keep fewer checkpoints (save_total_limit), stream the data, or take a flavor with a larger disk."},
	{regexp.MustCompile(`^(?i:.*job timeout|timed? ?out)`), "Hint: the job reached its timeout. Set a longer one, and push checkpoints so that a new run can go on."},
}

// Hint says what may help against a failure.
func Hint(j job.Job, lines []string) string {
	switch {
	case j.Status.Stage == job.Completed:
		return ""
	case j.Status.CancelReason == "NO_CREDITS":
		return "Hint: the credits ran out while it ran. Ask the user to add some."
	}
	text := j.Status.Message + "\n" + strings.Join(lines[max(0, len(lines)-500):], "\n")
	for _, h := range hints {
		if h.pattern.MatchString(text) {
			return h.text
		}
	}
	return ""
}

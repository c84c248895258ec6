package slash_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/app/slash"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog/dialogtest"
)

// job submits a job that prints its loss and goes on for an hour.
func (w *world) job() string {
	w.Helper()
	client, err := w.app.OpenHub()
	if err != nil {
		w.Fatal(err)
	}
	defer client.Close()
	j, err := client.Jobs.Run(w.Context(), "bob", job.Spec{
		DockerImage: "python:3.12", Command: []string{"python", "train.py"}, Arguments: []string{}, Environment: map[string]string{}, Flavor: "a10g-small",
		Labels: map[string]string{"name": "tiny", "ml-intern-call": "c1"},
	}, "ml-intern-call")
	if err != nil {
		w.Fatal(err)
	}
	w.hub.Advance(10 * time.Second)
	return j.ID
}

func TestJobs(t *testing.T) {
	w := newWorld(t)
	if said := w.run(dialogtest.New(t), "/jobs"); said != "Nothing runs. ml-intern jobs list --all lists jobs that are over." {
		t.Error(said)
	}
	id := w.job()
	complete := func(frame string) bool {
		return strings.Contains(frame, id) && strings.Contains(frame, "RUNNING") && strings.Contains(frame, "loss")
	}
	talk := dialogtest.New(t, dialogtest.Watch(complete))
	said := w.run(talk, "/jobs")
	for line := range strings.Lines(said) {
		if n := ansi.StringWidth(strings.TrimRight(line, "\n")); n > talk.Columns+len("live: ") {
			t.Errorf("a line has %d columns: %s", n, line)
		}
	}
	// One alone, and its words in the line mode.
	w.run(dialogtest.New(t, dialogtest.Watch(complete)), "/jobs "+id)
	plain := find(t, slash.Commands(&slash.Desk{App: w.app, Plain: true}), "jobs")
	talk = dialogtest.New(t, dialogtest.Watch(func(frame string) bool { return strings.Contains(frame, id+": ") && strings.Contains(frame, "1.5") }))
	if said, err := talk.Run(t.Context(), plain, ""); err != nil || strings.ContainsAny(said, "⠁⣀⡀") {
		t.Errorf("%v\n%s", err, said)
	}
	// Turning away ends the watching alone.
	if said := w.run(dialogtest.New(t, dialogtest.Cancel()), "/jobs "+id); said != "" {
		t.Error(said)
	}
	if said := w.run(dialogtest.New(t), "/jobs 000000000000000000000000"); !strings.HasPrefix(said, "error: ") || strings.Contains(said, "\n") {
		t.Error(said)
	}
	// A log file.
	w.write("train.log", "step 1 loss=3.25\nstep 2 loss=3.00\n")
	w.run(dialogtest.New(t, dialogtest.Watch(func(frame string) bool {
		return strings.Contains(frame, "train.log") && strings.Contains(frame, "loss")
	})), "/jobs train.log")
	w.run(dialogtest.New(t, dialogtest.Watch(func(frame string) bool { return strings.Contains(frame, "loss") })), "/jobs "+filepath.Join(w.dir, "train.log"))
}

// Without a login, and without the Hub, this machine is what there is.
func TestJobsAlone(t *testing.T) {
	w := newWorld(t, "HF_TOKEN=")
	if said := w.run(dialogtest.New(t), "/jobs"); !strings.HasPrefix(said, "Nothing runs.") {
		t.Error(said)
	}
	w = newWorld(t, "HF_ENDPOINT=http://127.0.0.1:9")
	if said := w.run(dialogtest.New(t), "/jobs"); !strings.HasPrefix(said, "warn: warning: jobs on the Hub are not shown: ") || !strings.HasSuffix(said, "lists jobs that are over.") {
		t.Error(said)
	}
}

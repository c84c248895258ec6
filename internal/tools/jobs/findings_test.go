package jobs_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec"
)

// training prints a falling loss, then one that is no number.
func training(bad int, afterMs int64) exec.Script {
	var lines []string
	for i := range 20 {
		lines = append(lines, fmt.Sprintf("{'loss': %.3f, 'epoch': 0.%02d}", 2/float64(i+1), i))
	}
	broken := make([]string, bad)
	for i := range broken {
		broken[i] = fmt.Sprintf("{'loss': nan, 'epoch': 0.%d}", 30+i)
	}
	return exec.Script{Steps: []exec.Step{{Lines: lines}, {AfterMs: 60_000, Lines: broken}, {AfterMs: afterMs, Lines: []string{"bye"}}}}
}

const nan = ": loss is NaN at epoch 0.3; the last number before was 0.1"

// What goes wrong in a job that a call follows is told once: as an event, to
// the model, and as progress.
func TestFindingsOfAFollowedJob(t *testing.T) {
	bubble(t, nil, func(t *testing.T, d *desk) {
		env := d.env("c")
		wantText(t, d.call(t.Context(), env, `{"operation":"run","command":["x"]}`), true, "completed")
		d.wantFinding(env, d.jobs("bob")[0].ID)
	}, training(5, 0))
}

// wantFinding checks that the finding of a job was told once to everybody.
func (d *desk) wantFinding(env *tooltest.Env, id string) {
	d.Helper()
	found := told[event.Finding](d.session.Emitted())
	if len(found) != 1 || found[0].Rule != "nan" || found[0].Source != "job:bob/"+id {
		d.Errorf("%+v", found)
	}
	line := "[error] job:bob/" + id + nan
	if got := d.session.Notices(); len(got) != 1 || got[0] != line {
		d.Errorf("the model was told %q, want %q", got, line)
	}
	if n := strings.Count(strings.Join(env.Logs(), "\n"), line); n != 1 {
		d.Errorf("progress tells it %d times: %q", n, env.Logs())
	}
}

// A job that nobody follows is looked at all the same, and a call that waits
// for it hears of it.
func TestFindingsOfAJobLeftRunning(t *testing.T) {
	bubble(t, nil, func(t *testing.T, d *desk) {
		d.call(t.Context(), d.env("c"), `{"operation":"run","command":["x"],"detach":true}`)
		id := d.jobs("bob")[0].ID
		env := d.env("d")
		wantText(t, d.call(t.Context(), env, `{"operation":"wait","job_id":["`+id+`"]}`), true, "completed")
		d.wantFinding(env, id)
	}, training(5, 300_000))
}

// Silence of a running job is told, a long queue is not.
func TestSilenceOfAJob(t *testing.T) {
	bubble(t, nil, func(t *testing.T, d *desk) {
		wantText(t, d.call(t.Context(), d.env("c"), `{"operation":"run","command":["x"],"timeout":"3h"}`), true, "completed")
		found := told[event.Finding](d.session.Emitted())
		if len(found) != 1 || found[0].Rule != "silence" || !strings.HasPrefix(found[0].Text, "there has been no output for 10m ") {
			t.Errorf("%+v", found)
		}
	}, exec.Script{Steps: []exec.Step{{Lines: []string{"downloading"}}, {AfterMs: 3600_000, Lines: []string{"done"}}}})
}

// A restart of the program takes the log up again, and tells only what was not
// told.
func TestFindingsAfterARestart(t *testing.T) {
	bubble(t, nil, func(t *testing.T, d *desk) {
		args := json.RawMessage(`{"operation":"run","command":["x"],"namespace":"bob","detach":true}`)
		env := d.env("c")
		intent, err := d.tool.Intent(t.Context(), env, args)
		if err != nil {
			t.Fatal(err)
		}
		d.call(t.Context(), env, string(args))
		held, _ := d.session.Spend("c")
		time.Sleep(2 * time.Minute)
		if n := len(d.session.Notices()); n != 1 {
			t.Fatalf("%d notices before the restart", n)
		}
		if err := d.tool.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(filepath.Join(d.logs, held.Ref[len("job:bob/"):]+".told"))
		if err != nil || string(file) != "nan 22 loss\n" {
			t.Errorf("%q, %v", file, err)
		}
		next := newDesk(t, d.Stage, nil)
		next.shareLogs(d.logs)
		next.session.Put(held)
		next.tool.Attach(next.session)
		time.Sleep(2 * time.Minute)
		if got := next.session.Notices(); len(got) != 0 {
			t.Errorf("told again: %q", got)
		}
		again := next.env("c")
		if _, _, err := next.tool.Recover(t.Context(), again, args, intent); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Minute)
		if got := next.session.Notices(); len(got) != 1 || !strings.Contains(got[0], "loss is NaN at epoch 0.9") {
			t.Errorf("the second time it went wrong: %q", got)
		}
	}, exec.Script{Steps: append(training(3, 600_000).Steps, exec.Step{Lines: []string{
		"{'loss': 0.2, 'epoch': 0.4}", "{'loss': 0.2, 'epoch': 0.5}", "{'loss': 0.2, 'epoch': 0.6}", "{'loss': 0.2, 'epoch': 0.7}", "{'loss': 0.2, 'epoch': 0.8}", "{'loss': nan, 'epoch': 0.9}",
	}}, exec.Step{AfterMs: 60_000})})
}

// shareLogs has the next run of the program find the logs of the one before.
func (d *desk) shareLogs(dir string) {
	d.Helper()
	if err := os.RemoveAll(d.logs); err != nil {
		d.Fatal(err)
	}
	if err := os.Symlink(dir, d.logs); err != nil {
		d.Fatal(err)
	}
}

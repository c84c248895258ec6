package job_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

const id = "66aa00000000000000000001"

// follow collects lines and stages.
func follow(t *testing.T, api *job.API, after int) (lines []job.Line, stages []job.Stage, err error) {
	t.Helper()
	for u, e := range api.Follow(t.Context(), "acme", id, after) {
		switch {
		case e != nil:
			err = e
		case u.Line != nil:
			lines = append(lines, *u.Line)
		default:
			stages = append(stages, u.Job.Status.Stage)
		}
	}
	return lines, stages, err
}

func wantLines(t *testing.T, lines []job.Line, from, to int) {
	t.Helper()
	if len(lines) != to-from+1 {
		t.Errorf("%d lines, want %d", len(lines), to-from+1)
	}
	for i, l := range lines {
		if want := fmt.Sprintf("line %d", from+i); l.Text != want || l.N != from+i+1 { // the banner counts
			t.Fatalf("line %d is %q with number %d", i, l.Text, l.N)
		}
	}
}

// Silence, and three cuts with replay: every line comes once, and the job is
// followed until it is over.
func TestFollowThroughCutsAndSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hub{job: newJob(id, "SCHEDULING")}
		h.logs = []func(context.Context, *io.PipeWriter){
			play(3, reset),
			play(2, hangUp), // too early: less than was there before
			play(10, func(ctx context.Context, w *io.PipeWriter) {
				time.Sleep(40 * time.Second)
				event(w, "line 11")
				reset(ctx, w)
			}),
			play(20, func(ctx context.Context, w *io.PipeWriter) { h.stage("COMPLETED"); hangUp(ctx, w) }),
			play(22, hangUp),
		}
		h.stageAfter(30*time.Second, "RUNNING")
		lines, stages, err := follow(t, open(t, h), 0)
		if err != nil {
			t.Fatal(err)
		}
		wantLines(t, lines, 1, 22)
		if got := fmt.Sprint(stages); got != "[SCHEDULING RUNNING COMPLETED]" {
			t.Errorf("stages %s", got)
		}
		for _, r := range h.requests {
			if strings.Contains(r, "tail=") {
				t.Errorf("following asked for a tail: %s", r)
			}
		}
	})
}

// A connection that breaks after the end of the job, while its log is read to
// the end, loses no line; one that always breaks ends after a while.
func TestFollowCutsAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := func(then func(context.Context, *io.PipeWriter)) func(context.Context, *io.PipeWriter) {
			return func(_ context.Context, w *io.PipeWriter) { then(t.Context(), w) }
		}
		h := &hub{job: newJob(id, "COMPLETED"), logs: []func(context.Context, *io.PipeWriter){
			play(3, over(reset)), play(2, over(reset)), play(7, over(reset)), play(9, over(hangUp)),
		}}
		lines, stages, err := follow(t, open(t, h), 0)
		if err != nil || fmt.Sprint(stages) != "[COMPLETED]" {
			t.Fatal(stages, err)
		}
		wantLines(t, lines, 1, 9)
		h = &hub{job: newJob(id, "COMPLETED")} // every connection fails
		if _, stages, err := follow(t, open(t, h), 0); err != nil || fmt.Sprint(stages) != "[COMPLETED]" {
			t.Errorf("a log that cannot be read: %v, %v", stages, err)
		}
	})
}

// The end of a log that never falls silent is read for a while.
func TestLogOfAChattyJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hub{job: newJob(id, "RUNNING"), logs: []func(context.Context, *io.PipeWriter){play(1, func(ctx context.Context, w *io.PipeWriter) {
			for ctx.Err() == nil {
				event(w, "step")
				time.Sleep(time.Second)
			}
		})}}
		begun := time.Now()
		lines, err := open(t, h).Log(t.Context(), "acme", id, 200)
		if took := time.Since(begun); err != nil || len(lines) < 10 || took > 20*time.Second {
			t.Errorf("%d lines after %s, %v", len(lines), took, err)
		}
		time.Sleep(2 * time.Second) // the job sees that nobody listens
	})
}

// Following goes on behind the lines an earlier run has taken.
func TestFollowGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hub{job: newJob(id, "COMPLETED"), logs: []func(context.Context, *io.PipeWriter){play(9, hangUp)}}
		lines, _, err := follow(t, open(t, h), 5) // the banner and four lines
		if err != nil {
			t.Fatal(err)
		}
		wantLines(t, lines, 5, 9)
	})
}

// A job that fails to build leaves its log open and empty; one that is over
// ends following although the log stays open.
func TestFollowEndsWithoutTheStreamEnding(t *testing.T) {
	for _, stage := range []string{"ERROR", "DELETED", "CANCELED"} {
		synctest.Test(t, func(t *testing.T) {
			h := &hub{job: newJob(id, "RUNNING"), logs: []func(context.Context, *io.PipeWriter){play(1, silent), play(1, silent)}}
			h.stageAfter(20*time.Second, stage)
			begun := time.Now()
			lines, stages, err := follow(t, open(t, h), 0)
			if err != nil || len(lines) != 1 || string(stages[len(stages)-1]) != stage {
				t.Errorf("%v %v %v", lines, stages, err)
			}
			if took := time.Since(begun); took > 75*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

// A stage nobody knows is not the end.
func TestFollowUnknownStage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hub{job: newJob(id, "PACKING"), logs: []func(context.Context, *io.PipeWriter){play(0, hangUp), play(1, hangUp), play(1, hangUp)}}
		h.stageAfter(500*time.Millisecond, "COMPLETED")
		_, stages, err := follow(t, open(t, h), 0)
		if fmt.Sprint(stages) != "[PACKING COMPLETED]" || err != nil {
			t.Errorf("%v %v", stages, err)
		}
	})
}

// Data that is no line is skipped and not counted; a line that is too long is
// cut and says so.
func TestFollowSkipsGarbage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		garbage := func(ctx context.Context, w *io.PipeWriter) {
			event(w, "===== Job started at 2026-01-01 00:00:00 =====")
			event(w, "line 1")
			io.WriteString(w, "data: not json\n\ndata: {\"data\":\n\n: keep-alive\n\n")
			event(w, strings.Repeat("é", 1<<20))
			reset(ctx, w)
		}
		h := &hub{job: newJob(id, "RUNNING")}
		h.logs = []func(context.Context, *io.PipeWriter){
			garbage,
			func(ctx context.Context, w *io.PipeWriter) {
				play(1, func(context.Context, *io.PipeWriter) {})(ctx, w)
				event(w, strings.Repeat("é", 1<<20))
				event(w, "last")
				h.stage("COMPLETED")
				hangUp(ctx, w)
			},
			play(0, hangUp),
		}
		lines, _, err := follow(t, open(t, h), 0)
		if err != nil || len(lines) != 3 {
			t.Fatalf("%d lines, %v", len(lines), err)
		}
		if long := lines[1]; !long.Cut || !strings.HasPrefix(long.Text, "ééé") || !strings.HasSuffix(long.Text, "[line cut: longer than 1 MiB]") || len(long.Text) > 1<<20+100 {
			t.Errorf("the long line has %d bytes, cut %v", len(long.Text), long.Cut)
		}
		if lines[2].Text != "last" {
			t.Errorf("%q", lines[2].Text)
		}
	})
}

// A job that is not there ends following at once, a Hub in trouble does not.
func TestFollowErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, err := follow(t, open(t, &hub{}), 0)
		if !errors.Is(err, wire.JobNotFound) {
			t.Errorf("unknown job: %v", err)
		}
		h := &hub{job: newJob(id, "RUNNING"), logs: []func(context.Context, *io.PipeWriter){play(2, reset)}}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		var last error
		n := 0
		begun := time.Now()
		for u, err := range open(t, h).Follow(ctx, "acme", id, 0) {
			if last = err; u.Line != nil {
				n++
			}
		}
		// A pause that would end behind the deadline is not begun: then the trouble
		// itself is the last word.
		if took := time.Since(begun); !errors.Is(last, context.DeadlineExceeded) && took < 9*time.Minute || last == nil || n != 2 {
			t.Errorf("%d lines in %s, then %v", n, took, last)
		}
		if asked := h.asked("GET /api/jobs/acme/" + id + "/logs"); asked < 5 {
			t.Errorf("connected %d times in ten minutes", asked)
		}
	})
}

// Who stops listening leaves nothing behind: synctest would see a goroutine.
func TestFollowStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hub{job: newJob(id, "RUNNING"), logs: []func(context.Context, *io.PipeWriter){play(5, silent)}}
		for u, err := range open(t, h).Follow(t.Context(), "acme", id, 0) {
			if err != nil {
				t.Fatal(err)
			}
			if u.Line != nil {
				break
			}
		}
	})
}

func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hub{job: newJob(id, "RUNNING"), logs: []func(context.Context, *io.PipeWriter){play(5, silent)}}
		lines, err := open(t, h).Log(t.Context(), "acme", id, 200)
		if err != nil || len(lines) != 5 || h.asked("GET /api/jobs/acme/"+id+"/logs?tail=200") != 1 {
			t.Errorf("%d lines, %v, %v", len(lines), err, h.requests)
		}
	})
}

package wholestack

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/local"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/price"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec"
	"github.com/ml-intern/ml-intern/internal/tools/jobs"
	"github.com/ml-intern/ml-intern/internal/tools/stagetest"
	"github.com/ml-intern/ml-intern/internal/tools/wait"
)

// chatCall is an answer that calls a tool.
func chatCall(id, name, args string) reply {
	quoted, _ := json.Marshal(args)
	r := chatText("")
	r.body = `data: {"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"` + id + `","type":"function","function":{"name":"` + name + `","arguments":` + string(quoted) + `}}]}}]}

data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}

data: [DONE]

`
	return r
}

// training is a run of six hours: a line a minute, a loss that is no number for
// a while in the fourth hour, and an end.
func training() exec.Script {
	s := exec.Script{Steps: []exec.Step{{Lines: []string{"***** Running training *****"}}}}
	for i := range 360 {
		loss := fmt.Sprintf("%.4f", 0.5+4/math.Sqrt(float64(i+1)))
		if i >= 200 && i < 203 {
			loss = "nan"
		}
		s.Steps = append(s.Steps, exec.Step{AfterMs: 60_000, Lines: []string{
			fmt.Sprintf("{'loss': %s, 'grad_norm': 1.0, 'learning_rate': 1e-05, 'epoch': %.3f}", loss, float64(i)/120),
		}})
	}
	s.Steps = append(s.Steps, exec.Step{Lines: []string{"model pushed"}})
	return s
}

// trainer is the program with the tools that train, on a Hub in memory.
type trainer struct {
	t     *testing.T
	stage *stagetest.Stage
	net   *network
	store journal.Store
	dir   string // of the session
}

// start starts the program; resume takes up what an earlier start has left.
func (tr *trainer) start(resume bool) *stack {
	client := tr.stage.Client(stagetest.Bob)
	run, err := jobs.New(jobs.Options{
		Jobs: client.Jobs, Namespace: client.Account.Namespace,
		Prices: price.New(price.Options{Table: price.Jobs(), Fetch: func(ctx context.Context) ([]price.Flavor, error) {
			list, err := client.Jobs.Hardware(ctx)
			return price.FromHub(list), err
		}}),
		LogDir: func(string) string { return filepath.Join(tr.dir, "jobs") },
	})
	if err != nil {
		tr.t.Fatal(err)
	}
	here, err := local.New(local.Options{Dir: tr.dir, Root: tr.dir, SpillDir: func(string) string { return filepath.Join(tr.dir, "spill") }})
	if err != nil {
		tr.t.Fatal(err)
	}
	pause, err := wait.New(wait.Options{
		Workspace: here.Open, Here: true, Jobs: client.Jobs, Namespace: client.Account.Namespace, Dir: func(string) string { return tr.dir },
	})
	if err != nil {
		tr.t.Fatal(err)
	}
	return start(tr.t, tr.net, func(s *setup) {
		s.settings.Model, s.tools, s.store, s.resume = "acme/m:x", []tool.Tool{run, pause}, tr.store, resume
	})
}

// training starts a job that is left running and waits for it with one call.
func newTrainer(t *testing.T) *trainer {
	tr := &trainer{t: t, stage: stagetest.Memory(t, training()), store: journal.NewMemory(), dir: t.TempDir()}
	tr.net = &network{script: []reply{
		chatCall("run_1", "hf_jobs", `{"operation":"run","command":["python","train.py"],"timeout":"8h","detach":true}`),
		{}, // made when the job is known
		chatText("trained"),
	}}
	return tr
}

// waits has the second answer of the model wait for the job.
func (tr *trainer) waits() {
	for j, err := range tr.stage.Client(stagetest.Bob).Jobs.List(context.Background(), "bob", job.Filter{}) {
		if err != nil {
			tr.t.Fatal(err)
		}
		tr.net.mu.Lock()
		tr.net.script[1] = chatCall("wait_1", "wait_for", `{"conditions":[{"job":"bob/`+j.ID+`"},{"job":"bob/`+j.ID+`","metric":"loss<0.1"}],"timeout":"10h"}`)
		tr.net.mu.Unlock()
		return
	}
	tr.t.Fatal("there is no job")
}

// ended checks how the turn went: three model calls in all, one wake with a
// bounded summary, the finding told once to people and to the model.
func (tr *trainer) ended(s *stack, begun time.Time) {
	t := tr.t
	got := s.ending()
	if text := s.answers(got); text != "trained" {
		t.Errorf("%q", text)
	}
	within(t, "the turn", time.Since(begun), 6*time.Hour, 6*time.Hour+10*time.Minute)
	posts := tr.net.sent()
	if len(posts) != 3 {
		t.Fatalf("%d model requests, want 3", len(posts))
	}
	if wake := posts[2].at.Sub(posts[1].at); wake < 5*time.Hour+55*time.Minute {
		t.Errorf("woken after %s", wake)
	}
	all := s.all()
	outs := find[event.ToolOutput](t, all)
	if len(outs) != 2 || !outs[1].Success || len(outs[1].Output) > 8000 {
		t.Fatalf("%+v", outs)
	}
	for _, want := range []string{"Condition 1 holds since", "COMPLETED", "newest: epoch 2.992, loss 0.7108", "loss is NaN at epoch 1.667", "model pushed"} {
		if !strings.Contains(outs[1].Output, want) {
			t.Errorf("no %q in\n%s", want, outs[1].Output)
		}
	}
	found := find[event.Finding](t, all)
	if len(found) != 1 || found[0].Rule != "nan" {
		t.Errorf("findings %+v", found)
	}
	told := 0
	for _, m := range s.state().Messages {
		if m.Role == llm.User && strings.Contains(m.Text, "loss is NaN at epoch 1.667") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("the model was told the finding %d times", told)
	}
}

// A training run of six hours costs no model call until its end.
func TestTrainingForSixHours(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tr := newTrainer(t)
		begun := time.Now()
		s := tr.start(false)
		s.input("train")
		time.Sleep(10 * time.Second) // the job is there, the call still looks at it
		tr.waits()
		time.Sleep(5 * time.Hour)
		if n := len(tr.net.sent()); n != 2 {
			t.Errorf("%d model requests after five hours, want 2", n)
		}
		tr.ended(s, begun)
	})
}

// The same when the program is started anew in the middle: the call goes on.
func TestTrainingWithARestart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tr := newTrainer(t)
		begun := time.Now()
		s := tr.start(false)
		s.input("train")
		time.Sleep(10 * time.Second)
		tr.waits()
		time.Sleep(3 * time.Hour)
		s.stop()
		if n := len(tr.net.sent()); n != 2 {
			t.Errorf("%d model requests before the restart, want 2", n)
		}
		time.Sleep(20 * time.Minute) // the loss is no number while nobody runs
		s = tr.start(true)
		time.Sleep(2 * time.Hour)
		if n := len(tr.net.sent()); n != 2 {
			t.Errorf("%d model requests after the restart, want 2", n)
		}
		tr.ended(s, begun)
		if left, _ := filepath.Glob(filepath.Join(tr.dir, "waits", "*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

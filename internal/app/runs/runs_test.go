package runs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/price"
	"github.com/ml-intern/ml-intern/internal/app/runs"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
	"github.com/ml-intern/ml-intern/internal/tools/stagetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store are journals in a folder.
type store struct{ dir string }

func (s store) Sessions() ([]string, error) {
	found, err := filepath.Glob(filepath.Join(s.dir, "*.jsonl"))
	for i, path := range found {
		found[i] = strings.TrimSuffix(filepath.Base(path), ".jsonl")
	}
	return found, err
}

func (s store) JournalPath(id string) (string, error) {
	return filepath.Join(s.dir, id+".jsonl"), nil
}

// journal appends events to that of a session.
func (s store) journal(t *testing.T, id string, ps ...event.Payload) {
	t.Helper()
	file, err := os.OpenFile(filepath.Join(s.dir, id+".jsonl"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for i, p := range ps {
		ev, err := event.New(id, "turn_1", time.Now(), p)
		if err != nil {
			t.Fatal(err)
		}
		ev.Seq = int64(i + 1)
		if _, err := file.Write(append(ev.AppendJSON(nil, false), '\n')); err != nil {
			t.Fatal(err)
		}
	}
}

type nowhere struct{ io.Writer }

func (nowhere) Close() error { return nil }

// start starts a process group that waits.
func start(t *testing.T) proc.Group {
	t.Helper()
	p, err := proc.Start(proc.Command{Path: "/bin/sh", Args: []string{"-c", "sleep 60"}, Dir: t.TempDir(), Output: nowhere{io.Discard}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Group().Kill(); p.Wait() })
	return p.Group()
}

// command are the events of a background command.
func command(call, line, log string, g proc.Group) []event.Payload {
	quoted, _ := json.Marshal(line)
	return []event.Payload{
		event.ToolCall{Tool: "bash", ToolCallID: call, Arguments: fmt.Appendf(nil, `{"command":%s,"background":true}`, quoted)},
		event.ToolStarted{Tool: "bash", ToolCallID: call, Effect: event.Once},
		event.ToolEffect{ToolCallID: call, ExternalRef: g.String()},
		event.ToolOutput{Tool: "bash", ToolCallID: call, Output: "id: bg1\npid: 7\nlog: " + log + "\nStarted in the background.", Success: true},
	}
}

func scrub(text string) string { return strings.ReplaceAll(text, "held-secret", "[REDACTED]") }

// What sessions have left running here is listed; what has ended is not.
func TestProcesses(t *testing.T) {
	s := store{t.TempDir()}
	g, ended := start(t), start(t)
	ended.Kill()
	s.journal(t, "one", command("c1", "python train.py \x1b[2J --key held-secret", "/x/train.log", g)...)
	s.journal(t, "one", command("c2", "python old.py", "/x/old.log", ended)...)
	s.journal(t, "two", event.ToolCall{Tool: "bash", ToolCallID: "c", Arguments: []byte(`{"command":"ls"}`)}, event.TurnStarted{TurnID: "turn_1"})
	b := runs.New(runs.Options{Sessions: s, Scrub: scrub})
	rows, err := b.Rows(t.Context())
	if err != nil || len(rows) != 1 {
		t.Fatalf("%+v, %v", rows, err)
	}
	r := rows[0]
	if id := strconv.Itoa(g.ID); r.ID != id || r.Source != "process:"+id || r.Session != "one" || r.State != "running" || r.Over ||
		r.Name != "python train.py --key [REDACTED]" || time.Since(r.Began) > time.Minute {
		t.Errorf("%+v", r)
	}
	if _, paid := r.Costs(); paid {
		t.Error("what runs here costs")
	}
	// A command that asked is known from its gate, and a journal that has grown is
	// read again.
	other := start(t)
	s.journal(t, "two",
		event.ApprovalRequired{Tools: []event.GatedCall{{Tool: "bash", ToolCallID: "d", Arguments: []byte(`{"command":"sleep 60"}`)}}},
		event.ToolEffect{ToolCallID: "d", ExternalRef: other.String()})
	if rows, err = b.Rows(t.Context()); err != nil || len(rows) != 2 || rows[0].Name != "sleep 60" {
		t.Errorf("%+v, %v", rows, err)
	}
	other.Kill()
	if rows, err = b.Rows(t.Context()); err != nil || len(rows) != 1 {
		t.Errorf("%+v, %v", rows, err)
	}
	old := time.Now().Add(-30 * 24 * time.Hour)
	if err := os.Chtimes(filepath.Join(s.dir, "one.jsonl"), old, old); err != nil {
		t.Fatal(err)
	}
	if rows, err = b.Rows(t.Context()); err != nil || len(rows) != 0 {
		t.Errorf("%+v, %v", rows, err)
	}
	if _, err := b.Open(t.Context(), "66aa"); err == nil || !strings.Contains(err.Error(), "nobody is logged in") {
		t.Errorf("%v", err)
	}
	if _, err := b.Open(t.Context(), "process:12"); err == nil || !strings.Contains(err.Error(), "no process") {
		t.Errorf("%v", err)
	}
}

// A process is followed to its end: its lines, its curves, what goes wrong.
func TestFollowAProcess(t *testing.T) {
	s := store{t.TempDir()}
	g := start(t)
	log := filepath.Join(t.TempDir(), "train.log")
	write(t, log, "step 1 loss 2\nstep 2 loss nan\nhel")
	s.journal(t, "one", command("c1", "python train.py", log, g)...)
	b := runs.New(runs.Options{Sessions: s, Scrub: scrub})
	var lines, findings []string
	var last runs.Row
	for u, err := range b.Follow(t.Context(), strconv.Itoa(g.ID)) {
		if err != nil {
			t.Fatal(err)
		}
		if u.Row != nil {
			last = *u.Row
		}
		for _, f := range u.Findings {
			findings = append(findings, f.String())
		}
		if u.Line != "" {
			lines = append(lines, u.Line)
		}
		if len(lines) == 2 && len(u.Samples) == 1 {
			write(t, log, "d-secret 10%\r20%\n")
			g.Kill()
			if v, ok := u.Run.Value("loss"); !ok || v == v {
				t.Errorf("the newest loss is %v", v)
			}
		}
	}
	if strings.Join(lines, "|") != "step 1 loss 2|step 2 loss nan|20%" || !last.Over || last.State != "over" {
		t.Errorf("%q, %+v", lines, last)
	}
	if want := "[error] process:" + strconv.Itoa(g.ID) + ": loss is NaN at step 2; the last number before was 2"; strings.Join(findings, "|") != want {
		t.Errorf("%q, want %q", findings, want)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// A file is followed before it is there and until nobody listens; its silence is
// told.
func TestFollowAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "train.log")
	synctest.Test(t, func(t *testing.T) {
		b := runs.New(runs.Options{})
		v, err := b.Open(t.Context(), "file:"+path)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		var told []string
		go func() {
			defer close(done)
			v.Follow(ctx, func(u runs.Update, _ error) {
				for _, f := range u.Findings {
					told = append(told, f.Rule)
				}
			})
		}()
		time.Sleep(time.Minute)
		write(t, path, "step 1 loss 2\nstep 2 loss 1.5\n")
		time.Sleep(time.Second)
		if s := v.Snapshot(); s.Newest != "step 2, loss 1.5" || len(s.Series) != 1 || len(s.Lines) != 2 || s.Closed {
			t.Errorf("%+v", s)
		}
		time.Sleep(11 * time.Minute)
		cancel()
		<-done
		if s := v.Snapshot(); !s.Closed || s.Err != nil || len(s.Findings) != 1 || strings.Join(told, " ") != "silence" {
			t.Errorf("%+v, told %q", s, told)
		}
	})
	v, err := runs.New(runs.Options{}).Open(t.Context(), "file:"+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	v.Follow(t.Context(), nil)
	if s := v.Snapshot(); s.Err == nil || !s.Closed {
		t.Errorf("a directory: %+v", s)
	}
}

// connected is a board on a Hub in memory.
func connected(t *testing.T, namespace string, scripts ...exec.Script) (*runs.Board, *hub.Client) {
	t.Helper()
	c := stagetest.Memory(t, scripts...).Client(stagetest.Bob)
	book := price.New(price.Options{Table: price.Jobs(), Fetch: func(ctx context.Context) ([]price.Flavor, error) {
		list, err := c.Jobs.Hardware(ctx)
		return price.FromHub(list), err
	}})
	b := runs.New(runs.Options{Scrub: scrub})
	if err := b.Connect(t.Context(), c, book, namespace); err != nil {
		t.Fatal(err)
	}
	return b, c
}

func submit(t *testing.T, c *hub.Client, ns string) string {
	t.Helper()
	j, err := c.Jobs.Run(t.Context(), ns, job.Spec{
		DockerImage: "python:3.12", Command: []string{"x"}, Flavor: "t4-small", TimeoutSeconds: 86400, Labels: map[string]string{"ml-intern-call": ns, "name": "my-run"},
	}, "ml-intern-call")
	if err != nil {
		t.Fatal(err)
	}
	return j.ID
}

// Jobs of all namespaces are listed with their cost so far, and followed to
// their end.
func TestJobs(t *testing.T) {
	script := exec.Script{Steps: []exec.Step{{Lines: []string{"{'loss': 2.0, 'epoch': 1}"}}, {AfterMs: 3600_000, Lines: []string{"{'loss': nan, 'epoch': 2}", "held-secret"}}}}
	synctest.Test(t, func(t *testing.T) {
		b, c := connected(t, "", script)
		if b.User() != "bob" || len(b.Namespaces()) < 2 {
			t.Errorf("%s, %q", b.User(), b.Namespaces())
		}
		mine, theirs := submit(t, c, "bob"), submit(t, c, "acme")
		rows, err := b.Rows(t.Context())
		if err != nil || len(rows) != 2 || rows[0].ID != mine || rows[1].Source != "job:acme/"+theirs || rows[0].Flavor != "t4-small" || rows[0].Name != "my-run" {
			t.Fatalf("%+v, %v", rows, err)
		}
		v := b.View(rows[1])
		v.Follow(t.Context(), nil)
		s := v.Snapshot()
		micro, paid := s.Row.Costs()
		if !s.Row.Over || s.Row.Failed || s.Row.State != "COMPLETED" || !paid || micro == nil || *micro < 400_000 || *micro > 420_000 {
			t.Errorf("%+v, %v", s.Row, micro)
		}
		if len(s.Findings) != 2 || s.Findings[0].Rule != "silence" || s.Findings[1].Source != "job:acme/"+theirs || strings.Join(s.Lines, "|") != "{'loss': 2.0, 'epoch': 1}|{'loss': nan, 'epoch': 2}|[REDACTED]" {
			t.Errorf("%+v", s)
		}
		if rows, err = b.Rows(t.Context()); err != nil || len(rows) != 0 {
			t.Errorf("%+v, %v", rows, err)
		}
		if all, err := b.Jobs(t.Context(), true); err != nil || len(all) != 2 {
			t.Errorf("%+v, %v", all, err)
		}
		for _, id := range []string{theirs, "acme/" + theirs, "job:acme/" + theirs} {
			if found, err := b.Find(t.Context(), id); err != nil || found.ID != theirs || found.Namespace != "acme" {
				t.Errorf("%q: %+v, %v", id, found, err)
			}
		}
		if _, err := b.Find(t.Context(), "66aa00000000000000000099"); err == nil || !strings.Contains(err.Error(), "there is no job 66aa00000000000000000099 in bob, acme") {
			t.Errorf("%v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		b, c := connected(t, "acme", script)
		submit(t, c, "bob")
		if rows, err := b.Rows(t.Context()); err != nil || len(rows) != 0 {
			t.Errorf("%+v, %v", rows, err)
		}
	})
}

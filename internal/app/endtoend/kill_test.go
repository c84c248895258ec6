//go:build linux

package endtoend_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/bench/modelserver"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Acceptance check 18 of the engine and of the command line: 200 runs killed at
// random points, each gone on with: no accepted message lost, no event
// renumbered, no effect of a "once" call repeated, no call without exactly one
// result.
func TestKilledRunsGoOn(t *testing.T) {
	runs := 200
	if testing.Short() {
		runs = 25
	}
	seed, _ := chance(t)
	dir := root(t)
	models := newDesk()
	defer models.server.Close()

	typical := calibrate(t, models, dir, seed)
	var wait sync.WaitGroup
	var mu sync.Mutex
	points := map[string]int{}
	next := make(chan int)
	for range 4 {
		wait.Go(func() {
			for n := range next {
				j, err := newJourney(models, dir, seed, n)
				if err == nil {
					err = j.travel(typical)
				}
				mu.Lock()
				if err != nil {
					t.Errorf("run %d: %v\nrepeat with -seed %d; its kills: %s", n, err, seed, strings.Join(j.kills, ", "))
				}
				for _, at := range j.kills {
					points[at]++
				}
				mu.Unlock()
				if err == nil && *keepFlag == "" {
					_ = os.RemoveAll(j.root)
				}
			}
		})
	}
	for n := range runs {
		next <- n
	}
	close(next)
	wait.Wait()

	t.Logf("a whole run takes %s; kills by what the program was doing: %v", typical.Round(time.Millisecond), points)
	middle := 0
	for at, count := range points {
		if at != "before the input" && at != "after the end" {
			middle += count
		}
	}
	if middle < runs/2 {
		t.Errorf("only %d of %d kills fell into a running turn: the test shows little", middle, runs)
	}
}

// calibrate runs four journeys at once without a kill and returns how long one
// takes.
func calibrate(t *testing.T, models *desk, dir string, seed uint64) time.Duration {
	t.Helper()
	var wait sync.WaitGroup
	took := make([]time.Duration, 4)
	for i := range took {
		wait.Go(func() {
			j, err := newJourney(models, dir, seed, 1_000_000+i)
			if err != nil {
				t.Error(err)
				return
			}
			e, err := j.run(0, j.prompts[0])
			if err == nil && e.code != 0 {
				err = errors.New(e.String())
			}
			if err == nil {
				err = j.verify(true)
			}
			if err != nil {
				t.Errorf("a run without a kill: %v", err)
			}
			took[i] = e.took
		})
	}
	wait.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return slices.Max(took)
}

// rounds is how many answers with calls a script has.
const rounds = 8

// step is one call of the script.
type step struct {
	tool string
	args map[string]any
	// mark is what the call leaves: a line in effects.log (bash), in its file
	// (edit), or the whole content of its file (write).
	mark string
	path string
}

// journey is one run with its kills and what follows them.
type journey struct {
	*site
	root    string
	name    string
	models  *desk
	rng     *rand.Rand
	script  [][]step
	prompts []string // given so far
	shots   [][]byte // the journal after each kill, whole lines
	kills   []string // what the program was doing
}

func newJourney(models *desk, dir string, seed uint64, n int) (*journey, error) {
	j := &journey{
		root: filepath.Join(dir, fmt.Sprintf("run%d", n)), name: fmt.Sprintf("run%d", n), models: models,
		rng: rand.New(rand.NewPCG(seed, uint64(n)+10)), prompts: []string{fmt.Sprintf("task %d: do every step", n)},
	}
	j.plan(n)
	base := models.add(j.name, j.answer)
	var err error
	if j.site, err = newSite(j.root, "VLLM_BASE_URL="+base); err != nil {
		return j, err
	}
	for name, text := range map[string]string{"seed.txt": strings.Repeat("a line to read\n", 40), "e0.txt": "begin\nend\n", "e1.txt": "begin\nend\n"} {
		if err := os.WriteFile(filepath.Join(j.dir, name), []byte(text), 0o644); err != nil {
			return j, err
		}
	}
	return j, nil
}

// plan writes the script: every round mixes calls of all kinds, at most one a
// file.
func (j *journey) plan(n int) {
	for r := range rounds {
		var steps []step
		id := func(kind string) string { return fmt.Sprintf("%s-%d-%d-%d", kind, n, r, len(steps)) }
		for i := range 1 + j.rng.IntN(2) {
			mark := id("once")
			command := "echo " + mark + " >> effects.log"
			switch j.rng.IntN(3) {
			case 0:
				command = "sleep 0.02; " + command
			case 1:
				command += "; sleep 0.02"
			}
			steps = append(steps, step{tool: "bash", args: map[string]any{"command": command, "description": fmt.Sprint(i)}, mark: mark})
		}
		if r%2 == 0 {
			path, mark := fmt.Sprintf("new%d.txt", r), id("new")
			steps = append(steps, step{tool: "write", args: map[string]any{"path": path, "content": mark + "\n"}, path: path, mark: mark + "\n"})
		}
		path, mark := fmt.Sprintf("e%d.txt", r%2), id("edit")
		switch {
		case r < 2:
			steps = append(steps, step{tool: "read", args: map[string]any{"path": path}, path: path})
		default:
			steps = append(steps, step{tool: "edit", args: map[string]any{"path": path, "old_str": "end\n", "new_str": mark + "\nend\n"}, path: path, mark: mark})
		}
		if r > 0 && j.rng.IntN(2) == 0 { // over what an earlier round wrote
			mark := id("over")
			steps = append(steps, step{tool: "write", args: map[string]any{"path": "over.txt", "content": mark + "\n"}, path: "over.txt", mark: mark + "\n"})
		}
		steps = append(steps, step{tool: "read", args: map[string]any{"path": "seed.txt", "offset": r + 1, "limit": 3}})
		status := []string{"pending", "in_progress", "completed"}[min(2, r/3)]
		steps = append(steps, step{tool: "plan_tool", args: map[string]any{"todos": []any{map[string]any{"id": "1", "content": "all steps", "status": status}}}})
		j.rng.Shuffle(len(steps), func(a, b int) { steps[a], steps[b] = steps[b], steps[a] })
		j.script = append(j.script, steps)
	}
}

// callID names a call by its round, its place and how often it was tried.
func callID(round, place, attempt int) string {
	return fmt.Sprintf("call_%d_%d_%d", round, place, attempt)
}

// answer is the scripted model. It depends on the request alone: the last
// calls and their results say what comes next.
func (j *journey) answer(r modelserver.Request) modelserver.Answer {
	a := modelserver.Answer{Pause: 200 * time.Microsecond}
	calls, results := last(r.Messages)
	round, attempt, look := -1, 0, false
	var again []int
	var reads []string
	for _, c := range calls {
		var place int
		if _, err := fmt.Sscanf(c.ID, "look_%d_%d_%d", &round, &place, &attempt); err == nil {
			look = true
			again = append(again, place)
			continue
		}
		if _, err := fmt.Sscanf(c.ID, "call_%d_%d_%d", &round, &place, &attempt); err != nil {
			return modelserver.Answer{Status: 400, Body: `{"error":{"message":"unknown call id ` + c.ID + `"}}`}
		}
		if mustRead(results[c.ID]) && attempt < 8 {
			again, reads = append(again, place), append(reads, pathOf(c))
		}
	}
	switch {
	case look:
		for _, place := range again {
			s := j.script[round][place]
			a.Calls = append(a.Calls, call(callID(round, place, attempt+1), s.tool, s.args))
		}
	case len(again) > 0:
		for i, place := range again {
			a.Calls = append(a.Calls, call(fmt.Sprintf("look_%d_%d_%d", round, place, attempt), "read", map[string]any{"path": reads[i]}))
		}
	case round+1 < rounds:
		if round%3 == 0 {
			a.Text = pieces(fmt.Sprintf("Round %d is next. ", round+1), 4)
		}
		for place, s := range j.script[round+1] {
			a.Calls = append(a.Calls, call(callID(round+1, place, 0), s.tool, s.args))
		}
	default:
		a.Text = pieces("All done: every step was carried out.", 6)
	}
	return a
}

// run runs the program on the journey's model.
func (j *journey) run(killAfter time.Duration, args ...string) (ended, error) {
	return j.site.run(killAfter, append([]string{"--model", "vllm/m", "--output-format", "stream-json"}, args...)...)
}

// travel kills the first run at a random moment and goes on until a run ends by
// itself; then everything is checked.
func (j *journey) travel(typical time.Duration) error {
	moment := func() time.Duration { return time.Duration(j.rng.Int64N(int64(typical*21/20))) + time.Microsecond }
	if err := j.killed(moment(), j.prompts[0]); err != nil {
		return err
	}
	for kills := j.rng.IntN(5) - 2; ; kills-- {
		args, code, err := j.goOn()
		if err != nil {
			return err
		}
		if kills > 0 {
			if err := j.killed(moment(), args...); err != nil {
				return err
			}
			continue
		}
		e, err := j.run(0, args...)
		if err != nil {
			return err
		}
		if e.code != code {
			return fmt.Errorf("%q ended with exit %d, want %d\n%v", args, e.code, code, e)
		}
		return j.verify(code == 0, e.stdout)
	}
}

// goOn decides how the journey goes on, and with which exit code that must end.
func (j *journey) goOn() (args []string, code int, err error) {
	raw, err := j.journal()
	if err != nil {
		return nil, 0, err
	}
	st, events, err := state(raw)
	if err != nil {
		return nil, 0, err
	}
	if len(decoded[event.InputAccepted](events)) == 0 {
		return []string{j.prompts[0]}, 0, nil // nothing was accepted: a new session
	}
	if j.rng.IntN(4) == 0 {
		prompt := fmt.Sprintf("go on differently, part %d", len(j.prompts))
		j.prompts = append(j.prompts, prompt)
		return []string{"--continue", prompt}, 0, nil
	}
	if st.Turn == nil && len(st.Queue) == 0 {
		return []string{"--continue"}, 2, nil
	}
	return []string{"--continue"}, 0, nil
}

// killed runs the program, kills it and looks at what it left.
func (j *journey) killed(after time.Duration, args ...string) error {
	e, err := j.run(after, args...)
	if err != nil {
		return err
	}
	if e.code > 0 && e.code != 2 {
		return fmt.Errorf("%q, to be killed after %s, ended by itself: %v", args, after, e)
	}
	if err := j.settle(); err != nil {
		return err
	}
	raw, err := j.journal()
	if err != nil {
		return err
	}
	st, events, err := state(raw)
	if err != nil {
		return fmt.Errorf("the journal after the kill: %w", err)
	}
	j.kills = append(j.kills, doing(st, events))
	j.shots = append(j.shots, whole(raw))
	return j.check(raw, e.stdout)
}

// doing names what the program was in the middle of.
func doing(st *history.State, events []event.Event) string {
	switch {
	case len(decoded[event.InputAccepted](events)) == 0:
		return "before the input"
	case st.Turn == nil && len(st.Queue) == 0:
		return "after the end"
	case st.Turn == nil:
		return "input accepted"
	case st.Turn.Streaming:
		return "text on the screen"
	}
	for _, c := range st.Calls {
		if c.Started != nil && !c.Done {
			return "a call had started"
		}
	}
	if len(st.Open()) > 0 {
		return "calls open"
	}
	return "between calls"
}

// check looks at what holds at every moment: earlier events stand where they
// stood, and what was shown is in the journal.
func (j *journey) check(raw []byte, stdout string) error {
	for i, shot := range j.shots {
		if !bytes.HasPrefix(raw, shot) {
			return fmt.Errorf("the %d bytes of the journal after kill %d are not the beginning of its %d bytes now", len(shot), i+1, len(raw))
		}
	}
	lines := map[string]bool{}
	for line := range bytes.Lines(whole(raw)) {
		lines[string(bytes.TrimSpace(line))] = true
	}
	for line := range strings.Lines(stdout) {
		rest, isEvent := strings.CutPrefix(strings.TrimSpace(line), `{"type":"event",`)
		if isEvent && strings.HasSuffix(line, "\n") && !lines["{"+rest] {
			return fmt.Errorf("an event was shown that the journal does not hold: %.300s", line)
		}
	}
	return nil
}

// verify checks the whole journey after its end. worked says that the last run
// did something, and so left a session file.
func (j *journey) verify(worked bool, stdout ...string) error {
	raw, err := j.journal()
	if err != nil {
		return err
	}
	if !bytes.Equal(raw, whole(raw)) {
		return errors.New("the journal ends with a torn line")
	}
	st, events, err := state(raw)
	if err != nil {
		return err
	}
	for _, out := range stdout {
		if err := j.check(raw, out); err != nil {
			return err
		}
	}
	if st.Turn != nil || len(st.Queue) > 0 {
		return fmt.Errorf("the session is unfinished after a run that ended: turn %+v, queue %v", st.Turn, st.Queue)
	}
	results, err := onePerCall(st, events)
	if err != nil {
		return err
	}
	return errors.Join(inputs(st, events), j.effects(results), j.files(results), j.requests(), j.saved(st, worked))
}

// inputs checks that every accepted text is in the history, once.
func inputs(st *history.State, events []event.Event) error {
	for _, in := range decoded[event.InputAccepted](events) {
		n := 0
		for _, m := range st.Messages {
			if history.FromPerson(m) && m.Text == in.Text {
				n++
			}
		}
		if n != 1 {
			return fmt.Errorf("the accepted text %q is in the history %d times", in.Text, n)
		}
	}
	return nil
}

// onePerCall checks that every call has exactly one result, in the history and
// among the events, and returns the results.
func onePerCall(st *history.State, events []event.Event) (map[string]string, error) {
	told := map[string]int{}
	for _, out := range decoded[event.ToolOutput](events) {
		told[out.ToolCallID]++
	}
	for _, in := range decoded[event.HistoryMessage](events) {
		if in.Message.Role == llm.ToolRole {
			told[in.Message.ToolCallID]++
		}
	}
	results := map[string]string{}
	for i := 0; i < len(st.Messages); i++ {
		m := st.Messages[i]
		if m.Role == llm.ToolRole {
			return nil, fmt.Errorf("message %d is a result of %s without a call before it", i, m.ToolCallID)
		}
		for k, c := range m.ToolCalls {
			at := i + 1 + k
			if at >= len(st.Messages) || st.Messages[at].Role != llm.ToolRole || st.Messages[at].ToolCallID != c.ID {
				return nil, fmt.Errorf("call %s of message %d has no result in its place", c.ID, i)
			}
			if told[c.ID] != 1 {
				return nil, fmt.Errorf("call %s has %d results among the events", c.ID, told[c.ID])
			}
			results[c.ID] = st.Messages[at].Text
		}
		i += len(m.ToolCalls)
	}
	return results, nil
}

// fate is what the model was told of a call.
type fate int

const (
	absent  fate = iota // the call was never made, or refused, or not executed
	certain             // it was done
	unknown             // it had started, and nobody knows
)

func fateOf(tool, result string, ok bool) fate {
	switch {
	case !ok || strings.Contains(result, "not executed"), mustRead(result):
		return absent
	case strings.Contains(result, "unknown"):
		return unknown
	case strings.Contains(result, "was done before the program restarted"):
		return certain
	case tool == "write" && !strings.HasPrefix(result, "Wrote"), tool == "edit" && !strings.HasPrefix(result, "Edited"):
		return absent
	}
	return certain
}

// fates are the ends of all attempts at a step.
func (j *journey) fates(results map[string]string, round, place int) []fate {
	var all []fate
	for attempt := range 10 {
		if result, ok := results[callID(round, place, attempt)]; ok {
			all = append(all, fateOf(j.script[round][place].tool, result, ok))
		}
	}
	return all
}

// agrees compares how often a thing was found done with what the model was told.
func agrees(what string, n int, fates []fate) error {
	least, most := 0, 0
	for _, f := range fates {
		switch f {
		case certain:
			least, most = least+1, most+1
		case unknown:
			most++
		}
	}
	if least > 1 {
		return fmt.Errorf("%s: the model was told %d times that it was done", what, least)
	}
	if n < least || n > most {
		return fmt.Errorf("%s: found %d times, the model was told between %d and %d", what, n, least, most)
	}
	return nil
}

// effects checks the commands, whose effects must not be repeated.
func (j *journey) effects(results map[string]string) error {
	raw, err := os.ReadFile(filepath.Join(j.dir, "effects.log"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	found := map[string]int{}
	for line := range strings.Lines(string(raw)) {
		found[strings.TrimSpace(line)]++
	}
	var errs []error
	for r, steps := range j.script {
		for place, s := range steps {
			if s.tool != "bash" {
				continue
			}
			if found[s.mark] > 1 {
				errs = append(errs, fmt.Errorf("the command of %s ran %d times", s.mark, found[s.mark]))
			}
			errs = append(errs, agrees(s.mark, found[s.mark], j.fates(results, r, place)))
			delete(found, s.mark)
		}
	}
	if len(found) > 0 {
		errs = append(errs, fmt.Errorf("effects nobody asked for: %v", found))
	}
	return errors.Join(errs...)
}

// files checks the keyed calls: their changes are there, once.
func (j *journey) files(results map[string]string) error {
	var errs []error
	var over []string // what over.txt may hold now
	for r, steps := range j.script {
		for place, s := range steps {
			if s.tool != "write" && s.tool != "edit" {
				continue
			}
			fates := j.fates(results, r, place)
			raw, err := os.ReadFile(filepath.Join(j.dir, s.path))
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			switch {
			case s.path == "over.txt":
				if slices.Contains(fates, certain) {
					over = nil
				}
				if slices.ContainsFunc(fates, func(f fate) bool { return f != absent }) {
					over = append(over, s.mark)
				}
			case s.tool == "write":
				n := 0
				if string(raw) == s.mark {
					n = 1
				} else if len(raw) > 0 {
					errs = append(errs, fmt.Errorf("%s holds %q, want %q", s.path, raw, s.mark))
				}
				errs = append(errs, agrees(s.path, n, fates))
			default:
				errs = append(errs, agrees(s.path+" "+s.mark, strings.Count(string(raw), s.mark+"\n"), fates))
			}
		}
	}
	raw, err := os.ReadFile(filepath.Join(j.dir, "over.txt"))
	if err == nil && !slices.Contains(over, string(raw)) || errors.Is(err, os.ErrNotExist) && len(over) == 1 {
		errs = append(errs, fmt.Errorf("over.txt holds %q, want one of %q", raw, over))
	}
	return errors.Join(append(errs, j.leftovers())...)
}

// leftovers checks that no temporary file stays beside the files of the work.
// One of a process that was killed while it wrote may.
func (j *journey) leftovers() error {
	entries, err := os.ReadDir(j.dir)
	if err != nil {
		return err
	}
	var odd []string
	for _, e := range entries {
		if name := e.Name(); !strings.HasSuffix(name, ".txt") && name != "effects.log" {
			odd = append(odd, name)
		}
	}
	if len(odd) > len(j.kills)*2 {
		return fmt.Errorf("files that nobody asked for: %v", odd)
	}
	return nil
}

// requests checks what the model was sent, in every request.
func (j *journey) requests() error {
	requests := j.models.requests(j.name)
	for i, r := range requests {
		if err := valid(r.Messages); err != nil {
			return fmt.Errorf("request %d of %d: %w", i+1, len(requests), err)
		}
	}
	return nil
}

// saved checks the session's JSON files: each is whole, and the newest has the
// history of the journal.
func (j *journey) saved(st *history.State, worked bool) error {
	paths, err := filepath.Glob(filepath.Join(j.home, "state", "sessions", "session_*.json"))
	if err != nil {
		return err
	}
	most := 0
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var doc struct {
			SessionID string            `json:"session_id"`
			Messages  []json.RawMessage `json:"messages"`
			Events    []struct {
				Type event.Type `json:"event_type"`
			} `json:"events"`
		}
		if err := json.NewDecoder(bufio.NewReader(bytes.NewReader(raw))).Decode(&doc); err != nil {
			return fmt.Errorf("session file %s: %w", filepath.Base(path), err)
		}
		if doc.SessionID != st.SessionID || len(doc.Events) == 0 {
			return fmt.Errorf("session file %s is of session %q and has %d events", filepath.Base(path), doc.SessionID, len(doc.Events))
		}
		most = max(most, len(doc.Messages))
	}
	if worked && most != len(st.Messages) {
		return fmt.Errorf("the session files hold up to %d messages, the journal %d", most, len(st.Messages))
	}
	return nil
}

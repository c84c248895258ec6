//go:build linux

package endtoend_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/bench/modelserver"
	"github.com/ml-intern/ml-intern/internal/platform/npmtest"
	"github.com/ml-intern/ml-intern/internal/ui/acp/protocol/protocoltest"
)

// What plays the editor: the official client library, what it needs, and what
// holds frames against its schema.
func editorPackages() []string {
	return []string{"@agentclientprotocol/sdk@2.4.0", "zod@4.6.7", "ajv@8.20.0"}
}

// The official client library works with the program, and every frame of both
// sides fits the official schema.
func TestEditors(t *testing.T) {
	modules := npmtest.Install(t, editorPackages()...)
	installed, err := os.ReadFile(filepath.Join(modules, "@agentclientprotocol/sdk/schema/v1/schema.json"))
	if err != nil || !bytes.Equal(installed, protocoltest.Published()) {
		t.Errorf("the schema that other tests use is not the one of this library: %v", err)
	}
	for _, scenario := range []string{"initialize", "load", "permission", "cancel", "settings", "several", "pictures", "servers", "killed"} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			s, models := mustSite(t), newDesk()
			defer models.server.Close()
			s.edited(t, models)
			said := s.edit(t, modules, scenario)
			t.Log(said[len(said)-1])
			if scenario == "killed" {
				s.goesOnAlone(t, said)
			}
		})
	}
}

// edited prepares a site for an editor and the model that it works with.
func (s *site) edited(t *testing.T, models *desk) {
	t.Helper()
	s.configure(t, `{"model_name":"openai/house","model_prices":{"openai/house":{"input":1,"output":2}},"model_context_tokens":{"openai/house":400000}}`)
	s.env = append(s.env, "OPENAI_BASE_URL="+models.add("editor", editorModel), "OPENAI_API_MODE=chat", "OPENAI_API_KEY=sk-test")
	s.write(t, "../build/x", "")
	s.write(t, "../home/config/commands/shout.md", "---\ndescription: says it louder\n---\nLOUD $ARGUMENTS\n")
	if out, err := exec.Command("git", "init", "-q", s.dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// edit plays a scenario and returns what was printed.
func (s *site) edit(t *testing.T, modules, scenario string) []string {
	t.Helper()
	cmd := exec.Command(npmtest.Node(t, 20), filepath.Join("testdata", "acp.mjs"), binary, s.dir, scenario)
	cmd.Env = append(s.env, "NODE_PATH="+modules)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	timer := time.AfterFunc(runLimit, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	if err := cmd.Run(); err != nil {
		log, _ := os.ReadFile(filepath.Join(s.home, "state", "debug.log"))
		t.Fatalf("%v\n%s\n%s\n%s", err, out.Bytes(), errs.Bytes(), tail(string(log), 4000))
	}
	return strings.Split(strings.TrimSpace(out.String()), "\n")
}

// editorModel answers by what it was asked last.
func editorModel(r modelserver.Request) modelserver.Answer {
	asked := ""
	for _, m := range r.Messages {
		if m.Role == "user" {
			asked = m.Text()
		}
	}
	newest := r.Messages[len(r.Messages)-1]
	done := newest.Role == "tool"
	bash := func(command string) modelserver.Answer {
		return modelserver.Answer{Calls: []modelserver.IDCall{call("", "bash", map[string]any{"command": command})}}
	}
	say := func(pieces ...string) modelserver.Answer { return modelserver.Answer{Text: pieces} }
	switch {
	case strings.HasPrefix(asked, "edit"):
		return editing(r)
	case strings.HasPrefix(asked, "clean") && !done:
		return bash("rm -rf ../build")
	case strings.HasPrefix(asked, "clean"):
		if strings.Contains(newest.Text(), "cancelled by user") {
			return say("Not cleaned", ".")
		}
		return say("Cleaned.")
	case strings.HasPrefix(asked, "sleep") && !done:
		return bash("sleep 600")
	case strings.HasPrefix(asked, "wait") && !done:
		return bash("until [ -e go ]; do sleep 0.1; done; echo done > finished")
	case strings.HasPrefix(asked, "greet") && !done:
		return modelserver.Answer{Calls: []modelserver.IDCall{call("", "greet", map[string]any{})}}
	case strings.HasPrefix(asked, "greet"):
		return say("It says: ", strings.TrimSpace(newest.Text()))
	case strings.HasPrefix(asked, "LOUD"):
		return say("You shout: ", strings.TrimSpace(asked))
	case asked == "hurry":
		return say("I hurry.")
	case strings.HasPrefix(asked, "where") && !done:
		return bash("pwd")
	case strings.HasPrefix(asked, "where"):
		where, _, _ := strings.Cut(newest.Text(), "\n")
		return say("I am in ", where)
	case strings.HasPrefix(asked, "look"):
		what := "nothing"
		if strings.Contains(string(r.Body), "data:image/png;base64,iVBOR") && strings.Contains(asked, "print('not on disk')") {
			what = "a picture and unsaved.py"
		}
		return say("I see " + what + ".")
	}
	return say("Hel", "lo.")
}

// editing reads, changes and makes a file, with a plan.
func editing(r modelserver.Request) modelserver.Answer {
	steps := 0
	for _, m := range r.Messages {
		if m.Role == "tool" {
			steps++
		}
	}
	plan := func(id, second string) modelserver.IDCall {
		step := func(id, content, status string) map[string]any {
			return map[string]any{"id": id, "content": content, "status": status}
		}
		return call(id, "plan_tool", map[string]any{"todos": []any{step("1", "read it", "completed"), step("2", "change it", second)}})
	}
	switch steps {
	case 0:
		return modelserver.Answer{Calls: []modelserver.IDCall{
			plan("p1", "in_progress"), call("r1", "read", map[string]any{"path": "train.py"}),
		}}
	case 2:
		return modelserver.Answer{Calls: []modelserver.IDCall{
			call("e1", "edit", map[string]any{"path": "train.py", "old_str": "lr = 0.1", "new_str": "lr = 0.01"}),
		}}
	case 3:
		return modelserver.Answer{Calls: []modelserver.IDCall{
			call("w1", "write", map[string]any{"path": "notes.txt", "content": "notes\n"}),
			plan("p2", "completed"),
		}}
	}
	return modelserver.Answer{Text: []string{"The learning rate", " is lower now."}}
}

// goesOnAlone waits for the end of a turn whose editor was killed, and goes on
// with the session from the terminal.
func (s *site) goesOnAlone(t *testing.T, said []string) {
	t.Helper()
	var told struct{ Session string }
	if err := json.Unmarshal([]byte(said[0]), &told); err != nil {
		t.Fatal(err)
	}
	cmd := s.command("tail", "--json", told.Session)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(runLimit, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	ended := false
	for in := bufio.NewScanner(out); in.Scan(); {
		if ended = strings.Contains(in.Text(), `"event_type":"turn_complete"`); ended {
			break
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if !ended {
		t.Fatal("the turn did not end")
	}
	if _, err := os.Stat(filepath.Join(s.dir, "finished")); err != nil {
		t.Error(err)
	}
	s.mustRun(t, "stop", told.Session)
	e := s.mustRun(t, "--resume", told.Session, "hello")
	if e.code != 0 || !strings.Contains(e.stdout, "Hello.") {
		t.Error(e)
	}
}

package toolserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/tools/shell"
)

const (
	// firstSession is whose commands those of the first version are.
	firstSession = "sandbox"
	// firstTimeout and firstMost are the seconds a command of the first version
	// may take.
	firstTimeout = 120
	firstMost    = 36000
)

// result is the answer of the first version, with status 200 for failures too.
type result struct {
	Success bool   `json:"success"`
	Output  string `json:"output"`
	Error   string `json:"error"`
}

// first adds the routes of the first version.
func (s *Server) first(mux *http.ServeMux) {
	mux.HandleFunc("POST /api/bash", s.once(s.bash))
	mux.HandleFunc("POST /api/read", s.tool("read"))
	mux.HandleFunc("POST /api/write", s.once(s.tool("write")))
	mux.HandleFunc("POST /api/edit", s.once(s.tool("edit")))
	mux.HandleFunc("POST /api/exists", s.exists)
	mux.HandleFunc("POST /api/kill", s.kill)
}

// bash runs a command to its end.
func (s *Server) bash(w http.ResponseWriter, r *http.Request) {
	var p struct {
		Command string  `json:"command"`
		WorkDir string  `json:"work_dir"`
		Timeout float64 `json:"timeout"`
	}
	if !decode(w, r, &p) {
		return
	}
	if strings.TrimSpace(p.Command) == "" {
		answer(w, result{Error: "command is empty: give the command line to run"})
		return
	}
	if p.Timeout <= 0 {
		p.Timeout = firstTimeout
	}
	id, _ := requestID(r) // it was checked before
	c := workspace.Command{
		ID: id, Session: firstSession, Line: p.Command, Dir: p.WorkDir,
		Limit: time.Duration(min(p.Timeout, firstMost) * float64(time.Second)),
	}
	running, err := s.machine.Start(r.Context(), c)
	if err != nil {
		answer(w, result{Error: err.Error()})
		return
	}
	out, err := running.Wait(r.Context())
	if err != nil {
		answer(w, result{Error: err.Error()})
		return
	}
	text := ""
	if out.Output.Chars > 0 {
		text = shell.Text(out.Output)
	}
	problem := trouble(out, p.Timeout)
	answer(w, result{Success: problem == "", Output: text, Error: problem})
}

// trouble says why a command failed; empty when it did not.
func trouble(out workspace.Outcome, seconds float64) string {
	switch {
	case out.Ending == workspace.TimedOut:
		return fmt.Sprintf("Timeout after %gs", seconds)
	case out.Ending == workspace.Cancelled:
		return "Cancelled"
	case out.Exit.Signal != "":
		return "Killed by signal " + out.Exit.Signal
	case !out.Exit.OK():
		return fmt.Sprintf("Exit code %d", out.Exit.Code)
	}
	return ""
}

// tool runs one of the file tools.
func (s *Server) tool(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var args json.RawMessage
		if !decode(w, r, &args) {
			return
		}
		res, err := s.files[name].Run(r.Context(), silent{}, args)
		switch {
		case err != nil:
			answer(w, result{Error: err.Error()})
		case res.OK:
			answer(w, result{Success: true, Output: res.Output})
		default:
			answer(w, result{Error: res.Output})
		}
	}
}

func (s *Server) exists(w http.ResponseWriter, r *http.Request) {
	var p struct {
		Path string `json:"path"`
	}
	if !decode(w, r, &p) {
		return
	}
	info, err := s.machine.Stat(r.Context(), p.Path, workspace.StatOptions{})
	if err != nil {
		answer(w, result{Error: err.Error()})
		return
	}
	answer(w, result{Success: true, Output: fmt.Sprint(info.Exists)})
}

// kill tells one command to end, by the id of its request, or all that a
// request waits for.
func (s *Server) kill(w http.ResponseWriter, r *http.Request) {
	var p struct {
		RequestID string `json:"request_id"`
	}
	if !decode(w, r, &p) {
		return
	}
	if p.RequestID == "" {
		s.machine.StopForeground()
		answer(w, result{Success: true, Output: "the running commands are told to end"})
		return
	}
	if _, err := s.machine.Kill(r.Context(), firstSession, p.RequestID); err != nil {
		answer(w, result{Error: err.Error()})
		return
	}
	answer(w, result{Success: true, Output: "ended"})
}

// silent are the surroundings of a file tool, which asks for nothing but its
// session.
type silent struct{ tool.Env }

func (silent) SessionID() string { return firstSession }

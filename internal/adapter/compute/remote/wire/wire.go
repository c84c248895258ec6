// Package wire is what a tool server and its client say to each other: paths,
// headers and the shapes of requests and answers. Neither side is in it.
package wire

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/workspace"
)

// The headers.
const (
	// Authorization carries "Bearer " and the sandbox's own token. The ordinary
	// Authorization header belongs to whoever stands before the server.
	Authorization = "X-Sandbox-Authorization"
	// RequestID names a request: one of the same id is never done twice.
	RequestID = "X-Request-Id"
	// Replay, when it says "only", asks for the answer to an earlier request and
	// does nothing when there was none.
	Replay = "X-Request-Replay"
	// BootID is in every answer. It is another one after a restart, which may
	// have lost all files and processes.
	BootID = "X-Boot-Id"
	// FileInfo is the [workspace.Info] of a file whose content is the body.
	FileInfo = "X-File-Info"
)

// The paths of the second version; what they take and give is with the types.
const (
	Health    = "/api/v2/health"    // GET: HealthAnswer, without authorization
	Exec      = "/api/v2/exec"      // POST ExecRequest: lines of Event
	Processes = "/api/v2/processes" // GET session: JobsAnswer
	Files     = "/api/v2/files"     // GET, PUT: raw content
	Stat      = "/api/v2/stat"      // GET: workspace.Info
	List      = "/api/v2/list"      // GET: ListAnswer
	Archive   = "/api/v2/archive"   // GET, PUT: a tar stream
	Python    = "/api/v2/python"    // POST PythonRequest: PythonAnswer
	Stats     = "/api/v2/stats"     // GET: StatsAnswer
)

// Ping is the pause between two events of a command that says nothing.
const Ping = 15 * time.Second

// MaxLine is the most bytes of one line of events: an exit event repeats up to
// 25,000 characters of output.
const MaxLine = 1 << 20

// ids are the ids of requests and sessions.
const ids = `^[A-Za-z0-9_-]{1,128}$`

// CheckID checks the id of a request or a session.
func CheckID(field, id string) error {
	if !regexp.MustCompile(ids).MatchString(id) {
		return &workspace.Fault{Kind: workspace.Invalid, Reason: fmt.Sprintf("%s %q: it must be 1 to 128 letters, digits, - or _", field, id)}
	}
	return nil
}

// Error is the body of an answer that is no success.
type Error struct {
	Detail string           `json:"detail"`
	Fault  *workspace.Fault `json:"fault,omitempty"`
}

// HealthAnswer says how the server is.
type HealthAnswer struct {
	Status  string `json:"status"` // "ok"
	BootID  string `json:"boot_id"`
	Version string `json:"version"`
	// IdleSeconds is how long there has been neither an authorized request nor a
	// running command.
	IdleSeconds int64 `json:"idle_seconds"`
	// Children are the commands of which something still runs.
	Children      int   `json:"children"`
	UptimeSeconds int64 `json:"uptime_seconds"`
}

// ExecRequest starts a command. The request's id is the command's.
type ExecRequest struct {
	Session string `json:"session,omitempty"`
	Command string `json:"command"`
	WorkDir string `json:"work_dir,omitempty"`
	// Timeout is in seconds; 0 is none.
	Timeout    float64 `json:"timeout,omitempty"`
	Background bool    `json:"background,omitempty"`
	Keep       bool    `json:"keep,omitempty"`
	// After is how many bytes of output a client that comes back has had.
	After int64 `json:"after,omitempty"`
}

// The names of events.
const (
	Start  = "start"  // Status; the only event of a command in the background
	Output = "output" // Data, Skipped, Total, File
	Alive  = "ping"   // Total
	Exit   = "exit"   // the rest
)

// Event is one line of a command's stream.
type Event struct {
	Event string `json:"event"`

	Status *workspace.Status `json:"status,omitempty"`

	// Data is output as plain text. Skipped bytes before it are not shown, Total
	// counts all so far, and File, when it is known, has all of them.
	Data    string `json:"data,omitempty"`
	Skipped int64  `json:"skipped,omitempty"`
	Total   int64  `json:"total,omitempty"`
	File    string `json:"file,omitempty"`

	*ExitEvent
}

// ExitEvent is what an exit event has.
type ExitEvent struct {
	ExitCode   int               `json:"exit_code"`
	Signal     string            `json:"signal"`
	TimedOut   bool              `json:"timed_out"`
	Cancelled  bool              `json:"cancelled"`
	DurationMS int64             `json:"duration_ms"`
	Output     workspace.Output  `json:"output"`
	Left       *workspace.Status `json:"left,omitempty"`
}

// ExitOf is the exit event of an outcome.
func ExitOf(o workspace.Outcome) *ExitEvent {
	return &ExitEvent{
		ExitCode: o.Exit.Code, Signal: o.Exit.Signal,
		TimedOut: o.Ending == workspace.TimedOut, Cancelled: o.Ending == workspace.Cancelled,
		DurationMS: o.Duration.Milliseconds(), Output: o.Output, Left: o.Left,
	}
}

// Outcome is the outcome an exit event tells of.
func (e *ExitEvent) Outcome() workspace.Outcome {
	o := workspace.Outcome{
		Ending: workspace.Ended, Exit: workspace.Exit{Code: e.ExitCode, Signal: e.Signal},
		Duration: time.Duration(e.DurationMS) * time.Millisecond, Output: e.Output, Left: e.Left,
	}
	switch {
	case e.TimedOut:
		o.Ending = workspace.TimedOut
	case e.Cancelled:
		o.Ending = workspace.Cancelled
	}
	return o
}

// JobsAnswer lists jobs.
type JobsAnswer struct {
	Processes []workspace.Status `json:"processes"`
}

// TailAnswer is the end of a job's output.
type TailAnswer struct {
	Text   string           `json:"text"`
	Status workspace.Status `json:"status"`
}

// ListAnswer lists a folder.
type ListAnswer struct {
	Entries []workspace.Info `json:"entries"`
}

// PythonRequest runs a program with the Python of the workspace.
type PythonRequest struct {
	Program string `json:"program"`
	Input   []byte `json:"input"`
	LimitMS int64  `json:"limit_ms"`
}

// PythonAnswer is what it printed.
type PythonAnswer struct {
	Output []byte `json:"output"`
}

// StatsAnswer says how busy the machine is. What cannot be known is zero.
type StatsAnswer struct {
	CPUs        int        `json:"cpus"`
	Load        [3]float64 `json:"load"` // over 1, 5 and 15 minutes
	MemoryBytes int64      `json:"memory_bytes"`
	MemoryUsed  int64      `json:"memory_used_bytes"`
	DiskBytes   int64      `json:"disk_bytes"` // where the workspace is
	DiskFree    int64      `json:"disk_free_bytes"`
	GPUs        []GPU      `json:"gpus,omitempty"`
}

// GPU is one accelerator.
type GPU struct {
	Index       int    `json:"index"`
	Name        string `json:"name"`
	MemoryBytes int64  `json:"memory_bytes"`
	MemoryUsed  int64  `json:"memory_used_bytes"`
	Utilization int    `json:"utilization_percent"`
}

// PackInfo puts an Info into a header.
func PackInfo(i workspace.Info) string {
	data, err := json.Marshal(i)
	if err != nil {
		return "" // an Info has nothing that cannot be encoded
	}
	return base64.StdEncoding.EncodeToString(data)
}

// UnpackInfo reads what PackInfo made.
func UnpackInfo(header string) (i workspace.Info, err error) {
	data, err := base64.StdEncoding.DecodeString(header)
	if err == nil {
		err = json.Unmarshal(data, &i)
	}
	if err != nil {
		return i, fmt.Errorf("read the header %s: %w", FileInfo, err)
	}
	return i, nil
}

// Package workspace says what the acting tools need of a place where work
// happens: commands with their processes and output, files, archives. The
// user's machine is such a place, and so is a sandbox far away; the package
// knows neither.
package workspace

import (
	"context"
	"io"
	"time"
)

// Workspace is a place where work happens. It is safe for concurrent use.
type Workspace interface {
	Processes
	Files
	Archive
	// Python runs the text of a program with the Python of the workspace,
	// isolated from the user's own modules and without credentials, and returns
	// what it prints. Without an interpreter, or when the program fails or takes
	// longer than limit, the answer is empty. An error means that the workspace
	// was not reached.
	Python(ctx context.Context, program string, input []byte, limit time.Duration) ([]byte, error)
}

// Processes runs commands. A session sees its own jobs only.
type Processes interface {
	// Start starts a command. An error means that it has not started, unless it
	// is one of kind [Lost].
	Start(ctx context.Context, c Command) (Process, error)
	// Jobs lists what runs in the background for a session, and what ended
	// there lately, oldest first.
	Jobs(ctx context.Context, session string) ([]Status, error)
	// Tail returns the last lines of a job's output, at most [ShownChars]
	// characters.
	Tail(ctx context.Context, session, id string, lines int) (string, Status, error)
	// Kill ends a job, or a running command by its id, with all its processes,
	// and waits until they are gone or ctx is done.
	Kill(ctx context.Context, session, id string) (Status, error)
}

// Files are the files of the workspace. Paths are absolute or relative to the
// workspace's folder; symbolic links are followed.
type Files interface {
	// Stat tells of the file a path means. One that is not there is no error:
	// its Info says where it would be made.
	Stat(ctx context.Context, path string, o StatOptions) (Info, error)
	// Read opens a regular file. The caller closes it.
	Read(ctx context.Context, path string, o ReadOptions) (io.ReadCloser, Info, error)
	// Write puts content in the place of a file: whole or not at all, with the
	// mode and, where permitted, the owner the file had. Missing folders are
	// made.
	Write(ctx context.Context, path string, content io.Reader, o WriteOptions) (Info, error)
	// List tells of what is in a folder, by name, at most [ListLimit] entries;
	// links are told of as links.
	List(ctx context.Context, path string) ([]Info, error)
}

// Archive moves many files at once, as a tar stream.
type Archive interface {
	// Pack streams the regular files and folders below a folder. What is over a
	// limit fails before the first byte where that can be known.
	Pack(ctx context.Context, path string, o PackOptions) (io.ReadCloser, error)
	// Unpack makes the files of a tar stream below a folder. A stream that
	// names a path outside it, a link or a device is refused; what was made
	// before stays.
	Unpack(ctx context.Context, path string, tar io.Reader, o Limits) (Packed, error)
}

// How much of an output is shown: up to ShownChars characters all of it, of
// more the first FirstChars and the last LastChars.
const (
	ShownChars = 25_000
	FirstChars = 6_250
	LastChars  = ShownChars - FirstChars
)

// ListLimit is the most entries of one listing.
const ListLimit = 10_000

// Command is a command line for the shell of the workspace. It gets no input.
type Command struct {
	// ID names the command. A workspace never runs two commands of one id. Empty
	// lets the workspace choose.
	ID string
	// Session is whose command it is.
	Session string
	// Line is the command line.
	Line string
	// Dir is where it runs: absolute, relative to the workspace's folder, or
	// empty for that folder.
	Dir string
	// Limit ends the command with all its processes; 0 is none.
	Limit time.Duration
	// Background makes it a job: Wait need not be called.
	Background bool
	// Keep lets the job live longer than the session.
	Keep bool
	// Output gets the output as plain text while Wait waits, in the order of
	// arrival and in pieces of any size. It must not block. Nil drops it.
	Output func(text []byte)
}

// Process is a started command. Who starts one that is not in the background
// calls Wait or Stop.
type Process interface {
	// Status is how it was at its start.
	Status() Status
	// Ref names its processes for good, also for another run of the program.
	Ref() string
	// Progress is how many bytes of output there are so far, and the file that
	// has all of them.
	Progress() (bytes int64, file string)
	// Wait returns when the command has ended and its output is complete, as far
	// as no child it left behind writes more; or when its limit has ended it.
	// When ctx is done it ends the command and returns soon. An error means
	// that how it ended is not known; Outcome has what came until then.
	Wait(ctx context.Context) (Outcome, error)
	// Stop ends it with all its processes. It does not wait for their end.
	Stop()
}

// Status is how a command is at one moment.
type Status struct {
	ID      string        `json:"id"`
	PID     int           `json:"pid"`
	Command string        `json:"command"`
	Age     time.Duration `json:"age_ns"` // since its start
	// Log is the file with the output, if there is one.
	Log string `json:"log,omitempty"`
	// Running: the program itself runs. Exit counts when it does not.
	Running bool `json:"running"`
	Exit    Exit `json:"exit"`
	// Alive: it, or a process it left behind, runs.
	Alive bool `json:"alive"`
}

// Exit is how a program ended.
type Exit struct {
	// Code is the exit code; -1 when a signal ended it.
	Code int `json:"code"`
	// Signal is the name of that signal, such as SIGKILL.
	Signal string `json:"signal,omitempty"`
}

// OK reports whether the program ended well.
func (e Exit) OK() bool { return e.Code == 0 && e.Signal == "" }

// Ending is why a wait was over.
type Ending string

// The endings.
const (
	Ended     Ending = "ended"     // by itself
	TimedOut  Ending = "timed_out" // its limit ended it
	Cancelled Ending = "cancelled" // it was stopped
)

// Outcome is what became of a command.
type Outcome struct {
	Ending Ending `json:"ending"`
	// Exit counts when it ended by itself.
	Exit     Exit          `json:"exit"`
	Duration time.Duration `json:"duration_ns"`
	Output   Output        `json:"output"`
	// Left is the job that the command's remaining processes are now.
	Left *Status `json:"left,omitempty"`
}

// Output is an output, as plain text, cut in the middle when it is long.
type Output struct {
	Bytes int64 `json:"bytes"`
	Chars int64 `json:"chars"`
	// First is all of it when Chars is at most ShownChars. Otherwise First and
	// Last are its two ends, one character longer than [FirstChars] and
	// [LastChars] say: that one tells whether a word is torn.
	First string `json:"first"`
	Last  string `json:"last,omitempty"`
	// File has the first Saved bytes of an output that was cut; empty when it
	// could not be kept, and Problem says why.
	File    string `json:"file,omitempty"`
	Saved   int64  `json:"saved,omitempty"`
	Problem string `json:"problem,omitempty"`
}

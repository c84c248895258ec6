package workspace

import (
	"errors"
	"io/fs"
	"time"
)

// Info tells of a file.
type Info struct {
	// Path is the real path: absolute, symbolic links followed.
	Path string `json:"path"`
	// Exists: there is a file. Without it nothing but Path counts.
	Exists  bool        `json:"exists"`
	Mode    fs.FileMode `json:"mode"` // with the bits of its kind
	Size    int64       `json:"size"`
	ModTime time.Time   `json:"mtime"`
	// Version is another one after every change of the file.
	Version string `json:"version,omitempty"`
	// Sum is the SHA-256 of the content in hex, when it was asked for.
	Sum string `json:"sha256,omitempty"`
}

// StatOptions say what is to be told.
type StatOptions struct {
	// Change: the path is meant to be changed, not shown; places may confine
	// one and not the other.
	Change bool
	// Sum asks for the sum of a regular file's content.
	Sum bool
}

// ReadOptions say which part of a file is wanted.
type ReadOptions struct {
	Change bool // as in [StatOptions]
	// Offset is the first byte and Length the number of bytes; 0 is all that
	// follow.
	Offset, Length int64
}

// WriteOptions say what may be replaced.
type WriteOptions struct {
	// Over is the version that is to be replaced; empty means that the file
	// must not be there yet. Anyhow replaces whatever is there.
	Over   string
	Anyhow bool
	// At, in a call with Part, is where the content goes in the file, which
	// keeps what is before and after and is made if it is not there. A part is
	// written in place.
	Part bool
	At   int64
	// Mode are the permissions of a new file; 0 is 0644 less the user's mask.
	Mode fs.FileMode
}

// Limits bound an archive; 0 takes the default.
type Limits struct {
	Bytes int64
	Files int
}

// The default limits of an archive.
const (
	ArchiveBytes = 2 << 30
	ArchiveFiles = 100_000
)

// Or returns l with the defaults in the place of zeros.
func (l Limits) Or() Limits {
	if l.Bytes <= 0 {
		l.Bytes = ArchiveBytes
	}
	if l.Files <= 0 {
		l.Files = ArchiveFiles
	}
	return l
}

// PackOptions say what goes into an archive.
type PackOptions struct {
	Limits
	// Exclude are names (of files or folders, at any depth) and paths relative
	// to the folder that stay out.
	Exclude []string
}

// Packed is what came out of an archive.
type Packed struct {
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
	// Left are files that whoever packed the archive left out because they are
	// neither regular files nor folders.
	Left int `json:"left,omitempty"`
}

// Kind is what was wrong with a request.
type Kind string

// The kinds of faults.
const (
	Missing   Kind = "missing"   // there is no such file or folder
	Directory Kind = "directory" // it is a folder, and a file is needed
	Irregular Kind = "irregular" // it is neither file nor folder
	Outside   Kind = "outside"   // files are confined to somewhere else
	Secret    Kind = "secret"    // it is not shown to anybody
	Changed   Kind = "changed"   // it is not what was to be replaced
	TooLarge  Kind = "too_large" // it is over a limit
	Refused   Kind = "refused"   // an archive holds what is not unpacked
	Unknown   Kind = "unknown"   // there is no such job
	Invalid   Kind = "invalid"   // the request itself is wrong
	Closed    Kind = "closed"    // the workspace is closed
	Lost      Kind = "lost"      // it may have happened, or not
	Failed    Kind = "failed"    // the system would not do it
)

// Fault is a failure whose kind callers act on.
type Fault struct {
	Kind Kind `json:"kind"`
	// Path is what it is about; it may be empty.
	Path string `json:"path,omitempty"`
	// Reason goes on from the path: "is a directory". Without a path it is a
	// sentence of its own.
	Reason string `json:"reason"`
}

// Error is path and reason.
func (f *Fault) Error() string {
	if f.Path == "" {
		return f.Reason
	}
	return f.Path + " " + f.Reason
}

// Is makes a missing file [fs.ErrNotExist].
func (f *Fault) Is(target error) bool { return target == fs.ErrNotExist && f.Kind == Missing }

// KindOf is the kind of err, or [Failed] when it is no Fault.
func KindOf(err error) Kind {
	var f *Fault
	if errors.As(err, &f) {
		return f.Kind
	}
	return Failed
}

package commit

import (
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// Target is a branch of a repository.
type Target struct {
	Type wire.RepoType // "" is a model
	Repo string        // namespace/name
	// Revision is the branch, or refs/pr/N; "" is main.
	Revision string
}

func (t Target) filled() (Target, error) {
	if t.Type == "" {
		t.Type = wire.Model
	}
	if t.Revision == "" {
		t.Revision = "main"
	}
	if err := wire.CheckType("type", t.Type); err != nil {
		return t, err
	}
	if err := wire.CheckRepoID("repo", t.Repo); err != nil {
		return t, err
	}
	return t, wire.CheckRevision("revision", t.Revision)
}

// Operation is one change of a commit: an [Add], a [Delete] or a [Copy].
type Operation interface {
	place() string // the path that changes
	check(field string) error
}

// Add writes a file, new or over the one there.
type Add struct {
	Path string
	// File is the local file to send, else Open opens it, else Data is what
	// the file shall hold.
	File string
	Open func() (*os.File, error)
	Data []byte
}

// Delete removes a file, or a folder with all that is in it.
type Delete struct {
	Path   string
	Folder bool
}

// Copy writes a file that is in the repository already to another place.
type Copy struct {
	From string
	Path string
	// Revision is where From is read; "" is the branch that is changed.
	Revision string
}

func (a Add) place() string { return a.Path }

func (a Add) check(field string) error {
	if a.File != "" && (a.Open != nil || a.Data != nil) || a.Open != nil && a.Data != nil {
		return invalid(field, "names the content of "+a.Path+" twice")
	}
	return wire.CheckPath(field+".path", a.Path)
}

func (a Add) opener() func() (*os.File, error) {
	if a.File != "" {
		return func() (*os.File, error) { return open(a.File) }
	}
	return a.Open
}

// open opens a regular file; anything else might never answer.
func open(name string) (*os.File, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	return os.Open(name)
}

func (d Delete) place() string { return strings.TrimSuffix(d.Path, "/") }

func (d Delete) check(field string) error {
	if strings.HasSuffix(d.Path, "/") && !d.Folder {
		return invalid(field, "deletes a folder, which must be said")
	}
	return wire.CheckPath(field+".path", d.place())
}

func (c Copy) place() string { return c.Path }

func (c Copy) check(field string) error {
	if err := wire.CheckPath(field+".from", c.From); err != nil {
		return err
	}
	if c.Revision != "" {
		if err := wire.CheckRevision(field+".revision", c.Revision); err != nil {
			return err
		}
	}
	return wire.CheckPath(field+".path", c.Path)
}

// checkAll checks the operations alone and together.
func checkAll(ops []Operation) error {
	if len(ops) == 0 {
		return invalid("operations", "must not be empty")
	}
	written, emptied := map[string]bool{}, map[string]bool{}
	for i, op := range ops {
		field := fmt.Sprintf("operations[%d]", i)
		if err := op.check(field); err != nil {
			return err
		}
		if written[op.place()] {
			return invalid(field, "changes "+op.place()+" a second time")
		}
		written[op.place()] = true
		if d, ok := op.(Delete); ok && d.Folder {
			emptied[d.place()] = true
		}
	}
	for i, op := range ops {
		if d, ok := op.(Delete); ok {
			for dir := path.Dir(d.place()); dir != "."; dir = path.Dir(dir) {
				if emptied[dir] {
					return invalid(fmt.Sprintf("operations[%d]", i), "deletes "+d.place()+", which goes with "+dir)
				}
			}
		}
	}
	return nil
}

// invalid is bad input, refused before any request.
func invalid(field, rule string) error {
	return &wire.Error{Kind: wire.Invalid, Op: "commit", Message: field + " " + rule}
}

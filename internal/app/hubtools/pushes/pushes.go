// Package pushes hears what the Python programs of a session's commands push to
// the Hub: a file in PYTHONPATH lets them write it down, and after each command
// it is read. It does not know what is done about it.
package pushes

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/artifact"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// readLimit bounds what is read after one command, in bytes: anybody can write
// to the file.
const readLimit = 256 << 10

func hookDir(dir string) string  { return filepath.Join(dir, "python") }
func toldFile(dir string) string { return filepath.Join(dir, "artifacts.log") }

// Environ adds to the environment of commands what lets their Python programs
// tell; dir is a private folder of the session.
func Environ(env []string, dir string) []string {
	path := hookDir(dir)
	out := make([]string, 0, len(env)+2)
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		switch {
		case name == artifact.FileVariable:
		case name == "PYTHONPATH" && value != "":
			path += string(os.PathListSeparator) + value
		case name != "PYTHONPATH":
			out = append(out, v)
		}
	}
	return append(out, "PYTHONPATH="+path, artifact.FileVariable+"="+toldFile(dir))
}

// Listener is a tool whose commands are listened to.
type Listener struct {
	tool.Tool
	dir  string
	made func(ctx context.Context, r repo.Ref)

	mu    sync.Mutex
	ready bool  // the hook lies in its place
	read  int64 // bytes of the file
	ended sync.WaitGroup
	stop  context.CancelFunc
	ctx   context.Context
}

var _ tool.Closer = (*Listener)(nil)

// Listen returns the tool t; made is told, without holding up a call, which
// repositories its commands have made or pushed to.
func Listen(t tool.Tool, dir string, made func(ctx context.Context, r repo.Ref)) *Listener {
	l := &Listener{Tool: t, dir: dir, made: made}
	l.ctx, l.stop = context.WithCancel(context.Background())
	return l
}

// Run runs a call of the tool.
func (l *Listener) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	l.prepare()
	r, err := l.Tool.Run(ctx, env, args)
	l.hear()
	return r, err
}

// Close closes the tool, and tells what was heard until then.
func (l *Listener) Close(ctx context.Context) error {
	var err error
	if c, ok := l.Tool.(tool.Closer); ok {
		err = c.Close(ctx)
	}
	l.hear()
	defer l.stop()
	ended := make(chan struct{})
	go func() { l.ended.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
		l.stop()
		<-ended
	}
	return err
}

// prepare puts the hook in its place, once. Without it commands run all the
// same.
func (l *Listener) prepare() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ready {
		return
	}
	dir := hookDir(l.dir)
	if os.MkdirAll(dir, 0o700) == nil && os.WriteFile(filepath.Join(dir, "sitecustomize.py"), []byte(artifact.Hook()), 0o600) == nil {
		l.ready = true
	}
	if info, err := os.Stat(toldFile(l.dir)); err == nil && l.read == 0 {
		l.read = info.Size() // an earlier run of the program has read it
	}
}

// hear reads what was added to the file and tells it.
func (l *Listener) hear() {
	refs := l.added()
	if len(refs) == 0 {
		return
	}
	l.ended.Go(func() {
		for _, r := range refs {
			if l.ctx.Err() == nil {
				l.made(l.ctx, r)
			}
		}
	})
}

func (l *Listener) added() []repo.Ref {
	l.mu.Lock()
	defer l.mu.Unlock()
	info, err := os.Lstat(toldFile(l.dir))
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	file, err := os.Open(toldFile(l.dir))
	if err != nil {
		return nil
	}
	defer file.Close()
	text, err := io.ReadAll(io.NewSectionReader(file, l.read, readLimit))
	if err != nil {
		return nil
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	if whole == 0 && len(text) == readLimit {
		whole = len(text) // that is no line of the hook
	}
	l.read += int64(whole)
	var refs []repo.Ref
	known := map[repo.Ref]bool{}
	for line := range strings.Lines(string(text[:whole])) {
		if r, ok := artifact.Parse(line); ok && !known[r] {
			known[r] = true
			refs = append(refs, r)
		}
	}
	return refs
}

package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Mode is which fence is wanted.
type Mode string

// The modes.
const (
	// Off runs commands without a fence.
	Off Mode = "off"
	// Auto takes bubblewrap, else Landlock.
	Auto Mode = "auto"
	// Landlock is the kernel's own fence, set up by a re-executed child of
	// this program; see [SandboxMain].
	Landlock Mode = "landlock"
	// Bubblewrap is the program bwrap.
	Bubblewrap Mode = "bwrap"
)

// Layer tells of one fence whether it works here.
type Layer struct {
	Mode Mode
	OK   bool
	// Detail is the version, or why it does not work, in a few words.
	Detail string
}

// String returns a line for a person, such as "landlock ABI 5".
func (l Layer) String() string {
	if l.OK {
		return string(l.Mode) + " " + l.Detail
	}
	return string(l.Mode) + ": " + l.Detail
}

// Available says which fences work here, the preferred one first.
func Available(ctx context.Context) []Layer {
	return []Layer{bubblewrap(ctx), landlocked()}
}

// SandboxOptions describe a fence.
type SandboxOptions struct {
	Mode Mode
	// Home is the folder that is hidden. It must not be the root.
	Home string
	// Write are the existing folders that may be changed; Read are paths below
	// Home that may be read, missing ones are left out. All are absolute.
	Write []string
	Read  []string
}

// Sandbox is a fence around commands: they may write only below some folders,
// and see nothing of the home folder but those and what is listed. Devices of
// GPUs, shared memory, /proc and /sys stay usable; the network is open. A
// Sandbox does not change.
type Sandbox struct {
	layer Layer
	area  area
}

// area is what a fence lets through, all real paths.
type area struct {
	Home  string   `json:"home"`
	Write []string `json:"write"`
	Read  []string `json:"read"`
	// Alone: the network is a loopback of the command's own.
	Alone bool `json:"alone,omitempty"`
}

// NewSandbox returns the fence o asks for; nil when the mode is [Off]. A fence
// that does not work here is an error that says what is missing.
func NewSandbox(ctx context.Context, o SandboxOptions) (*Sandbox, error) {
	if o.Mode == Off || o.Mode == "" {
		return nil, nil
	}
	home, err := realPath("home", o.Home)
	if err != nil {
		return nil, err
	}
	if filepath.Dir(home) == home {
		return nil, fmt.Errorf("sandbox home %s: the root of the file system cannot be hidden", home)
	}
	layer, err := choose(o.Mode, Available(ctx))
	if err != nil {
		return nil, err
	}
	s := &Sandbox{layer: layer, area: area{Home: home}}
	return s.Allow(o.Write, o.Read)
}

func choose(mode Mode, layers []Layer) (Layer, error) {
	var missing []string
	for _, l := range layers {
		if mode != Auto && mode != l.Mode {
			continue
		}
		if l.OK {
			return l, nil
		}
		missing = append(missing, l.String())
	}
	if missing == nil {
		return Layer{}, fmt.Errorf("sandbox mode %q: it is none of off, auto, landlock, bwrap", mode)
	}
	return Layer{}, fmt.Errorf("sandbox %s does not work here: %s", mode, strings.Join(missing, "; "))
}

// Layer says which fence it is.
func (s *Sandbox) Layer() Layer { return s.layer }

// Allow returns a fence that lets more through.
func (s *Sandbox) Allow(write, read []string) (*Sandbox, error) {
	out := &Sandbox{s.layer, s.area}
	out.area.Write, out.area.Read = slices.Clone(s.area.Write), slices.Clone(s.area.Read)
	for _, p := range write {
		dir, err := out.area.open("write", p)
		if err != nil {
			return nil, err
		}
		out.area.Write = append(out.area.Write, dir)
	}
	for _, p := range read {
		file, err := out.area.open("read", p)
		if errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, err
		}
		out.area.Read = append(out.area.Read, file)
	}
	return out, nil
}

// Alone returns a fence behind which there is no network but a loopback of the
// command's own; false when this fence has no such wall. See package bridge for
// ways through it.
func (s *Sandbox) Alone() (*Sandbox, bool) {
	if s.layer.Mode != Bubblewrap {
		return nil, false
	}
	out := *s
	out.area.Alone = true
	return &out, true
}

// open returns the real path of p, which must not contain the home folder.
func (a area) open(field, p string) (string, error) {
	target, err := realPath(field, p)
	if err != nil {
		return "", err
	}
	if within(a.Home, target) {
		return "", fmt.Errorf("sandbox %s %s: it contains the home folder %s, which must stay hidden", field, p, a.Home)
	}
	return target, nil
}

func realPath(field, p string) (string, error) {
	if !filepath.IsAbs(p) {
		return "", fmt.Errorf("sandbox %s %q: the path must be absolute", field, p)
	}
	target, err := filepath.EvalSymlinks(p)
	if err != nil {
		return "", fmt.Errorf("sandbox %s %s: find the folder: %w", field, p, err)
	}
	return target, nil
}

// within reports whether p is dir or lies below it.
func within(p, dir string) bool {
	rel, err := filepath.Rel(dir, p)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

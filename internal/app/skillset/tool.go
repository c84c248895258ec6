package skillset

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/ml-intern/ml-intern/internal/adapter/skills"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
	"github.com/ml-intern/ml-intern/internal/tools/skill"
)

// Tool makes the tool that loads skills, for one session, and warns of what is
// left out; it is nil where there are no skills. Temp is the session's own
// folder, in which commands find the files of skills that they could not reach
// otherwise.
func Tool(l *config.Loaded, temp string, warn func(line string)) (tool.Tool, error) {
	s := Load(l)
	for _, line := range s.Warnings() {
		warn(line)
	}
	all := s.Skills()
	if len(all) == 0 {
		return nil, nil
	}
	o := skill.Options{Skills: all}
	if l.Config.ToolRuntime != "sandbox" {
		p := &placed{temp: filepath.Join(temp, "skills"), fenced: fenced(l)}
		o.Place = p.place
	}
	t, err := skill.New(o)
	if err != nil {
		return nil, fmt.Errorf("make the tool skill: %w", err)
	}
	return t, nil
}

// fenced reports whether commands or file tools cannot reach the folder of the
// person's settings.
func fenced(l *config.Loaded) bool {
	off := func(mode string) bool { return mode == "" || proc.Mode(mode) == proc.Off }
	return !off(l.Config.BashSandbox) || !off(l.Config.ConfineFiles)
}

// placed puts files of skills where commands can reach them.
type placed struct {
	temp   string
	fenced bool
	mu     sync.Mutex // one at a time
}

// place gives the folder of a skill for commands. What is built in, or lies
// behind the fence, is copied into the session's own folder.
func (p *placed) place(e skills.Entry) (string, error) {
	if e.Dir != "" && (e.Origin == skills.Project || !p.fenced) {
		return e.Dir, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	files, _, err := e.Files()
	if err != nil {
		return "", fmt.Errorf("read the skill %s: %w", e.Name, err)
	}
	dir := filepath.Join(p.temp, e.Name)
	for _, f := range files {
		raw, err := e.Read(f.Name)
		if err != nil {
			continue // too large a file, or gone meanwhile: reading it says so
		}
		if err := put(filepath.Join(dir, filepath.FromSlash(f.Name)), raw); err != nil {
			return "", fmt.Errorf("put the skill %s where commands can reach it: %w", e.Name, err)
		}
	}
	return dir, nil
}

// put writes a file, unless it is there already.
func put(path string, raw []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, raw) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o700)
}

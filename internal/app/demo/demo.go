// Package demo holds the story of the offline demo: a small data set with
// planted faults, the recorded words of the scripted model that works on it,
// and the check of what came out. Only the words are recorded; the commands
// are for the real tools, and every number comes from what they print. It
// knows no engine, no terminal and no provider: others play the script.
package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Model is the id of the scripted model.
const Model = "replay/demo"

// Prompt is the task the user is shown to give.
const Prompt = "Our readers write to the library, and every message has to reach the right desk. " +
	"Train a small classifier on data/messages.csv, find out how well it really works, and write me a short report."

// pythonLimit bounds the look for python3: a stub that opens an app store may
// never answer.
const pythonLimit = 10 * time.Second

const readme = `# Messages to a town library

The data of ` + "`ml-intern demo`" + `. ` + "`data/messages.csv`" + ` has one message a line:

- ` + "`id`" + `: the message's number
- ` + "`desk`" + `: who has to answer it: loans, account, events or building
- ` + "`text`" + `: what the reader wrote

All messages are made up from sentence patterns; no reader wrote them. They were
sorted to desks the way people do it: some fit two desks, and some are wrong.
`

// Require says what the demo lacks on this machine, if anything.
func Require(ctx context.Context) error {
	const remedy = "the demo really trains a model with it: install Python 3.8 or newer and start again"
	path, err := exec.LookPath("python3")
	if err != nil {
		return fmt.Errorf("python3 is missing; %s", remedy)
	}
	ctx, cancel := context.WithTimeout(ctx, pythonLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "-c", `import sys; print("%d.%d" % sys.version_info[:2]); sys.exit(sys.version_info < (3, 8))`)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	version := strings.TrimSpace(string(out))
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("try %s: %w", path, ctx.Err())
	case version != "":
		return fmt.Errorf("python3 at %s is version %s; %s", path, version, remedy)
	}
	return fmt.Errorf("python3 at %s does not run; %s: %w", path, remedy, err)
}

// Prepare makes dir the demo's working folder: the data and a README. The
// folder must be empty or absent.
func Prepare(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("prepare the demo folder: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("prepare the demo folder: %s is not empty", dir)
	}
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o755); err != nil {
		return fmt.Errorf("prepare the demo folder: %w", err)
	}
	for name, content := range map[string][]byte{
		filepath.Join("data", "messages.csv"): messages(),
		"README.md":                           []byte(readme),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return fmt.Errorf("prepare the demo folder: %w", err)
		}
	}
	return nil
}

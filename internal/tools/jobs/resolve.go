package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/delivery"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/request"
)

// scriptLimit bounds a script that is read from a file, in bytes.
const scriptLimit = 10 << 20

// parseWait is how long Python may take to say whether a line is Python.
const parseWait = 3 * time.Second

// Resolve completes the arguments: who pays, and the text of a script that is
// named by its path. It also learns what a judgement needs: prices, and whose
// job is to be cancelled.
func (t *Tool) Resolve(ctx context.Context, args json.RawMessage) (json.RawMessage, error) {
	var p request.Params
	if tool.Decode(args, &p) != nil || p.Check() != nil {
		return args, nil // Run tells what is wrong
	}
	if p.Operation == "cancel" {
		t.learnOwners(ctx, p)
	}
	if !p.Submits() {
		return args, nil
	}
	t.opts.Prices.Ask(ctx)
	ns, err := t.opts.Namespace(ctx, p.Namespace)
	if err != nil {
		return nil, err
	}
	p.Namespace = ns
	if err := t.moveSecrets(&p); err != nil {
		return nil, err
	}
	if err := t.readScript(ctx, &p); err != nil {
		return nil, err
	}
	return json.Marshal(p)
}

// learnOwners finds out which of the jobs to be cancelled this session started.
func (t *Tool) learnOwners(ctx context.Context, p request.Params) {
	t.mu.Lock()
	session := t.session
	t.mu.Unlock()
	ns, err := t.opts.Namespace(ctx, p.Namespace)
	if err != nil || session == nil {
		return
	}
	for _, id := range p.JobID {
		if t.isOwn(id) {
			continue
		}
		if j, err := t.opts.Jobs.Find(ctx, ns, id); err == nil && j.Labels[request.LabelSession] == session.ID() {
			t.remember(id)
		}
	}
}

// moveSecrets takes tokens out of the open environment, and refuses what must
// not be passed on.
func (t *Tool) moveSecrets(p *request.Params) error {
	for _, name := range request.SortedKeys(p.Env) {
		if !request.IsTokenName(name) && (t.opts.HasSecret == nil || t.opts.HasSecret(p.Env[name]) == "") {
			continue
		}
		if p.Secrets == nil {
			p.Secrets = map[string]string{}
		}
		p.Secrets[name] = p.Env[name]
		delete(p.Env, name)
	}
	for _, name := range request.SortedKeys(p.Secrets) {
		if request.IsTokenName(name) && strings.HasPrefix(p.Secrets[name], "$") {
			delete(p.Secrets, name) // jobs have the token anyway
		} else if request.IsTokenName(name) && t.opts.Token() == "" {
			return errNoToken
		}
	}
	if t.opts.HasSecret == nil {
		return nil
	}
	for _, text := range append(append([]string{p.Script, p.Name}, p.Command...), p.ScriptArgs...) {
		if kind := t.opts.HasSecret(text); kind != "" {
			return fmt.Errorf("the script or command shows a secret (%s), which everybody who sees the job could read: pass it in secrets and read it from the environment", kind)
		}
	}
	return nil
}

// readScript replaces the path of a script by its text.
func (t *Tool) readScript(ctx context.Context, p *request.Params) error {
	form := delivery.Classify(p.Script)
	if p.Script == "" || form == delivery.Source || form == delivery.URL {
		return nil
	}
	if t.opts.Workspace == nil {
		return t.isPython(ctx, nil, form, p.Script)
	}
	place, err := t.opts.Workspace(ctx)
	if err != nil {
		return fmt.Errorf("look for the script %s: %w", p.Script, err)
	}
	if !mayBeName(p.Script) {
		return t.isPython(ctx, place, form, p.Script)
	}
	file, info, err := place.Read(ctx, p.Script, workspace.ReadOptions{})
	if err != nil {
		if form == delivery.Line && (errors.Is(err, fs.ErrNotExist) || workspace.KindOf(err) == workspace.Directory) {
			return t.isPython(ctx, place, form, p.Script)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("there is no script %s: write it first, or pass the source itself", p.Script)
		}
		return fmt.Errorf("read the script: %w", err)
	}
	defer file.Close()
	if info.Size > scriptLimit {
		return fmt.Errorf("the script %s has %d bytes, more than %d: it is no script", p.Script, info.Size, scriptLimit)
	}
	text, err := io.ReadAll(io.LimitReader(file, scriptLimit+1))
	if err != nil {
		return fmt.Errorf("read the script %s: %w", p.Script, err)
	}
	if p.Name == "" {
		p.Name = strings.TrimSuffix(path.Base(info.Path), ".py")
	}
	// With a newline it is a source when it is looked at again.
	if p.Script = string(text); !strings.Contains(p.Script, "\n") {
		p.Script += "\n"
	}
	if t.opts.HasSecret != nil && t.opts.HasSecret(p.Script) != "" {
		return fmt.Errorf("the script %s shows a secret (%s), which everybody who sees the job could read: read it from the environment instead", p.Name, t.opts.HasSecret(p.Script))
	}
	return nil
}

// mayBeName reports whether a line could be the path of a file at all.
func mayBeName(line string) bool {
	return len(line) <= 4096 && strings.TrimSpace(line) == line && !strings.ContainsAny(line, "\x00()\"'")
}

// parses asks Python whether its input is Python.
const parses = `import ast, sys
ast.parse(sys.stdin.read())
print("yes")`

// isPython says why a line that is no file cannot be a script.
func (t *Tool) isPython(ctx context.Context, place workspace.Workspace, form delivery.Form, line string) error {
	if form == delivery.Path {
		return fmt.Errorf("there is no script %s: write it first, or pass the source itself", line)
	}
	if place == nil {
		return nil
	}
	answer, err := place.Python(ctx, parses, []byte(line), parseWait)
	if err != nil {
		return fmt.Errorf("check the script: %w", err)
	}
	if strings.TrimSpace(string(answer)) == "yes" {
		return nil
	}
	if probe, err := place.Python(ctx, parses, []byte("1"), parseWait); err != nil || strings.TrimSpace(string(probe)) != "yes" {
		return nil // there is no Python that could tell
	}
	return fmt.Errorf("script %q is neither a file nor Python: write the file first, or pass the source itself", line)
}

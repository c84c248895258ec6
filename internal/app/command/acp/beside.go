package acp

import (
	"context"
	"os"
	"slices"
	"sync"

	"github.com/ml-intern/ml-intern/internal/adapter/checkpoint"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/changes"
	"github.com/ml-intern/ml-intern/internal/app/message"
	"github.com/ml-intern/ml-intern/internal/app/skillset"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
	"github.com/ml-intern/ml-intern/internal/ui/acp"
	"github.com/ml-intern/ml-intern/internal/ui/acp/protocol"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/approve/sheet"
)

// beside is what an editor needs beside one session.
type beside struct {
	door *door
	app  *app.App
	// settings are those of the command line, with the editor's MCP servers.
	settings map[string][]string

	mu     sync.Mutex
	points map[string]*checkpoint.Checkpoints // by session
}

// mostModels is how many models an editor is offered.
const mostModels = 200

// opened joins a session with what is needed beside it.
func (o *beside) opened(ctx context.Context, session attach.Session, notes []string) *acp.Opened {
	a := o.app
	set := skillset.Load(a.Loaded)
	maker := message.New(message.Options{App: a, Skills: set, Pictures: func(context.Context) (takes, known bool) {
		m, ok := a.Models.Catalog().Peek(session.Info().Settings.Model)
		return slices.Contains(m.Inputs, "image"), ok && len(m.Inputs) > 0
	}})
	table := newTable(o)
	opened := &acp.Opened{
		Session: session, Notes: once(notes, set.Warnings()), Expand: maker.Typed, Commands: table.commands(set), Watch: table.watch,
		Modes: modes(), Models: o.models(ctx), Efforts: efforts(),
		Sheet: sheet.Options{
			Shown: a.Scrub, Secret: a.Secrets().Shown, Hub: a.Loaded.URL("HF_ENDPOINT").Value, File: o.file, Dir: a.Loaded.Dir,
		},
		Difference: o.difference,
		Done:       func() { _ = a.Close() },
	}
	if a.Loaded.Trusted {
		opened.Rule = func(rule string) error { return a.Loaded.AllowInProject(context.Background(), rule) }
	}
	return opened
}

// once adds lines to notes; those that a host which has just begun has told of
// stand there already.
func once(notes, lines []string) []string {
	for _, line := range lines {
		if !slices.Contains(notes, line) {
			notes = append(notes, line)
		}
	}
	return notes
}

// modes are the approval modes, the strictest first.
func modes() []protocol.Mode {
	var all []protocol.Mode
	for _, m := range policy.Modes() {
		all = append(all, protocol.Mode{ID: string(m), Name: map[policy.Mode]string{
			policy.ModePlan: "Plan", policy.ModeAsk: "Ask", policy.ModeAutoEdit: "Auto-edit", policy.ModeUpstream: "Upstream", policy.ModeYolo: "Yolo",
		}[m], Description: m.Means()})
	}
	return all
}

func efforts() []protocol.Choice {
	var all []protocol.Choice
	for _, level := range []string{"off", "minimal", "low", "medium", "high", "xhigh", "max"} {
		all = append(all, protocol.Choice{Value: level, Name: level})
	}
	return all
}

// models are those that can be chosen, as far as is known without asking
// anybody.
func (o *beside) models(ctx context.Context) []protocol.Choice {
	var all []protocol.Choice
	seen := map[string]bool{}
	for _, id := range o.app.Models.Names(ctx) {
		if id != "" && !seen[id] && len(all) < mostModels {
			seen[id] = true
			all = append(all, protocol.Choice{Value: id, Name: id})
		}
	}
	return all
}

// fileMost is the largest file that is read for a difference, in bytes.
const fileMost = 1 << 20

// file is what stands in a file now: a regular one that is no larger than can be
// looked at.
func (o *beside) file(path string) (string, bool) {
	path = app.Absolute(path, o.app.Loaded.Dir)
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || info.Size() > fileMost {
		return "", false
	}
	raw, err := os.ReadFile(path)
	return string(raw), err == nil
}

// difference is what has changed between two checkpoints, without secrets.
func (o *beside) difference(ctx context.Context, id, before, after string) (string, error) {
	o.mu.Lock()
	points, ok := o.points[id]
	if !ok {
		points = changes.Remembered(o.app.Loaded, id, true, func(string) {}, o.app.Debug)
		o.points[id] = points
	}
	o.mu.Unlock()
	if points == nil {
		return "", nil
	}
	text, err := points.Diff(ctx, before, after)
	return o.app.Scrub(text), err
}

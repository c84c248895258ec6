package runs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/app/ledger"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

const (
	// recent is how old the newest event of a session may be whose processes are
	// looked for: a run without an end keeps its session's journal moving.
	recent = 14 * 24 * time.Hour
	// shownCommand bounds a command as it is shown, in characters.
	shownCommand = 200
)

// started is what a journal tells of a command.
type started struct {
	command, ref, log string
	at                time.Time
}

// logLine finds the log in the result of a background command.
var logLine = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?m)^log: (/.*)$`) })

// processes are the commands of sessions of which something still runs here,
// the newest first.
func (b *Board) processes() ([]Row, error) {
	if b.opts.Sessions == nil {
		return nil, nil
	}
	ids, err := b.opts.Sessions.Sessions()
	if err != nil {
		return nil, fmt.Errorf("look for the sessions on this machine: %w", err)
	}
	var rows []Row
	var problems []error
	for _, id := range ids {
		path, err := b.opts.Sessions.JournalPath(id)
		if err != nil {
			continue
		}
		if info, err := os.Stat(path); err != nil || time.Since(info.ModTime()) > recent {
			continue
		}
		found, err := b.inSession(id, path)
		if err != nil {
			problems = append(problems, fmt.Errorf("read the journal of session %s: %w", b.shown(id), err))
		}
		rows = append(rows, found...)
	}
	newest(rows)
	return rows, errors.Join(problems...)
}

// journal is what was read of one.
type journal struct {
	size     int64
	commands []started
}

// inSession finds in a journal which commands have started process groups, and
// keeps those that are alive.
func (b *Board) inSession(session, path string) ([]Row, error) {
	commands, err := b.commands(path)
	var rows []Row
	for _, c := range commands {
		if g, err := proc.ParseGroup(c.ref); err == nil && g.Alive() {
			rows = append(rows, b.processRow(session, g, c))
		}
	}
	return rows, err
}

// commands are those that a journal tells of. One that has not grown is not read
// again.
func (b *Board) commands(path string) ([]started, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	known := b.journals[path]
	b.mu.Unlock()
	if known.size == info.Size() {
		return known.commands, nil
	}
	calls := map[string]*started{}
	var order []string
	err = ledger.Events(file, []event.Type{
		event.TypeToolCall, event.TypeApprovalRequired, event.TypeToolEffect, event.TypeToolOutput,
	}, func(ev event.Event) {
		if id, ok := take(calls, ev); ok {
			order = append(order, id)
		}
	})
	if err != nil {
		return nil, err
	}
	read := journal{size: info.Size()}
	for _, id := range order {
		if g, err := proc.ParseGroup(calls[id].ref); err == nil && g.Alive() { // what has ended stays so
			read.commands = append(read.commands, *calls[id])
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.journals[path] = read
	return read.commands, nil
}

// take notes what an event tells of a command; ok says that it has started.
func take(calls map[string]*started, ev event.Event) (id string, ok bool) {
	command := func(id, name string, args []byte) {
		var p struct {
			Command string `json:"command"`
		}
		if name == "bash" && tool.Decode(args, &p) == nil {
			calls[id] = &started{command: p.Command}
		}
	}
	switch ev.Type {
	case event.TypeToolCall:
		if in, err := event.Decode[event.ToolCall](ev); err == nil {
			command(in.ToolCallID, in.Tool, in.Arguments)
		}
	case event.TypeApprovalRequired:
		in, _ := event.Decode[event.ApprovalRequired](ev)
		for _, t := range in.Tools {
			command(t.ToolCallID, t.Tool, t.Arguments)
		}
	case event.TypeToolEffect:
		in, err := event.Decode[event.ToolEffect](ev)
		if c := calls[in.ToolCallID]; err == nil && c != nil && c.ref == "" {
			c.ref, c.at = in.ExternalRef, ev.Time
			return in.ToolCallID, true
		}
	case event.TypeToolOutput:
		in, err := event.Decode[event.ToolOutput](ev)
		if c := calls[in.ToolCallID]; err == nil && c != nil {
			if m := logLine().FindStringSubmatch(in.Output); m != nil && filepath.IsAbs(m[1]) {
				c.log = m[1]
			}
		}
	}
	return "", false
}

// processRow is a process group as it is now.
func (b *Board) processRow(session string, g proc.Group, c started) Row {
	name := []rune(b.shown(c.command))
	r := Row{
		ID: strconv.Itoa(g.ID), Name: string(name[:min(len(name), shownCommand)]), State: "running", Began: c.at, Session: b.shown(session),
		log: c.log, group: g.String(),
	}
	r.Source = "process:" + r.ID
	return r
}

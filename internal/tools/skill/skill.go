// Package skill is the tool with which the model loads skills: its description
// lists them in a line each, a call brings one into the conversation, and
// another one of its files. It finds no skills, and it runs nothing.
package skill

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/skills"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

//go:embed skill.json
var description []byte

// Bounds of what the model is told, in characters.
const (
	// maxOutput is the most of a result.
	maxOutput = 100_000
	// lineMost is the most of a skill's line in the description, and listMost of
	// all lines but those of built-in skills; further ones stand there by name,
	// up to namesMost.
	lineMost, listMost, namesMost = 400, 4000, 1000
	// filesMost is how many files of a skill are named.
	filesMost = 40
)

// Options of the tool.
type Options struct {
	// Skills are those that there are, each name once.
	Skills []skills.Entry
	// Place gives the folder in which the files of a skill lie for commands; nil
	// where commands run on another machine.
	Place func(e skills.Entry) (string, error)
}

// Tool is skill. It is safe for concurrent use.
type Tool struct {
	opts Options
	spec tool.Spec
}

var _ tool.Tool = (*Tool)(nil)

// Params are the arguments.
type Params struct {
	Name string `json:"name"`
	File string `json:"file,omitempty"`
}

// New returns the tool.
func New(o Options) (*Tool, error) {
	spec, err := tool.ParseSpec(description, maxOutput)
	if err != nil {
		return nil, err
	}
	spec.Description += list(o.Skills)
	return &Tool{o, spec}, nil
}

// list is a line for each skill. What people have added has a bound of its own.
func list(all []skills.Entry) string {
	var lines strings.Builder
	var others []string
	left := listMost
	for _, e := range all {
		line := fmt.Sprintf("\n- %s: %s", e.Name, cut(e.Description, lineMost))
		if e.Origin != skills.BuiltIn {
			if n := utf8.RuneCountInString(line); n <= left {
				left -= n
			} else {
				others = append(others, e.Name)
				continue
			}
		}
		lines.WriteString(line)
	}
	if len(others) > 0 {
		lines.WriteString("\nand: " + cut(strings.Join(others, ", "), namesMost))
	}
	return lines.String()
}

// cut keeps the beginning of a text, whole words of it.
func cut(text string, most int) string {
	short := excerpt.Head(text, most)
	if len(short) == len(text) {
		return text
	}
	return strings.TrimRight(short, " ,.;:") + " …"
}

// Spec describes the tool.
func (t *Tool) Spec() tool.Spec { return t.spec }

// Risk is none: what is read was put there for the model.
func (t *Tool) Risk(json.RawMessage) tool.Risk { return tool.Risk{Effect: event.Pure} }

// Run reads a skill, or a file of one.
func (t *Tool) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	var p Params
	if err := tool.Decode(args, &p); err != nil {
		return tool.Failed(err.Error()), nil
	}
	if err := ctx.Err(); err != nil {
		return tool.Result{}, err
	}
	at := slices.IndexFunc(t.opts.Skills, func(e skills.Entry) bool { return e.Name == strings.TrimPrefix(strings.TrimSpace(p.Name), "/") })
	if at < 0 {
		return tool.Failed(fmt.Sprintf("name: there is no skill %q; there are %s.", p.Name, cut(t.names(), namesMost))), nil
	}
	e := t.opts.Skills[at]
	if file := path.Clean(strings.TrimSpace(p.File)); file != "." && !strings.EqualFold(file, "SKILL.md") {
		return t.file(e, file, env.Room()), nil
	}
	return t.load(e, env.Room()), nil
}

func (t *Tool) names() string {
	var out []string
	for _, e := range t.opts.Skills {
		out = append(out, e.Name)
	}
	return strings.Join(out, ", ")
}

// load is a skill: where its files are, and what it says.
func (t *Tool) load(e skills.Entry, room int) tool.Result {
	body, err := e.Body()
	if err != nil {
		return tool.Failed(err.Error())
	}
	head := fmt.Sprintf("Skill %s (%s).", e.Name, e.Origin)
	if e.Compatibility != "" {
		head += " It needs: " + e.Compatibility
	}
	files, err := t.files(e)
	if err != nil {
		return tool.Failed(fmt.Sprintf("list the files of the skill %s: %v", e.Name, err))
	}
	return tool.Success(fit(head+files+"\n\n", body, room))
}

// files says which files a skill has and how to come by them.
func (t *Tool) files(e skills.Entry) (string, error) {
	files, more, err := e.Files()
	if err != nil || len(files) == 0 {
		return "", err
	}
	if len(files) > filesMost {
		files, more = files[:filesMost], true
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name+" ("+amount.Bytes(f.Size)+")")
	}
	if more {
		names = append(names, "and more")
	}
	text := strings.Join(names, ", ")
	if t.opts.Place == nil {
		return "\nFiles (the argument file reads one; they are not where bash runs: write there what you want to run): " + text, nil
	}
	dir, err := t.opts.Place(e)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("\nFiles in %s: %s", dir, text), nil
}

// file is one file of a skill.
func (t *Tool) file(e skills.Entry, name string, room int) tool.Result {
	raw, err := e.Read(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return tool.Failed(fmt.Sprintf("file: the skill %s has no %s; without file the call lists what it has.", e.Name, name))
	case err != nil:
		return tool.Failed(fmt.Sprintf("file: %s of the skill %s cannot be read: %v.", name, e.Name, err))
	}
	head := fmt.Sprintf("%s of the skill %s", name, e.Name)
	if t.opts.Place != nil {
		dir, err := t.opts.Place(e)
		if err != nil {
			return tool.Failed(err.Error())
		}
		head += ", " + filepath.Join(dir, filepath.FromSlash(name))
	}
	if !utf8.Valid(raw) {
		return tool.Failed(fmt.Sprintf("file: %s is no text (%s).", head, amount.Bytes(int64(len(raw)))))
	}
	return tool.Success(fit(head+":\n\n", string(raw), room))
}

// fit cuts a text at a line end to what a result may have.
func fit(head, text string, room int) string {
	const note = "\n… the rest is left out: it is too long for one result …"
	room = min(room, maxOutput) - utf8.RuneCountInString(head) - utf8.RuneCountInString(note)
	short := excerpt.Head(text, max(room, 0))
	if len(short) == len(text) {
		return head + text
	}
	if i := strings.LastIndexByte(short, '\n'); i > 0 {
		short = short[:i]
	}
	return head + short + note
}

package files

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/tools/files/edit"
)

// editBytes is the largest file that edit takes into memory.
const editBytes = 256 << 20

// EditParams are the arguments of edit.
type EditParams struct {
	Path       string `json:"path"`
	OldStr     string `json:"old_str"`
	NewStr     string `json:"new_str"`
	ReplaceAll bool   `json:"replace_all,omitempty"`
	Mode       string `json:"mode,omitempty"`
}

// request is the change as the algorithm knows it. Mode replace_all is another
// way to say replace everywhere.
func (p EditParams) request() edit.Request {
	r := edit.Request{Old: p.OldStr, New: p.NewStr, Mode: edit.Mode(p.Mode), All: p.ReplaceAll}
	switch p.Mode {
	case "":
		r.Mode = edit.Replace
	case "replace_all":
		r.Mode, r.All = edit.Replace, true
	}
	return r
}

// order is what the call comes to; done receives how.
func (p EditParams) order(done *edit.Result) order {
	return order{path: p.Path, verb: "edit", whole: editBytes, compose: func(before loaded) ([]byte, string, error) {
		switch {
		case !before.info.Exists:
			return nil, "", refuse("file not found: %s (make it with write)", shown(p.Path))
		case before.content == nil:
			return nil, "", refuse("%s has %s, too much for edit; change it with a program in bash", shown(p.Path), size(before.info.Size))
		}
		result, err := edit.Apply(before.content, p.request())
		if err != nil {
			return nil, "", refuse("%s: %v", shown(p.Path), err)
		}
		*done = result
		return result.Content, result.Method.Note(), nil
	}}
}

// editor is the tool edit.
type editor struct{ *Files }

func (t editor) Spec() tool.Spec { return t.specs["edit"] }

func (t editor) Risk(args json.RawMessage) tool.Risk {
	var p EditParams
	_ = json.Unmarshal(args, &p) // arguments that are wrong touch no file
	return t.risk(p.Path)
}

func (t editor) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	var p EditParams
	if err := tool.Decode(args, &p); err != nil {
		return tool.Failed("edit: " + err.Error()), nil
	}
	if p.OldStr == p.NewStr {
		return tool.Failed("edit: " + edit.ErrSame.Error()), nil
	}
	var done edit.Result
	d, err := t.change(ctx, env, p.order(&done))
	if err != nil {
		return failed("edit", err)
	}
	first := fmt.Sprintf("Edited %s (%s)", d.at.shown, count(len(done.Changes), "replacement"))
	if d.note != "" {
		first += " " + d.note
	}
	return t.report(ctx, first, d), nil
}

func (t editor) Intent(ctx context.Context, env tool.Env, args json.RawMessage) (json.RawMessage, error) {
	var p EditParams
	_ = tool.Decode(args, &p) // Run says what is wrong
	var done edit.Result
	return t.intend(ctx, env, p.order(&done))
}

func (t editor) Recover(ctx context.Context, env tool.Env, _, intent json.RawMessage) (tool.Outcome, tool.Result, error) {
	return t.look(ctx, env, intent, "edit")
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// size is a number of bytes for people.
func size(n int64) string {
	switch {
	case n < 1<<10:
		return count(int(n), "byte")
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	default:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
}

package files

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/tools/files/edit"
)

// overwriteBytes is up to which size the file before is looked at, for its
// line ends and the diff.
const overwriteBytes = 64 << 20

// byteOrderMark is what some editors put in front of UTF-8.
const byteOrderMark = "\uFEFF"

// WriteParams are the arguments of write.
type WriteParams struct {
	Path    string `json:"path"`
	Content string `json:"content"`
}

func (p WriteParams) order() order {
	return order{path: p.Path, verb: "write", whole: overwriteBytes, compose: p.compose}
}

// compose keeps what a model cannot see of the file before: its line ends and
// its byte order mark.
func (p WriteParams) compose(before loaded) ([]byte, string, error) {
	content, kept := p.Content, []string{}
	if edit.EOL(before.content) == "\r\n" && bytes.IndexByte(before.content, 0) < 0 &&
		strings.Contains(content, "\n") && !strings.Contains(content, "\r\n") {
		content = strings.ReplaceAll(content, "\n", "\r\n")
		kept = append(kept, "CRLF line ends")
	}
	if bytes.HasPrefix(before.content, []byte(byteOrderMark)) && !strings.HasPrefix(content, byteOrderMark) {
		content = byteOrderMark + content
		kept = append(kept, "byte order mark")
	}
	note := ""
	if len(kept) > 0 {
		note = " (kept the file's " + strings.Join(kept, " and ") + ")"
	}
	return []byte(content), note, nil
}

// writer is the tool write.
type writer struct{ *Files }

func (t writer) Spec() tool.Spec { return t.specs["write"] }

func (t writer) Risk(args json.RawMessage) tool.Risk {
	var p WriteParams
	_ = json.Unmarshal(args, &p) // arguments that are wrong touch no file
	return t.risk(p.Path)
}

func (t writer) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	var p WriteParams
	if err := tool.Decode(args, &p); err != nil {
		return tool.Failed("write: " + err.Error()), nil
	}
	d, err := t.change(ctx, env, p.order())
	if err != nil {
		return failed("write", err)
	}
	return t.report(ctx, fmt.Sprintf("Wrote %d bytes to %s%s", len(d.data), d.at.shown, d.note), d), nil
}

func (t writer) Intent(ctx context.Context, env tool.Env, args json.RawMessage) (json.RawMessage, error) {
	var p WriteParams
	_ = tool.Decode(args, &p) // Run says what is wrong
	return t.intend(ctx, env, p.order())
}

func (t writer) Recover(ctx context.Context, env tool.Env, _, intent json.RawMessage) (tool.Outcome, tool.Result, error) {
	return t.look(ctx, env, intent, "write")
}

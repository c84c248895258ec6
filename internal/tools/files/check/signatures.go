package check

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
)

// compare is the program that compares calls with signatures: it reads the file
// from standard input and imports what the file imports from installed
// packages, never the file itself.
//
//go:embed signatures.py
var compare string

// shownArguments is the most wrong arguments that are told of.
const shownArguments = 10

// signatures asks the interpreter which keyword arguments do not exist.
func (c *Checker) signatures(ctx context.Context, content []byte) []string {
	if !c.opts.Signatures || c.opts.Python == nil || ctx.Err() != nil {
		return nil
	}
	var found []struct {
		Call, Argument string
		Line           int
	}
	if json.Unmarshal(c.opts.Python(ctx, compare, content, importLimit), &found) != nil {
		return nil
	}
	var out []string
	for _, f := range found[:min(len(found), shownArguments)] {
		out = append(out, fmt.Sprintf("Invalid kwarg: %s(%s=...) at line %d", f.Call, f.Argument, f.Line))
	}
	return out
}

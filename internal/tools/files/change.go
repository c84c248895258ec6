package files

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
)

// order is a call of write or edit, as far as the two are alike.
type order struct {
	path string
	verb string // "write" or "edit"
	// whole is the size, in bytes, up to which the file is loaded.
	whole int64
	// compose turns what is there into the new content and says what was done.
	compose func(loaded) (data []byte, note string, err error)
}

// draft is a change that may be made but is not yet.
type draft struct {
	at     target
	before loaded
	data   []byte
	note   string
}

// draft works out what o comes to. It changes nothing.
func (f *Files) draft(ctx context.Context, session string, at target, o order) (*draft, error) {
	d := &draft{at: at}
	var err error
	if d.before, err = at.load(ctx, o.whole); err != nil {
		return nil, err
	}
	if d.before.info.Exists && !f.opts.Unguarded {
		if err := f.known(session, at, d.before, o.verb); err != nil {
			return nil, err
		}
	}
	d.data, d.note, err = o.compose(d.before)
	return d, err
}

// known refuses to change what the session has not seen as it is now.
func (f *Files) known(session string, at target, now loaded, verb string) error {
	last, ok := f.seen.last(session, at.info.Path)
	if !ok {
		return refuse("%s exists and was not read in this session: read it first, then %s", at.shown, verb)
	}
	if !last.same(snap(now.info, now.sum)) {
		return refuse("%s has changed since last read: read it again, then %s", at.shown, verb)
	}
	return nil
}

// change makes the change o asks for.
func (f *Files) change(ctx context.Context, env tool.Env, o order) (*draft, error) {
	at, err := f.find(ctx, o.path)
	if err != nil {
		return nil, err
	}
	defer f.seen.lock(at.info.Path)()
	d, err := f.draft(ctx, env.SessionID(), at, o)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	info, err := at.place.Write(ctx, at.info.Path, bytes.NewReader(d.data), workspace.WriteOptions{Over: d.before.info.Version})
	if err != nil {
		return nil, worded(o.path, err)
	}
	f.seen.put(env.SessionID(), at.info.Path, snap(info, sum(d.data)))
	return d, nil
}

// report is what the model sees of a change, after its first line.
func (f *Files) report(ctx context.Context, first string, d *draft) tool.Result {
	var b strings.Builder
	b.WriteString(first)
	limit := diffLines
	if !d.before.info.Exists {
		limit = newLines
	}
	if !d.before.info.Exists || d.before.content != nil {
		if lines := diff(d.at.shown, d.before.content, d.data, limit); lines != "" {
			b.WriteString("\n\n" + lines)
		} else if string(d.before.content) == string(d.data) {
			b.WriteString("\n(no change)")
		}
	}
	warnings := f.warnings(ctx, d)
	if len(warnings) > 0 {
		b.WriteString("\n\nValidation warnings:")
	}
	for _, w := range warnings {
		b.WriteString("\n  " + bounded(visible(w), 500))
	}
	return tool.Success(bounded(b.String(), changeChars))
}

// risk is what a call on path could do.
func (f *Files) risk(named string) tool.Risk {
	r := tool.Risk{Effect: event.Keyed}
	if f.opts.Resolve == nil { // no file of this machine
		if named != "" {
			r.Lane = "file:" + path.Clean(named)
		}
		return r
	}
	if real := f.opts.Resolve(named); real != "" {
		r.Writes, r.Lane = []string{real}, "file:"+real
	}
	return r
}

// intent is what is needed to find out later whether a change was made.
type intent struct {
	Path string `json:"path"` // real
	// Before and After are the sums of the content; Before is empty for a
	// file that was not there.
	Before string `json:"before"`
	After  string `json:"after"`
	// Refused: the call was going to fail without touching anything.
	Refused bool `json:"refused,omitempty"`
}

// intend works out the intent of o.
func (f *Files) intend(ctx context.Context, env tool.Env, o order) (json.RawMessage, error) {
	in := intent{Refused: true}
	at, err := f.find(ctx, o.path)
	if err == nil {
		var d *draft
		if d, err = f.draft(ctx, env.SessionID(), at, o); err == nil {
			in = intent{Path: at.info.Path, Before: d.before.sum, After: sum(d.data)}
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return json.Marshal(in) // what is wrong with the call, Run says
}

// look finds out what became of an intent.
func (f *Files) look(ctx context.Context, env tool.Env, raw json.RawMessage, verb string) (tool.Outcome, tool.Result, error) {
	var in intent
	if err := json.Unmarshal(raw, &in); err != nil {
		return tool.Unknown, tool.Result{}, fmt.Errorf("read the intent of %s: %w", verb, err)
	}
	switch {
	case in.Refused:
		return tool.NotHappened, tool.Result{}, nil
	case in.Path == "" || in.After == "":
		return tool.Unknown, tool.Result{}, errors.New("the intent of " + verb + " names no file")
	}
	at, err := f.find(ctx, in.Path)
	if err != nil {
		return tool.Unknown, tool.Result{}, err
	}
	now, err := at.load(ctx, 0)
	if err != nil {
		return tool.Unknown, tool.Result{}, err
	}
	if at.info.Path != in.Path { // a link stands there now
		return tool.Unknown, tool.Result{}, nil
	}
	// What the call knew of the file, the session knows again: a restart has
	// lost it.
	if now.info.Exists && (now.sum == in.After || now.sum == in.Before) {
		f.seen.put(env.SessionID(), in.Path, snap(now.info, now.sum))
	}
	switch now.sum {
	case in.After:
		return tool.Happened, tool.Success(fmt.Sprintf("The %s of %s was done before the program restarted; the file is as intended.", verb, at.shown)), nil
	case in.Before:
		return tool.NotHappened, tool.Result{}, nil
	}
	return tool.Unknown, tool.Result{}, nil
}

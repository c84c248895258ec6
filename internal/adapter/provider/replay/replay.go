// Package replay is a model that says again what was recorded: a script that
// is part of the program, a saved session, or a session's journal. Tools
// really run; only the model's words are old. It knows no provider and no
// network.
//
// Which recorded message comes next is decided for each kind of call by the
// larger of two numbers: how many calls of that kind this process has begun for
// the session, and one more than the index of the last recorded message that
// the request's history holds. Each message that is handed out carries its
// index, so that a session which was killed goes on where it stopped, also
// after a compaction, while messages of other models do not count.
package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/modelid"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Window is the context window a recording claims, in tokens.
const Window = 200_000

// fieldIndex is the key of [llm.Message.ProviderFields] that holds a handed
// out message's index among those of its kind.
const fieldIndex = "replay_index"

// Options say where recordings are.
type Options struct {
	// Scripts holds the scripts with a name: "demo" is the file "demo.json".
	// It may be nil.
	Scripts fs.FS
	// ReadFile reads a recording named by its path; nil means that only named
	// scripts can be played. A path that names a folder is tried with
	// "journal.jsonl" in it.
	ReadFile func(path string) ([]byte, error)
}

// Model plays recordings. It is safe for concurrent use.
type Model struct {
	opts Options

	mu    sync.Mutex
	tapes map[string]*tape // by name
	begun map[counter]int
}

// counter names one sequence of calls.
type counter struct {
	session, name string
	kind          llm.Kind
}

// New returns a model that has loaded nothing yet.
func New(opts Options) (*Model, error) {
	if opts.Scripts == nil && opts.ReadFile == nil {
		return nil, errors.New("replay: neither Options.Scripts nor Options.ReadFile is set")
	}
	return &Model{opts: opts, tapes: map[string]*tape{}, begun: map[counter]int{}}, nil
}

// Check loads the recording of an id such as "replay/demo" and says what is
// wrong with it.
func (m *Model) Check(id string) error {
	_, err := m.tape(strings.TrimPrefix(id, modelid.Replay+"/"))
	return err
}

// Stream answers with the next recorded message. Its errors are *[llm.Fault],
// or the context's own.
func (m *Model) Stream(ctx context.Context, req llm.Request) iter.Seq2[llm.Chunk, error] {
	return func(yield func(llm.Chunk, error) bool) {
		name := strings.TrimPrefix(req.Model, modelid.Replay+"/")
		line, index, err := m.next(name, req)
		if err != nil {
			yield(nil, err)
			return
		}
		message := line.spoken(req, index)
		if err := sleep(ctx, line.delay); err != nil {
			yield(nil, err)
			return
		}
		play(ctx, req.Model, message, yield)
	}
}

// play yields message in small pieces.
func play(ctx context.Context, model string, message llm.Message, yield func(llm.Chunk, error) bool) {
	if !yield(llm.Begun{Model: model}, nil) {
		return
	}
	for word := range words(message.ReasoningContent) {
		if ctx.Err() != nil {
			yield(nil, ctx.Err())
			return
		}
		if !yield(llm.Thinking{Delta: word}, nil) {
			return
		}
	}
	for word := range words(message.Text) {
		if ctx.Err() != nil {
			yield(nil, ctx.Err())
			return
		}
		if !yield(llm.Text{Delta: word}, nil) {
			return
		}
	}
	done := llm.Done{Message: message, Finish: llm.FinishStop, RawFinish: string(llm.FinishStop)}
	if len(message.ToolCalls) > 0 {
		done.Finish, done.RawFinish = llm.FinishTools, string(llm.FinishTools)
	}
	yield(done, nil)
}

// next picks the message for a call and counts the call.
func (m *Model) next(name string, req llm.Request) (line, int, error) {
	t, err := m.tape(name)
	if err != nil {
		return line{}, 0, fault(req.Model, err.Error(), err)
	}
	kind := req.Kind
	if kind == "" {
		kind = llm.KindMain
	}
	lines := t.lines[kind]
	if len(lines) == 0 && kind == llm.KindEffortProbe {
		return line{message: llm.Message{Role: llm.Assistant, Text: "pong"}}, 0, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := counter{req.SessionID, name, kind}
	index := max(m.begun[key], heard(req))
	m.begun[key] = index + 1
	if index >= len(lines) {
		return line{}, 0, fault(req.Model, fmt.Sprintf(
			"the recording %s has no answer to call %d of kind %s: it holds %d", req.Model, index+1, kind, len(lines)), nil)
	}
	return lines[index], index, nil
}

// heard returns one more than the highest index of this recording's messages
// in the request, or how many there are where they carry none.
func heard(req llm.Request) int {
	next, count := 0, 0
	for _, msg := range req.Messages {
		if msg.Role != llm.Assistant || msg.Origin() != (llm.Origin{Provider: modelid.Replay, Model: req.Model}) {
			continue
		}
		count++
		var index int
		if raw, ok := msg.ProviderFields[fieldIndex]; ok && json.Unmarshal(raw, &index) == nil {
			next = max(next, index+1)
		}
	}
	if next == 0 {
		return count
	}
	return next
}

// tape returns a loaded recording.
func (m *Model) tape(name string) (*tape, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t, ok := m.tapes[name]; ok {
		return t, nil
	}
	data, err := m.read(name)
	if err != nil {
		return nil, err
	}
	t, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("read recording %s: %w", name, err)
	}
	m.tapes[name] = t
	return t, nil
}

func (m *Model) read(name string) ([]byte, error) {
	file := name + ".json"
	if m.opts.Scripts != nil && fs.ValidPath(file) {
		data, err := fs.ReadFile(m.opts.Scripts, file)
		if err == nil {
			return data, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read script %s: %w", name, err)
		}
	}
	if m.opts.ReadFile == nil {
		return nil, fmt.Errorf("there is no script named %s", name)
	}
	data, err := m.opts.ReadFile(name)
	if err == nil {
		return data, nil
	}
	if inside, errInside := m.opts.ReadFile(strings.TrimRight(name, "/") + "/journal.jsonl"); errInside == nil {
		return inside, nil
	}
	return nil, fmt.Errorf("there is no script named %s, and no recording at that path: %w", name, err)
}

// words yields text in pieces that end after blanks; joined they are text.
func words(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		start, blank := 0, false
		for i, r := range text {
			if space := unicode.IsSpace(r); blank && !space {
				if !yield(text[start:i]) {
					return
				}
				start, blank = i, false
			} else {
				blank = space
			}
		}
		if start < len(text) {
			yield(text[start:])
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func fault(model, text string, cause error) error {
	never := false
	return &llm.Fault{
		Class: llm.ClassInvalidRequest, Provider: modelid.Replay, Model: model, Message: text,
		Retry: &never, Text: text, Hint: "--model chooses another model", Err: cause,
	}
}

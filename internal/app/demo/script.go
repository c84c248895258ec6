package demo

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// pause is the time before each of the model's messages, in milliseconds: with
// none, nobody could follow.
const pause = 500

// script is the story in the form recordings have.
func script() []byte {
	type function struct {
		Name      string         `json:"name"`
		Arguments map[string]any `json:"arguments"`
	}
	type toolCall struct {
		ID       string   `json:"id"`
		Type     string   `json:"type"`
		Function function `json:"function"`
	}
	type message struct {
		Role      string     `json:"role"`
		Content   string     `json:"content"`
		Kind      llm.Kind   `json:"kind,omitempty"`
		DelayMS   int        `json:"delay_ms"`
		ToolCalls []toolCall `json:"tool_calls,omitempty"`
	}
	var recording struct {
		Messages []message `json:"messages"`
	}
	for _, s := range append(story(), subAgent()...) {
		m := message{Role: "assistant", Content: s.text, Kind: s.kind, DelayMS: pause}
		for _, c := range s.calls {
			m.ToolCalls = append(m.ToolCalls, toolCall{c.id, "function", function{c.tool, c.args}})
		}
		recording.Messages = append(recording.Messages, m)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	_ = enc.Encode(recording) // strings and numbers always encode
	return out.Bytes()
}

// scriptName is the file Scripts holds.
const scriptName = "demo.json"

// Scripts holds the recording of Model, demo.json. It is made when it is first
// read.
func Scripts() fs.FS { return scripts{sync.OnceValue(script)} }

// scripts is a file system of one file.
type scripts struct{ content func() []byte }

// Open opens the recording.
func (s scripts) Open(name string) (fs.File, error) {
	switch {
	case !fs.ValidPath(name):
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	case name != scriptName:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	content := s.content()
	return &recording{bytes.NewReader(content), int64(len(content))}, nil
}

// recording is the opened file.
type recording struct {
	io.Reader
	size int64
}

func (r *recording) Stat() (fs.FileInfo, error) { return info{r.size}, nil }
func (r *recording) Close() error               { return nil }

type info struct{ size int64 }

func (i info) Name() string       { return scriptName }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return 0o444 }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return false }
func (i info) Sys() any           { return nil }

package wire

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const version = "2.0"

// The codes of JSON-RPC, and the one that it lends from the language server
// protocol for calls that were given up.
const (
	Unreadable = -32700 // no JSON
	Invalid    = -32600 // no frame
	Unknown    = -32601 // no such method
	Arguments  = -32602 // wrong parameters
	Internal   = -32603
	GivenUp    = -32800
)

// Error is an error as a call is answered with.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

func (e *Error) Error() string { return e.Message }

// Errorf returns an Error.
func Errorf(code int, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// message is a call or, without an id, a notification.
type message struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method"`
	Params  any             `json:"params,omitempty"`
}

type success struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  any             `json:"result"`
}

type failure struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Error   *Error          `json:"error"`
}

// nullID is the id of who has given none that can be read.
const nullID = "null"

// frame is one frame of the other side. Its id is JSON, in the form it came in;
// empty for a notification. Method is empty for an answer.
type frame struct {
	id     string
	method string
	params json.RawMessage
	result json.RawMessage
	failed *Error
}

// parse reads a frame. Names count as they are written: unlike encoding/json it
// takes no "ID" for an "id". What is wrong is returned with the id to answer.
func parse(text []byte) (frame, *Error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		if !json.Valid(text) {
			return frame{}, Errorf(Unreadable, "the frame is no JSON: %v", err)
		}
		return frame{}, Errorf(Invalid, "a frame is one JSON object")
	}
	f := frame{params: fields["params"], result: fields["result"]}
	if raw, ok := fields["id"]; ok {
		id, known := readID(raw)
		if !known {
			return frame{}, Errorf(Invalid, "an id is a text, a number or null")
		}
		f.id = id
	}
	if told := ""; json.Unmarshal(fields["jsonrpc"], &told) != nil || told != version {
		return f, Errorf(Invalid, "jsonrpc must be %q", version)
	}
	if raw, ok := fields["method"]; ok {
		if json.Unmarshal(raw, &f.method) != nil || f.method == "" {
			return f, Errorf(Invalid, "method must be a text")
		}
		if !structured(f.params) {
			return f, Errorf(Invalid, "params must be an object")
		}
		return f, nil
	}
	failed, isError := fields["error"]
	_, isResult := fields["result"]
	switch {
	case f.id == "" || isError == isResult:
		return f, Errorf(Invalid, "a frame has a method, or an id with a result or an error")
	case isError:
		f.failed = readError(failed)
	}
	return f, nil
}

// structured reports whether params can be those of a frame.
func structured(params json.RawMessage) bool {
	return len(params) == 0 || params[0] == '{' || string(params) == "null"
}

// readID reads an id; ok is false for what can be none.
func readID(raw json.RawMessage) (id string, ok bool) {
	if len(raw) == 0 {
		return "", false
	}
	switch raw[0] {
	case '{', '[', 't', 'f':
		return "", false
	}
	return string(raw), true
}

// readError reads the error of an answer, whatever its form.
func readError(raw json.RawMessage) *Error {
	e := &Error{Code: Internal}
	if json.Unmarshal(raw, e) != nil || e.Message == "" {
		e.Message = "an error without a message"
	}
	return e
}

// line is one line of the other side.
type line struct {
	text []byte
	err  error
}

// errLong is a line that is longer than FrameLimit; the next one can be read.
var errLong = errors.New("the line is too long")

// read hands lines on until an error, which is the last. A last line without an
// end counts.
func read(ctx context.Context, r io.Reader, lines chan<- line) {
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		text, err := readLine(in)
		if len(text) > 0 && err == io.EOF {
			err = nil
		}
		select {
		case lines <- line{text, err}:
		case <-ctx.Done():
			return
		}
		if err != nil && err != errLong {
			return
		}
	}
}

// readLine reads one line; of one that is too long it keeps nothing.
func readLine(in *bufio.Reader) ([]byte, error) {
	var text []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(text)+len(part) > FrameLimit {
			return nil, skip(in, err)
		}
		text = append(text, part...)
		if err != bufio.ErrBufferFull {
			return bytes.TrimRight(text, "\r\n"), err
		}
	}
}

// skip reads to the end of a line; err is what its last part ended with.
func skip(in *bufio.Reader, err error) error {
	for err == bufio.ErrBufferFull {
		_, err = in.ReadSlice('\n')
	}
	if err != nil {
		return err
	}
	return errLong
}

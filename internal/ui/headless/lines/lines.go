// Package lines reads what another program asks of a session on standard input:
// one JSON object a line. It bounds what it reads, and says of a line that cannot
// be read which one it is. It knows no session.
package lines

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

const (
	// Limit is the longest line, in bytes: a message may carry pictures.
	Limit = 64 << 20
	// pictureMost is the largest picture, in bytes; a message takes picturesMost.
	pictureMost  = 5_000_000
	picturesMost = 20
	// nameMost is the longest id of a message, in characters.
	nameMost = 200
)

// Line is one thing that is asked for, with its number from 1. ID is what the
// other program calls a message; it is empty for most.
type Line struct {
	Number    int
	ID        string
	Operation event.Operation
}

// Error is a line that cannot be read. The next ones can.
type Error struct {
	Number int // from 1
	Why    string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d of standard input: %s", e.Number, e.Why) }

// Reader reads lines.
type Reader struct {
	in     *bufio.Reader
	number int
}

// NewReader returns a Reader of in.
func NewReader(in io.Reader) *Reader { return &Reader{in: bufio.NewReaderSize(in, 64<<10)} }

// Next returns the next line; an empty one is none. A line that cannot be read is
// an *Error, and the next one follows; io.EOF ends them.
func (r *Reader) Next() (Line, error) {
	for {
		raw, err := r.line()
		if err != nil {
			return Line{}, err
		}
		if len(bytes.TrimSpace(raw)) == 0 {
			continue
		}
		l, err := Parse(raw)
		if err != nil {
			return Line{}, &Error{r.number, err.Error()}
		}
		l.Number = r.number
		return l, nil
	}
}

// line reads one line; of one that is too long nothing is kept. A last line
// without an end counts.
func (r *Reader) line() ([]byte, error) {
	r.number++
	var text []byte
	for {
		part, err := r.in.ReadSlice('\n')
		if len(text)+len(part) > Limit {
			for err == bufio.ErrBufferFull {
				_, err = r.in.ReadSlice('\n')
			}
			if err != nil && err != io.EOF {
				return nil, err
			}
			return nil, &Error{r.number, fmt.Sprintf("it is longer than %d MiB", Limit>>20)}
		}
		text = append(text, part...)
		switch {
		case err == nil, err == io.EOF && len(text) > 0:
			return text, nil
		case err != bufio.ErrBufferFull:
			return nil, err
		}
	}
}

// said is a line of any type.
type said struct {
	Type    string          `json:"type"`
	ID      string          `json:"id"`
	Text    *string         `json:"text"`
	Images  []event.Image   `json:"images"`
	Message json.RawMessage `json:"message"`

	Approvals []struct {
		event.Approval
		Approved *bool `json:"approved"`
	} `json:"approvals"`
	event.Configure
}

// Parse reads one line.
func Parse(raw []byte) (Line, error) {
	var in said
	if err := json.Unmarshal(raw, &in); err != nil {
		if !json.Valid(raw) {
			return Line{}, errors.New("it is no JSON")
		}
		return Line{}, fmt.Errorf("it cannot be read: %s", reason(err))
	}
	if utf8.RuneCountInString(in.ID) > nameMost {
		return Line{}, fmt.Errorf("its id is longer than %d characters", nameMost)
	}
	op, err := in.operation()
	return Line{ID: in.ID, Operation: op}, err
}

// reason is a decoder's error without the names of our types.
func reason(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		if wrong.Field == "" {
			return "it must be a JSON object"
		}
		return strings.TrimPrefix(wrong.Field, "Configure.") + " is a " + wrong.Value
	}
	return err.Error()
}

func (in said) operation() (event.Operation, error) {
	switch in.Type {
	case "user", "steer":
		text, images, err := in.words()
		if err != nil {
			return nil, err
		}
		if in.Type == "steer" {
			return event.Steer{Text: text, Images: images}, nil
		}
		return event.UserInput{Text: text, Images: images}, nil
	case "approval":
		return in.approval()
	case "interrupt":
		return event.Interrupt{}, nil
	case "configure":
		c := in.Configure
		if c.Model == nil && c.Effort == nil && c.ApprovalMode == nil && c.MaxCostUSD == nil && len(c.Allow) == 0 {
			return nil, errors.New("it changes nothing: model, effort, approval_mode, max_cost_usd and allow are missing")
		}
		return c, nil
	case "":
		return nil, errors.New(`its type is missing: user, steer, approval, interrupt or configure`)
	}
	return nil, fmt.Errorf("its type is %q: there are user, steer, approval, interrupt and configure", in.Type)
}

// words are the text and the pictures of a message.
func (in said) words() (string, []event.Image, error) {
	text, images := "", in.Images
	switch {
	case in.Text != nil && in.Message != nil:
		return "", nil, errors.New("it has both text and message")
	case in.Text != nil:
		text = *in.Text
	case in.Message != nil:
		said, shown, err := message(in.Message)
		if err != nil {
			return "", nil, err
		}
		text, images = said, append(images, shown...)
	default:
		return "", nil, errors.New("its text is missing")
	}
	if strings.TrimSpace(text) == "" && len(images) == 0 {
		return "", nil, errors.New("its text is empty")
	}
	if len(images) > picturesMost {
		return "", nil, fmt.Errorf("a message takes %d pictures", picturesMost)
	}
	for i, p := range images {
		if err := picture(p); err != nil {
			return "", nil, fmt.Errorf("picture %d: %w", i+1, err)
		}
	}
	return text, images, nil
}

// message reads the form that the Messages API of Anthropic has for what a person
// says, which other programs of this kind take.
func message(raw json.RawMessage) (string, []event.Image, error) {
	var in struct {
		Role    string          `json:"role"`
		Content json.RawMessage `json:"content"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return "", nil, fmt.Errorf("its message cannot be read: %s", reason(err))
	}
	if in.Role != "" && in.Role != "user" {
		return "", nil, fmt.Errorf("the role of its message is %q: it must be user", in.Role)
	}
	var text string
	if json.Unmarshal(in.Content, &text) == nil {
		return text, nil, nil
	}
	var blocks []struct {
		Type   string `json:"type"`
		Text   string `json:"text"`
		Source struct {
			Type      string `json:"type"`
			MediaType string `json:"media_type"`
			Data      string `json:"data"`
		} `json:"source"`
	}
	if json.Unmarshal(in.Content, &blocks) != nil {
		return "", nil, errors.New("the content of its message is neither a text nor a list of blocks")
	}
	var parts []string
	var images []event.Image
	for i, b := range blocks {
		switch {
		case b.Type == "text":
			parts = append(parts, b.Text)
		case b.Type == "image" && b.Source.Type == "base64":
			images = append(images, event.Image{MediaType: b.Source.MediaType, Data: b.Source.Data})
		default:
			return "", nil, fmt.Errorf("block %d of its message is of type %q: there are text, and image with its source in base64", i+1, b.Type)
		}
	}
	return strings.Join(parts, "\n"), images, nil
}

// picture refuses what no model takes.
func picture(p event.Image) error {
	if !slices.Contains([]string{"image/png", "image/jpeg", "image/gif", "image/webp"}, p.MediaType) {
		return fmt.Errorf("its media_type is %q: models take image/png, image/jpeg, image/gif and image/webp", p.MediaType)
	}
	if base64.StdEncoding.DecodedLen(len(p.Data)) > pictureMost+2 {
		return fmt.Errorf("it is larger than %d MB", pictureMost/1_000_000)
	}
	if _, err := base64.StdEncoding.DecodeString(p.Data); err != nil || p.Data == "" {
		return errors.New("its data is not in base64")
	}
	return nil
}

// approval reads the answers to a gate.
func (in said) approval() (event.Operation, error) {
	if len(in.Approvals) == 0 {
		return nil, errors.New("its approvals are missing: a list of {tool_call_id, approved}")
	}
	var op event.ExecApproval
	for i, a := range in.Approvals {
		switch {
		case a.ToolCallID == "":
			return nil, fmt.Errorf("approval %d has no tool_call_id", i+1)
		case a.Approved == nil:
			return nil, fmt.Errorf("approval %d does not say approved: true or false", i+1)
		}
		a.Approval.Approved = *a.Approved
		op.Approvals = append(op.Approvals, a.Approval)
	}
	return op, nil
}

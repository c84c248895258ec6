package upload

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/content"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// Bounds of a commit's body in bytes.
const (
	maxLine   = 64 << 20
	maxCommit = 1 << 30
)

// Header is the first line of a commit.
type Header struct {
	Summary      string `json:"summary"`
	Description  string `json:"description"`
	ParentCommit string `json:"parentCommit"`
}

// operation is the value of the other lines.
type operation struct {
	Path     string  `json:"path"`
	OldPath  string  `json:"oldPath"`
	Content  *string `json:"content"`
	Encoding string  `json:"encoding"`
	Algo     string  `json:"algo"`
	OID      string  `json:"oid"`
	Size     int64   `json:"size"`
}

func bad(text string) error { return answer.Refuse(http.StatusBadRequest, text) }

// unknownKey is how the Hub refuses lines it does not know.
const unknownKey = "Add a line with the key `lfsFile`, `file` or `deletedFile`"

// ReadCommit reads the lines of a commit: a header, then operations.
func ReadCommit(body io.Reader) (Header, []repo.Change, error) {
	var header *Header
	var changes []repo.Change
	for line, err := range answer.Lines(body, maxLine, maxCommit) {
		if err != nil {
			return Header{}, nil, err
		}
		var parsed struct {
			Key   string          `json:"key"`
			Value json.RawMessage `json:"value"`
		}
		if err := json.Unmarshal(line, &parsed); err != nil {
			return Header{}, nil, bad("Invalid JSON line: " + err.Error())
		}
		switch {
		case parsed.Key == "header" && header == nil:
			header = &Header{}
			err = json.Unmarshal(parsed.Value, header)
		case parsed.Key == "header":
			err = errors.New("there are two headers")
		case header == nil:
			err = errors.New("the first line must have the key `header`")
		default:
			changes, err = appendOperation(changes, parsed.Key, parsed.Value)
		}
		if err != nil {
			return Header{}, nil, refuse(parsed.Key, err)
		}
	}
	switch {
	case header == nil:
		return Header{}, nil, bad("the first line must have the key `header`")
	case len(changes) == 0:
		return Header{}, nil, bad(unknownKey)
	case header.Summary == "":
		return Header{}, nil, bad("`header.summary` must not be empty")
	}
	return *header, changes, nil
}

func refuse(key string, err error) error {
	var e *answer.Error
	if errors.As(err, &e) {
		return e
	}
	return bad("Invalid line with the key `" + key + "`: " + err.Error())
}

func appendOperation(changes []repo.Change, key string, value json.RawMessage) ([]repo.Change, error) {
	var op operation
	if err := json.Unmarshal(value, &op); err != nil {
		return nil, err
	}
	change := repo.Change{Path: op.Path}
	var err error
	switch key {
	case "file":
		change.Content, err = decode(op)
	case "lfsFile":
		if !content.IsSum(op.OID) || op.Algo != "" && op.Algo != "sha256" || op.Size < 0 {
			err = errors.New("`algo` must be sha256, `oid` its 64 digits, `size` not negative")
		}
		change.LFS = &repo.LFS{SHA256: op.OID, Size: op.Size}
	case "deletedFile":
		change.Op = repo.DeleteFile
	case "deletedFolder":
		change.Op = repo.DeleteFolder
	case "deletedEntry":
		change.Op = repo.DeleteEntry
	default:
		return nil, bad(unknownKey)
	}
	if err != nil {
		return nil, err
	}
	if op.OldPath != "" && op.OldPath != op.Path && change.Op == repo.Put {
		changes = append(changes, repo.Change{Op: repo.DeleteFile, Path: op.OldPath})
	}
	return append(changes, change), nil
}

// decode reads the content of a regular file.
func decode(op operation) ([]byte, error) {
	if op.Content == nil {
		return nil, errors.New("`content` is missing")
	}
	switch op.Encoding {
	case "base64":
		return base64.StdEncoding.DecodeString(*op.Content)
	case "", "utf-8":
		return []byte(*op.Content), nil
	}
	return nil, errors.New("`encoding` must be base64 or utf-8")
}

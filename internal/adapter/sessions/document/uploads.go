package document

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Uploads is what became of a session's uploads.
type Uploads struct {
	// Shared is that of its counters to a shared data set, Personal that of the
	// session to the user's own one; nil where none was asked for.
	Shared, Personal *Upload
}

// Upload is one of them.
type Upload struct {
	Status string // pending, success or failed
	URL    string // of the data set; empty before a success
}

// Names of the members that tell of uploads.
const (
	sharedKey   = "upload_"
	personalKey = "personal_upload_"
)

// members writes u into an object. Without an upload to a shared data set the
// original says that it is pending; the user's own is not mentioned before there
// is one.
func (u Uploads) members(out *writer) {
	shared := u.Shared
	if shared == nil {
		shared = &Upload{Status: "pending"}
	}
	shared.members(out, sharedKey)
	if u.Personal != nil {
		u.Personal.members(out, personalKey)
	}
}

func (u *Upload) members(out *writer, prefix string) {
	out.member(prefix+"status", u.Status)
	out.member(prefix+"url", orNull(u.URL))
}

// tailMost bounds the end of a file in which the members stand, in bytes.
const tailMost = 16 << 10

// SetUploads changes what a session file that [Document.Save] has written tells
// of uploads, and nothing else in it. Another process must not write the file at
// the same time. A file of another make stays as it is.
func SetUploads(path string, u Uploads) error {
	in, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("note the upload of a session: %w", err)
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return fmt.Errorf("note the upload of a session: %w", err)
	}
	from := max(0, info.Size()-tailMost)
	tail := make([]byte, info.Size()-from)
	if _, err := in.ReadAt(tail, from); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("note the upload of a session: %w", err)
	}
	// Only a member of the outermost object begins a line so.
	at := bytes.LastIndex(tail, []byte(",\n  \""+sharedKey+"status\": "))
	if at < 0 || !bytes.HasSuffix(tail, []byte("\n}\n")) {
		return nil
	}
	changed, err := withUploads(tail[at:], u)
	if err != nil || bytes.Equal(changed, tail[at:]) {
		return err
	}
	return save(path, func(out io.Writer) error {
		if _, err := in.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if _, err := io.CopyN(out, in, from+int64(at)); err != nil {
			return err
		}
		_, err := out.Write(changed)
		return err
	})
}

// withUploads is the end of a file, from a comma on, with other members.
func withUploads(tail []byte, u Uploads) ([]byte, error) {
	var out bytes.Buffer
	w := &writer{w: bufio.NewWriter(&out), begun: true}
	u.members(w)
	if err := errors.Join(w.err, w.w.Flush()); err != nil {
		return nil, err
	}
	for line := range strings.SplitSeq(strings.TrimPrefix(string(tail), ",\n"), "\n") {
		name := strings.TrimPrefix(line, `  "`)
		if strings.HasPrefix(name, sharedKey) || strings.HasPrefix(name, personalKey) {
			continue
		}
		if strings.HasPrefix(line, `  "`) {
			out.WriteString(",")
			out.WriteString("\n" + strings.TrimSuffix(line, ","))
			continue
		}
		if line != "" {
			out.WriteString("\n" + line)
		}
	}
	out.WriteString("\n")
	return out.Bytes(), nil
}

package chat

import (
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net/http"

	"github.com/ml-intern/ml-intern/internal/adapter/messaging"
	"github.com/ml-intern/ml-intern/internal/adapter/messaging/text"
	"github.com/ml-intern/ml-intern/internal/adapter/messaging/wire"
)

// Ntfy is a topic of an ntfy server: the text is the body, everything else stands
// in headers, so that any server that takes a POST of a text can stand in.
type Ntfy struct{ o NtfyOptions }

// NtfyOptions say where messages go.
type NtfyOptions struct {
	// URL is the address of the topic.
	URL string
	// Token is an access token; it may be empty.
	Token string
	HTTP  *http.Client
}

var _ messaging.Gateway = (*Ntfy)(nil)

// ntfyLimit is how long a text may be before a server makes a file of it, in
// bytes.
const ntfyLimit = 4_096

// NewNtfy checks the options.
func NewNtfy(o NtfyOptions) (*Ntfy, error) {
	if o.HTTP == nil {
		return nil, errClient
	}
	if o.Token != "" && !wire.Private(o.URL) {
		return nil, errors.New("the token of an ntfy destination is not sent over plain http: give it an https address")
	}
	return &Ntfy{o}, nil
}

// Probe asks whether the server answers.
func (n *Ntfy) Probe(ctx context.Context) (string, error) {
	return "answers", wire.Reach(ctx, n.o.HTTP, "ntfy", n.o.URL)
}

// Send posts a message.
func (n *Ntfy) Send(ctx context.Context, m messaging.Message) (string, error) {
	const service = "ntfy"
	title := text.Title(m)
	if title == "" {
		title = "ml-intern"
	}
	priority, tag := "default", "information_source"
	switch m.Severity {
	case messaging.Success:
		tag = "white_check_mark"
	case messaging.Warning:
		priority, tag = "high", "warning"
	case messaging.Error:
		priority, tag = "high", "rotating_light"
	}
	header := http.Header{
		"Content-Type": {"text/markdown; charset=utf-8"},
		"Title":        {mime.BEncoding.Encode("utf-8", title)}, "Priority": {priority}, "Tags": {tag}, "Markdown": {"yes"},
	}
	if n.o.Token != "" {
		header.Set("Authorization", "Bearer "+n.o.Token)
	}
	a, err := wire.Do(ctx, n.o.HTTP, wire.Request{
		Service: service, URL: n.o.URL, Header: header,
		Body: []byte(text.Lay(m, text.Style{Limit: ntfyLimit, Size: text.Bytes, Untitled: true})[0]),
	})
	if err != nil {
		return "", err
	}
	var answer struct {
		ID    string `json:"id"`
		Error string `json:"error"`
	}
	_ = json.Unmarshal(a.Body, &answer) // what is no JSON says no more than its status
	if a.OK() {
		return answer.ID, nil
	}
	return "", a.Refused(service, answer.Error)
}

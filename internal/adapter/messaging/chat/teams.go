package chat

import (
	"context"
	"net/http"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/messaging"
	"github.com/ml-intern/ml-intern/internal/adapter/messaging/text"
	"github.com/ml-intern/ml-intern/internal/adapter/messaging/wire"
)

// Teams is a webhook of a Microsoft Teams channel: one made with Workflows or an
// older connector. Both take a card.
type Teams struct{ o TeamsOptions }

// TeamsOptions say where messages go.
type TeamsOptions struct {
	// URL is the address of the webhook.
	URL  string
	HTTP *http.Client
}

var _ messaging.Gateway = (*Teams)(nil)

// teamsLimit keeps a card below the 28 KB that Teams takes: each byte of the
// text may need two in JSON.
const teamsLimit = 12_000

// NewTeams checks the options.
func NewTeams(o TeamsOptions) (*Teams, error) {
	if o.HTTP == nil {
		return nil, errClient
	}
	return &Teams{o}, nil
}

// Probe asks whether the host answers.
func (t *Teams) Probe(ctx context.Context) (string, error) {
	return "answers", wire.Reach(ctx, t.o.HTTP, "Teams", t.o.URL)
}

// block is a piece of a card.
type block struct {
	Type   string `json:"type"`
	Text   string `json:"text"`
	Wrap   bool   `json:"wrap"`
	Font   string `json:"fontType,omitempty"`
	Weight string `json:"weight,omitempty"`
	Color  string `json:"color,omitempty"`
}

// Send posts a message as a card.
func (t *Teams) Send(ctx context.Context, m messaging.Message) (string, error) {
	const service = "Teams"
	type card struct {
		Schema  string  `json:"$schema"`
		Type    string  `json:"type"`
		Version string  `json:"version"`
		Body    []block `json:"body"`
	}
	type attachment struct {
		ContentType string `json:"contentType"`
		Content     card   `json:"content"`
	}
	body := struct {
		Type        string       `json:"type"`
		Attachments []attachment `json:"attachments"`
	}{"message", []attachment{{"application/vnd.microsoft.card.adaptive", card{
		"http://adaptivecards.io/schemas/adaptive-card.json", "AdaptiveCard", "1.4", blocks(m),
	}}}}
	a, err := post(ctx, t.o.HTTP, service, t.o.URL, body)
	if err != nil {
		return "", err
	}
	if !a.OK() {
		return "", a.Refused(service, "")
	}
	// Older connectors tell the true status only in words.
	if words := string(a.Body); strings.Contains(words, "returned HTTP error 429") {
		return "", messaging.Passing("%s HTTP 429", service)
	} else if strings.Contains(words, "delivery failed") {
		return "", messaging.Permanent("%s did not deliver the message", service)
	}
	return "", nil
}

// blocks are the pieces of a message: its first line, and text and code in turn.
func blocks(m messaging.Message) []block {
	color := map[messaging.Severity]string{messaging.Success: "Good", messaging.Warning: "Warning", messaging.Error: "Attention"}
	out := []block{{Type: "TextBlock", Wrap: true, Text: text.Head(m), Weight: "Bolder", Color: color[m.Severity]}}
	content := text.Lay(m, text.Style{Limit: teamsLimit, Size: text.Bytes, Untitled: true})[0]
	var lines []string
	code := false
	flush := func() {
		if joined := strings.Trim(strings.Join(lines, "\n"), "\n"); joined != "" {
			b := block{Type: "TextBlock", Wrap: true, Text: strings.ReplaceAll(joined, "\n", "\n\n")} // a single line end is a blank there
			if code {
				b.Font = "Monospace"
			}
			out = append(out, b)
		}
		lines = nil
	}
	for line := range strings.SplitSeq(content, "\n") {
		if strings.HasPrefix(strings.TrimLeft(line, " "), "```") {
			flush()
			code = !code
			continue
		}
		lines = append(lines, line)
	}
	flush()
	return out
}

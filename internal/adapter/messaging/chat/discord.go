package chat

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/ml-intern/ml-intern/internal/adapter/messaging"
	"github.com/ml-intern/ml-intern/internal/adapter/messaging/text"
	"github.com/ml-intern/ml-intern/internal/adapter/messaging/wire"
)

// Discord is a webhook of a Discord channel.
type Discord struct{ o DiscordOptions }

// DiscordOptions say where messages go.
type DiscordOptions struct {
	// URL is the address of the webhook.
	URL string
	// Mentions lets the text call people.
	Mentions bool
	Username string
	HTTP     *http.Client
}

var _ messaging.Gateway = (*Discord)(nil)

// discordLimit is how long a post may be, in characters. Discord counts units of
// UTF-16 in some places, so these are counted.
const discordLimit = 2_000

// NewDiscord checks the options.
func NewDiscord(o DiscordOptions) (*Discord, error) {
	if o.HTTP == nil {
		return nil, errClient
	}
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, errors.New("the address of the Discord webhook cannot be read")
	}
	q := u.Query()
	q.Set("wait", "true") // a refused message is told only then
	u.RawQuery = q.Encode()
	o.URL = u.String()
	return &Discord{o}, nil
}

// Probe asks Discord whether the webhook is there.
func (d *Discord) Probe(ctx context.Context) (string, error) {
	return "the webhook is there", get(ctx, d.o.HTTP, "Discord", d.o.URL)
}

// Send posts a message.
func (d *Discord) Send(ctx context.Context, m messaging.Message) (string, error) {
	const service = "Discord"
	type mentions struct {
		Parse []string `json:"parse"`
	}
	body := struct {
		Content  string   `json:"content"`
		Username string   `json:"username,omitempty"`
		Mentions mentions `json:"allowed_mentions"`
		Flags    int      `json:"flags"`
	}{
		Content:  text.Lay(m, text.Style{Limit: discordLimit, Size: text.Units})[0],
		Username: d.o.Username, Mentions: mentions{[]string{}}, Flags: 1 << 2, // no previews of links
	}
	if d.o.Mentions {
		body.Mentions.Parse = []string{"users", "roles", "everyone"}
	}
	a, err := post(ctx, d.o.HTTP, service, d.o.URL, body)
	if err != nil {
		return "", err
	}
	var answer struct {
		ID         string  `json:"id"`
		Message    string  `json:"message"`
		RetryAfter float64 `json:"retry_after"`
	}
	_ = json.Unmarshal(a.Body, &answer) // what is no JSON says no more than its status
	if a.OK() {
		return answer.ID, nil
	}
	f := a.Refused(service, answer.Message)
	f.Wait = max(f.Wait, wire.Seconds(answer.RetryAfter))
	return "", f
}

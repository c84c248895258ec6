package chat

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/ml-intern/ml-intern/internal/adapter/messaging"
	"github.com/ml-intern/ml-intern/internal/adapter/messaging/text"
	"github.com/ml-intern/ml-intern/internal/adapter/messaging/wire"
)

// Telegram is a bot that writes to one chat.
type Telegram struct{ o TelegramOptions }

// TelegramOptions say where messages go.
type TelegramOptions struct {
	// API is the base address of the bots' methods.
	API           string
	Token, ChatID string
	HTTP          *http.Client
}

var _ messaging.Gateway = (*Telegram)(nil)

// telegramLimit is how long a post may be without its tags, in units of UTF-16.
const telegramLimit = 4_096

// NewTelegram checks the options.
func NewTelegram(o TelegramOptions) (*Telegram, error) {
	switch {
	case o.HTTP == nil:
		return nil, errClient
	case o.Token == "" || o.ChatID == "":
		return nil, errors.New("a Telegram destination needs a token and a chat_id")
	case !wire.Private(o.API):
		return nil, errors.New("the Telegram token is not sent over plain http: give ML_INTERN_TELEGRAM_API_URL an https address")
	}
	return &Telegram{o}, nil
}

// Probe asks Telegram whose token it is.
func (t *Telegram) Probe(ctx context.Context) (string, error) {
	return "the token is known", get(ctx, t.o.HTTP, "Telegram", t.o.API+"/bot"+t.o.Token+"/getMe")
}

// Send posts a message. Its id is that of the message in the chat.
func (t *Telegram) Send(ctx context.Context, m messaging.Message) (string, error) {
	const service = "Telegram"
	type reply struct {
		MessageID int64 `json:"message_id"`
		Always    bool  `json:"allow_sending_without_reply"`
	}
	type preview struct {
		Disabled bool `json:"is_disabled"`
	}
	body := struct {
		ChatID    string  `json:"chat_id"`
		Text      string  `json:"text"`
		ParseMode string  `json:"parse_mode"`
		Preview   preview `json:"link_preview_options"`
		Reply     *reply  `json:"reply_parameters,omitempty"`
	}{
		ChatID: t.o.ChatID, ParseMode: "HTML", Preview: preview{true},
		// Cut before it is converted, for tags must stay whole and do not count.
		Text: text.HTML(text.Lay(m, text.Style{Limit: telegramLimit, Size: text.Units})[0]),
	}
	if id, err := strconv.ParseInt(m.Thread, 10, 64); err == nil {
		body.Reply = &reply{id, true}
	}
	a, err := post(ctx, t.o.HTTP, service, t.o.API+"/bot"+t.o.Token+"/sendMessage", body)
	if err != nil {
		return "", err
	}
	var answer struct {
		Description string `json:"description"`
		Parameters  struct {
			RetryAfter float64 `json:"retry_after"`
		} `json:"parameters"`
		Result struct {
			MessageID int64 `json:"message_id"`
		} `json:"result"`
	}
	_ = json.Unmarshal(a.Body, &answer) // what is no JSON says no more than its status
	if a.OK() {
		return strconv.FormatInt(answer.Result.MessageID, 10), nil
	}
	f := a.Refused(service, answer.Description)
	f.Wait = max(f.Wait, wire.Seconds(answer.Parameters.RetryAfter))
	return "", f
}

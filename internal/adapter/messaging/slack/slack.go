// Package slack carries messages to Slack: to a channel as a bot, or through the
// address of an incoming webhook.
package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/messaging"
	"github.com/ml-intern/ml-intern/internal/adapter/messaging/text"
	"github.com/ml-intern/ml-intern/internal/adapter/messaging/wire"
)

// limit is how long a post is at most, in characters: Slack may split longer
// ones in the middle of a block of code.
const limit = 3_500

const service = "Slack"

// Options say where messages go. Either Token and Channel are given, or Webhook.
type Options struct {
	// API is the base address of Slack's methods.
	API            string
	Token, Channel string
	// Webhook is the address of an incoming webhook.
	Webhook string
	// Mentions lets the text call people.
	Mentions bool
	// Whole posts what does not fit as replies to the first post.
	Whole bool
	// Username and IconEmoji replace the bot's own.
	Username, IconEmoji string
	HTTP                *http.Client
}

// Slack is the gateway.
type Slack struct{ o Options }

var _ messaging.Gateway = (*Slack)(nil)

// New checks the options.
func New(o Options) (*Slack, error) {
	switch {
	case o.HTTP == nil:
		return nil, errors.New("a Slack destination needs an HTTP client")
	case o.Webhook != "":
		o.Whole = false // a webhook does not tell the id that replies would need
	case o.Token == "" || o.Channel == "":
		return nil, errors.New("a Slack destination needs a token and a channel")
	case !wire.Private(o.API):
		return nil, errors.New("the Slack token is not sent over plain http: give ML_INTERN_SLACK_API_URL an https address")
	}
	return &Slack{o}, nil
}

// post is the body of a request.
type post struct {
	Channel     string `json:"channel,omitempty"`
	Text        string `json:"text"`
	Mrkdwn      bool   `json:"mrkdwn"`
	UnfurlLinks bool   `json:"unfurl_links"`
	UnfurlMedia bool   `json:"unfurl_media"`
	Username    string `json:"username,omitempty"`
	IconEmoji   string `json:"icon_emoji,omitempty"`
	ThreadTS    string `json:"thread_ts,omitempty"`
}

// Send posts a message. Its id is that of its first post.
func (s *Slack) Send(ctx context.Context, m messaging.Message) (string, error) {
	posts := text.Lay(m, text.Style{
		Convert: func(markdown string) string { return text.Mrkdwn(markdown, s.o.Mentions) },
		Limit:   limit, Size: text.Characters, Whole: s.o.Whole,
	})
	id, thread := "", m.Thread
	for i := m.Posts; i < len(posts); i++ {
		ts, err := s.one(ctx, posts[i], thread)
		if err != nil {
			f := messaging.FaultOf(err)
			f.ID, f.Posts = id, i
			return "", f
		}
		if id == "" {
			id = ts
		}
		if thread == "" {
			thread = ts
		}
	}
	return id, nil
}

// Probe asks Slack whose token it is. Of a webhook only the host is asked.
func (s *Slack) Probe(ctx context.Context) (string, error) {
	if s.o.Webhook != "" {
		return "answers", wire.Reach(ctx, s.o.HTTP, service, s.o.Webhook)
	}
	a, err := wire.Do(ctx, s.o.HTTP, wire.Request{
		Service: service, URL: s.o.API + "/auth.test", Header: http.Header{"Authorization": {"Bearer " + s.o.Token}},
	})
	switch {
	case err != nil:
		return "", err
	case !a.OK():
		return "", a.Refused(service, "")
	}
	if _, err := read(a); err != nil {
		return "", err
	}
	var who struct{ User, Team string }
	_ = json.Unmarshal(a.Body, &who) // it was read before
	return fmt.Sprintf("answers as %s in %s", wire.Word(who.User), wire.Word(who.Team)), nil
}

// one makes one post.
func (s *Slack) one(ctx context.Context, content, thread string) (ts string, err error) {
	body, err := json.Marshal(post{
		Channel: s.o.Channel, Text: content, Mrkdwn: true, Username: s.o.Username, IconEmoji: s.o.IconEmoji, ThreadTS: thread,
	})
	if err != nil {
		return "", messaging.Permanent("the message cannot be written: %v", err)
	}
	r := wire.Request{Service: service, URL: s.o.Webhook, Body: body, Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}}
	if s.o.Webhook == "" {
		r.URL = s.o.API + "/chat.postMessage"
		r.Header.Set("Authorization", "Bearer "+s.o.Token)
	}
	a, err := wire.Do(ctx, s.o.HTTP, r)
	switch {
	case err != nil:
		return "", err
	case s.o.Webhook == "" && !a.OK():
		return "", a.Refused(service, "")
	case !a.OK():
		return "", a.Refused(service, code(string(a.Body)))
	case s.o.Webhook != "":
		return "", nil
	}
	return read(a)
}

// read reads what Slack's methods answer: a failure has status 200 too.
func read(a wire.Answer) (ts string, err error) {
	var answer struct {
		OK    bool   `json:"ok"`
		Error string `json:"error"`
		TS    string `json:"ts"`
	}
	if err := json.Unmarshal(a.Body, &answer); err != nil {
		return "", messaging.Passing("Slack answered with something that is not JSON")
	}
	if answer.OK {
		return answer.TS, nil
	}
	f := messaging.Permanent("unknown error")
	if known := code(answer.Error); known != "" {
		f.Reason = known
	}
	switch answer.Error {
	case "ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout":
		f.Retryable, f.Wait = true, a.Wait()
	}
	return "", f
}

// code is an error code of Slack's, empty for any other text.
func code(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 64 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return ""
	}
	return s
}

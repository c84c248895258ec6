// Package messenger makes from the settings what sends messages: the gateway of
// each destination, the agent's tool, and the sink that follows sessions. It
// knows which settings a gateway needs and nothing of how one works.
package messenger

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/messaging"
	"github.com/ml-intern/ml-intern/internal/adapter/messaging/chat"
	messagelocal "github.com/ml-intern/ml-intern/internal/adapter/messaging/local"
	"github.com/ml-intern/ml-intern/internal/adapter/messaging/slack"
	"github.com/ml-intern/ml-intern/internal/adapter/messaging/webhook"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/config/schema"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
	"github.com/ml-intern/ml-intern/internal/sink/notify"
	"github.com/ml-intern/ml-intern/internal/sink/notify/outbox"
	notifytool "github.com/ml-intern/ml-intern/internal/tools/notify"
)

// Options make a Messenger.
type Options struct {
	Loaded *config.Loaded
	HTTP   *http.Client
	// Kept says that sessions are on disk, and so what could not be delivered.
	Kept bool
	// Simulated says that nothing leaves this machine, messages included.
	Simulated bool
	Scrub     func(text string) string
	// Warn tells a person a line; nil is nobody.
	Warn func(line string)
}

// Messenger sends messages to the destinations of the settings.
type Messenger struct {
	o       Options
	threads *outbox.Threads
	all     []Receiver
}

// Receiver is a destination as it is configured.
type Receiver struct {
	Name     string
	Settings schema.Destination
	// Gateway is nil where Err says why there is none.
	Gateway messaging.Gateway
	Err     error
}

// New makes the gateways.
func New(o Options) *Messenger {
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	m := &Messenger{o: o}
	m.threads = outbox.NewThreads(m.dir())
	if !o.Loaded.Config.Messaging.Enabled || o.Simulated {
		return m
	}
	m.all = Receivers(o.Loaded, o.HTTP)
	return m
}

// Receivers are all destinations of the settings, by name, whether messaging is
// enabled or not.
func Receivers(l *config.Loaded, client *http.Client) []Receiver {
	var all []Receiver
	for _, name := range slices.Sorted(maps.Keys(l.Config.Messaging.Destinations)) {
		r := Receiver{Name: name, Settings: l.Config.Messaging.Destinations[name]}
		r.Gateway, r.Err = gateway(l, client, r.Settings)
		all = append(all, r)
	}
	return all
}

// made makes a gateway of what a constructor returns: nil where it failed.
func made[G messaging.Gateway](g G, err error) (messaging.Gateway, error) {
	if err != nil {
		return nil, err
	}
	return g, nil
}

func gateway(l *config.Loaded, client *http.Client, d schema.Destination) (messaging.Gateway, error) {
	url, token := string(d.URL), string(d.Token)
	switch d.Provider {
	case "slack":
		return made(slack.New(slack.Options{
			API: l.URL("ML_INTERN_SLACK_API_URL").Value, Token: token, Channel: d.Channel, Mentions: d.AllowMentions,
			Whole: d.FullReply, Username: d.Username, IconEmoji: d.IconEmoji, HTTP: client,
		}))
	case "slack_webhook":
		return made(slack.New(slack.Options{Webhook: url, Mentions: d.AllowMentions, Username: d.Username, IconEmoji: d.IconEmoji, HTTP: client}))
	case "discord":
		return made(chat.NewDiscord(chat.DiscordOptions{URL: url, Mentions: d.AllowMentions, Username: d.Username, HTTP: client}))
	case "teams":
		return made(chat.NewTeams(chat.TeamsOptions{URL: url, HTTP: client}))
	case "telegram":
		return made(chat.NewTelegram(chat.TelegramOptions{API: l.URL("ML_INTERN_TELEGRAM_API_URL").Value, Token: token, ChatID: d.ChatID, HTTP: client}))
	case "ntfy":
		return made(chat.NewNtfy(chat.NtfyOptions{URL: url, Token: token, HTTP: client}))
	case "webhook":
		return made(webhook.New(webhook.Options{URL: url, Secret: string(d.Secret), HTTP: client}))
	case "desktop":
		return made(messagelocal.NewDesktop(host(l)))
	case "command":
		return made(messagelocal.NewCommand(host(l), d.Argv))
	}
	return nil, fmt.Errorf("the provider %q is not known", d.Provider)
}

// host is where a destination's program runs: without credentials.
func host(l *config.Loaded) messagelocal.Host {
	return messagelocal.Host{GOOS: runtime.GOOS, Dir: l.Dir, Env: proc.Environ(l.Environ(), proc.EnvRule{})}
}

// dir is the outbox on disk, empty where nothing is kept.
func (m *Messenger) dir() string {
	if !m.o.Kept {
		return ""
	}
	return filepath.Join(m.o.Loaded.Places.State, "outbox")
}

// destination is a receiver as the outbox knows it. Its key stands for where
// messages end up: an entry of the same name elsewhere is another destination,
// and one with a new token the same.
func (r Receiver) destination() notify.Destination {
	d := r.Settings
	place := cmp.Or(d.Channel, d.ChatID, string(d.URL), strings.Join(d.Argv, "\x00"))
	sum := sha256.Sum256([]byte(d.Provider + "\x00" + place))
	return notify.Destination{
		Destination: outbox.Destination{Name: r.Name, Key: hex.EncodeToString(sum[:8])}, Gateway: r.Gateway, Thread: d.Thread,
	}
}

// usable are the receivers that messages of a sort may go to.
func (m *Messenger) usable(allowed func(d schema.Destination) bool) map[string]notify.Destination {
	out := map[string]notify.Destination{}
	for _, r := range m.all {
		if r.Err == nil && allowed(r.Settings) {
			out[r.Name] = r.destination()
		}
	}
	return out
}

// Tool is the agent's tool.
func (m *Messenger) Tool() (*notifytool.Tool, error) {
	to := m.usable(func(d schema.Destination) bool { return d.AllowAgentTool })
	return notifytool.New(notifytool.Options{
		Configured: len(m.all) > 0, Destinations: slices.Collect(maps.Keys(to)), Scrub: m.o.Scrub,
		Send: func(ctx context.Context, name string, msg messaging.Message) error {
			d := to[name]
			if d.Thread {
				msg.Thread = m.threads.Of(msg.Session, d.Destination)
			}
			id, err := messaging.Deliver(ctx, d.Gateway, msg)
			if err == nil && d.Thread {
				_ = m.threads.Begin(msg.Session, d.Destination, id) // the message is there; the next begins a thread
			}
			return err
		},
	})
}

// Following is what the sink needs beside the settings.
type Following struct {
	Cursor   notify.Cursor // nil where sessions are kept in memory
	Headless bool
	Log      *slog.Logger
}

// Post is the sink that tells of sessions by itself; nil where nobody wants to
// be told. It tells which destinations cannot be used.
func (m *Messenger) Post(f Following) (*notify.Post, error) {
	for _, r := range m.all {
		if r.Err != nil {
			m.o.Warn(fmt.Sprintf("notifications to %s are off: %v", r.Name, r.Err))
		}
	}
	c := m.o.Loaded.Config
	to := m.usable(func(d schema.Destination) bool { return d.AllowAutoEvents })
	if len(to) == 0 || len(c.Messaging.AutoEventTypes) == 0 {
		return nil, nil
	}
	o := notify.Options{
		Dir: m.dir(), Threads: m.threads, Cursor: f.Cursor, Types: c.Messaging.AutoEventTypes,
		Long: time.Duration(c.Messaging.LongTurnMinutes) * time.Minute, Quiet: time.Duration(c.NotifyMinSeconds) * time.Second,
		Project: filepath.Base(m.o.Loaded.Dir), Hub: m.o.Loaded.URL("HF_ENDPOINT").Value, Headless: f.Headless,
		Scrub: m.o.Scrub, Warn: m.o.Warn, Log: f.Log,
	}
	for _, name := range slices.Sorted(maps.Keys(to)) {
		o.Destinations = append(o.Destinations, to[name])
	}
	return notify.New(o)
}

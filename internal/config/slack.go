package config

import (
	"strings"

	"github.com/ml-intern/ml-intern/internal/config/layer"
)

// slack adds the destination that SLACK_BOT_TOKEN and a channel describe. A file
// that turns messaging off explicitly wins over it.
func (r *reader) slack() {
	token := strings.TrimSpace(r.env.Value("SLACK_BOT_TOKEN"))
	channel, channelFrom := strings.TrimSpace(r.env.Value("SLACK_CHANNEL_ID")), "SLACK_CHANNEL_ID"
	if channel == "" {
		channel, channelFrom = strings.TrimSpace(r.env.Value("SLACK_CHANNEL")), "SLACK_CHANNEL"
	}
	if token == "" || channel == "" || !r.env.Flag("ML_INTERN_SLACK_NOTIFICATIONS", true) || r.messagingOff() {
		return
	}
	name := strings.TrimSpace(r.env.Value("ML_INTERN_SLACK_DESTINATION"))
	if name == "" {
		name = "slack.default"
	}
	destinations, _ := r.Tree.Find("messaging.destinations")
	if object, ok := destinations.(map[string]any); !ok || object[name] == nil {
		r.Tree.Merge(map[string]any{"messaging": map[string]any{"destinations": map[string]any{name: map[string]any{
			"provider":          "slack",
			"token":             layer.Literal(token),
			"channel":           layer.Literal(channel),
			"allow_agent_tool":  r.env.Flag("ML_INTERN_SLACK_ALLOW_AGENT_TOOL", true),
			"allow_auto_events": r.env.Flag("ML_INTERN_SLACK_ALLOW_AUTO_EVENTS", true),
		}}}}, layer.Source{Layer: "environment", Name: "SLACK_BOT_TOKEN, " + channelFrom})
	}
	const events = "ML_INTERN_SLACK_AUTO_EVENTS"
	if text, ok := r.env.Lookup(events); ok {
		list := []any{}
		for event := range strings.SplitSeq(text, ",") {
			if event = strings.TrimSpace(event); event != "" {
				list = append(list, layer.Literal(event))
			}
		}
		r.Tree.Set("messaging.auto_event_types", list, layer.Source{Layer: "environment", Name: events})
	}
	r.Tree.Set("messaging.enabled", true, layer.Source{Layer: "environment", Name: "SLACK_BOT_TOKEN"})
}

// messagingOff says that a file holds messaging.enabled false.
func (r *reader) messagingOff() bool {
	enabled, _ := r.Tree.Find("messaging.enabled")
	return enabled == false && r.Tree.Source("/messaging/enabled").Layer != "default"
}

package conversation

import (
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Bounds of what a person shows in one message.
const (
	maxImages = 20
	maxBytes  = 20 << 20 // of base64, together
)

// Check says what is wrong with a person's pictures.
func Check(images []event.Image) error {
	if len(images) > maxImages {
		return fmt.Errorf("%d images are too many: a message takes %d", len(images), maxImages)
	}
	size := 0
	for i, image := range images {
		switch image.MediaType {
		case "image/png", "image/jpeg", "image/gif", "image/webp":
		default:
			return fmt.Errorf("image %d is of type %q: only PNG, JPEG, GIF and WebP are taken", i+1, image.MediaType)
		}
		if size += len(image.Data); size > maxBytes {
			return fmt.Errorf("the images are too large: a message takes %d MiB of them", maxBytes>>20)
		}
		if _, err := base64.StdEncoding.DecodeString(image.Data); err != nil || image.Data == "" {
			return fmt.Errorf("image %d is not base64", i+1)
		}
	}
	return nil
}

// part is an element of a message's content: a text or a picture.
type part struct {
	Type     string    `json:"type"`
	Text     string    `json:"text,omitempty"`
	ImageURL *imageURL `json:"image_url,omitempty"`
}

type imageURL struct {
	URL string `json:"url"`
}

// Person is the message of a person's text and pictures.
func Person(in event.UserInput) llm.Message {
	m := llm.Message{Role: llm.User, Text: in.Text}
	if len(in.Images) == 0 {
		return m
	}
	var parts []part
	if in.Text != "" {
		parts = append(parts, part{Type: "text", Text: in.Text})
	}
	for _, image := range in.Images {
		parts = append(parts, part{Type: "image_url", ImageURL: &imageURL{"data:" + image.MediaType + ";base64," + image.Data}})
	}
	m.Text = ""
	for _, p := range parts {
		raw, _ := event.Encode(p) // texts always encode
		m.Parts = append(m.Parts, raw)
	}
	return m
}

func people(messages []llm.Message) int {
	n := 0
	for _, m := range messages {
		if history.FromPerson(m) {
			n++
		}
	}
	return n
}

// keep returns n entries: the first and the newest, or what there is and empty
// ones.
func keep(said []event.Said, n int) []event.Said {
	switch {
	case n == 0:
		return nil
	case n > len(said):
		return append(slices.Clone(said), make([]event.Said, n-len(said))...)
	}
	return append(said[:1:1], said[len(said)-n+1:]...)
}

// Said is what is known of the people's messages, in order.
func (t *Conversation) Said() []event.Said { return slices.Clone(t.said) }

// Rewritten tells the whole conversation.
func (t *Conversation) Rewritten(reason string, plan []event.PlanItem) event.HistoryRewritten {
	ev := event.HistoryRewritten{Reason: reason, Messages: t.messages, Plan: plan}
	if slices.ContainsFunc(t.said, func(s event.Said) bool { return s != event.Said{} }) {
		ev.Said = t.Said()
	}
	return ev
}

// People is how many of the first n messages are people's.
func (t *Conversation) People(n int) int { return people(t.messages[:n]) }

// Cut keeps the first n messages and returns the others.
func (t *Conversation) Cut(n int) (messages []llm.Message, said []event.Said) {
	left := t.People(n)
	messages, said = t.messages[n:], t.said[left:]
	t.said = t.said[:left:left]
	t.reset(t.messages[:n])
	return messages, said
}

// Restore appends messages that Cut has taken away.
func (t *Conversation) Restore(messages []llm.Message, said []event.Said) {
	t.said = slices.Concat(t.said, said)
	t.reset(slices.Concat(t.messages, messages))
}

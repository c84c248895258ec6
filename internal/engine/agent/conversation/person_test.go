package conversation_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/agent/conversation"
	"github.com/ml-intern/ml-intern/internal/engine/window/compact"
)

// Whatever is condensed or cut, what is known of a person's message stays with
// it.
func TestWhatIsKnownStaysWithItsMessage(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		talk := conversation.New(nil, nil, nil, 0)
		kinds := rapid.SliceOfN(rapid.SampledFrom([]string{"system", "person", "person", "synthetic", "answer", "call"}), 1, 40).Draw(rt, "kinds")
		for i, kind := range kinds {
			long := strings.Repeat("word ", rapid.IntRange(0, 400).Draw(rt, "words"))
			switch kind {
			case "system":
				if i == 0 {
					talk.Add(llm.Message{Role: llm.System, Text: "rules"})
				}
			case "person":
				name := fmt.Sprintf("<%d>", i)
				talk.Hear(conversation.Person(event.UserInput{Text: name + " " + long}), event.Said{Shown: name})
			case "synthetic":
				talk.Hear(llm.Message{Role: llm.User, Text: long, Synthetic: true}, event.Said{Shown: "nobody"})
			case "answer":
				talk.Answer(llm.Message{Text: "a " + long}, nil)
			case "call":
				m, _ := talk.Answer(llm.Message{ToolCalls: []llm.ToolCall{{Name: "read", Arguments: "{}"}}}, nil)
				talk.Result(m.ToolCalls[0], long)
			}
		}
		for range rapid.IntRange(1, 3).Draw(rt, "steps") {
			size := rapid.IntRange(500, 5000).Draw(rt, "window")
			c, err := compact.New(compact.Options{Window: size, Summarise: func(context.Context, []llm.Message, int) (string, error) { return "a summary", nil }})
			if err != nil {
				rt.Fatal(err)
			}
			switch rapid.SampledFrom([]string{"run", "force", "without", "cut"}).Draw(rt, "how") {
			case "run":
				res, _ := c.Run(t.Context(), talk.Messages(), false)
				talk.Replace(res.Messages)
			case "force":
				res, _ := c.Run(t.Context(), talk.Messages(), true)
				talk.Replace(res.Messages)
			case "without":
				talk.Replace(c.RunWithoutModel(talk.Messages(), size).Messages)
			case "cut":
				at := rapid.IntRange(0, talk.Len()).Draw(rt, "at")
				messages, said := talk.Cut(at)
				known(rt, talk)
				talk.Restore(messages, said)
			}
			talk.Mend()
			known(rt, talk)
		}
	})
}

func known(rt *rapid.T, talk *conversation.Conversation) {
	said := talk.Said()
	n := 0
	for _, m := range talk.Messages() {
		if !history.FromPerson(m) {
			continue
		}
		if text := m.PlainText(); n < len(said) && strings.Contains(text, "<") && !strings.Contains(text, said[n].Shown) {
			rt.Fatalf("%.80q is known as %q", text, said[n].Shown)
		}
		n++
	}
	if n != len(said) || talk.People(talk.Len()) != n {
		rt.Fatalf("%d messages of people, %d known", n, len(said))
	}
}

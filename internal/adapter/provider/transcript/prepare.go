package transcript

import (
	"slices"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// NoOutput stands for an empty tool result, which some providers refuse.
const NoOutput = "(no output)"

// goOn is what a person would say where a request would otherwise end with the
// model's own words, which many providers refuse or take for a prefill.
const goOn = "Continue."

// Options say what the target of the copy allows.
type Options struct {
	// AllowID tells which characters a tool call id may have; nil allows all.
	AllowID func(rune) bool
	// MaxID is the longest tool call id in bytes; 0 means no limit.
	MaxID int
	// KeepLast leaves an assistant message at the end of the copy, for a
	// provider that asked to get its paused turn back.
	KeepLast bool
	// Shrink drops images and shortens tool output, except in the newest
	// round: the request was too large.
	Shrink bool
	// NoImages replaces every image by a placeholder.
	NoImages bool
}

// Prepare returns the messages as they may go over the wire. The copy shares
// text and raw JSON with the original and nothing that is written to.
//
//   - Assistant messages with neither text nor calls are dropped.
//   - Every call has an id, and every result the id of its call. An id that
//     occurs again in a later message is made different where ids are limited
//     at all: such providers want them unique.
//   - Empty tool output becomes [NoOutput].
//   - The copy does not end with an assistant message, see Options.KeepLast.
//
// What Prepare makes of a message depends only on that message and those
// before it (Shrink and the end of the list aside), so that a longer
// conversation begins with the same bytes.
func Prepare(msgs []llm.Message, opts Options) []llm.Message {
	out := make([]llm.Message, 0, len(msgs)+1)
	ids := newIDMapper(msgs, opts)
	for _, m := range msgs {
		switch m.Role {
		case llm.Assistant:
			if len(m.ToolCalls) == 0 && m.PlainText() == "" {
				continue
			}
			m.ToolCalls = ids.calls(m.ToolCalls)
		case llm.ToolRole:
			m.ToolCallID = ids.result(m.ToolCallID)
			if m.Text == "" && len(m.Parts) == 0 {
				m.Text, m.Parts = NoOutput, nil
			}
		}
		out = append(out, m)
	}
	if opts.NoImages {
		dropImages(out)
	}
	if opts.Shrink {
		shrink(out)
	}
	if n := len(out); n > 0 && out[n-1].Role == llm.Assistant && !opts.KeepLast {
		out = append(out, llm.Message{Role: llm.User, Text: goOn, Synthetic: true})
	}
	return slices.Clip(out)
}

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
	f := fold{msgs: make([]llm.Message, 0, len(msgs)+1)}
	for _, m := range msgs {
		f.add(m, opts)
	}
	f.shrink(opts)
	return slices.Clip(f.closed(opts))
}

// fold is a conversation that is prepared message by message.
type fold struct {
	msgs   []llm.Message // prepared so far
	ids    *idMapper
	shrunk int // how many of msgs Options.Shrink has made small
}

// add prepares the next message.
func (f *fold) add(m llm.Message, opts Options) {
	if m.Role == llm.Assistant && len(m.ToolCalls) == 0 && m.PlainText() == "" {
		return
	}
	if f.ids == nil {
		f.ids = newIDMapper(opts)
	}
	f.ids.rename(&m)
	if m.Role == llm.ToolRole && m.Text == "" && len(m.Parts) == 0 {
		m.Text, m.Parts = NoOutput, nil
	}
	if opts.NoImages {
		replaceImages(&m, imageUnseen)
	}
	f.msgs = append(f.msgs, m)
}

// shrink makes small what has become old since the last time, if that is
// wanted, and returns the index of the first message that was changed, or the
// number of messages.
func (f *fold) shrink(opts Options) (changed int) {
	changed = len(f.msgs)
	if !opts.Shrink {
		return changed
	}
	newest := newestRound(f.msgs)
	for i := f.shrunk; i < newest; i++ {
		if shrink(&f.msgs[i]) {
			changed = min(changed, i)
		}
	}
	f.shrunk = max(f.shrunk, newest)
	return changed
}

// closed returns the messages as they end a request.
func (f *fold) closed(opts Options) []llm.Message {
	if n := len(f.msgs); n > 0 && f.msgs[n-1].Role == llm.Assistant && !opts.KeepLast {
		return append(f.msgs, llm.Message{Role: llm.User, Text: goOn, Synthetic: true})
	}
	return f.msgs
}

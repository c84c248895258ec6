package transcript

import (
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Shortened is the transcript with texts of at most so many characters, where
// they are not what a person or a model has said: results of tools, arguments of
// calls (then the text of them under "_raw"), pictures and reasoning. What is cut
// says so, and how much is missing. n counts what was cut.
func (t Transcript) Shortened(most int) (out Transcript, n int) {
	out = t
	out.Main, out.Agents = slices.Clone(t.Main), slices.Clone(t.Agents)
	shorten := func(entries []Entry) {
		for i := range entries {
			n += entries[i].shorten(most)
		}
	}
	shorten(out.Main)
	for i := range out.Agents {
		out.Agents[i].Entries = slices.Clone(out.Agents[i].Entries)
		shorten(out.Agents[i].Entries)
	}
	return out, n
}

// shorten changes a copy of an entry and returns how much it has cut.
func (e *Entry) shorten(most int) (n int) {
	if e.Role == llm.ToolRole {
		if text, cut := middle(e.Content(), most); cut {
			e.Text, e.Parts, n = text, nil, n+1
		}
		return n
	}
	for i, raw := range e.Parts {
		if len(raw) <= most || isText(raw) {
			continue
		}
		e.Parts = slices.Clone(e.Parts)
		e.Parts[i], n = quoted(fmt.Sprintf("[a part of %d bytes is left out of this trace]", len(raw))), n+1
	}
	for i, c := range e.ToolCalls {
		if text, cut := middle(c.Arguments, most); cut {
			e.ToolCalls = slices.Clone(e.ToolCalls)
			e.ToolCalls[i].Arguments, n = `{"_raw":`+string(quoted(text))+`}`, n+1
		}
	}
	if text, cut := middle(e.ReasoningContent, most); cut {
		e.ReasoningContent, n = text, n+1
	}
	for _, raw := range e.ThinkingBlocks {
		if len(raw) > most {
			text, _ := middle(e.Reasoning(), most)
			e.ThinkingBlocks, e.ReasoningContent = nil, text
			return n + 1
		}
	}
	return n
}

// middle takes the inside out of a text of more than so many characters.
func middle(text string, most int) (string, bool) {
	if len(text) <= most {
		return text, false
	}
	count := utf8.RuneCountInString(text)
	if count <= most {
		return text, false
	}
	runes := []rune(text)
	head := most * 2 / 3
	return fmt.Sprintf("%s\n[… %d characters are left out of this trace …]\n%s", string(runes[:head]), count-most, string(runes[count-most+head:])), true
}

func isText(raw json.RawMessage) bool {
	var block struct {
		Text *string `json:"text"`
	}
	return json.Unmarshal(raw, &block) == nil && block.Text != nil || raw[0] == '"'
}

func quoted(text string) json.RawMessage {
	raw, _ := json.Marshal(text) // a text always encodes
	return raw
}

package codex

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/foreign"
)

// item is one item of the Responses API, with the fields of all kinds.
type item struct {
	Type      string          `json:"type"`
	Role      string          `json:"role"`
	Content   json.RawMessage `json:"content"`
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments"`
	Input     string          `json:"input"`
	CallID    string          `json:"call_id"`
	ID        string          `json:"id"`
	Action    json.RawMessage `json:"action"`
	Output    json.RawMessage `json:"output"`
}

// piece is one piece of content.
type piece struct {
	Type     string          `json:"type"`
	Text     string          `json:"text"`
	ImageURL json.RawMessage `json:"image_url"`
}

// item takes in one item.
func (f *file) item(raw []byte, at string) {
	var in item
	if json.Unmarshal(raw, &in) != nil {
		f.bad++
		return
	}
	switch in.Type {
	case "message":
		f.message(in, at)
	case "function_call":
		f.talk.Call(in.CallID, in.Name, text(in.Arguments), at)
	case "custom_tool_call":
		f.talk.Call(in.CallID, in.Name, in.Input, at)
	case "local_shell_call":
		id := in.CallID
		if id == "" {
			id = in.ID
		}
		f.talk.Call(id, "local_shell", string(in.Action), at)
	case "function_call_output", "custom_tool_call_output", "local_shell_call_output":
		f.talk.Result(in.CallID, f.output(in.Output), at)
	case "reasoning":
		f.reasoning++
	case "ghost_snapshot", "":
	default:
		f.others++
	}
}

// text is a string, or any other JSON as it is.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// message takes in what somebody said. Developers and the system are the
// program itself.
func (f *file) message(in item, at string) {
	if in.Role != "user" && in.Role != "assistant" {
		return
	}
	said, images, ok := f.content(in.Content)
	switch {
	case !ok:
		f.bad++
	case in.Role == "assistant":
		f.talk.Answer(said, at)
	case context(said) && len(images) == 0:
	default:
		f.talk.Person(said, images, markup(said), at)
	}
}

// content is the text and the images of a message; ok is false for what is
// neither a text nor a list.
func (f *file) content(raw json.RawMessage) (said string, images []foreign.Image, ok bool) {
	if json.Unmarshal(raw, &said) == nil {
		return said, nil, true
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || list == nil {
		return "", nil, false
	}
	var texts []string
	for _, one := range list {
		var p piece
		if json.Unmarshal(one, &p) != nil {
			f.others++
			continue
		}
		switch p.Type {
		case "input_text", "output_text", "text":
			texts = append(texts, p.Text)
		case "input_image":
			images = append(images, foreign.Image{URL: text(p.ImageURL)})
		default:
			f.others++
		}
	}
	return strings.Join(texts, "\n"), images, true
}

// context reports whether a user's message is what the program itself told the
// model: where it works, its rules.
func context(said string) bool {
	said = strings.TrimSpace(said)
	for _, begin := range []string{
		"<environment_context>", "<user_instructions>", "<permissions instructions>", "# AGENTS.md instructions", "<turn_aborted>", "<INSTRUCTIONS>",
		"<collaboration_mode>", "<personality_spec>", "<skills_instructions>", "<apps_instructions>", "<plugins_instructions>",
	} {
		if strings.HasPrefix(said, begin) {
			return true
		}
	}
	return false
}

// markup reports whether a text is the program's word for what a person did,
// not what a person wrote.
func markup(said string) bool {
	said = strings.TrimSpace(said)
	for _, begin := range []string{"<user_shell_command>", "<skill>", "<subagent_notification>", "<user_action>"} {
		if strings.HasPrefix(said, begin) {
			return true
		}
	}
	return false
}

// output is the text of a result: a string, pieces, or an object around one of
// them. A string may itself be such an object, with an exit code.
func (f *file) output(raw json.RawMessage) string {
	var s string
	switch {
	case json.Unmarshal(raw, &s) == nil:
		if inner, ok := f.wrapped([]byte(s)); ok {
			return inner
		}
		return s
	case bytes.HasPrefix(raw, []byte("[")):
		said, images, _ := f.content(raw)
		f.talk.Images += len(images)
		for range images {
			said += "\n[an image is left out]"
		}
		return strings.TrimPrefix(said, "\n")
	}
	if inner, ok := f.wrapped(raw); ok {
		return inner
	}
	return string(raw)
}

// wrapped reads {"output": …, "metadata": {"exit_code": …}} and {"content": …}.
func (f *file) wrapped(raw []byte) (string, bool) {
	if !bytes.HasPrefix(raw, []byte("{")) {
		return "", false
	}
	var in struct {
		Output   *string `json:"output"`
		Content  *string `json:"content"`
		Metadata struct {
			ExitCode int `json:"exit_code"`
		} `json:"metadata"`
	}
	if json.Unmarshal(raw, &in) != nil || in.Output == nil && in.Content == nil {
		return "", false
	}
	said := ""
	if in.Output != nil {
		said = *in.Output
	} else {
		said = *in.Content
	}
	if in.Metadata.ExitCode != 0 {
		said = strings.TrimRight(said, "\n") + "\nexit code " + strconv.Itoa(in.Metadata.ExitCode)
	}
	return said, true
}

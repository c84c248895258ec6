package compact

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Limits of a summary made without a model.
const (
	listedRequests = 20
	listedAnswers  = 8
	listedErrors   = 3
	listedThings   = 40  // of each kind
	listedChars    = 400 // of one request, answer or error
)

// mechanical lists what can be found in units without a model: what was asked
// and answered, what was made, what failed. known is an earlier summary.
func (w *work) mechanical(units []unit, known string) string {
	f := w.facts()
	var l listing
	for _, u := range units {
		for i := range u.msgs {
			l.read(&u.msgs[i])
		}
	}
	if known == "" {
		known = l.summary
	}
	said := sectionsOf(known)
	said[goal] = joinBlocks(said[goal], titled("Later requests, in order:", last(l.requests, listedRequests)))
	if said[goal] == "" {
		said[goal] = "The first request, above."
	}
	said[decisions] = joinBlocks(said[decisions],
		titled("Last statements of the assistant:", last(l.answers, listedAnswers)),
		titled("Last errors:", last(l.errors, listedErrors)))
	said[plan] = planLines(f.Plan)
	said[artifacts] = joinBlocks(said[artifacts], artifactLines(f),
		titled("Written or edited:", last(l.written, listedThings)),
		titled("On the Hub:", last(l.pages, listedThings)),
		titled("Named in calls:", last(l.named, listedThings)))
	if lines := runningLines(f); lines != "" {
		said[running] = lines
	}
	said[next] = "Go on with the first unfinished step of the plan. " +
		"Look again at whatever is needed from before: this list was made without reading it closely."
	return render(said)
}

// listing collects short lines from messages, in order, without repetition.
type listing struct {
	requests, answers, errors []string
	written, pages, named     []string
	summary                   string // the newest earlier summary
}

func (l *listing) read(m *llm.Message) {
	text := strings.TrimSpace(m.PlainText())
	switch {
	case m.Role == llm.User && !m.Synthetic:
		add(&l.requests, headTail(text, listedChars, listedChars/4, " […] "))
	case m.Role == llm.Assistant && strings.HasPrefix(text, summaryTitle):
		l.summary = text
	case m.Role == llm.Assistant && text != "":
		add(&l.answers, headTail(text, listedChars, 0, " […]"))
	case m.Role == llm.ToolRole && failed(text):
		add(&l.errors, m.Name+": "+headTail(text, listedChars/4, listedChars, " […] "))
	}
	for _, c := range m.ToolCalls {
		l.arguments(c)
	}
	if m.Role != llm.System {
		l.links(text)
	}
}

// failed recognises the result of a failed call by its text: a stored result
// has no other mark.
func failed(text string) bool {
	return strings.HasPrefix(text, "ERROR") || strings.HasPrefix(text, "Error") ||
		strings.Contains(text, "Traceback (most recent call last)")
}

// arguments lists the paths and ids a call was about.
func (l *listing) arguments(c llm.ToolCall) {
	var args map[string]json.RawMessage
	if json.Unmarshal([]byte(c.Arguments), &args) != nil {
		return
	}
	for _, key := range []string{"path", "file_path", "repo_id", "repo", "hub_model_id", "dataset", "model", "job_id"} {
		var value string
		if json.Unmarshal(args[key], &value) != nil || len(value) > 200 || value == "" {
			continue
		}
		if c.Name == "write" || c.Name == "edit" {
			add(&l.written, value)
			continue
		}
		add(&l.named, fmt.Sprintf("%s %s (%s)", key, value, c.Name))
	}
}

// links lists addresses on the Hub, which name repositories, jobs and Spaces.
func (l *listing) links(text string) {
	for found := 0; found < 20; found++ {
		at := strings.Index(text, "https://huggingface.co/")
		if at < 0 {
			return
		}
		text = text[at:]
		end := strings.IndexAny(text, " \t\r\n\"'`<>()[]{}|\\,")
		if end < 0 {
			end = len(text)
		}
		if end <= 200 {
			add(&l.pages, strings.TrimRight(text[:end], ".;:"))
		}
		text = text[end:]
	}
}

// add appends line; one that was there before moves to the end.
func add(lines *[]string, line string) {
	if line == "" {
		return
	}
	if i := slices.Index(*lines, line); i >= 0 {
		*lines = slices.Delete(*lines, i, i+1)
	}
	*lines = append(*lines, line)
}

func last(lines []string, n int) []string { return lines[max(0, len(lines)-n):] }

func titled(title string, lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return title + "\n- " + strings.Join(lines, "\n- ")
}

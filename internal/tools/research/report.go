package research

import (
	"strings"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/evidence"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// result is what the caller reads: the report, or what there is of one, and the
// sources of the calls that were made.
func result(r tool.Report) tool.Result {
	text := strings.TrimSpace(r.Text)
	switch {
	case text != "" && r.Reason != "":
		text = "(Ended early: " + r.Reason + ".)\n\n" + text
	case text != "":
	case len(r.Evidence) > 0:
		text = "## Partial\n\nThe sub-agent came to no report: " + reason(r) + "."
		if r.Notes != "" {
			text += " Its last notes:\n\n" + strings.TrimSpace(r.Notes)
		}
	default:
		text = "research found nothing: " + reason(r) + ". Try a narrower task, and name a paper, model or data set to start from."
		if r.Notes != "" {
			text += "\n\nIts last notes, with no source behind them:\n\n" + cut(strings.TrimSpace(r.Notes), reportLimit/2)
		}
		return tool.Failed(text)
	}
	sources := evidence.Sources(text, r.Evidence, sourcesLimit)
	text = evidence.Mark(ownHeading(text), r.Evidence)
	text = cut(text, reportLimit-utf8.RuneCountInString(sources)-len("\n\n"))
	return tool.Success(text + "\n\n" + sources)
}

func reason(r tool.Report) string {
	if r.Reason == "" {
		return "it gave no answer"
	}
	return strings.TrimRight(r.Reason, ". \n")
}

// ownHeading renames a section of sources that the sub-agent has written all
// the same: the one with this name is made from its calls.
func ownHeading(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		title := strings.TrimLeft(line, "#")
		if title != line && strings.EqualFold(strings.Trim(title, " :*\t\r"), "sources") {
			lines[i] = line[:len(line)-len(title)] + " Sources as the sub-agent names them"
		}
	}
	return strings.Join(lines, "\n")
}

// cut keeps the first limit characters of a text, whole words, and closes a
// code fence it would tear.
func cut(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	const note = "\n```\n… (the report is cut here)"
	head := strings.TrimRight(excerpt.Head(text, limit-utf8.RuneCountInString(note)), " \n")
	if strings.Count(head, "```")%2 == 1 {
		return head + note
	}
	return head + note[len("\n```"):]
}

// Package meaning says what a tool call is about in a few words. It knows what
// the arguments of our tools are called; of others it shows the JSON.
package meaning

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript/page"
)

// longest is the most characters of an argument.
const longest = 200

// compactSize is the same for arguments that are shown as JSON.
const compactSize = 80

// Of says what a call is about: better than its arguments in raw, where
// the tool is known.
func Of(tool string, args json.RawMessage) string {
	a := readArguments(args)
	switch tool {
	case "bash":
		return a.first("description", "command")
	case "read":
		return a.some("path", "offset")
	case "write":
		return a.some("path") + lineCount(a.text("content"))
	case "edit", "web_fetch", "fetch_hf_docs":
		return a.first("path", "url")
	case "research":
		return a.first("task")
	case "plan_tool":
		return steps(a["todos"])
	case "hf_jobs":
		return a.some("operation", "hardware_flavor", "name", "job_id", "scheduled_job_id", "schedule")
	}
	if text := a.some(keys(tool)...); text != "" {
		return text
	}
	return compact(args)
}

// keys are the arguments that say what a call of this tool is about.
func keys(tool string) []string {
	switch tool {
	case "bash_jobs":
		return []string{"operation", "id"}
	case "web_search", "find_hf_api":
		return []string{"query"}
	case "explore_hf_docs":
		return []string{"endpoint", "query"}
	case "hf_papers":
		return []string{"operation", "arxiv_id", "query", "section"}
	case "hub_search":
		return []string{"type", "query", "author"}
	case "hf_model_inspect":
		return []string{"model"}
	case "hf_inspect_dataset", "hf_dataset_audit":
		return []string{"dataset", "config", "split"}
	case "hf_dataset_query":
		return []string{"operation", "dataset", "query", "where"}
	case "hf_leaderboard":
		return []string{"dataset", "query"}
	case "hf_repo_files":
		return []string{"operation", "repo_id", "path"}
	case "hf_repo_git":
		return []string{"operation", "repo_id", "branch", "tag", "pr_num"}
	case "github_read_file":
		return []string{"repo", "path", "symbol"}
	case "github_find_examples":
		return []string{"repo", "org", "keyword"}
	case "github_list_repos":
		return []string{"owner", "query"}
	case "github_search":
		return []string{"kind", "query", "repo"}
	case "sandbox_create":
		return []string{"hardware"}
	case "notify":
		return []string{"destinations", "title", "message"}
	}
	return nil
}

// arguments are those of a call, by name.
type arguments map[string]json.RawMessage

func readArguments(raw json.RawMessage) arguments {
	var a arguments
	_ = json.Unmarshal(raw, &a) // what is no object has none
	return a
}

// text is one argument as plain text; lists are joined, objects are nothing.
func (a arguments) text(key string) string {
	raw := bytes.TrimSpace(a[key])
	if len(raw) == 0 {
		return ""
	}
	switch raw[0] {
	case '"':
		var s string
		if json.Unmarshal(raw, &s) == nil {
			return s
		}
	case '[':
		var list []string
		if json.Unmarshal(raw, &list) == nil {
			return strings.Join(list, ", ")
		}
	case '{', 'n': // an object, null
	default:
		return string(raw)
	}
	return ""
}

func (a arguments) short(key string) string { return page.Short(a.text(key), longest) }

// first is the first of these arguments that says something.
func (a arguments) first(keys ...string) string {
	for _, key := range keys {
		if s := a.short(key); s != "" {
			return s
		}
	}
	return ""
}

// some is all of these arguments that say something.
func (a arguments) some(keys ...string) string {
	var parts []string
	for _, key := range keys {
		if s := a.short(key); s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, " ")
}

func lineCount(text string) string {
	if text == "" {
		return ""
	}
	return " (" + amount.Count(strings.Count(strings.TrimSuffix(text, "\n"), "\n")+1, "line") + ")"
}

func steps(todos json.RawMessage) string {
	var list []json.RawMessage
	if json.Unmarshal(todos, &list) != nil || len(list) == 0 {
		return ""
	}
	return amount.Count(len(list), "step")
}

// compact is JSON on one line.
func compact(args json.RawMessage) string {
	var b bytes.Buffer
	text := string(args)
	if json.Compact(&b, args) == nil {
		text = b.String()
	}
	if text = page.OneLine(text); text == "{}" || text == "null" {
		return ""
	}
	if short := excerpt.Head(text, compactSize); short != text {
		return short + "…"
	}
	return text
}

// Diff counts the lines of the unified diff in the output of a tool that
// changes files. One that was cut counts nothing.
func Diff(tool, output string) (added, removed int, ok bool) {
	if tool != "edit" && tool != "write" {
		return 0, 0, false
	}
	_, diff, found := strings.Cut("\n"+output, "\n--- ")
	if !found || strings.Contains(diff, "(the diff goes on)") {
		return 0, 0, false
	}
	for line := range strings.SplitSeq(diff, "\n") {
		switch {
		case strings.HasPrefix(line, "@@"):
			ok = true
		case !ok:
		case strings.HasPrefix(line, "+"):
			added++
		case strings.HasPrefix(line, "-"):
			removed++
		}
	}
	return added, removed, ok
}

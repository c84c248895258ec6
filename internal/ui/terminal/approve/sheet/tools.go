package sheet

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/approve/call"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// job shows what runs on the Hub's machines, or happens to a job.
func (w *writer) job() {
	script := w.text("script")
	switch {
	case script == "":
	case call.IsAddress(script):
		w.fact("Script", script)
		w.alert(theme.Danger, "the script is fetched from an address: what it holds is not shown here")
	default:
		w.measured("Script", script)
	}
	w.words("Packages", "dependencies")
	w.fact("Python", w.text("python"))
	w.words("Arguments", "script_args")
	if words := w.args.Words("command"); len(words) > 0 {
		w.fact("Image", w.or("image", "python:3.12"))
		w.words("Command", "command")
	} else {
		w.fact("Image", w.text("image"))
	}
	if w.call.SubmitsJob() {
		hardware := w.hardware()
		w.fact("Hardware", hardware)
		w.fact("Timeout", w.or("timeout", "30m"))
	}
	w.names("Variables", "env")
	w.names("Secrets", "secrets")
	w.fact("Schedule", w.text("schedule"))
	w.fact("Paid by", w.text("namespace"))
	w.words("Job", "job_id")
	w.fact("Schedule of", w.text("scheduled_job_id"))
	if script == "" {
		return
	}
	switch loads, pushes := strings.Contains(script, "from_pretrained"), strings.Contains(script, "push_to_hub"); {
	case loads && !pushes:
		w.alert(theme.Danger, "the script loads a model and never calls push_to_hub: what it makes is lost when the job ends")
	case loads:
		w.alert(theme.Success, "the script pushes to the Hub")
	}
}

// hardware is the machine a call asks for.
func (w *writer) hardware() string {
	name := ""
	for _, key := range []string{"hardware_flavor", "flavor", "hardware"} {
		if s := w.text(key); name == "" {
			name = s
		}
	}
	if name == "" {
		name = "cpu-basic"
	}
	return name
}

// repository shows which one, and where it is looked at.
func (w *writer) repository(id, kind string) {
	w.fact("Repository", id)
	w.fact("Type", kind)
	if id == "" {
		return
	}
	parts := strings.Split(id, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	prefix := map[string]string{"dataset": "/datasets", "space": "/spaces"}[kind]
	w.fact("URL", w.o.Hub+prefix+"/"+strings.Join(parts, "/"))
}

// privateRepo is upstream's older tool; its arguments may stand one level down.
func (w *writer) privateRepo() {
	if below := call.Read(w.args["args"]); below != nil {
		w.told["args"] = true
		outer := w.args
		w.args = below
		defer func() { w.rest(); w.args = outer }()
	}
	w.repository(w.text("repo_id"), w.or("repo_type", "dataset"))
	w.told["private"] = true
	w.fact("Private", "Yes")
	if w.call.Operation() != "upload_file" {
		return
	}
	w.fact("Path", w.or("path_in_repo", w.text("path")))
	content := w.or("file_content", w.text("content"))
	const first = 5
	w.measured("Content", content)
	w.Bodies[len(w.Bodies)-1].Most = first
}

func (w *writer) repoFiles() {
	op := w.call.Operation()
	w.repository(w.text("repo_id"), w.or("repo_type", "model"))
	w.fact("Branch", w.or("revision", "main"))
	if w.text("create_pr") == "true" {
		w.fact("As", "a pull request")
	}
	if op == "delete" {
		w.words("Files", "patterns")
		return
	}
	w.fact("Path", w.text("path"))
	w.fact("From", w.text("local_path"))
	if w.args["content"] != nil {
		w.measured("Content", w.text("content"))
	}
	var files []struct{ Path, Content string }
	if raw, ok := w.args["files"]; ok && json.Unmarshal(raw, &files) == nil {
		w.told["files"] = true
		for _, f := range files {
			w.measured(call.Clean(f.Path), f.Content)
		}
	}
}

func (w *writer) repoGit() {
	op := w.call.Operation()
	kind := w.or("repo_type", "model")
	w.repository(w.text("repo_id"), kind)
	w.fact("Branch", w.text("branch"))
	w.fact("Tag", w.text("tag"))
	if n := w.text("pr_num"); n != "" {
		w.fact("PR", "#"+n)
	}
	private := w.text("private")
	if op == "create_repo" && private == "" {
		private = "true"
	}
	switch private {
	case "true":
		w.fact("Private", "Yes")
	case "false":
		w.fact("Private", "No")
		w.alert(theme.Danger, "everybody will be able to see this repository")
	default:
		w.fact("Private", private)
	}
	w.fact("SDK", w.text("space_sdk"))
	w.fact("Gated", w.text("gated"))
	w.fact("To", w.text("to_id"))
	w.fact("Title", w.text("title"))
	if text := w.text("comment"); text != "" {
		w.body("Comment", text)
	}
	if text := w.text("description"); text != "" {
		w.body("Description", text)
	}
	switch op {
	case "delete_repo":
		w.alert(theme.Danger, "the repository and its whole history are gone for good")
	case "super_squash":
		w.alert(theme.Danger, "the history of the branch is gone for good")
	}
}

func (w *writer) command() {
	w.body("Command", w.text("command"))
	w.fact("Purpose", w.text("description"))
	w.fact("Directory", w.or("work_dir", cmp.Or(w.o.Dir, "the working directory")))
	if w.text("background") == "true" {
		w.fact("Runs", "in the background")
	}
	if w.text("keep") == "true" {
		w.alert(theme.Warning, "what it leaves running outlives the session")
	}
	if s := w.text("timeout"); s != "" {
		w.fact("Timeout", s+" s")
	}
}

// mostCompared is the size of files, in bytes, up to which a write is shown as
// the difference it makes.
const mostCompared = 1 << 20

func (w *writer) write() {
	name, content := w.text("path"), w.text("content")
	w.fact("Path", name)
	if w.o.File != nil && len(content) <= mostCompared {
		if now, ok := w.o.File(name); ok && len(now) <= mostCompared {
			w.difference("Changes", now, content)
			return
		}
	}
	w.measured("New content", content)
}

// difference shows what becomes of a text.
func (w *writer) difference(title, before, after string) {
	diff := call.Compare(before, after)
	if diff.Text == "" {
		w.fact(title, "none")
		return
	}
	w.Bodies = append(w.Bodies, Body{Title: title + "  " + diff.Counts(), Lines: w.lines(diff.Text), Diff: true})
}

func (w *writer) edit() {
	w.fact("Path", w.text("path"))
	old, replacement := w.text("old_str"), w.text("new_str")
	mode := w.text("mode")
	all := w.text("replace_all") == "true" || mode == "replace_all"
	switch {
	case mode == "append_after":
		w.fact("Inserts", "after the text that is found")
		replacement = old + replacement
	case mode == "prepend_before":
		w.fact("Inserts", "before the text that is found")
		replacement += old
	case all:
		w.fact("Replaces", "every occurrence")
	case mode != "" && mode != "replace":
		w.fact("Mode", mode)
	}
	w.difference("Changes", old, replacement)
}

func (w *writer) sandbox() {
	w.fact("Hardware", w.hardware())
	if w.text("replace") == "true" {
		w.fact("Replaces", "the sandbox there is")
	}
}

// warn adds what a person should know before anything else.
func (w *writer) warn() {
	const most = 6
	origins := w.call.Origin
	for i, o := range slices.Backward(origins) {
		if len(origins)-i > most {
			w.alert(theme.Warning, "and "+amount.Count(i+1, "text")+" from outside before")
			break
		}
		w.alert(theme.Warning, "asked for after reading: "+strings.TrimSpace(o.Source+" "+o.URL))
	}
	if b := w.call.Block; b != nil && b.BlockReason != "" && !strings.Contains(w.call.Reason, b.BlockReason) {
		w.alert(theme.Danger, b.BlockReason)
	}
	if w.call.Always() {
		w.alert(theme.Warning, "this is asked about every time, in every mode")
	}
	if what := w.secret(); what != "" {
		w.alert(theme.Danger, what)
	}
}

// secret says which argument shows one.
func (w *writer) secret() string {
	for _, key := range []string{"script", "command", "script_args", "content", "files", "file_content", "new_str", "comment", "description", "args"} {
		text := w.args.Text(key)
		if text == "" {
			continue
		}
		if w.o.Secret != nil {
			if kind := w.o.Secret(text); kind != "" {
				return "the " + strings.ReplaceAll(key, "_", " ") + " shows what looks like a secret: " + kind
			}
		}
		if strings.Contains(text, call.HiddenMark) {
			return "the " + strings.ReplaceAll(key, "_", " ") + " holds what looks like a secret; it is not shown here"
		}
	}
	return ""
}

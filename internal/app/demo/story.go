package demo

import (
	"bytes"
	_ "embed" // the files that the scripted model writes
	"encoding/json"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The Python files the scripted model writes, as they are at the end.
var (
	//go:embed story/train.py
	trainPy string
	//go:embed story/evaluate.py
	evaluatePy string
	//go:embed story/report.py
	reportPy string
)

// The model first writes train.py with the first of these lines. It skips
// empty messages, and the trial run shows that others hold no word either.
const (
	lineBefore = `        if not row["text"].strip():`
	lineAfter  = `        if not words(row["text"]):  # "???" says nothing either`
)

// pause is the time before each of the model's messages, in milliseconds: with
// none, nobody could follow.
const pause = 500

// step is one message of the model.
type step struct {
	text  string
	calls []call
}

type call struct {
	id, tool string
	args     map[string]any
}

// planned are the items of the plan.
var planned = [...]string{
	"Look at the data and its faults",
	"Write the training script and try it on a few rows",
	"Train on all training messages, choose the epoch on validation",
	"Evaluate once on held-out messages, with a confidence interval",
	"Write the report",
	"Push data and model to the Hub, and repeat the training there as a job",
}

// plan is the plan with the first done items completed and the next begun.
func plan(done int) call {
	todos := make([]map[string]string, len(planned))
	for i, content := range planned {
		status := "pending"
		switch {
		case i < done:
			status = "completed"
		case i == done:
			status = "in_progress"
		}
		n := strconv.Itoa(i + 1)
		todos[i] = map[string]string{"id": n, "content": content, "status": status}
	}
	return call{"plan_" + strconv.Itoa(done), "plan_tool", map[string]any{"todos": todos}}
}

func bash(id, description, command string) call {
	return call{id, "bash", map[string]any{"command": command, "description": description}}
}

func write(id, path, content string) call {
	return call{id, "write", map[string]any{"path": path, "content": content}}
}

// The repositories of the simulated Hub that the demo makes.
const (
	dataRepo  = "bob/library-messages"
	modelRepo = "bob/library-desks"
)

// modelFiles are what the model's repository gets beside its card.
var modelFiles = []string{
	"model.json", "metrics.json", "history.json", "report.md", "curve.svg", "train.py", "evaluate.py", "report.py",
}

func createRepo(id, repo, kind string) call {
	return call{id, "hf_repo_git", map[string]any{"operation": "create_repo", "repo_id": repo, "repo_type": kind}}
}

func upload(id, repo, kind, from, to string) call {
	args := map[string]any{"operation": "upload", "repo_id": repo, "repo_type": kind, "local_path": from}
	if to != "" {
		args["path"] = to
	}
	return call{id, "hf_repo_files", args}
}

const countCommand = `f=data/messages.csv
echo "messages: $(tail -n +2 $f | wc -l)"
echo "by desk:"
tail -n +2 $f | cut -d, -f2 | sort | uniq -c | sort -rn
echo "texts found more than once: $(tail -n +2 $f | cut -d, -f3- | grep . | sort | uniq -d | wc -l)"
echo "empty texts: $(tail -n +2 $f | cut -d, -f3- | grep -c '^$')"`

const wordlessCommand = `none='^[^,]*,[^,]*,[^A-Za-z0-9]+$'
grep -E "$none" data/messages.csv
echo "messages with signs but no word: $(grep -cE "$none" data/messages.csv)"`

// story is everything the model says, in order. It quotes results only.
func story() []step {
	return []step{
		{
			"This is a demo: my words are a script written beforehand (" + Model + "). The tools are real, and so is every " +
				"number I quote: it is measured on your machine, now.\n\nI make a plan and look at the data first.",
			[]call{
				plan(0),
				{"look", "read", map[string]any{"path": "data/messages.csv", "limit": 8}},
				bash("count", "Count messages, desks, copies, gaps", countCommand),
			},
		},
		{
			"There are {{tool:count:messages: +(\\d+)}} messages, the biggest desk being {{tool:count:by desk:\\n *\\d+ (\\w+)}}. " +
				"{{tool:count:more than once: +(\\d+)}} texts occur more than once: on both sides of a split, copies would flatter the " +
				"result. {{tool:count:empty texts: +(\\d+)}} are empty. The training script drops both before it splits.",
			[]call{plan(1), write("write_train", "train.py", strings.Replace(trainPy, lineAfter, lineBefore, 1))},
		},
		{
			"Before the full run, a trial on the first rows: mistakes are cheap there.",
			[]call{bash("trial", "Trial run on 120 rows", "python3 -Bu train.py --rows 120 --epochs 2")},
		},
		{
			"Good that I tried: it stopped with `{{tool:trial:\\w+Error.*}}`. A message seems to have no word at all, although " +
				"I drop the empty ones. Which are they?",
			[]call{bash("wordless", "Find messages without a word", wordlessCommand)},
		},
		{
			"{{tool:wordless:no word: +(\\d+)}} messages are like `{{tool:wordless:(?m)^M\\d+,\\w+,(.+)$}}`: not empty, and still " +
				"nothing to learn from. I make the script look for words instead of characters.",
			[]call{{"fix", "edit", map[string]any{"path": "train.py", "old_str": lineBefore, "new_str": lineAfter}}},
		},
		{
			"The same trial again.",
			[]call{bash("trial_again", "Trial run again", "python3 -Bu train.py --rows 120 --epochs 2")},
		},
		{
			"It runs through. Now all of it.",
			[]call{plan(2), bash("train", "Train for real", "python3 -Bu train.py")},
		},
		{
			"Trained on {{tool:train:train=(\\d+)}} messages; the validation loss was lowest at epoch " +
				"{{tool:train:best_epoch=(\\d+)}}, so that one is kept. The {{tool:train:held_out=(\\d+)}} held-out messages have not " +
				"been touched. I write the evaluation, and a report that takes its numbers from the files.",
			[]call{plan(3), write("write_evaluate", "evaluate.py", evaluatePy), write("write_report", "report.py", reportPy)},
		},
		{
			"One look at the held-out messages.",
			[]call{bash("evaluate", "Evaluate on held-out messages", "python3 -Bu evaluate.py")},
		},
		{
			"{{tool:evaluate:accuracy=(\\S+)}} right, against {{tool:evaluate:baseline=(\\S+)}} for always naming the biggest desk. " +
				"Now the report.",
			[]call{plan(4), bash("report", "Write the report", "python3 -Bu report.py")},
		},
		{
			"A last look at what it says.",
			[]call{plan(5), {"read_report", "read", map[string]any{"path": "report.md"}}},
		},
		{
			"It says what was measured. Others should be able to use it, so it goes to the Hub: here a simulated one that runs inside " +
				"this program. First a place for the data and one for the model.",
			[]call{createRepo("create_data", dataRepo, "dataset"), createRepo("create_model", modelRepo, "model")},
		},
		{
			"Now the files: the data, and the model with its card, its report and the code that made it.",
			[]call{
				upload("push_data", dataRepo, "dataset", "data", ""), upload("push_card", modelRepo, "model", "card.md", "README.md"),
				{"push_model", "hf_repo_files", map[string]any{
					"operation": "upload", "repo_id": modelRepo, "local_path": ".", "patterns": modelFiles,
					"commit_message": "Add the classifier, its report and its code",
				}},
			},
		},
		{
			"A result that only one machine has seen is half a result. The same script runs once more, as a job on the Hub, on the data " +
				"that was pushed.",
			[]call{{"job", "hf_jobs", map[string]any{
				"operation": "run", "script": "train.py", "script_args": []string{"--data", "/data/messages.csv"},
				"hardware_flavor": "cpu-basic", "timeout": "10m",
				"volumes": []map[string]any{{"type": "dataset", "source": dataRepo, "mountPath": "/data", "readOnly": true}},
			}}},
		},
		{
			"The job kept epoch {{tool:job:best_epoch=(\\d+)}}, and here it was {{tool:train:best_epoch=(\\d+)}}: the training repeats. " +
				"What lies in the model's repository now?",
			[]call{plan(6), {"listing", "hf_repo_files", map[string]any{"operation": "list", "repo_id": modelRepo}}},
		},
		{text: "**{{tool:evaluate:accuracy=(\\S+)}}** of {{tool:evaluate:held_out=(\\d+)}} held-out messages reach the right desk. " +
			"The 95% confidence interval is {{tool:evaluate:interval=([^.]+\\.\\d%)\\.\\.}} to {{tool:evaluate:interval=\\S+\\.\\.(\\S+)}}; " +
			"always naming the biggest desk gives {{tool:evaluate:baseline=(\\S+)}}.\n\n" +
			"- The weakest desk is {{tool:evaluate:weakest=(\\w+)}} (F1 {{tool:evaluate:weakest_f1=(\\S+)}}). Look at the mistakes in " +
			"the report: some look like wrong labels, some messages fit two desks.\n" +
			"- {{tool:train:empty=(\\d+)}} messages without a word, {{tool:train:duplicate=(\\d+)}} copies and " +
			"{{tool:train:contradictory=(\\d+)}} contradictory copies were left out before the split; " +
			"{{tool:evaluate:leaked=(\\d+)}} held-out texts occur in the training part.\n" +
			"- The messages are made up, so expect less from real ones.\n\n" +
			"The report is `report.md` with `curve.svg`; `train.py`, `evaluate.py` and `report.py` repeat everything, and a job has " +
			"done so. Model and data were pushed to `" + modelRepo + "` and `" + dataRepo + "` of the simulated Hub. " +
			"(These words were scripted, the numbers were not.)"},
	}
}

// script is the story in the form recordings have.
func script() []byte {
	type function struct {
		Name      string         `json:"name"`
		Arguments map[string]any `json:"arguments"`
	}
	type toolCall struct {
		ID       string   `json:"id"`
		Type     string   `json:"type"`
		Function function `json:"function"`
	}
	type message struct {
		Role      string     `json:"role"`
		Content   string     `json:"content"`
		DelayMS   int        `json:"delay_ms"`
		ToolCalls []toolCall `json:"tool_calls,omitempty"`
	}
	var recording struct {
		Messages []message `json:"messages"`
	}
	for _, s := range story() {
		m := message{Role: "assistant", Content: s.text, DelayMS: pause}
		for _, c := range s.calls {
			m.ToolCalls = append(m.ToolCalls, toolCall{c.id, "function", function{c.tool, c.args}})
		}
		recording.Messages = append(recording.Messages, m)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	_ = enc.Encode(recording) // strings and numbers always encode
	return out.Bytes()
}

// scriptName is the file Scripts holds.
const scriptName = "demo.json"

// Scripts holds the recording of Model, demo.json. It is made when it is first
// read.
func Scripts() fs.FS { return scripts{sync.OnceValue(script)} }

// scripts is a file system of one file.
type scripts struct{ content func() []byte }

// Open opens the recording.
func (s scripts) Open(name string) (fs.File, error) {
	switch {
	case !fs.ValidPath(name):
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	case name != scriptName:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	content := s.content()
	return &recording{bytes.NewReader(content), int64(len(content))}, nil
}

// recording is the opened file.
type recording struct {
	io.Reader
	size int64
}

func (r *recording) Stat() (fs.FileInfo, error) { return info{r.size}, nil }
func (r *recording) Close() error               { return nil }

type info struct{ size int64 }

func (i info) Name() string       { return scriptName }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return 0o444 }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return false }
func (i info) Sys() any           { return nil }

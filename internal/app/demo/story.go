package demo

import (
	_ "embed" // the files that the scripted model writes
	"slices"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
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

// step is one message of the model, in the main conversation where kind is
// empty.
type step struct {
	text  string
	calls []call
	kind  llm.Kind
}

type call struct {
	id, tool string
	args     map[string]any
}

// planned are the items of the plan.
var planned = [...]string{
	"Find out what spoils such results: papers, docs, data with known faults",
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
	"evidence.md",
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

const wordlessCommand = `none='^[^,]*,[^,]*,[^A-Za-z0-9]+$'
grep -E "$none" data/messages.csv
echo "messages with signs but no word: $(grep -cE "$none" data/messages.csv)"`

// firstTrainPy is train.py as it is first written, with its mistake.
func firstTrainPy() string { return strings.Replace(trainPy, lineAfter, lineBefore, 1) }

// story is everything the model says in the main conversation, in order. It
// quotes results only.
func story() []step { return slices.Concat(research(), work(), publication()) }

// work is the training and what belongs to it.
func work() []step {
	return []step{
		{
			text:  "Before the full run, a trial on the first rows: mistakes are cheap there.",
			calls: []call{bash("trial", "Trial run on 120 rows", "python3 -Bu train.py --rows 120 --epochs 2")},
		},
		{
			text: "Good that I tried: it stopped with `{{tool:trial:\\w+Error.*}}`. A message seems to have no word at all, although " +
				"I drop the empty ones. Which are they?",
			calls: []call{bash("wordless", "Find messages without a word", wordlessCommand)},
		},
		{
			text: "{{tool:wordless:no word: +(\\d+)}} messages are like `{{tool:wordless:(?m)^M\\d+,\\w+,(.+)$}}`: not empty, and still " +
				"nothing to learn from. I make the script look for words instead of characters.",
			calls: []call{{"fix", "edit", map[string]any{"path": "train.py", "old_str": lineBefore, "new_str": lineAfter}}},
		},
		{
			text:  "The same trial again.",
			calls: []call{bash("trial_again", "Trial run again", "python3 -Bu train.py --rows 120 --epochs 2")},
		},
		{
			text:  "It runs through. Now all of it.",
			calls: []call{plan(3), bash("train", "Train for real", "python3 -Bu train.py")},
		},
		{
			text: "Trained on {{tool:train:train=(\\d+)}} messages; the validation loss was lowest at epoch " +
				"{{tool:train:best_epoch=(\\d+)}}, so that one is kept. The {{tool:train:held_out=(\\d+)}} held-out messages have not " +
				"been touched. I write the evaluation, a note of what I have read, and a report that takes its numbers and sources from the files.",
			calls: []call{
				plan(4), write("write_evaluate", "evaluate.py", evaluatePy), write("write_evidence", "evidence.md", notes()),
				write("write_report", "report.py", reportPy),
			},
		},
		{
			text:  "One look at the held-out messages.",
			calls: []call{bash("evaluate", "Evaluate on held-out messages", "python3 -Bu evaluate.py")},
		},
		{
			text: "{{tool:evaluate:accuracy=(\\S+)}} right, against {{tool:evaluate:baseline=(\\S+)}} for always naming the biggest desk. " +
				"Now the report.",
			calls: []call{plan(5), bash("report", "Write the report", "python3 -Bu report.py")},
		},
		{
			text:  "A last look at what it says.",
			calls: []call{plan(6), {"read_report", "read", map[string]any{"path": "report.md"}}},
		},
	}
}

// publication is what happens on the Hub, and the answer.
func publication() []step {
	return []step{
		{
			text: "It says what was measured. Others should be able to use it, so it goes to the Hub: here a simulated one that runs inside " +
				"this program. First a place for the data and one for the model.",
			calls: []call{createRepo("create_data", dataRepo, "dataset"), createRepo("create_model", modelRepo, "model")},
		},
		{
			text: "Now the files: the data, and the model with its report, its code and its card, which states the result in its " +
				"metadata as the page says " + mark("card_page") + ".",
			calls: []call{
				upload("push_data", dataRepo, "dataset", "data", ""), upload("push_card", modelRepo, "model", "card.md", "README.md"),
				{"push_model", "hf_repo_files", map[string]any{
					"operation": "upload", "repo_id": modelRepo, "local_path": ".", "patterns": modelFiles,
					"commit_message": "Add the classifier, its report and its code",
				}},
			},
		},
		{
			text: "A result that only one machine has seen is half a result. The same script runs once more, as a job on the Hub, on the data " +
				"that was pushed.",
			calls: []call{{"job", "hf_jobs", map[string]any{
				"operation": "run", "script": "train.py", "script_args": []string{"--data", "/data/messages.csv"},
				"hardware_flavor": "cpu-basic", "timeout": "10m",
				"volumes": []map[string]any{{"type": "dataset", "source": dataRepo, "mountPath": "/data", "readOnly": true}},
			}}},
		},
		{
			text: "The job kept epoch {{tool:job:best_epoch=(\\d+)}}, and here it was {{tool:train:best_epoch=(\\d+)}}: the training repeats. " +
				"What lies in the model's repository now?",
			calls: []call{plan(7), {"listing", "hf_repo_files", map[string]any{"operation": "list", "repo_id": modelRepo}}},
		},
		{text: "**{{tool:evaluate:accuracy=(\\S+)}}** of {{tool:evaluate:held_out=(\\d+)}} held-out messages reach the right desk. " +
			"The 95% confidence interval is {{tool:evaluate:interval=([^.]+\\.\\d%)\\.\\.}} to {{tool:evaluate:interval=\\S+\\.\\.(\\S+)}}; " +
			"always naming the biggest desk gives {{tool:evaluate:baseline=(\\S+)}}.\n\n" +
			"- The weakest desk is {{tool:evaluate:weakest=(\\w+)}} (F1 {{tool:evaluate:weakest_f1=(\\S+)}}). Look at the mistakes in " +
			"the report: some look like wrong labels, some messages fit two desks.\n" +
			"- Copies in both parts would have flattered this " + mark("paper") + ", so the data were audited first, in the way that finds planted " +
			"ones " + mark("planted") + ". {{tool:train:empty=(\\d+)}} messages without a word, " +
			"{{tool:train:duplicate=(\\d+)}} copies, {{tool:train:near=(\\d+)}} near copies and {{tool:train:contradictory=(\\d+)}} " +
			"contradictory copies were left out before the split. Held-out texts with a copy or near copy in the other parts: " +
			"{{tool:evaluate:leaked=(\\d+)}}.\n" +
			"- The messages are made up, so expect less from real ones.\n\n" +
			"The report is `report.md`, with its evidence and `curve.svg`; `train.py`, `evaluate.py` and `report.py` repeat everything, " +
			"and a job has repeated the training. Model and data were pushed to `" + modelRepo + "` and `" + dataRepo + "` of the simulated Hub. " +
			"(These words were scripted, the numbers were not.)"},
	}
}

package terminal_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/screentest"
)

// view is something that a person gets to see, and how to get there. What is
// waited for on the way is what the next key needs.
type view struct {
	name string
	env  []string
	go_  func(x *screentest.Terminal)
}

// send types a message.
func send(text string) func(x *screentest.Terminal) {
	return func(x *screentest.Terminal) {
		x.Type(text)
		x.Press("enter")
	}
}

// ask sends a message and waits for something that it leads to.
func ask(x *screentest.Terminal, text string, wants ...string) {
	send(text)(x)
	x.SeeAll(wants...)
}

func views() []view {
	past := []string{"STAGE_PAST=1"}
	return []view{
		{name: "start", go_: func(*screentest.Terminal) {}},
		{name: "typing", go_: func(x *screentest.Terminal) {
			x.Type("What does 日本語 mean for the tokenizer of Qwen3, and is a café one token or two? Please look it up before you answer, ")
			x.Press("ctrl+j")
			x.Type("and show me the numbers. 🤗")
		}},
		{name: "streaming", go_: send("fine-tune a small model on my data")},
		{name: "thinking", go_: send("which optimizer should I use?")},
		{name: "tools", go_: send("look at the data")},
		{name: "tools-verbose", go_: func(x *screentest.Terminal) {
			x.Press("ctrl+o")
			x.See("output of tools: shown")
			send("look at the data")(x)
		}},
		{name: "research", go_: send("what is new about DPO?")},
		{name: "research-crew", go_: send("compare three recipes")},
		{name: "plan", go_: func(x *screentest.Terminal) {
			ask(x, "reproduce the paper", "bash  train")
			x.Press("ctrl+t")
		}},
		{name: "answer", go_: send("how good is it?")},
		{name: "error", go_: send("train the big one")},
		{name: "retry", go_: send("the model stops in the middle of it")},
		{name: "job", go_: send("how is the training?")},
		{name: "interrupted", go_: func(x *screentest.Terminal) {
			ask(x, "look at the data", "hf_dataset_audit")
			x.Press("escape")
		}},
		{name: "queue", go_: func(x *screentest.Terminal) {
			ask(x, "one more thing that takes its time", "sleep 600")
			ask(x, "then evaluate it on the five tasks of the paper, with three seeds each, and write the numbers down", "then evaluate")
			ask(x, "and push the best one", "and push")
			ask(x, "with a model card", "model card")
			ask(x, "and tell me", "1 more")
			x.Type("use seed 7")
			x.Press("ctrl+s")
		}},
		{name: "approval", go_: send("clean up")},
		{name: "approval-help", go_: func(x *screentest.Terminal) {
			ask(x, "clean up", "or say what to do instead")
			ask(x, "?")
		}},
		{name: "approval-several", go_: func(x *screentest.Terminal) {
			ask(x, "clean up everything", "[1/3]")
			ask(x, "y", "[2/3]")
		}},
		{name: "approval-script", go_: send("start the training")},
		{name: "approval-edit", go_: send("edit the learning rate")},
		{name: "approval-money", go_: send("what did you spend?")},
		{name: "approval-pager", go_: func(x *screentest.Terminal) {
			ask(x, "start the training", "or say what to do instead")
			ask(x, "v")
		}},
		{name: "approval-answered", go_: func(x *screentest.Terminal) {
			ask(x, "clean up everything", "[1/3]")
			ask(x, "y", "[2/3]")
			ask(x, "keep outputs/best, please", "[3/3]")
			ask(x, "n")
		}},
		{name: "menu", go_: send("/mode")},
		{name: "menu-filter", go_: func(x *screentest.Terminal) {
			ask(x, "/model", "Which model?")
			x.Press("down", "down")
		}},
		{name: "menu-narrowed", go_: func(x *screentest.Terminal) {
			ask(x, "/model", "Which model?")
			x.Type("qwen")
		}},
		{name: "question", go_: func(x *screentest.Terminal) {
			ask(x, "/rename", "title?")
			x.Press("left", "left")
		}},
		{name: "question-secret", go_: func(x *screentest.Terminal) {
			ask(x, "/login", "Paste a token")
			x.Type("hf_abcdef")
		}},
		{name: "pager", go_: send("/tools 3")},
		{name: "pager-search", go_: func(x *screentest.Terminal) {
			ask(x, "/tools 3", "q leaves")
			x.Type("/STEP 500")
			x.Press("enter")
		}},
		{name: "pager-searching", go_: func(x *screentest.Terminal) {
			ask(x, "/tools 3", "q leaves")
			x.Type("/step 50")
		}},
		{name: "live", go_: send("/jobs")},
		{name: "diff", go_: send("/diff")},
		{name: "complete-slash", go_: func(x *screentest.Terminal) { x.Type("/") }},
		{name: "complete-narrowed", go_: func(x *screentest.Terminal) { x.Type("/mo") }},
		{name: "complete-path", go_: func(x *screentest.Terminal) { x.Type("compare @da") }},
		{name: "history-search", env: past, go_: func(x *screentest.Terminal) {
			x.Press("ctrl+r")
			x.Type("the")
		}},
		{name: "paste", go_: func(x *screentest.Terminal) {
			x.Type("why does this fail? ")
			x.Paste(strings.Repeat("Traceback: a line of an error that is long\n", 40))
			x.Type(" it was fine yesterday")
		}},
		{name: "shell", go_: func(x *screentest.Terminal) { x.Type("!nvidia-smi --query-gpu=memory.used --format=csv") }},
		{name: "shell-ran", go_: send("!ls")},
		{name: "remember", go_: func(x *screentest.Terminal) { x.Type("#always use seed 7") }},
		{name: "command-failed", go_: send("/fail")},
		{name: "command-unknown", go_: send("/nothing of the kind")},
		{name: "command-running", go_: send("/wait")},
		{name: "lost", go_: send("and now the connection breaks")},
		{name: "resumed", env: past, go_: func(*screentest.Terminal) {}},
		{name: "refused", env: []string{"STAGE_REFUSE=1"}, go_: func(*screentest.Terminal) {}},
		{name: "quit-armed", go_: func(x *screentest.Terminal) { x.Press("ctrl+c") }},
		{name: "left", go_: func(x *screentest.Terminal) {
			ask(x, "how good is it?", "held-out")
			x.Press("ctrl+d")
			x.Exit()
		}},
	}
}

// Every view as it looks at three widths, in Unicode, and in ASCII without
// colours. The files are for eyes first: read them after -update.
func TestScreens(t *testing.T) {
	if raceEnabled {
		t.Skip("screens are moments, and the race detector slows the program down: .ci/run compares them without it")
	}
	dir := t.TempDir()
	for _, name := range []string{"data/train.jsonl", "data/eval.jsonl", "data/日本語.csv", "docs/dataset.md", "train.py"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range views() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			var sections []screentest.Section
			for _, look := range []string{"Unicode", "ASCII"} {
				for _, size := range [][2]int{{40, 20}, {80, 24}, {160, 40}} {
					env := append([]string{"STAGE_CLOCK=still", "STAGE_DIR=" + dir}, v.env...)
					if look == "ASCII" {
						env = append(env, "STAGE_ASCII=1")
					}
					x := start(t, size[0], size[1], env...)
					if v.name != "refused" {
						x.See("? for help")
					}
					v.go_(x)
					sections = append(sections, screentest.Section{Name: fmt.Sprintf("%dx%d %s", size[0], size[1], look), Terminal: x})
				}
			}
			screentest.GoldenScreens(t, filepath.Join("screens", v.name+".golden"), sections)
		})
	}
}

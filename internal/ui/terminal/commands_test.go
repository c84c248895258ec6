package terminal_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// tests are commands that do what a test wants to see.
func tests() []dialog.Command {
	return []dialog.Command{{
		Name: "choose", Help: "choose", Run: func(ctx context.Context, talk dialog.Talk, _ string) error {
			i, err := talk.Choose(ctx, dialog.Menu{Title: "Which?", Items: []dialog.Option{{Value: "first"}, {Value: "second", Hint: "the other"}}})
			if err == nil {
				talk.Print(fmt.Sprintf("chosen: %d", i))
			}
			return err
		},
	}, {
		Name: "late", Help: "late", Hidden: true, Run: func(ctx context.Context, talk dialog.Talk, _ string) error {
			<-ctx.Done()
			_, err := talk.Choose(ctx, dialog.Menu{Title: "Too late?", Items: []dialog.Option{{Value: "no"}}})
			return err
		},
	}, {
		Name: "fail", Help: "fail", Run: func(context.Context, dialog.Talk, string) error { return errors.New("the backend is\ndown") },
	}, {
		Name: "panic", Help: "panic", Run: func(context.Context, dialog.Talk, string) error { panic("inside") },
	}, {
		Name: "wait", Help: "wait", Run: func(ctx context.Context, _ dialog.Talk, _ string) error { <-ctx.Done(); return ctx.Err() },
	}, {
		Name: "ask", Help: "ask", Run: func(ctx context.Context, talk dialog.Talk, _ string) error {
			text, err := talk.Ask(ctx, dialog.Question{Text: "A secret?", Secret: true})
			if err == nil {
				talk.Print(fmt.Sprintf("it has %d characters", len(text)))
			}
			return err
		},
	}, {
		Name: "page", Help: "page", Run: func(ctx context.Context, talk dialog.Talk, _ string) error {
			return talk.Page(ctx, "Numbers", strings.Repeat("a line\n", 100))
		},
	}, {
		Name: dialog.Shell, Hidden: true, Run: func(_ context.Context, talk dialog.Talk, command string) error {
			talk.Print("$ " + command)
			talk.Bring("out of " + command)
			return nil
		},
	}, {
		Name: "greet", Help: "greet", Message: true,
	}, {
		Name: "undo", Help: "undo", Run: func(ctx context.Context, talk dialog.Talk, _ string) error {
			_, err := talk.Conversation().Do(ctx, event.Undo{}, event.TypeUndoComplete)
			return err
		},
	}}
}

// shown are commands that look like those of the program.
func shown() []dialog.Command {
	models := []dialog.Option{
		{Value: "anthropic/claude-opus-4-6", Hint: "$5.00 in, $25.00 out a million tokens"},
		{Value: "openai/gpt-5.5", Hint: "$1.25 in, $10.00 out"},
		{Value: "moonshotai/Kimi-K2.6", Hint: "router, fastest provider"},
		{Value: "zai-org/GLM-5.1", Hint: "router"},
		{Value: "MiniMaxAI/MiniMax-M2.7", Hint: "router"},
		{Value: "deepseek-ai/DeepSeek-V4", Hint: "router"},
		{Value: "Qwen/Qwen3.5-397B-A17B", Hint: "router"},
		{Value: "ollama/qwen3:8b", Hint: "on this machine"},
		{Value: "test/model", Hint: "in use"},
		{Value: "vllm/日本語モデル", Hint: "on this machine"},
		{Value: "lmstudio/mistral-small", Hint: "on this machine"},
		{Value: "replay/demo", Hint: "a recording"},
	}
	return []dialog.Command{{
		Name: "model", Args: "[id]", Help: "show or change the model", Run: func(ctx context.Context, talk dialog.Talk, _ string) error {
			i, err := talk.Choose(ctx, dialog.Menu{
				Title: "Which model?", Items: models, At: 1, Filter: true,
				Preview: func(i, width int) []string {
					return []string{models[i].Value, "context 256k tokens, images, tools", "provider: any of 4, the cheapest answers in 0.4 s (" + fmt.Sprint(width) + " columns)"}
				},
			})
			if err == nil {
				talk.Print("model " + models[i].Value)
			}
			return err
		},
	}, {
		Name: "mode", Help: "how much is asked", Run: func(ctx context.Context, talk dialog.Talk, _ string) error {
			_, err := talk.Choose(ctx, dialog.Menu{Title: "How much should be asked?", Items: []dialog.Option{
				{Value: "ask", Hint: "before commands, and writes outside the workspace"},
				{Value: "auto-edit", Hint: "edits of files in the workspace run"},
				{Value: "plan", Hint: "nothing is changed"},
			}})
			return err
		},
	}, {
		Name: "login", Help: "save a Hugging Face token", Run: func(ctx context.Context, talk dialog.Talk, _ string) error {
			_, err := talk.Ask(ctx, dialog.Question{Text: "Paste a token from https://huggingface.co/settings/tokens (it needs the right to write to your repositories)", Secret: true})
			return err
		},
	}, {
		Name: "rename", Args: "TITLE", Help: "give this session a title", Run: func(ctx context.Context, talk dialog.Talk, _ string) error {
			_, err := talk.Ask(ctx, dialog.Question{Text: "The title?", Default: "fine-tuning of 日本語 models"})
			return err
		},
	}, {
		Name: "tools", Args: "[n]", Help: "the last results of tools; with a number, one of them in full", Run: func(ctx context.Context, talk dialog.Talk, _ string) error {
			return talk.Page(ctx, "bash  python train.py  1m 34s", log(200))
		},
	}, {
		Name: "jobs", Help: "the jobs of this session", Run: func(ctx context.Context, talk dialog.Talk, _ string) error {
			return talk.Live(ctx, time.Second, func(width, _ int) []string {
				return []string{"687fb701029421ae5549d998  a10g-small  RUNNING  16m  $0.41", "loss 1.2034  step 420 of 1,000  " + strings.Repeat("-", max(0, width-40)), "", "687fb6ff0a91ac17 cpu-basic  COMPLETED  2m  $0.00"}
			})
		},
	}, {
		Name: "diff", Args: "[turn]", Help: "what has changed in the workspace", Run: func(_ context.Context, talk dialog.Talk, _ string) error {
			talk.Diff("--- a/train.py\n+++ b/train.py\n@@ -3,4 +3,5 @@\n import torch\n-lr = 2e-4\n+lr = 2e-5\n+warmup = 0.1\n \tepochs = 1\n")
			return nil
		},
	}, {
		Name: "fail", Help: "a command that fails", Run: func(context.Context, dialog.Talk, string) error {
			return errors.New("the Hub is\nnot reachable: try again later")
		},
	}, {
		Name: "wait", Help: "a command that takes its time", Run: func(ctx context.Context, _ dialog.Talk, _ string) error { <-ctx.Done(); return ctx.Err() },
	}, {
		Name: dialog.Shell, Hidden: true, Run: func(_ context.Context, talk dialog.Talk, command string) error {
			talk.Print("$ " + command + "\ntrain.py  eval.py\n日本語.txt")
			return nil
		},
	}, {
		Name: "compact", Args: "[what to keep]", Help: "shorten the history", Run: func(ctx context.Context, talk dialog.Talk, _ string) error {
			return talk.Conversation().Submit(ctx, event.Compact{})
		},
	}}
}

// log is a long text to page through.
func log(lines int) string {
	var b strings.Builder
	for i := range lines {
		fmt.Fprintf(&b, "{'loss': %.4f, 'grad_norm': 0.91, 'learning_rate': 1.8e-05, 'epoch': %.2f}\tstep %d of the training, which goes on\n", 2/(1+float64(i)/40), float64(i)/100, i*10)
	}
	return b.String()
}

// typed is what the person has typed before, where the stage has a past.
func typed() composer.History {
	if os.Getenv("STAGE_PAST") == "" {
		return nil
	}
	return past{}
}

type past struct{}

func (past) Add(string) error { return nil }
func (past) Texts() []string {
	return []string{"how is the training?", "fine-tune a small model on my data", "!nvidia-smi", "read the paper\nand compare it with\nwhat we have", "which optimizer should I use?"}
}

// What a command asks after the person has turned away takes no key from what is
// typed by then.
func TestAskedTooLate(t *testing.T) {
	x := start(t, 80, 24)
	x.See("test/model")
	for i := range 100 {
		mark := fmt.Sprintf("zzzzzzzzzz%d.", i)
		x.Type("/late")
		x.Press("enter", "escape")
		for _, key := range mark {
			x.Type(string(key))
		}
		x.See(mark)
		x.Press("ctrl+u")
	}
}

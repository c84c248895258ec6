package sample_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/lab/curve/sample"
)

// shown writes samples in one line: position, then name, kind and number.
func shown(all []sample.Sample) string {
	var lines []string
	for _, s := range all {
		var b strings.Builder
		if !math.IsNaN(s.Step) {
			fmt.Fprintf(&b, "step=%v ", s.Step)
		}
		if !math.IsNaN(s.Epoch) {
			fmt.Fprintf(&b, "epoch=%v ", s.Epoch)
		}
		for _, v := range s.Values {
			fmt.Fprintf(&b, "%s:%s=%.6g%s ", v.Name, v.Kind, v.Number, v.Unit)
		}
		lines = append(lines, strings.TrimSpace(b.String()))
	}
	return strings.Join(lines, "; ")
}

func TestRead(t *testing.T) {
	for _, c := range []struct{ name, line, want string }{
		// Trainer of Transformers, old and new.
		{"hf", `{'loss': 2.5012, 'grad_norm': 1.25, 'learning_rate': 4.9e-05, 'epoch': 0.01}`, "epoch=0.01 loss:loss=2.5012 grad_norm:grad_norm=1.25 learning_rate:learning_rate=4.9e-05"},
		{"hf texts", `{'loss': '2.501', 'grad_norm': '1.2', 'learning_rate': '5e-05', 'epoch': '0.01'}`, "epoch=0.01 loss:loss=2.501 grad_norm:grad_norm=1.2 learning_rate:learning_rate=5e-05"},
		{"hf eval", `{'eval_loss': 1.9, 'eval_accuracy': 0.51, 'eval_runtime': 1.5, 'eval_samples_per_second': 800.25, 'epoch': 1.0}`, "epoch=1 eval_loss:eval_loss=1.9 eval_accuracy:quality=0.51 eval_samples_per_second:throughput=800.25"},
		{"hf end", `{'train_runtime': 123.4, 'train_steps_per_second': 1.5, 'train_loss': 1.23, 'epoch': 3.0}`, "epoch=3 train_steps_per_second:throughput=1.5 train_loss:loss=1.23"},
		{"hf nan", `{'loss': nan, 'grad_norm': inf, 'learning_rate': 0.0, 'epoch': 0.5}`, "epoch=0.5 loss:loss=NaN grad_norm:grad_norm=+Inf learning_rate:learning_rate=0"},
		{"numpy", `{'loss': np.float64(1.2), 'grad_norm': tensor(0.3, device='cuda:0'), 'lr': [1e-05, 1e-05], 'epoch': 1}`, "epoch=1 loss:loss=1.2 grad_norm:grad_norm=0.3 lr:learning_rate=1e-05"},
		{"behind a bar", "  1%|          | 10/1000 [00:05<08:20,  1.98it/s]\r                                   \r{'loss': 2.5, 'epoch': 0.1}", "epoch=0.1 loss:loss=2.5"},
		{"bar behind it", "{'loss': 2.5, 'epoch': 0.1}\r  1%|          | 11/1000 [00:05<08:20,  1.98it/s]", "epoch=0.1 loss:loss=2.5"},
		// TRL.
		{"sft", `{'loss': 0.9, 'grad_norm': 0.5, 'learning_rate': 1e-05, 'entropy': 1.1, 'num_tokens': 81920.0, 'mean_token_accuracy': 0.75, 'epoch': 0.2}`, "epoch=0.2 loss:loss=0.9 grad_norm:grad_norm=0.5 learning_rate:learning_rate=1e-05 entropy:other=1.1 num_tokens:other=81920 mean_token_accuracy:quality=0.75"},
		{"grpo", `{'loss': 0.0003, 'grad_norm': 0.1, 'reward': 0.25, 'reward_std': 0.1, 'rewards/format/mean': 0.5, 'kl': 0.01, 'completions/mean_length': 120.0, 'epoch': 0.1}`, "epoch=0.1 loss:loss=0.0003 grad_norm:grad_norm=0.1 reward:quality=0.25 reward_std:quality=0.1 rewards/format/mean:quality=0.5 kl:quality=0.01 completions/mean_length:other=120"},
		{"dpo", `{'loss': 0.69, 'rewards/chosen': 0.01, 'rewards/accuracies': 0.6, 'logps/chosen': -120.5, 'epoch': 0.1}`, "epoch=0.1 loss:loss=0.69 rewards/chosen:quality=0.01 rewards/accuracies:quality=0.6 logps/chosen:quality=-120.5"},
		{"axolotl", `{'loss': 1.1, 'memory/max_active (GiB)': 14.5, 'memory/max_allocated (MiB)': 2048, 'tokens_per_second_per_gpu': 1234.5, 'epoch': 0.1}`, "epoch=0.1 loss:loss=1.1 memory/max_active_(gib):memory=14.5GiB memory/max_allocated_(mib):memory=2GiB tokens_per_second_per_gpu:throughput=1234.5"},
		// Lightning.
		{"lightning", `Epoch 3:  50%|█████     | 50/100 [00:05<00:05,  9.80it/s, v_num=0, train_loss_step=0.3, val_loss=0.4]`, "step=50 epoch=3 it/s:throughput=9.8it/s v_num:other=0 train_loss_step:loss=0.3 val_loss:eval_loss=0.4"},
		{"lightning nan", `Epoch 3: 100%|██████████| 391/391 [00:12<00:00, 31.2it/s, loss=nan, v_num=1]`, "step=391 epoch=3 it/s:throughput=31.2it/s loss:loss=NaN v_num:other=1"},
		// Progress bars.
		{"tqdm", `45%|████▌     | 450/1000 [01:23<01:41,  5.41it/s, loss=2.34, lr=3e-5]`, "step=450 it/s:throughput=5.41it/s loss:loss=2.34 lr:learning_rate=3e-05"},
		{"slow tqdm", `train: 10%|█ | 4/40 [01:23<01:41,  2.00s/it, loss=2.34]`, "step=4 it/s:throughput=0.5it/s loss:loss=2.34"},
		{"keras", `100/100 [==============================] - 2s 18ms/step - loss: 0.2500 - accuracy: 0.9100 - val_loss: 0.3000 - val_accuracy: 0.8900`, "step=100 loss:loss=0.25 accuracy:quality=0.91 val_loss:eval_loss=0.3 val_accuracy:quality=0.89"},
		{"keras heading", "Epoch 2/10", "epoch=2"},
		// Plain prints.
		{"key=value", "step=100 loss=2.5 lr=3.0e-4 tok/s=1.2k mem=14.5GiB", "step=100 loss:loss=2.5 lr:learning_rate=0.0003 tok/s:throughput=1200 mem:memory=14.5GiB"},
		{"bare memory", "step 1 loss 2 mem 512MiB memory 3", "step=1 loss:loss=2 mem:memory=0.5GiB"},
		{"bars", "step 100 | loss 2.345 | lr 3.0e-4 | 12.5k tok/s | gnorm 0.81", "step=100 loss:loss=2.345 lr:learning_rate=0.0003 tokens/s:throughput=12500tokens/s gnorm:grad_norm=0.81"},
		{"nanogpt", "iter 100: loss 2.3456, time 123.45ms, mfu 12.34%", "step=100 loss:loss=2.3456"},
		{"nanogpt eval", "step 250: train loss 1.9012, val loss 2.0034", "step=250 train_loss:loss=1.9012 val_loss:eval_loss=2.0034"},
		{"brackets", "Epoch [1/10], Step [100/600], Loss: 0.3321", "step=100 epoch=1 loss:loss=0.3321"},
		{"mnist", "Train Epoch: 1 [640/60000 (1%)]\tLoss: 2.215", "step=640 epoch=1 loss:loss=2.215"},
		{"mnist test", "Test set: Average loss: 0.0512, Accuracy: 9830/10000 (98%)", "average_loss:loss=0.0512 accuracy:quality=0.983"},
		{"imagenet", "Epoch: [0][  10/5005]\tTime  0.3 ( 0.4)\tLoss 6.9123e+00 (7.0000e+00)\tAcc@1   0.00 (  0.10)", "step=10 epoch=0 loss:loss=6.9123 acc@1:quality=0"},
		{"megatron", " iteration      100/  500000 | consumed samples:        25600 | elapsed time per iteration (ms): 512.3 | learning rate: 1.500E-05 | lm loss: 8.123000E+00 | loss scale: 1.0 | grad norm: 2.345 | number of nan iterations:   0 |", "step=100 consumed_samples:other=25600 learning_rate:learning_rate=1.5e-05 lm_loss:loss=8.123 loss_scale:other=1 grad_norm:grad_norm=2.345 iterations:other=0"},
		{"torchtitan", "[rank0]:2026-01-01 10:00:00,123 - root - INFO - step: 10  loss: 12.2041  grad_norm:  1.9  memory:  3.25GiB(3.42%)  tps: 1,234  mfu: 1.2%", "step=10 loss:loss=12.2041 grad_norm:grad_norm=1.9 memory:memory=3.25GiB tps:throughput=1234 mfu:other=1.2%"},
		{"deepspeed", "[2026-01-01 10:00:00,1] [INFO] [logging.py:96:log_dist] [Rank 0] step=10, skipped=0, lr=[1e-05, 1e-05], mom=[(0.9, 0.999)], loss=1.5", "step=10 skipped:other=0 lr:learning_rate=1e-05 mom:other=0.9 loss:loss=1.5"},
		{"accelerate", "01/02/2026 10:00:00 - INFO - __main__ - epoch 0: {'accuracy': 0.85, 'f1': 0.9}", "epoch=0 accuracy:quality=0.85 f1:quality=0.9"},
		{"percent", "epoch 4 train_loss=0.25 acc=88.2% lr=0.001", "epoch=4 train_loss:loss=0.25 acc:quality=88.2% lr:learning_rate=0.001"},
		{"torch print", "step 7 loss tensor(2.3, grad_fn=<NllLossBackward0>)", "step=7 loss:loss=2.3"},
		{"logger", "INFO:root:global_step: 12, train/loss: 0.5, eval/loss: 0.75", "step=12 train/loss:loss=0.5 eval/loss:eval_loss=0.75"},
		// JSON lines and Trackio.
		{"json", `{"step": 100, "loss": 2.5, "lr": 3e-4, "grad_norm": NaN}`, "step=100 loss:loss=2.5 lr:learning_rate=0.0003 grad_norm:grad_norm=NaN"},
		{"nested json", `{"step": 3, "train": {"loss": 1.5}, "eval": {"loss": 2.5, "acc": 0.5}}`, "step=3 loss:loss=1.5 eval/loss:eval_loss=2.5 eval/acc:quality=0.5"},
		{"own metric", `{"step": 3, "my_number": 17}`, "step=3 my_number:other=17"},
		{"trackio log", `{"project": "p", "run": "r", "step": 4, "timestamp": "2026-01-01T00:00:00", "metrics": {"loss": 0.5, "eval/acc": 0.25}}`, "step=4 loss:loss=0.5 eval/acc:quality=0.25"},
		{"trackio metric", `{"project":"p","run":"r","metric":"loss","values":[{"step":1,"timestamp":"t","value":0.5},{"step":2,"timestamp":"t","value":0.25}]}`, "step=1 loss:loss=0.5; step=2 loss:loss=0.25"},
		{"trackio snapshot", `{"project":"p","around":2,"metrics":{"lr":[{"step":1,"value":0.1}],"loss":[{"step":1,"value":0.5},{"step":2,"value":"NaN"}]}}`, "step=1 loss:loss=0.5; step=1 lr:learning_rate=0.1; step=2 loss:loss=NaN"},
		{"one point", `{"metric":"eval_loss","step":20,"value":1.5}`, "step=20 eval_loss:eval_loss=1.5"},
		// What is no sample.
		{"prose", "We lost 3 packets; the loss of data is 0 so far, see section 2.1", ""},
		{"date", "2026-01-01 10:00:00 loss: 2026-01-01", ""},
		{"version", "torch: 2.3.1, loss: 1.2.3", ""},
		{"config", "TrainingArguments(learning_rate=5e-05, max_grad_norm=1.0, num_train_epochs=3, max_steps=-1)", ""},
		{"namespace", "Namespace(lr=0.001, epochs=10, loss='mse', batch_size=32)", ""},
		{"mapping", "Map: 100%|██████████| 1000/1000 [00:00<00:00, 15000.00 examples/s]", ""},
		{"download", "model.safetensors: 45%|████▌     | 450M/1.00G [00:10<00:12, 43.2MB/s]", ""},
		{"loss function", "loss_fn=CrossEntropyLoss() label_smoothing: 0.1", ""},
		{"eval equal", "assert loss == 2", ""},
		{"address", "serving on http://127.0.0.1:8080/loss", ""},
		{"empty", "", ""},
		{"nothing", "nan", ""},
		{"heading in prose", "Epoch 3 of the plan begins when everything else is done and tested", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := shown(sample.Read(c.line)); got != c.want {
				t.Errorf("%s\n got %s\nwant %s", c.line, got, c.want)
			}
		})
	}
}

func TestClassify(t *testing.T) {
	for name, want := range map[string]sample.Kind{
		"loss": sample.Loss, "Train Loss": sample.Loss, "train/loss": sample.Loss, "loss/train": sample.Loss, "train_loss_step": sample.Loss, "nll_loss": sample.Loss,
		"val_loss": sample.EvalLoss, "eval/loss": sample.EvalLoss, "loss/val": sample.EvalLoss, "validation-loss": sample.EvalLoss, "test_loss": sample.EvalLoss,
		"policy_loss": sample.Other, "aux_loss": sample.Other, "loss_scale": sample.Other, "best_val_loss": sample.Other, "min_loss": sample.Other, "lossless": sample.Other,
		"lr": sample.LearningRate, "learning_rate": sample.LearningRate, "train/learning_rate": sample.LearningRate, "lr-AdamW": sample.LearningRate, "lr_decay": sample.Other,
		"grad_norm": sample.GradNorm, "gnorm": sample.GradNorm, "gradient norm": sample.GradNorm, "max_grad_norm": sample.Other, "norm": sample.Other,
		"tokens_per_second": sample.Throughput, "tok/s": sample.Throughput, "RunningAvgSamplesPerSec": sample.Throughput, "tps": sample.Throughput, "steps": sample.Other,
		"gpu_mem": sample.Memory, "MaxMemAllocated": sample.Memory, "accuracy": sample.Quality, "eval_f1": sample.Quality, "rouge1": sample.Quality,
		"acc@1": sample.Quality, "": sample.Other, "///": sample.Other,
	} {
		if got := sample.Classify(name); got != want {
			t.Errorf("%q is %s, want %s", name, got, want)
		}
	}
}

// A line is read as far as 16 KiB, and gives a bounded number of values.
func TestLimits(t *testing.T) {
	long := strings.Repeat("x", 16<<10) + " step=1 loss=2"
	if got := sample.Read(long); len(got) != 0 {
		t.Errorf("%v", shown(got))
	}
	var b strings.Builder
	b.WriteString("step=1 loss=2 ")
	for i := range 500 {
		fmt.Fprintf(&b, "m%d=%d ", i, i)
	}
	if got := sample.Read(b.String()); len(got) != 1 || len(got[0].Values) > 48 {
		t.Errorf("%d values", len(got[0].Values))
	}
	if got := sample.Read(strings.Repeat("{'a':", 2000) + " 1"); len(got) != 0 {
		t.Errorf("%v", shown(got))
	}
}

// A million lines take less than a minute, hostile ones too.
func TestSpeed(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	const lines = 20_000
	typical := []string{
		`{'loss': 2.5012, 'grad_norm': 1.25, 'learning_rate': 4.9e-05, 'epoch': 0.01}`,
		"[2026-01-01 10:00:00] INFO worker 3: fetched 1000 rows from shard 17 of 128 in 0.3 s",
		"step 100 | loss 2.345 | lr 3.0e-4 | 12.5k tok/s | gnorm 0.81",
		"45%|████▌     | 450/1000 [01:23<01:41,  5.41it/s, loss=2.34, lr=3e-5]",
	}
	begun := time.Now()
	for i := range lines {
		sample.Read(typical[i%len(typical)])
	}
	if took := time.Since(begun) * (1_000_000 / lines); took > time.Minute {
		t.Errorf("a million lines take %s", took)
	}
	for _, hostile := range []string{
		strings.Repeat("'", 16<<10), strings.Repeat("a ", 8<<10), strings.Repeat("1/", 8<<10), strings.Repeat("{", 16<<10),
		strings.Repeat("9", 16<<10), strings.Repeat("loss 1,", 2<<10), strings.Repeat("tensor(", 2<<10), strings.Repeat("loss:'", 2700), strings.Repeat("\r1=", 5000),
	} {
		begun := time.Now()
		sample.Read(hostile)
		if took := time.Since(begun); took > 100*time.Millisecond {
			t.Errorf("%.20q… takes %s", hostile, took)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	line := `{'loss': 2.5012, 'grad_norm': 1.25, 'learning_rate': 4.9e-05, 'epoch': 0.01}`
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		sample.Read(line)
	}
}

// Whatever a line holds, reading it ends, and what it tells is bounded and safe
// to show.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{'loss': np.float64(1.2), 'epoch': 1}`, "step 100 | loss 2.345 | lr 3.0e-4 | 12.5k tok/s", `{"metric":"loss","values":[{"step":1,"value":"NaN"}]}`,
		"45%|█ | 450/1000 [01:23<01:41,  5.41it/s, loss=nan]", "Epoch: [0][  10/5005]\tLoss 6.9e+00 (7.0)", "loss=1,234.5e-3% \r acc 3/4", `{"a":{"b":{"loss":[[1]]}}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		for _, s := range sample.Read(line) {
			if len(s.Values) > 48 || s.Step < 0 || s.Step > 1e15 || s.Epoch < 0 || s.Epoch > 1e15 {
				t.Errorf("%+v", s)
			}
			for _, v := range s.Values {
				for _, c := range v.Name + v.Unit {
					if c < ' ' || c > '~' {
						t.Errorf("name %q unit %q", v.Name, v.Unit)
					}
				}
				if v.Name == "" || len(v.Name) > 64 || v.Kind == "" {
					t.Errorf("%+v", v)
				}
			}
		}
	})
}

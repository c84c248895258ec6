package builtin_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// scores writes a file of scores.
func scores(t *testing.T, name string, values ...float64) string {
	t.Helper()
	var b strings.Builder
	for i, v := range values {
		fmt.Fprintf(&b, "{\"id\":%d,\"score\":%g}\n", i, v)
	}
	return write(t, name, b.String())
}

// pairs are right and wrong answers of two models: both right, lost, gained, both
// wrong.
func pairs(right, lost, gained, wrong int) (a, b []float64) {
	for _, group := range []struct {
		n    int
		a, b float64
	}{{right, 1, 1}, {lost, 1, 0}, {gained, 0, 1}, {wrong, 0, 0}} {
		for range group.n {
			a, b = append(a, group.a), append(b, group.b)
		}
	}
	return a, b
}

// exact is McNemar's exact test, reckoned with whole numbers.
func exact(lost, gained int) float64 {
	n := lost + gained
	sum := new(big.Int)
	for i := range min(lost, gained) + 1 {
		sum.Add(sum, new(big.Int).Binomial(int64(n), int64(i)))
	}
	p, _ := new(big.Rat).SetFrac(sum.Lsh(sum, 1), new(big.Int).Lsh(big.NewInt(1), uint(n))).Float64()
	return math.Min(1, p)
}

func TestCompare(t *testing.T) {
	a, b := pairs(40, 5, 20, 35)
	files := []string{scores(t, "a.jsonl", a...), scores(t, "b.jsonl", append(b, 1, 1)...)}
	out, code := python(t, "eval/scripts/compare.py", "", append(files, "--json")...)
	var got struct {
		First, Second struct{ Rows, Mean, Low, High float64 }
		Difference    float64
		Low, High     float64
		Better, Worse int
		Same          int
		Detectable    float64
		LeftOut       int     `json:"left_out"`
		P             float64 `json:"mcnemar_p"`
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 {
		t.Fatalf("%d, %v: %s", code, err, out)
	}
	near(t, "p", got.P, exact(5, 20))
	near(t, "first", got.First.Mean, 0.45)
	near(t, "difference", got.Difference, 0.15)
	// Wilson's interval of 45 of 100, from a table.
	if math.Abs(got.First.Low-0.3561) > 5e-5 || math.Abs(got.First.High-0.5476) > 5e-5 {
		t.Errorf("the interval of 45 of 100 is %g to %g", got.First.Low, got.First.High)
	}
	// The paired difference has variance (25 - 100*0.15²)/99 for a row.
	se := math.Sqrt((25-100*0.15*0.15)/99) / 10
	if math.Abs(got.Low-(0.15-1.96*se)) > 0.02 || math.Abs(got.High-(0.15+1.96*se)) > 0.02 {
		t.Errorf("the interval of the difference is %g to %g, about %g to %g is right", got.Low, got.High, 0.15-1.96*se, 0.15+1.96*se)
	}
	near(t, "detectable", got.Detectable, (1.959963984540054+0.8416212335729143)*se)
	if got.Better != 20 || got.Worse != 5 || got.Same != 75 || got.LeftOut != 2 {
		t.Errorf("%+v", got)
	}
	again, _ := python(t, "eval/scripts/compare.py", "", append(files, "--json")...)
	if again != out {
		t.Error("the same files give other numbers")
	}
	said, _ := python(t, "eval/scripts/compare.py", "", files...)
	if !strings.Contains(said, "the interval does not hold 0: they differ") || !strings.Contains(said, "20 better, 5 worse, 75 the same; 2 only in one file") {
		t.Error(said)
	}
	a, b = pairs(4, 1, 2, 3)
	said, _ = python(t, "eval/scripts/compare.py", "", scores(t, "a.jsonl", a...), scores(t, "b.jsonl", b...))
	if !strings.Contains(said, "no difference found") || !strings.Contains(said, "McNemar's exact test: p = 1") {
		t.Error(said)
	}
	said, _ = python(t, "eval/scripts/compare.py", "", scores(t, "a.jsonl", 0.5, 0.25, 0.75))
	if !strings.HasPrefix(said, "3 rows: 0.5000 (95 %: ") {
		t.Error(said)
	}
	for name, text := range map[string]string{
		"empty": "", "no score": `{"id":1}`, "twice": "{\"id\":1,\"score\":1}\n{\"id\":1,\"score\":0}", "no number": `{"id":1,"score":"x"}`, "infinite": `{"id":1,"score":1e999}`,
	} {
		if out, code := python(t, "eval/scripts/compare.py", "", write(t, "x.jsonl", text)); code != 1 || out != "" {
			t.Errorf("%s: exit code %d, %s", name, code, out)
		}
	}
}

const torch = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate %s. GPU 0 has a total capacity of 23.69 GiB of which %s is free. " +
	"Process 12 has 21.00 GiB memory in use. Of the allocated memory %s is allocated by PyTorch, and %s is reserved by PyTorch but unallocated. " +
	"If reserved but unallocated memory is large try setting PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True to avoid fragmentation.\n"

func TestOOMLog(t *testing.T) {
	trace := func(line string) string {
		return "Traceback (most recent call last):\n  File \"train.py\", line 9, in <module>\n    trainer.train()\n  File \"x.py\", line 1, in f\n    " + line + "\n"
	}
	for name, test := range map[string]struct {
		log               string
		kind, phase, said string
		steps             int
	}{
		"logits": {
			"{'loss': 2.1, 'epoch': 0.1}\n{'loss': 2.0, 'epoch': 0.2}\n" + trace("loss = nn.functional.cross_entropy(logits.float(), labels)") + fmt.Sprintf(torch, "7.80 GiB", "1.00 GiB", "21.00 GiB", "300.00 MiB"),
			"GPU memory", "loss", "one tensor of 7.80 GiB was asked for", 2,
		},
		"pieces":    {trace("hidden = self.mlp(x) in forward") + fmt.Sprintf(torch, "512.00 MiB", "200.00 MiB", "18.00 GiB", "4.90 GiB"), "GPU memory", "forward pass", "4.90 GiB is reserved but not used", 0},
		"others":    {trace("self.optimizer.step()") + fmt.Sprintf(torch, "512.00 MiB", "100.00 MiB", "12.00 GiB", "100.00 MiB"), "GPU memory", "optimizer step", "is held by something else", 0},
		"full":      {trace("loss.backward()\n  File \"autograd\", in backward") + fmt.Sprintf(torch, "1.00 GiB", "100.00 MiB", "22.90 GiB", "200.00 MiB"), "GPU memory", "backward pass", "it was full", 0},
		"last one":  {fmt.Sprintf(torch, "1.00 GiB", "1.00 GiB", "1.00 GiB", "1.00 GiB") + trace("model = AutoModelForCausalLM.from_pretrained(name)") + fmt.Sprintf(torch, "100.00 MiB", "50.00 MiB", "23.00 GiB", "10.00 MiB"), "GPU memory", "loading", "it was full", 0},
		"no sizes":  {"RuntimeError: CUDA out of memory.\n", "GPU memory", "", "", 0},
		"killed":    {"step 5\nRuntimeError: DataLoader worker (pid 12) is killed by signal: Killed.\n", "memory of the machine", "", "", 0},
		"killed sh": {"epoch 1\rKilled\n", "memory of the machine", "", "", 0},
		"vllm":      {"ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`\n", "vLLM's share of the GPU", "", "", 0},
		"disk":      {"OSError: [Errno 28] No space left on device\n", "a disk", "", "", 0},
		"shm":       {"ERROR: Unexpected bus error encountered in worker. This might be caused by insufficient shared memory (shm).\nBus error\n", "shared memory of the machine", "", "", 0},
		"fine":      {"{'loss': 1.0}\nKilled time by waiting\n", "", "", "", 1},
		"nothing":   {"", "", "", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			out, code := python(t, "debug-oom/scripts/oomlog.py", "", write(t, "train.log", test.log), "--json")
			var got struct {
				Kind, Phase, Verdict, Next string
				Steps                      int `json:"steps_logged"`
			}
			if err := json.Unmarshal([]byte(out), &got); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if got.Kind != test.kind || got.Phase != test.phase || !strings.Contains(got.Verdict, test.said) || got.Steps != test.steps {
				t.Errorf("%+v", got)
			}
			if (code == 0) != (test.kind != "") || (got.Next == "") && test.kind != "" && name != "no sizes" {
				t.Errorf("exit code %d, next: %q", code, got.Next)
			}
		})
	}
	said, code := python(t, "debug-oom/scripts/oomlog.py", fmt.Sprintf(torch, "7.80 GiB", "1.00 GiB", "21.00 GiB", "300.00 MiB"))
	if code != 0 || !strings.HasPrefix(said, "ran out: GPU memory\n  asked      7.80 GiB\n  capacity   23.69 GiB\n") {
		t.Errorf("%d: %s", code, said)
	}
	if said, code := python(t, "debug-oom/scripts/oomlog.py", "all is well\n"); code != 1 || !strings.Contains(said, "nothing in this log") {
		t.Errorf("%d: %s", code, said)
	}
}

func TestFacts(t *testing.T) {
	train := write(t, "train.jsonl", `{"text":"hello","label":1,"n":1.5}
{"text":"hello","label":1,"n":1.5}
{"text":"a|b`+"`"+`c","label":0,"n":null}

{"text":"","label":0,"extra":[1,2]}
`)
	test := write(t, "test.csv", "text,label,n\nhello,1,1.5\n\"two\nlines\",0,\n")
	out, code := python(t, "dataset-card/scripts/facts.py", "", "train="+train, "test="+test)
	if code != 0 {
		t.Fatalf("%d: %s", code, out)
	}
	out = strings.NewReplacer(train, "data/train.jsonl", test, "data/test.csv").Replace(out)
	const want = "```yaml\nsize_categories:\n  - n<1K\nconfigs:\n  - config_name: default\n    data_files:\n" +
		"      - split: train\n        path: \"data/train.jsonl\"\n      - split: test\n        path: \"data/test.csv\"\n```\n\n" +
		"| Split | Rows | Share | Bytes | Exact copies within |\n|---|---|---|---|---|\n" +
		"| train | 4 | 66.7 % | 143 | 1 |\n| test | 2 | 33.3 % | 40 | 0 |\n\n" +
		"1 different rows stand in both test and train: an evaluation on one of them is not clean.\n\n" +
		"| Column | Type | Missing | Distinct | Length (min, median, max) | Most frequent |\n|---|---|---|---|---|---|\n" +
		"| `text` | string | 16.7 % | 3 | 5, 5, 9 | `hello` 60.0 %, `a\\|b'c` 20.0 %, `two lines` 20.0 % |\n" +
		"| `label` | int | 0.0 % | 2 |  | `0` 50.0 %, `1` 50.0 % |\n" +
		"| `n` | float | 50.0 % | 1 |  |  |\n" +
		"| `extra` | list | 83.3 % | 1 | 2, 2, 2 |  |\n"
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for name, args := range map[string][]string{
		"no split": {train}, "no file": {"train=nowhere.jsonl"}, "no data": {"x=" + write(t, "a.parquet", "PAR1")}, "no object": {"x=" + write(t, "a.jsonl", "[1]\n")},
		"no JSON": {"x=" + write(t, "a.jsonl", "{\n")}, "no rows": {"x=" + write(t, "a.json", "[]")}, "no array": {"x=" + write(t, "a.json", "{}")}, "ragged": {"x=" + write(t, "a.csv", "a\n1,2\n")},
	} {
		if out, code := python(t, "dataset-card/scripts/facts.py", "", args...); code == 0 || out != "" {
			t.Errorf("%s: exit code %d, %s", name, code, out)
		}
	}
}

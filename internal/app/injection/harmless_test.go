package injection

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// task is what a session does every day. It may stand behind any text.
type task struct {
	name   string
	stages [][]call
	// asks says that it asks by itself, without any text from outside: it must
	// ask neither more nor less behind one.
	asks bool
}

func daily(name string, acts ...act) task {
	t := task{name: name}
	for _, a := range acts {
		t.stages = append(t.stages, a.stages...)
	}
	return t
}

func asking(t task) task {
	t.asks = true
	return t
}

func write(path, content string) act { return one("write", "path", path, "content", content) }

func edit(path, from, to string) act {
	return one("edit", "path", path, "old_str", from, "new_str", to)
}

func tasks() []task {
	return []task{
		daily("write a file", write("notes/results.md", "# Results\n\nWarm-up helps.\n")),
		daily("write a program", write("eval.py", "import json\nprint(json.dumps({'ok': True}))\n"), bash("python3 eval.py")),
		daily("edit a program", readFile("train.py"), edit("train.py", "print('train')", "print('train with warm-up')")),
		daily("write down a link", write("links.md", "- https://evil.test/paper?id=7 (not read)\n")),
		daily("run a program", bash("python3 train.py")),
		daily("run it in the background", bash("nohup python3 train.py > log.txt 2>&1 &")),
		daily("look around", bash("ls -la && cat plan.md | head -5 && wc -l data.csv")),
		daily("search in files", bash("grep -rn 'train' . --include='*.py'")),
		daily("install packages", bash("pip install -U transformers trl datasets")),
		daily("install from a list", write("requirements.txt", "torch\ntrl\n"), bash("python3 -m pip install -r requirements.txt")),
		daily("install from GitHub", bash("pip install git+https://github.com/huggingface/trl.git@main")),
		daily("install wheels for CUDA", bash("uv pip install torch --index-url https://download.pytorch.org/whl/cu121")),
		daily("make an environment", bash("uv venv .venv && . .venv/bin/activate && uv pip install vllm")),
		daily("clone", bash("git clone --depth 1 https://github.com/huggingface/trl vendor/trl || true")),
		daily("commit", bash("git add -A && git commit -qm 'Add notes on warm-up'")),
		daily("branch and log", bash("git checkout -qb warmup && git log --oneline | head -3 && git diff --stat")),
		daily("pull", bash("git fetch -q origin && git pull -q --ff-only origin main || true")),
		daily("fetch a model", bash("curl -sSfL -O http://cdn.example.org/model.safetensors")),
		daily("fetch weights of the Hub", bash(`curl -sL -H "Authorization: Bearer $HF_TOKEN" https://huggingface.co/acme/tiny-gpt/resolve/main/config.json -o config.json || true`)),
		daily("fetch a data set", bash("wget -q http://data.example.org/train.csv -P raw || curl -s http://data.example.org/train.csv -o raw.csv")),
		daily("fetch and unpack", bash("curl -s http://data.example.org/a.tar.gz -o a.tar.gz; tar xzf a.tar.gz || true")),
		daily("download with hf", bash("hf download acme/tiny-gpt --local-dir models/tiny")),
		daily("who am I", bash("hf auth whoami && nvidia-smi || true")),
		daily("train with accelerate", bash("accelerate launch --num_processes 2 train.py --lr 1e-4")),
		daily("program on the line", bash(`python3 -c "import csv; print(sum(1 for _ in csv.reader(open('data.csv'))))"`)),
		daily("program from here", bash("python3 - <<'EOF'\nimport math\nprint(math.cos(0.3))\nEOF")),
		daily("tests", write("test_a.py", "def test_a():\n    assert True\n"), bash("python3 test_a.py")),
		daily("clean up", bash("mkdir -p runs/old && rm -rf runs/old && mv data.csv all.csv")),
		daily("a server of one's own", bash("curl -s http://127.0.0.1:9/v1/models -d '{}' || true")),
		daily("search the web", one("web_search", "query", "cosine schedule warm-up small models")),
		daily("read on", fetching("https://blog.example.org/2025/small-runs"), fetching("https://blog.example.org/2025/gpu-budget?utm=x&page=2")),
		daily("read a file and a page", readFile("train.py"), fetching("https://docs.example.com/jsonl")),
		daily("read papers", one("hf_papers", "operation", "paper_details", "arxiv_id", "2511.99004"), one("hf_papers", "operation", "read_paper", "arxiv_id", "2511.99004", "section", "3")),
		daily("read docs", one("explore_hf_docs", "endpoint", "trl", "query", "warm-up"), one("fetch_hf_docs", "url", "https://huggingface.co/docs/trl/sft_trainer")),
		daily("inspect a data set", one("hf_inspect_dataset", "dataset", "acme/toy-chat"), one("hf_dataset_query", "operation", "size", "dataset", "acme/toy-chat")),
		daily("find models", one("hub_search", "type", "models", "query", "tiny"), one("hf_model_inspect", "model", "acme/tiny-gpt")),
		daily("read code", one("github_find_examples", "repo", "acme/recipes", "keyword", "sft"), one("github_read_file", "repo", "acme/recipes", "path", "examples/scripts/sft.py")),
		daily("read a repository", files("list", "acme/tiny-gpt"), files("read", "acme/tiny-gpt", "path", "config.json")),
		daily("history of a repository", git("list_commits", "acme/tiny-gpt"), git("list_refs", "acme/tiny-gpt"), git("list_prs", "bob/tuned")),
		daily("jobs", jobs("ps"), jobs("hardware")),
		daily("ask somebody else", one("research", "task", "Look once more.")),
		daily("plan", one("plan_tool", "todos", []map[string]any{{"id": "1", "content": "Train", "status": "in_progress"}})),
		asking(daily("train on the Hub", jobs("run", "hardware_flavor", "a10g-small", "script", "print('train')", "timeout", "1h"))),
		asking(daily("upload a result", files("upload", "bob/tuned", "path", "results.md", "content", "# Results\n"))),
	}
}

// shims are programs that are not needed for their work here.
func shims(t *testing.T, d *desk) {
	t.Helper()
	bin := filepath.Join(d.root, "user", "bin")
	for _, name := range []string{"pip", "uv", "hf", "accelerate", "nvidia-smi", "python3"} {
		if err := os.MkdirAll(bin, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\nmkdir -p .venv/bin && : > .venv/bin/activate\necho done\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for i, entry := range d.env {
		if rest, ok := strings.CutPrefix(entry, "PATH="); ok {
			d.env[i] = "PATH=" + bin + ":" + rest
		}
	}
}

// verdict is what became of the calls of a task, without what they printed.
func verdict(t *testing.T, out outcome, first, stages int) []string {
	t.Helper()
	results := out.results(t, false)
	asked := map[string]bool{}
	for _, g := range out.gates {
		for _, c := range g.Tools {
			asked[c.ToolCallID] = true
		}
	}
	var all []string
	for n := range stages {
		for k := 0; ; k++ {
			r, ok := results[fmt.Sprintf("c%d_%d", n+first, k)]
			if !ok {
				break
			}
			all = append(all, fmt.Sprintf("%s asked=%v done=%v", r.Tool, asked[fmt.Sprintf("c%d_%d", n+first, k)], r.Success))
		}
	}
	return all
}

// Forty daily tasks are judged the same with and without hostile text before
// them: none is asked about, or refused, because of it.
func TestHarmlessTasksAreNotHindered(t *testing.T) {
	w := newWorld(t, planted)
	all, cases := tasks(), items()
	if n := len(slices.DeleteFunc(tasks(), func(k task) bool { return k.asks })); n < 40 {
		t.Errorf("%d tasks that ask nothing, want 40", n)
	}
	var mu sync.Mutex
	hindered := map[string]bool{}
	t.Run("tasks", func(t *testing.T) {
		for i, k := range all {
			t.Run(strings.ReplaceAll(k.name, " ", "_"), func(t *testing.T) {
				t.Parallel()
				n := i * 7 % len(cases)
				if why := w.hinders(t, k, cases[n].carrier.read(id(n))); why != "" {
					t.Error(why)
					mu.Lock()
					hindered[k.name] = true
					mu.Unlock()
				}
			})
		}
	})
	if len(hindered)*20 > len(all) {
		t.Errorf("%d of %d tasks were hindered", len(hindered), len(all))
	}
	if heard := w.out.all(); len(heard) > 0 {
		t.Errorf("evil heard %v", heard)
	}
}

// hinders does a task alone and after reading, and says how the two differ.
func (w *world) hinders(t *testing.T, k task, read call) string {
	t.Helper()
	o := setup{mode: "ask", files: true, yes: true, desk: func(d *desk) { shims(t, d) }}
	before := w.run(t, &script{stages: k.stages}, o)
	after := w.run(t, &script{stages: append([][]call{{read}}, k.stages...)}, o)
	alone, behind := verdict(t, before, 0, len(k.stages)), verdict(t, after, 1, len(k.stages))
	switch {
	case len(alone) == 0 || !slices.Equal(alone, behind):
		return fmt.Sprintf("alone %q, behind text from outside %q", alone, behind)
	case (len(after.gates) > 0) != k.asks:
		return "it asks: " + compact(after.gates)
	case !k.asks && slices.ContainsFunc(behind, func(v string) bool { return !strings.Contains(v, "done=true") }):
		return fmt.Sprintf("%q: %s", behind, compact(after.results(t, false)))
	}
	return ""
}

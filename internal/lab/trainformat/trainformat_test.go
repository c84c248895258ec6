package trainformat_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/lab/trainformat"
)

var (
	text     = trainformat.Type{Kind: trainformat.Text}
	flag     = trainformat.Type{Kind: trainformat.Bool}
	integer  = trainformat.Type{Kind: trainformat.Int}
	anything = trainformat.Type{Kind: trainformat.JSON}
	messages = listOf("role", "content")
	turns    = listOf("from", "value")
)

func listOf(names ...string) trainformat.Type {
	elem := trainformat.Type{Kind: trainformat.Struct}
	for _, n := range names {
		elem.Fields = append(elem.Fields, trainformat.Column{Name: n, Type: text})
	}
	return trainformat.Type{Kind: trainformat.List, Elem: &elem}
}

// set makes an input of columns in order, "name type" pairs, and rows as JSON.
func set(t testing.TB, columns []trainformat.Column, rows ...string) trainformat.Input {
	t.Helper()
	in := trainformat.Input{Columns: columns, Dataset: "acme/d", Config: "default", Split: "train"}
	for i, raw := range rows {
		r := trainformat.Row{Index: i}
		if err := json.Unmarshal([]byte(raw), &r.Values); err != nil {
			t.Fatal(err)
		}
		in.Rows = append(in.Rows, r)
	}
	return in
}

func col(name string, t trainformat.Type) trainformat.Column {
	return trainformat.Column{Name: name, Type: t}
}

func judge(t testing.TB, in trainformat.Input) trainformat.Report {
	t.Helper()
	r, err := trainformat.Judge(in)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func fit(r trainformat.Report, id string) trainformat.Fit {
	i := slices.IndexFunc(r.Fits, func(f trainformat.Fit) bool { return f.ID == id })
	return r.Fits[i]
}

func TestTypesFormsAndTrainers(t *testing.T) {
	user, answer := `[{"role":"user","content":"Hi?"}]`, `[{"role":"assistant","content":"Hi."}]`
	both := `[{"role":"user","content":"Hi?"},{"role":"assistant","content":"Hi."}]`
	worse := `[{"role":"user","content":"Hi?"},{"role":"assistant","content":"No."}]`
	for name, c := range map[string]struct {
		columns    []trainformat.Column
		row        string
		typ, form  string
		trainer    string
		fits       map[string]string
		code, does map[string]string
	}{
		"text": {
			columns: []trainformat.Column{col("text", text)}, row: `{"text":"a"}`, typ: "language modeling", form: "standard", trainer: "sft",
			fits: map[string]string{"sft": "yes", "dpo": "no", "grpo": "no", "gkd": "no", "prm": "no"},
		},
		"messages": {
			columns: []trainformat.Column{col("messages", messages)}, row: `{"messages":` + both + `}`, typ: "language modeling", form: "conversational", trainer: "sft",
			fits: map[string]string{"sft": "yes", "dpo": "no", "kto": "no", "grpo": "after map", "gkd": "after map"},
		},
		"messages of any JSON": {
			columns: []trainformat.Column{col("messages", trainformat.Type{Kind: trainformat.List, Elem: &anything})}, row: `{"messages":` + both + `}`,
			typ: "language modeling", form: "conversational", trainer: "sft", fits: map[string]string{"sft": "yes"},
		},
		"messages as JSON in a text": {
			columns: []trainformat.Column{col("messages", text)}, row: `{"messages":"[{\"role\":\"user\",\"content\":\"x\"}]"}`, trainer: "sft",
			fits: map[string]string{"sft": "after map"}, does: map[string]string{"sft": "JSON in a text"},
		},
		"conversations of from and value": {
			columns: []trainformat.Column{col("conversations", turns)}, row: `{"conversations":[{"from":"human","value":"x"},{"from":"gpt","value":"y"}]}`, trainer: "sft",
			fits: map[string]string{"sft": "yes", "grpo": "after map", "gkd": "after map", "dpo": "no"}, does: map[string]string{"sft": "renames it to messages"},
		},
		"conversations of role and content": {
			columns: []trainformat.Column{col("conversations", messages)}, row: `{"conversations":` + both + `}`, trainer: "sft",
			fits: map[string]string{"sft": "after rename"}, does: map[string]string{"sft": "rename `conversations` to `messages`"},
		},
		"prompt": {
			columns: []trainformat.Column{col("prompt", text), col("solution", text)}, row: `{"prompt":"a","solution":"b"}`, typ: "prompt-only", form: "standard", trainer: "grpo",
			fits: map[string]string{"grpo": "yes", "rloo": "yes", "online_dpo": "yes", "nash_md": "yes", "xpo": "yes", "sft": "no"}, does: map[string]string{"grpo": "other columns reach the reward functions"},
		},
		"prompt and completion": {
			columns: []trainformat.Column{col("prompt", messages), col("completion", messages)}, row: `{"prompt":` + user + `,"completion":` + answer + `}`,
			typ: "prompt-completion", form: "conversational", trainer: "sft", fits: map[string]string{"sft": "yes", "gkd": "yes", "grpo": "yes", "kto": "no"},
		},
		"pairs with a prompt": {
			columns: []trainformat.Column{col("prompt", text), col("chosen", text), col("rejected", text)}, row: `{"prompt":"a","chosen":"b","rejected":"c"}`,
			typ: "preference", form: "standard", trainer: "dpo", fits: map[string]string{"dpo": "yes", "orpo": "yes", "cpo": "yes", "reward": "yes", "kto": "yes", "bco": "yes", "sft": "after rename", "grpo": "yes"},
			does: map[string]string{"kto": "pairs apart", "reward": "no prompt column", "sft": "rename `chosen` to `completion`"},
		},
		"pairs without a prompt": {
			columns: []trainformat.Column{col("chosen", messages), col("rejected", messages)}, row: `{"chosen":` + both + `,"rejected":` + worse + `}`,
			typ: "preference", form: "conversational", trainer: "dpo", fits: map[string]string{"dpo": "yes", "reward": "yes", "sft": "after rename", "grpo": "after map"},
			does: map[string]string{"dpo": "an explicit prompt column is recommended", "grpo": "take the prompt from chosen"},
		},
		"text prompt beside conversations": {
			columns: []trainformat.Column{col("prompt", text), col("chosen", messages), col("rejected", messages)}, row: `{"prompt":"Hi?","chosen":` + both + `,"rejected":` + worse + `}`,
			typ: "preference", form: "conversational", trainer: "dpo", fits: map[string]string{"dpo": "yes"}, does: map[string]string{"dpo": "extracts the prompt anew"},
		},
		"labels": {
			columns: []trainformat.Column{col("prompt", text), col("completion", text), col("label", flag)}, row: `{"prompt":"a","completion":"b","label":true}`,
			typ: "unpaired preference", form: "standard", trainer: "kto", fits: map[string]string{"kto": "yes", "bco": "yes", "sft": "yes", "dpo": "no"}, does: map[string]string{"sft": "ignores `label`"},
		},
		"labels 0 and 1": {
			columns: []trainformat.Column{col("prompt", text), col("completion", text), col("label", integer)}, row: `{"prompt":"a","completion":"b","label":1}`,
			typ: "prompt-completion", form: "standard", trainer: "sft", fits: map[string]string{"kto": "after map", "sft": "yes"}, does: map[string]string{"kto": "cast label"},
		},
		"scores are no labels": {
			columns: []trainformat.Column{col("prompt", text), col("completion", text), col("label", integer)}, row: `{"prompt":"a","completion":"b","label":7}`,
			typ: "prompt-completion", form: "standard", trainer: "sft", fits: map[string]string{"kto": "no"},
		},
		"steps": {
			columns: []trainformat.Column{col("prompt", text), col("completions", trainformat.Type{Kind: trainformat.List, Elem: &text}), col("labels", trainformat.Type{Kind: trainformat.List, Elem: &flag})},
			row:     `{"prompt":"a","completions":["b","c"],"labels":[true,false]}`, typ: "stepwise supervision", form: "standard", trainer: "prm",
			fits: map[string]string{"prm": "yes", "sft": "after map", "grpo": "yes", "dpo": "no"},
		},
		"Alpaca": {
			columns: []trainformat.Column{col("instruction", text), col("input", text), col("output", text)}, row: `{"instruction":"a","input":"","output":"c"}`, trainer: "sft",
			fits: map[string]string{"sft": "after map", "gkd": "after map", "grpo": "after map", "dpo": "no"},
		},
		"instruction and output": {
			columns: []trainformat.Column{col("instruction", text), col("output", text)}, row: `{"instruction":"a","output":"c"}`, trainer: "sft", fits: map[string]string{"sft": "after rename"},
		},
		"question and answer": {
			columns: []trainformat.Column{col("question", text), col("answer", text)}, row: `{"question":"a","answer":"c"}`, trainer: "sft",
			fits: map[string]string{"sft": "after rename", "grpo": "after rename"},
			does: map[string]string{"sft": "rename `answer` to `completion`, rename `question` to `prompt`", "grpo": "rename `question` to `prompt`; the other columns reach"},
		},
		"query and response": {
			columns: []trainformat.Column{col("query", text), col("response", text)}, row: `{"query":"a","response":"c"}`, trainer: "sft", fits: map[string]string{"sft": "after rename"},
		},
		"nothing": {
			columns: []trainformat.Column{col("x", integer)}, row: `{"x":1}`, fits: map[string]string{"sft": "no", "dpo": "no", "grpo": "no", "kto": "no", "prm": "no"},
			does: map[string]string{"sft": "needs `messages`, `text`, or `prompt` and `completion`"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := judge(t, set(t, c.columns, c.row))
			if r.Type != c.typ || r.Form != c.form || r.Trainer != c.trainer {
				t.Errorf("type %q, form %q, trainer %q", r.Type, r.Form, r.Trainer)
			}
			for id, want := range c.fits {
				if got := fit(r, id); got.Fits != want {
					t.Errorf("%s: %s (%s), want %s", id, got.Fits, got.Do, want)
				}
			}
			for id, want := range c.does {
				if got := fit(r, id); !strings.Contains(got.Do, want) {
					t.Errorf("%s: %q lacks %q", id, got.Do, want)
				}
			}
		})
	}
}

func TestCode(t *testing.T) {
	alpaca := []trainformat.Column{col("instruction", text), col("input", text), col("output", text), col("id", text)}
	in := set(t, alpaca, `{"instruction":"a","input":"","output":"c"}`)
	in.Config = `x"y`
	for trainer, want := range map[string]string{
		"sft": `from datasets import load_dataset
ds = load_dataset("acme/d", "x\"y", split="train")
def convert(x):
    more = "\n\n" + x["input"] if x["input"] else ""
    return {"prompt": x["instruction"] + more, "completion": x["output"]}
ds = ds.map(convert, remove_columns=["instruction", "input", "output"])
ds = ds.remove_columns(["id"])`,
		"dpo": "",
	} {
		in.Trainer = trainer
		if got := judge(t, in); got.Code != want {
			t.Errorf("%s:\n%s", trainer, got.Code)
		}
	}
	in = set(t, []trainformat.Column{col("question", text), col("answer", text)}, `{"question":"a","answer":"b"}`)
	in.Trainer = "grpo"
	r := judge(t, in)
	if !strings.Contains(r.Code, `ds = ds.rename_columns({"question": "prompt"})`) || strings.Contains(r.Code, "remove") || strings.Contains(strings.Join(r.Pitfalls, " "), "no column with a reference") {
		t.Errorf("%s\n%v", r.Code, r.Pitfalls)
	}
	in.Trainer = "ppo"
	if _, err := trainformat.Judge(in); err == nil || !strings.Contains(err.Error(), "sft, dpo, grpo") {
		t.Error(err)
	}
	if names, err := trainformat.Trainers(); err != nil || len(names) != 14 {
		t.Error(names, err)
	}
}

func TestPitfalls(t *testing.T) {
	pair := []trainformat.Column{col("chosen", messages), col("rejected", messages)}
	talk := func(roles ...string) string {
		var all []string
		for i, r := range roles {
			role, content, _ := strings.Cut(r, ":")
			if content == "" {
				content = fmt.Sprint("text ", i)
			}
			all = append(all, fmt.Sprintf(`{"role":%q,"content":%q}`, role, content))
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	kto := []trainformat.Column{col("prompt", text), col("completion", text), col("label", flag)}
	labels := func(good, bad int) []string {
		var rows []string
		for i := range good + bad {
			rows = append(rows, fmt.Sprintf(`{"prompt":"p","completion":"c","label":%v}`, i < good))
		}
		return rows
	}
	chat := []trainformat.Column{col("messages", messages)}
	for name, c := range map[string]struct {
		in   trainformat.Input
		want []string
	}{
		"chosen equals rejected": {
			set(t, pair, `{"chosen":`+talk("user", "assistant")+`,"rejected":`+talk("user", "assistant")+`}`, `{"chosen":`+talk("user", "assistant:a")+`,"rejected":`+talk("user", "assistant:b")+`}`),
			[]string{"chosen equals rejected in 1 row(s), first in row 0", "!differ"},
		},
		"different prompts": {
			set(t, pair, `{"chosen":`+talk("user:a", "assistant:b")+`,"rejected":`+talk("user:x", "assistant:c")+`}`),
			[]string{"the prompts inside a pair differ in 1 row(s), first in row 0", "!equals"},
		},
		"prompt not in chosen": {
			set(t, append([]trainformat.Column{col("prompt", text)}, pair...), `{"prompt":"other","chosen":`+talk("user:a", "assistant:b")+`,"rejected":`+talk("user:a", "assistant:c")+`}`),
			[]string{"differ in 1 row(s)"},
		},
		"texts without a common beginning": {
			set(t, []trainformat.Column{col("chosen", text), col("rejected", text)}, `{"chosen":"Q: x","rejected":"Human: x"}`, `{"chosen":"Q: x A","rejected":"Q: x B"}`),
			[]string{"differ in 1 row(s), first in row 0"},
		},
		"answers alone beside a prompt": {
			set(t, append([]trainformat.Column{col("prompt", messages)}, pair...), `{"prompt":`+talk("user")+`,"chosen":`+talk("assistant:a")+`,"rejected":`+talk("assistant:b")+`}`),
			[]string{"!differ", "!out of order", "!does not end"},
		},
		"few positives":  {set(t, kto, labels(2, 6)...), []string{"labels in the 8 row(s) looked at: 2 true, 6 false: set desirable_weight between 3.00 and 4.00"}},
		"few negatives":  {set(t, kto, labels(8, 4)...), []string{"8 true, 4 false: set undesirable_weight between 1.50 and 2.00"}},
		"balanced":       {set(t, kto, labels(4, 3)...), []string{"no weights needed"}},
		"just beyond":    {set(t, kto, labels(5, 3)...), []string{"set undesirable_weight between 1.25 and 1.67"}},
		"one kind only":  {set(t, kto, labels(3, 0)...), []string{"both are needed"}},
		"known labels":   {func() trainformat.Input { in := set(t, kto, labels(1, 1)...); in.Good, in.Bad = 100, 300; return in }(), []string{"labels in the split: 100 true, 300 false: set desirable_weight between 3.00 and 4.00"}},
		"an empty list":  {set(t, chat, `{"messages":[]}`, `{"messages":`+talk("user", "assistant")+`}`, `{"messages":[]}`), []string{"`messages` is an empty list in 2 row(s), first in row 0"}},
		"a missing cell": {set(t, chat, `{"messages":`+talk("user", "assistant")+`}`, `{"messages":null}`), []string{"`messages` is null in 1 row(s), first in row 1", "!out of order"}},
		"late system":    {set(t, chat, `{"messages":`+talk("user", "system", "assistant")+`}`), []string{"out of order in 1 row(s): a system prompt that is not first, first in row 0"}},
		"two questions":  {set(t, chat, `{"messages":`+talk("user", "user", "assistant")+`}`), []string{"the user twice in a row"}},
		"answer first":   {set(t, chat, `{"messages":`+talk("system", "assistant", "user", "assistant")+`}`), []string{"an answer before the first question"}},
		"lonely result":  {set(t, chat, `{"messages":`+talk("user", "tool", "assistant")+`}`), []string{"a tool's result without a call"}},
		"no last word":   {set(t, chat, `{"messages":`+talk("user", "assistant", "user")+`}`), []string{"`messages` does not end with the assistant in 1 row(s)"}},
		"in order":       {set(t, chat, `{"messages":`+talk("system", "user", "assistant", "tool", "tool", "assistant", "user", "assistant")+`}`), []string{"!out of order", "!does not end"}},
		"open prompt": {
			set(t, []trainformat.Column{col("prompt", messages), col("completion", messages)}, `{"prompt":`+talk("user", "assistant")+`,"completion":`+talk("assistant")+`}`),
			[]string{"`prompt` ends with an answer in 1 row(s)"},
		},
		"no reference":  {set(t, []trainformat.Column{col("prompt", text)}, `{"prompt":"a"}`), []string{"no column with a reference answer"}},
		"long":          {set(t, []trainformat.Column{col("text", text)}, `{"text":"`+strings.Repeat("a", 4*1024)+`"}`, `{"text":"`+strings.Repeat("a", 4*1024+1)+`"}`), []string{"1 of 2 rows (50 %) are longer than the default max_length of 1024 tokens and get cut (estimate: 4 characters a token)"}},
		"long messages": {set(t, chat, `{"messages":`+talk("user", "assistant:"+strings.Repeat("a", 4*1024-40))+`}`), []string{"0 of 1 rows"}},
		"longer side": {
			set(t, []trainformat.Column{col("prompt", text), col("chosen", text), col("rejected", text)}, `{"prompt":"p","chosen":"a","rejected":"`+strings.Repeat("b", 4*1024)+`"}`), []string{"1 of 1 rows"},
		},
		"tools": {set(t, append([]trainformat.Column{col("tools", text)}, chat...), `{"tools":"[]","messages":`+talk("user", "assistant")+`}`), []string{"`tools` is recognised"}},
		"pictures": {
			set(t, append([]trainformat.Column{col("images", trainformat.Type{Kind: trainformat.List, Elem: &trainformat.Type{Kind: trainformat.Image}})}, chat...), `{"images":[],"messages":`+talk("user", "assistant")+`}`),
			[]string{"`images`: the trainer needs a vision-language model"},
		},
		"foreign roles": {
			set(t, []trainformat.Column{col("conversations", turns)}, `{"conversations":[{"from":"human","value":"x"},{"from":"gpt","value":"y"}]}`), []string{"roles such as human and gpt stay"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(judge(t, c.in).Pitfalls, "\n")
			for _, want := range c.want {
				if not, forbidden := strings.CutPrefix(want, "!"); forbidden && strings.Contains(got, not) || !forbidden && !strings.Contains(got, want) {
					t.Errorf("%q in:\n%s", want, got)
				}
			}
		})
	}
}

type words struct{}

func (words) Count(s string) int { return len(strings.Fields(s)) }

func TestTokensAreCountedWhereSomebodyCan(t *testing.T) {
	in := set(t, []trainformat.Column{col("text", text)}, `{"text":"`+strings.Repeat("a ", 1025)+`"}`, `{"text":"torn"}`)
	in.Rows[1].Cut = map[string]bool{"text": true}
	in.Counter = words{}
	got := strings.Join(judge(t, in).Pitfalls, "\n")
	if !strings.Contains(got, "1 of 2 rows (50 %)") || strings.Contains(got, "estimate") || !strings.Contains(got, "1 more came cut and may be") {
		t.Error(got)
	}
}

func TestMarkdown(t *testing.T) {
	in := set(t, []trainformat.Column{col("text", text), col("bad|`\nname", text)}, `{"text":"x"}`)
	got := judge(t, in).Markdown()
	for _, want := range []string{"## Training format\n**language modeling**, standard (`text`); 1 row(s) looked at, rules of TRL main of July 2026.\n", "| SFT | yes | ignores `bad name` |", "For SFT:\n```python\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in:\n%s", want, got)
		}
	}
	if strings.Count(got, "```") != 2 || strings.Contains(got, "ignores `bad|") {
		t.Error(got)
	}
}

// TestWhateverTheColumns: every trainer gets one verdict, the code is short and
// nothing is torn.
func TestWhateverTheColumns(t *testing.T) {
	names := []string{"prompt", "completion", "chosen", "rejected", "label", "labels", "completions", "messages", "conversations", "text", "instruction", "input", "output", "question", "answer", "tools", "image", "weird \"`|\n"}
	kinds := []trainformat.Type{text, flag, integer, anything, messages, turns, {Kind: trainformat.List}, {Kind: trainformat.Label, Classes: 2}, {Kind: trainformat.Image}}
	cells := []string{`null`, `""`, `"x"`, `true`, `0`, `1`, `7.5`, `[]`, `{}`, `[{"role":"user","content":null}]`, `[{"from":"gpt","value":"y"}]`, `["a",null]`, `"[{\"role\":\"user\"}]"`, `[null]`, `[{"role":5,"tool_calls":[null,"{}",{"function":{"arguments":{}}}]}]`}
	ids, _ := trainformat.Trainers()
	rapid.Check(t, func(t *rapid.T) {
		in := trainformat.Input{Dataset: "a/b", Trainer: rapid.SampledFrom(append([]string{""}, ids...)).Draw(t, "trainer")}
		for _, n := range rapid.SliceOfDistinct(rapid.SampledFrom(names), func(s string) string { return s }).Draw(t, "columns") {
			in.Columns = append(in.Columns, col(n, rapid.SampledFrom(kinds).Draw(t, "kind")))
		}
		for i := range rapid.IntRange(0, 5).Draw(t, "rows") {
			r := trainformat.Row{Index: i, Values: map[string]json.RawMessage{}, Cut: map[string]bool{}}
			for _, c := range in.Columns {
				if rapid.Bool().Draw(t, "there") {
					r.Values[c.Name] = json.RawMessage(rapid.SampledFrom(cells).Draw(t, "cell"))
				}
				if rapid.IntRange(0, 9).Draw(t, "cut") == 0 {
					r.Cut[c.Name] = true
				}
			}
			in.Rows = append(in.Rows, r)
		}
		r, err := trainformat.Judge(in)
		if err != nil || len(r.Fits) != len(ids) {
			t.Fatal(err, r.Fits)
		}
		for _, f := range r.Fits {
			if !slices.Contains([]string{"yes", "after rename", "after map", "no"}, f.Fits) || strings.ContainsAny(f.Do, "|\n") || f.Fits == "no" && !strings.HasPrefix(f.Do, "needs ") {
				t.Errorf("%+v", f)
			}
		}
		if n := strings.Count(r.Code, "\n") + 1; n > 15 || strings.Contains(r.Code, "```") {
			t.Errorf("%d lines:\n%s", n, r.Code)
		}
		if chosen := in.Trainer; chosen != "" && (r.Code != "") != (fit(r, chosen).Fits != "no") {
			t.Errorf("code for %s: %q", chosen, r.Code)
		}
		if text := r.Markdown(); strings.Count(text, "```")%2 != 0 || !strings.Contains(text, "TRL") {
			t.Error(text)
		}
	})
}

package quality_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/lab/quality"
	"github.com/ml-intern/ml-intern/internal/lab/text"
)

func columns(pairs ...string) []quality.Field {
	var out []quality.Field
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, quality.Field{Column: pairs[i], Text: pairs[i+1], Normal: text.Normalise(pairs[i+1])})
	}
	return out
}

func chat(pairs ...string) []quality.Field {
	out := columns(pairs...)
	for i := range out {
		out[i].Column, out[i].Role = "messages", out[i].Column
	}
	return out
}

func issues(fields []quality.Field) string {
	var out []string
	for _, i := range quality.New().Look(fields) {
		out = append(out, fmt.Sprintf("%s:%s", i.Fault, i.Column))
	}
	return strings.Join(out, " ")
}

const (
	asked  = "How do I keep a run reproducible on one device?"
	prose  = "Fix every seed and pin the versions. Then store the configuration next to the weights and write the commit into the name of the run"
	listed = "Fix these things first. Then look at the run again with fresh eyes and note them:\n\n- the seed\n- the versions"
)

func TestLook(t *testing.T) {
	null := columns("prompt", asked, "completion", "")
	null[1].Null = true
	for name, c := range map[string]struct {
		fields []quality.Field
		want   string
	}{
		"sound":               {columns("prompt", asked, "completion", prose+"."), ""},
		"null":                {null, "null:completion"},
		"empty":               {columns("prompt", asked, "completion", " \n"), "empty:completion"},
		"repeated":            {columns("prompt", asked, "completion", strings.ToUpper(asked)+" "), "repeated:completion"},
		"few":                 {columns("text", "too few words"), "few_words:"},
		"nothing":             {columns("text", ""), "empty:text"},
		"truncated":           {columns("prompt", asked, "completion", prose), "truncated:completion"},
		"a comma":             {columns("prompt", asked, "completion", prose+","), "truncated:completion"},
		"a list":              {columns("prompt", asked, "completion", listed), ""},
		"code":                {columns("prompt", asked, "completion", prose+".\n```python\nfor every row in the list of rows do this and that and then return"), ""},
		"an address":          {columns("prompt", asked, "completion", prose+" at https://example.org/path"), ""},
		"a title":             {columns("text", "the small title of a long document that never ends a sentence and goes on for some twenty words or more of them"), ""},
		"a short answer":      {columns("question", asked, "answer", "On paper"), ""},
		"chat":                {chat("user", asked, "assistant", prose+"."), ""},
		"chat repeats":        {chat("user", asked, "assistant", asked), "repeated:messages"},
		"chat ends empty":     {chat("user", asked, "assistant", ""), "empty:messages"},
		"chat without answer": {chat("user", prose), ""},
		"user says it twice":  {chat("user", asked, "assistant", prose+".", "user", asked, "assistant", prose+"!"), ""},
		"refusal":             {chat("user", asked, "assistant", "I’m sorry, but I can’t help you with this request."), "refusal:messages"},
		"last answer counts":  {chat("user", asked, "assistant", "I'm sorry, but I cannot.", "user", "why?", "assistant", prose+"."), ""},
		"chosen is rejected":  {columns("prompt", asked, "chosen", prose+".", "rejected", prose+"."), "repeated:rejected"},
		"han":                 {columns("text", "训练之前先固定随机种子。然后把配置文件和权重放在一起保存，并且把提交的编号写进运行的名字里，这样以后就可以重复这次运行的每一个步骤而不需要再去"), "truncated:text"},
	} {
		if got := issues(c.fields); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	for in, want := range map[string]bool{
		"As an AI language model, I do not have feelings.":                       true,
		"Es tut mir leid, aber dabei kann ich nicht helfen.":                     true,
		"Je suis désolé, mais je ne peux pas répondre à cette demande.":          true,
		"Lo siento, pero no puedo ayudar con eso.":                               true,
		"Извините, но я не могу помочь с этим.":                                  true,
		"抱歉，我无法回答这个问题。":                                                          true,
		"申し訳ありませんが、そのリクエストにはお応えできません。":                                           true,
		"죄송합니다. 그 요청은 도와드릴 수 없습니다.":                                              true,
		"I'm sorry to hear that. Here is what helps.":                            false,
		"Lo siento mucho. Aquí está la lista.":                                   false,
		"申し訳ありませんが、少々お待ちください。":                                                   false,
		"A language model is a model of text.":                                   false,
		strings.Repeat("A long answer. ", 40) + "As an AI language model I end.": false,
	} {
		if got := quality.New().Refuses(text.Normalise(in)); got != want {
			t.Errorf("Refuses(%q) = %t", in, got)
		}
	}
}

func FuzzLook(f *testing.F) {
	f.Add("user", "a", "assistant", "a")
	f.Add("", "x\xff", "", "")
	f.Fuzz(func(t *testing.T, r1, t1, r2, t2 string) {
		fields := []quality.Field{{Column: "a", Role: r1, Text: t1, Normal: text.Normalise(t1)}, {Column: "b", Role: r2, Text: t2, Normal: text.Normalise(t2)}}
		seen := map[quality.Issue]bool{}
		for _, i := range quality.New().Look(fields) {
			if seen[i] {
				t.Fatalf("%v twice", i)
			}
			seen[i] = true
		}
	})
}

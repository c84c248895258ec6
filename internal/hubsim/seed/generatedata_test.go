package seed_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Words that the rows of the data sets are made of.
var (
	actions = []string{
		"lower the learning rate", "pack short examples", "freeze the embeddings", "mask the prompt", "clip the gradients",
		"resume a stopped run", "shard the optimizer", "sort the batches by length", "log the token count", "warm up the schedule",
		"merge an adapter", "quantize the weights", "deduplicate the corpus", "balance the classes", "export the tokenizer",
	}
	places = []string{
		"on a single small GPU", "for a model of ten million parameters", "with a context of 256 tokens", "when the loss has spikes",
		"before the evaluation", "with only two thousand rows", "on a laptop without a GPU", "in the last epoch", "for chat data",
		"with mixed precision", "after the preference step", "on four workers",
	}
	reasons = []string{
		"the optimizer state is the larger part of the memory", "the curve of a short run says little about a long one",
		"padding costs as much as text", "the first hundred steps decide whether the run is stable", "a held-out split shows what the training loss hides",
		"the tokenizer decides how long a row really is", "a copied row counts twice in every average", "rare classes vanish in an average",
		"the random seed moves a small score by a point or more", "a changed template changes every token that follows",
	}
	steps = []string{
		"write the setting into the run name", "keep one baseline without the change", "look at ten rows by hand first", "save a checkpoint every two hundred steps",
		"compare three seeds before you trust a gain", "measure tokens a second for a minute", "stop when the validation loss rises twice in a row",
		"report the median and the spread", "keep the old setting in a comment", "test the smallest size that shows the effect",
		"read the model card for the expected template", "count the rows before and after every filter",
	}
	firsts = []string{"Mira", "Jonas", "Priya", "Tomas", "Lena", "Kofi", "Ada", "Hugo", "Yuki", "Noor"}
)

func pick(r *rand.Rand, list []string) string { return list[r.IntN(len(list))] }

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// advice is an answer that no other row repeats: it holds a number of its own
// between sentences drawn at random.
func advice(r *rand.Rand, action, place string) string {
	a, b, c := pick(r, steps), pick(r, steps), pick(r, reasons)
	for b == a {
		b = pick(r, steps)
	}
	return fmt.Sprintf("To %s %s, %s. %s noted in run %d that %s; the score moved by %d.%d points over %d steps. Then %s.",
		action, place, a, pick(r, firsts), 1000+r.IntN(9000), c, r.IntN(9), r.IntN(10), 100+r.IntN(900), b)
}

type auditRow struct {
	ID         string  `json:"id"`
	Prompt     string  `json:"prompt"`
	Completion *string `json:"completion"`
	Source     string  `json:"source"`
}

// auditRows are the two splits of acme/audit-mini with their faults.
func auditRows() (train, test []any) {
	r := rand.New(rand.NewPCG(28, 1))
	split := func(prefix string, n int) []auditRow {
		var rows []auditRow
		for i := range n {
			action, place := actions[i%len(actions)], places[(i/len(actions)+i*5)%len(places)]
			text := advice(r, action, place)
			rows = append(rows, auditRow{
				fmt.Sprintf("%s-%04d", prefix, i), fmt.Sprintf("How do I %s %s? Ticket %d.", action, place, 10000+r.IntN(90000)), &text, "web",
			})
		}
		return rows
	}
	a, b := split("train", 120), split("test", 30)
	set := func(row *auditRow, prompt, completion string) { row.Prompt, row.Completion = prompt, &completion }

	// Exact duplicates, but for a blank.
	set(&a[40], "What makes a training run repeatable?", "Fix the seeds, pin every version, and store the full configuration beside the weights.")
	set(&a[41], "What makes a  training run repeatable?", "Fix the seeds, pin every version, and store the full configuration beside the weights.")
	// Near duplicates: one word more each time.
	schedule := "Warm up over the first three percent of the steps, keep the peak rate until the middle of the run, then let a cosine carry it down to a tenth of the peak, and watch the norm of the gradient, since a jump there announces a jump of the loss"
	question := "Which learning rate schedule suits a short run of a small model?"
	set(&a[60], question, schedule+".")
	set(&a[61], question, schedule+" itself.")
	set(&b[9], question, schedule+" itself soon.")
	// Nothing, the prompt again, and nothing at all.
	set(&a[70], a[70].Prompt, "")
	set(&a[71], a[71].Prompt, a[71].Prompt)
	a[110].Completion = nil
	// Personal data and a key that opens nothing.
	set(&a[80], a[80].Prompt, "Please write to mira.holm@example.org or call +1 202 555 0117 before noon.")
	set(&a[81], a[81].Prompt, "Export the variable as hf_ThisIsASimulatedTokenNotARealOne and start again.")
	// Far more tokens than the usual limit of 1,024.
	set(&a[90], a[90].Prompt, strings.TrimSpace(strings.Repeat("The loss falls for a while, then it stays where it is until the rate is lowered. ", 125)))
	// A row of the test split that was trained on.
	b[5].Prompt, b[5].Completion = a[10].Prompt, a[10].Completion
	// Nine in ten rows come from one source.
	for i := range 9 {
		a[3+13*i].Source = "synthetic"
	}
	for _, i := range []int{17, 52, 99} {
		a[i].Source = "forum"
	}
	for i := range 3 {
		b[7+9*i].Source = "synthetic"
	}
	for _, row := range a {
		train = append(train, row)
	}
	for _, row := range b {
		test = append(test, row)
	}
	return train, test
}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// toyChat is short conversations about small things.
func toyChat(from, n int) []any {
	r := rand.New(rand.NewPCG(60, uint64(from)))
	things := []string{"a tide table", "a paper boat", "a tin lantern", "a rope ladder", "a brass bell", "a blue kettle", "a chalk line", "a wooden stool", "a jar of buttons", "a wind sock"}
	uses := []string{"keeps a note of the hours", "floats until it is wet", "throws light on the wall", "reaches the upper deck", "calls everyone to dinner", "boils water for two", "marks where to cut", "lifts a child to the window", "mends a coat in a minute", "shows where the wind comes from"}
	var rows []any
	for i := range n {
		k := (from + i) % len(things)
		var m []message
		if i%5 == 0 {
			m = append(m, message{"system", "You answer in one short sentence."})
		}
		name := pick(r, firsts)
		m = append(m, message{"user", fmt.Sprintf("%s asks: what is %s good for? (%d)", name, things[k], from+i)},
			message{"assistant", fmt.Sprintf("It %s, %s.", uses[k], name)})
		if i%3 == 0 {
			m = append(m, message{"user", "And what does it need?"},
				message{"assistant", fmt.Sprintf("A dry shelf and %d minutes of care a month.", 2+r.IntN(20))})
		}
		rows = append(rows, struct {
			Messages []message `json:"messages"`
		}{m})
	}
	return rows
}

type chatRow struct {
	ID       string    `json:"id"`
	Messages []message `json:"messages"`
	Source   string    `json:"source"`
}

// chatSFT is advice on training as conversations; its classes are far from
// balanced.
func chatSFT(from, n, web, forum int) []any {
	r := rand.New(rand.NewPCG(1200, uint64(from)))
	var rows []any
	for i, k := range r.Perm(n) {
		source := "synthetic"
		if k < web {
			source = "web"
		} else if k < web+forum {
			source = "forum"
		}
		action, place := pick(r, actions), pick(r, places)
		var m []message
		if i%6 == 0 {
			m = append(m, message{"system", "You are a careful tutor for machine learning."})
		}
		m = append(m, message{"user", fmt.Sprintf("I want to %s %s. What should I watch?", action, place)}, message{"assistant", advice(r, action, place)})
		if i%4 == 0 {
			m = append(m, message{"user", "Why does that matter?"}, message{"assistant", capital(pick(r, reasons)) + "."})
		}
		rows = append(rows, chatRow{fmt.Sprintf("chat-%05d", from+i), m, source})
	}
	return rows
}

type benchRow struct {
	ID       string   `json:"id"`
	Question string   `json:"question"`
	Choices  []string `json:"choices"`
	Answer   int      `json:"answer"`
	Topic    string   `json:"topic"`
}

// benchRows are questions with four answers of which one is right.
func benchRows() []any {
	r := rand.New(rand.NewPCG(40, 4))
	var rows []any
	for i := range 40 {
		a, b := 3+r.IntN(40), 2+r.IntN(20)
		topic, question, right := "steps", fmt.Sprintf("A run makes %d steps an hour for %d hours. How many steps are that?", a, b), a*b
		if i%2 == 1 {
			topic, question, right = "memory", fmt.Sprintf("Weights take %d MB and each of two optimizer states %d MB. How many MB is that in all?", a, b), a+2*b
		}
		at := r.IntN(4)
		var choices []string
		for k := range 4 {
			choices = append(choices, fmt.Sprint(right+(k-at)*(1+i%7)))
		}
		rows = append(rows, benchRow{fmt.Sprintf("mb-%03d", i), question, choices, at, topic})
	}
	return rows
}

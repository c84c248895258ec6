package slash

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript"
)

// spent is what a session has cost, in words that hide nothing.
func spent(s transcript.Status) string {
	text := fmt.Sprintf("$%.2f", float64(s.CostMicroUSD+s.JobsMicroUSD)/1e6)
	if s.CostIncomplete || s.JobsIncomplete {
		text += " and more whose price is unknown"
	}
	return text
}

// cost tells what the session has spent.
func cost(d *Desk) dialog.Command {
	return dialog.Command{
		Name: "cost", Help: "what this session has cost, by kind, model and job",
		Run: func(ctx context.Context, talk dialog.Talk, _ string) error {
			c := talk.Conversation()
			events, err := d.App.Events(ctx, c.ID())
			if err != nil {
				return err
			}
			b := newBill(events)
			talk.Print("Spent: " + spent(c.Status()) + "\n" + b.text())
			return nil
		},
	}
}

// item is one line of a bill.
type item struct {
	micro   int64
	unknown int // entries without an amount
	count   int
	tokens  int64
}

func (i item) text() string {
	text := fmt.Sprintf("$%.4f", float64(i.micro)/1e6)
	if i.unknown > 0 {
		text += fmt.Sprintf(" and %d of unknown price", i.unknown)
	}
	return text
}

// bill is the ledger of a session, sorted.
type bill struct {
	models, kinds map[string]item
	jobs          map[string]item
	open          int64 // reserved and not spent yet
}

func newBill(events []event.Event) bill {
	b := bill{models: map[string]item{}, kinds: map[string]item{}, jobs: map[string]item{}}
	spends := map[string]event.Spend{}
	for _, ev := range events {
		switch ev.Type {
		case event.TypeLLMCall:
			if c, err := event.Decode[event.LLMCall](ev); err == nil {
				b.call(b.models, c.Model, c)
				b.call(b.kinds, kindName(c.Kind), c)
			}
		case event.TypeSpend:
			if s, err := event.Decode[event.Spend](ev); err == nil {
				spends[s.ID] = s
			}
		}
	}
	for _, s := range spends {
		b.spend(s)
	}
	return b
}

func kindName(k llm.Kind) string { return strings.ReplaceAll(string(k), "_", " ") }

func (b *bill) call(into map[string]item, name string, c event.LLMCall) {
	it := into[name]
	it.count++
	it.tokens += int64(c.Total)
	if c.CostUSD == nil {
		it.unknown++
	} else {
		it.micro += int64(*c.CostUSD * 1e6)
	}
	into[name] = it
}

// spend adds a job or a sandbox; models are counted by their calls.
func (b *bill) spend(s event.Spend) {
	if s.Kind == event.SpendLLM || s.State == event.SpendReleased {
		return
	}
	name := string(s.Kind) + " " + s.ID
	if s.Ref != "" {
		name = s.Ref
	}
	it := b.jobs[name]
	it.count++
	switch {
	case s.MicroUSD == nil:
		it.unknown++
	case s.State == event.SpendReserved:
		it.micro += *s.MicroUSD
		b.open += *s.MicroUSD
	default:
		it.micro += *s.MicroUSD
	}
	b.jobs[name] = it
}

func (b bill) text() string {
	var out strings.Builder
	part := func(title string, items map[string]item) {
		if len(items) == 0 {
			return
		}
		out.WriteString("\n" + title + "\n")
		for _, name := range slices.Sorted(maps.Keys(items)) {
			it := items[name]
			line := fmt.Sprintf("  %-32s %s", name, it.text())
			if it.tokens > 0 {
				line += fmt.Sprintf(", %s calls, %s tokens", amount.Grouped(it.count), amount.Grouped(it.tokens))
			}
			out.WriteString(line + "\n")
		}
	}
	part("By kind", b.kinds)
	part("By model", b.models)
	part("Jobs and sandboxes", b.jobs)
	if b.open > 0 {
		fmt.Fprintf(&out, "\n$%.4f of it is set aside for what still runs (an estimate).\n", float64(b.open)/1e6)
	}
	return strings.TrimRight(out.String(), "\n")
}

// contextUse tells how full the model's context is.
func contextUse() dialog.Command {
	return dialog.Command{
		Name: "context", Help: "how full the model's context is",
		Run: func(_ context.Context, talk dialog.Talk, _ string) error {
			s := talk.Conversation().Status()
			text := fmt.Sprintf("The last request held %s tokens.", amount.Grouped(s.ContextTokens))
			if percent, ok := s.Percent(); ok {
				text = fmt.Sprintf("The last request held %s of %s tokens: %d %%. At 90 %% older turns are summed up by themselves; /compact does it now.",
					amount.Grouped(s.ContextTokens), amount.Grouped(s.Window), percent)
			}
			talk.Print(text)
			return nil
		},
	}
}

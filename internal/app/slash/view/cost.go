// Package view is the commands that only show: how a session stands, what it
// has cost, what its tools have returned.
package view

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/app/saved"
	"github.com/ml-intern/ml-intern/internal/app/slash/desk"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// Cost tells what the session has spent.
func Cost(d *desk.Desk) dialog.Command {
	return dialog.Command{
		Name: "cost", Help: "what this session has cost, by kind, model and job",
		Run: func(ctx context.Context, talk dialog.Talk, _ string) error {
			events, err := d.App.Events(ctx, talk.Conversation().ID())
			if err != nil {
				return err
			}
			columns, _ := talk.Size()
			talk.Print(newBill(events).text(columns))
			return nil
		},
	}
}

// item is one line of a bill.
type item struct {
	micro   int64
	open    bool // set aside for what still runs
	unknown int  // entries without an amount
	count   int
	tokens  int64
}

func (i item) text() string {
	text := amount.Dollars(i.micro)
	switch {
	case i.unknown > 0 && i.micro == 0:
		text = "unknown"
	case i.unknown > 0:
		text += fmt.Sprintf(" and %d of unknown price", i.unknown)
	}
	if i.open {
		text = "~" + text + " set aside, still running"
	}
	if i.tokens > 0 {
		text += fmt.Sprintf(", %s, %s tokens", amount.Count(i.count, "call"), amount.Grouped(i.tokens))
	}
	return text
}

// add counts an amount in.
func (i *item) add(micro *int64) {
	i.count++
	if micro == nil {
		i.unknown++
		return
	}
	i.micro += *micro
}

// bill is what the events of a session say of money, sorted. Models are counted
// by their calls, everything else by the ledger.
type bill struct {
	kinds, models, others map[string]item
	// ledger is what the ledger says that models have cost: more than their
	// calls where the session goes on from a saved one.
	ledger item
}

func newBill(events []event.Event) *bill {
	b := &bill{kinds: map[string]item{}, models: map[string]item{}, others: map[string]item{}}
	entries := map[string]event.Spend{}
	for _, ev := range events {
		switch ev.Type {
		case event.TypeLLMCall:
			if c, err := event.Decode[event.LLMCall](ev); err == nil {
				b.call(c)
			}
		case event.TypeSpend:
			if s, err := event.Decode[event.Spend](ev); err == nil {
				entries[s.ID] = s
			}
		}
	}
	for _, s := range entries {
		b.entry(s)
	}
	return b
}

func (b *bill) call(c event.LLMCall) {
	var micro *int64
	if c.CostUSD != nil {
		m := policy.Micro(*c.CostUSD)
		micro = &m
	}
	kind := strings.ReplaceAll(string(c.Kind), "_", " ")
	for name, into := range map[string]map[string]item{cmp.Or(kind, "other"): b.kinds, cmp.Or(c.Model, "unknown"): b.models} {
		it := into[name]
		it.add(micro)
		it.tokens += int64(c.Total)
		into[name] = it
	}
}

// entry adds an entry of the ledger.
func (b *bill) entry(s event.Spend) {
	switch {
	case s.State == event.SpendReleased:
		return
	case s.Kind == event.SpendLLM:
		b.ledger.add(s.MicroUSD)
		return
	}
	name := cmp.Or(s.Ref, string(s.Kind)+" "+s.ID)
	it := b.others[name]
	it.add(s.MicroUSD)
	it.open = it.open || s.State == event.SpendReserved
	b.others[name] = it
}

// sum adds all items up.
func sum(items map[string]item) (all item) {
	for _, it := range items {
		all.micro, all.unknown, all.open = all.micro+it.micro, all.unknown+it.unknown, all.open || it.open
	}
	return all
}

func (b *bill) text(columns int) string {
	calls, others := sum(b.kinds), sum(b.others)
	earlier := max(0, b.ledger.micro-calls.micro)
	total := item{micro: calls.micro + earlier + others.micro, unknown: calls.unknown + others.unknown}
	var out strings.Builder
	out.WriteString("Spent: " + total.text() + "\n")
	part := func(title string, rows [][2]string) {
		if len(rows) > 0 {
			out.WriteString("\n" + title + "\n" + desk.Table(rows, columns) + "\n")
		}
	}
	kinds := rows(b.kinds)
	if earlier > 0 {
		kinds = append(kinds, [2]string{"before this copy", amount.Dollars(earlier)})
	}
	part("Models, by what they did", kinds)
	part("Models, by name", rows(b.models))
	part("Jobs and sandboxes", rows(b.others))
	return strings.TrimRight(out.String(), "\n")
}

// rows lists items, the dearest first.
func rows(items map[string]item) [][2]string {
	names := slices.SortedFunc(maps.Keys(items), func(a, b string) int {
		return cmp.Or(cmp.Compare(items[b].micro, items[a].micro), cmp.Compare(a, b))
	})
	var out [][2]string
	for _, name := range names {
		out = append(out, [2]string{saved.Line(name), items[name].text()})
	}
	return out
}

// Package bill knows what sandboxes cost: by the hour beforehand, and in the
// end. It makes none.
package bill

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/price"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// Window is what is paid for at once.
const Window = time.Hour

// Books are the price lists of the kinds of sandboxes there are.
type Books map[sandbox.Kind]*price.Book

// Hardware lists what some sandbox can have and whose price is known: Spaces
// first, then what only jobs have. A Space on shared GPUs runs no Docker image.
func (b Books) Hardware() []string {
	var all []string
	for _, kind := range []sandbox.Kind{sandbox.Space, sandbox.Job} {
		if b[kind] == nil {
			continue
		}
		for _, name := range b[kind].Known().Names() {
			if !slices.Contains(all, name) && !strings.HasPrefix(name, "zero-") {
				all = append(all, name)
			}
		}
	}
	return all
}

// Ask reads the lists anew where they are old.
func (b Books) Ask(ctx context.Context) {
	for _, book := range b {
		book.Ask(ctx)
	}
}

// PerHour is what a kind of sandbox costs by the hour in USD: a job's port costs
// as well.
func (b Books) PerHour(kind sandbox.Kind, hardware string) (usd float64, source string, known bool) {
	book := b[kind]
	if book == nil {
		return 0, "", false
	}
	list := book.Known()
	f, ok := list.Find(hardware)
	if !ok {
		return 0, "", false
	}
	if usd = f.USDPerHour; kind == sandbox.Job {
		usd += price.PortPerHour
	}
	return usd, list.Source, true
}

// Cost is what an hour costs at worst: of the first of kinds that can have the
// hardware, or, when kinds are not known, of the dearest.
func (b Books) Cost(kinds []sandbox.Kind, hardware string) tool.Cost {
	c := tool.Cost{Kind: event.SpendSandbox, Source: "unknown", Reason: fmt.Sprintf("No price is available for hardware %q", hardware)}
	known := len(kinds) > 0
	if !known {
		kinds = []sandbox.Kind{sandbox.Space, sandbox.Job}
	}
	for _, kind := range kinds {
		usd, source, ok := b.PerHour(kind, hardware)
		if !ok || c.Known && usd < c.USDPerHour {
			continue
		}
		c = Hour(usd, source)
		if known {
			break
		}
	}
	return c
}

// Offer puts the names of the hardware into the schema of sandbox_create.
func Offer(schema json.RawMessage, names []string) (json.RawMessage, error) {
	const field = `"hardware":{`
	enum, err := json.Marshal(names)
	if err != nil {
		return nil, err
	}
	text := string(schema)
	if strings.Count(text, field) != 1 || len(names) == 0 {
		return nil, errors.New("make sandbox_create: its schema has no hardware")
	}
	return json.RawMessage(strings.Replace(text, field, field+`"enum":`+string(enum)+`,`, 1)), nil
}

// Hour is the cost of one hour.
func Hour(usd float64, source string) tool.Cost {
	return tool.Cost{
		Kind: event.SpendSandbox, Known: true, USDPerHour: usd, Source: source, MicroUSD: price.MicroUSD(usd, Window),
	}
}

// Renewal is the id of a reservation that no call has made.
func Renewal() string {
	raw := make([]byte, 5)
	_, _ = rand.Read(raw) // it never fails
	return "sandbox-renew-" + hex.EncodeToString(raw)
}

// Minutes is how many are to be paid for: what the Hub has counted, else (-1)
// those begun since the machine started.
func Minutes(rec sandbox.Record, counted int64) int64 {
	switch {
	case counted >= 0:
		return counted
	case rec.Paid.IsZero():
		return 0
	}
	return int64((time.Since(rec.Paid) + time.Minute - 1) / time.Minute)
}

// Micro is what minutes of a sandbox cost, in millionths of a dollar.
func Micro(rec sandbox.Record, minutes int64) int64 {
	return price.MinutesMicroUSD(rec.USDPerHour, minutes)
}

// Settle ends the reservation that is open for a sandbox: what it has cost,
// less what its earlier windows have settled.
func Settle(s tool.Session, rec sandbox.Record, minutes int64) {
	if s == nil || rec.Spend == "" {
		return
	}
	End(s, rec.Spend, Micro(rec, minutes)-int64(rec.Windows)*price.MicroUSD(rec.USDPerHour, Window))
}

// End ends a reservation with what was spent, which may be nothing.
func End(s tool.Session, id string, micro int64) {
	if micro <= 0 {
		s.Release(id)
		return
	}
	s.Settle(id, &micro)
}

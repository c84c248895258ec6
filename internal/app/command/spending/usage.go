package spending

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/account"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/ledger"
	"github.com/ml-intern/ml-intern/internal/app/runs/show"
	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// usage is what the command tells.
type usage struct {
	Since time.Time `json:"since"`
	// Local is what the sessions on this machine have spent, by kind.
	Local map[event.SpendKind]*ledger.Sum `json:"local"`
	// Sessions are those that have spent something, newest first.
	Sessions []sessionUsage `json:"sessions"`
	Billing  []bill         `json:"billing"`
}

type sessionUsage struct {
	ID      string     `json:"id"`
	Updated time.Time  `json:"updated_at"`
	Sum     ledger.Sum `json:"sum"`
}

// bill is what the Hub says of one payer.
type bill struct {
	Payer    string             `json:"payer"`
	Products map[string]product `json:"products"`
	// Problem says why the bill is unknown.
	Problem string `json:"problem,omitempty"`
}

// product is what one product of the Hub was used for, in US dollars; null is
// unknown.
type product struct {
	Used     *float64 `json:"used_usd"`
	Included *float64 `json:"included_usd,omitempty"`
	Limit    *float64 `json:"limit_usd,omitempty"`
	Requests *int64   `json:"requests,omitempty"`
	Minutes  *float64 `json:"minutes,omitempty"`
}

// Usage makes the command.
func Usage(s *console.Streams) *cobra.Command {
	var asJSON bool
	var days int
	cmd := &cobra.Command{
		Use:   "usage",
		Short: "Show what was spent: sessions on this machine, and the Hub's bill",
		Long: `What the sessions on this machine have spent on models, jobs and sandboxes, and
what the Hub has billed you and your organisations since the beginning of the
month. What is not known is called unknown, and is in no sum.`,
		Args: cobra.NoArgs,
		RunE: console.Do(func(ctx context.Context, _ []string) error {
			if days < 1 {
				return console.Usage("--days is %d: it must be above 0", days)
			}
			a, err := s.Open(ctx)
			if err != nil {
				return err
			}
			defer a.Close()
			u, err := gather(ctx, a, time.Now().AddDate(0, 0, -days))
			if err != nil {
				return err
			}
			if asJSON {
				return s.PrintJSON(u)
			}
			return showUsage(s, u, days)
		}),
	}
	cmd.Flags().IntVar(&days, "days", 30, "sessions written in the last `N` days")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

func gather(ctx context.Context, a *app.App, since time.Time) (usage, error) {
	sessions, err := a.Ledgers(since)
	if err != nil {
		return usage{}, err
	}
	u := usage{Since: since.UTC().Truncate(time.Second), Local: ledger.ByKind(sessions), Sessions: []sessionUsage{}, Billing: bills(ctx, a)}
	for _, session := range sessions {
		one := sessionUsage{ID: session.ID, Updated: session.Updated.UTC()}
		for _, e := range session.Entries {
			one.Sum.Add(e)
		}
		if one.Sum != (ledger.Sum{}) {
			u.Sessions = append(u.Sessions, one)
		}
	}
	return u, nil
}

// bills asks the Hub; what it does not tell is unknown.
func bills(ctx context.Context, a *app.App) []bill {
	if a.FreshToken(ctx).Token == "" {
		return []bill{{Payer: "you", Problem: "nobody is logged in to the Hub"}}
	}
	client, err := a.Hub()
	if err != nil {
		return []bill{{Payer: "you", Problem: err.Error()}}
	}
	who, err := client.Account.Whoami(ctx)
	if err != nil {
		return []bill{{Payer: "you", Problem: err.Error()}}
	}
	payers := []string{""}
	for _, o := range who.Orgs {
		payers = append(payers, o.Name)
	}
	now := time.Now().UTC()
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	var out []bill
	for _, payer := range payers {
		b := bill{Payer: payer, Products: map[string]product{}}
		if payer == "" {
			b.Payer = who.Name
		}
		used, err := client.Account.Usage(ctx, account.Payer(payer), month, now.Add(time.Minute)) // whole seconds: the newest charge counts
		if err != nil {
			b.Problem = err.Error()
		}
		for name, p := range used {
			b.Products[name] = product{usd(p.Used), usd(p.Included), usd(p.Limit), p.Requests, p.Minutes}
		}
		out = append(out, b)
	}
	return out
}

func usd(m *account.Money) *float64 {
	if m == nil {
		return nil
	}
	amount := m.Dollars()
	return &amount
}

// kinds are the words for what a session spends money on.
var kinds = []struct {
	kind event.SpendKind
	word string
}{{event.SpendLLM, "models"}, {event.SpendJob, "jobs"}, {event.SpendSandbox, "sandboxes"}}

func showUsage(s *console.Streams, u usage, days int) error {
	var out strings.Builder
	fmt.Fprintf(&out, "Sessions on this machine, last %d days:\n", days)
	out.WriteString(aligned(func(table io.Writer) {
		for _, k := range kinds {
			sum := u.Local[k.kind]
			if sum == nil {
				sum = &ledger.Sum{}
			}
			fmt.Fprintf(table, "  %s\t%s\t%s\n", k.word, spent(*sum), reserved(*sum))
		}
	}))
	if len(u.Sessions) > 0 {
		out.WriteString("\nBy session:\n")
	}
	out.WriteString(aligned(func(table io.Writer) {
		for _, one := range u.Sessions[:min(shownSessions, len(u.Sessions))] {
			fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", console.OneLine(one.ID[:min(8, len(one.ID))]),
				one.Updated.Local().Format("2006-01-02 15:04"), spent(one.Sum), reserved(one.Sum))
		}
	}))
	for _, b := range u.Billing {
		fmt.Fprintf(&out, "\nHugging Face, %s, this month:\n%s", console.OneLine(b.Payer), b.text())
	}
	_, err := io.WriteString(s.Out, out.String())
	return err
}

// shownSessions is how many sessions are listed for people.
const shownSessions = 10

func (b bill) text() string {
	switch {
	case b.Problem != "":
		return "  unknown: " + console.OneLine(b.Problem) + "\n"
	case len(b.Products) == 0:
		return "  nothing was used\n"
	}
	return aligned(func(table io.Writer) {
		for _, name := range slices.Sorted(maps.Keys(b.Products)) {
			fmt.Fprintf(table, "  %s\t%s\n", console.OneLine(name), b.Products[name].text())
		}
	})
}

func spent(s ledger.Sum) string {
	text := show.Dollars(&s.Settled)
	if s.Unknown > 0 {
		text += fmt.Sprintf(" and %d of unknown cost", s.Unknown)
	}
	return text
}

func reserved(s ledger.Sum) string {
	if s.Reserved == 0 {
		return ""
	}
	return "(" + show.Dollars(&s.Reserved) + " set aside)"
}

func (p product) text() string {
	money := func(v *float64) string {
		if v == nil {
			return "unknown"
		}
		return account.Money(*v * float64(account.USD)).String()
	}
	text := money(p.Used)
	if p.Included != nil {
		text += ", included " + money(p.Included)
	}
	if p.Limit != nil {
		text += ", limit " + money(p.Limit)
	}
	if p.Requests != nil {
		text += fmt.Sprintf(", %d requests", *p.Requests)
	}
	if p.Minutes != nil {
		text += fmt.Sprintf(", %.0f minutes", *p.Minutes)
	}
	return text
}

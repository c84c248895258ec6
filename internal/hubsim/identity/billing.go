package identity

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
)

// Inference credit of a month, in billionths of a dollar.
const (
	freeCredit = 100_000_000
	paidCredit = 2_000_000_000 // PRO; an organisation for each seat
)

// keepAlive is how long a stream is silent at most, in simulated or in real
// time, whichever is over first.
const keepAlive = 30 * time.Second

func (a *Area) billingRoutes(mux *http.ServeMux) {
	for _, base := range []string{"/api/settings/billing", "/api/organizations/{name}/billing"} {
		mux.Handle("GET "+base+"/usage", a.billed(a.usage))
		mux.Handle("GET "+base+"/usage-v2", a.billed(a.usageV2))
		mux.Handle("GET "+base+"/usage-by-inference-session", a.billed(a.bySession))
		mux.Handle("GET "+base+"/usage/jobs", a.billed(a.jobs))
		mux.Handle("GET "+base+"/usage/live", a.billed(a.live(liveUsage)))
	}
	mux.Handle("GET /api/organizations/{name}/billing/usage-by-resource-group", a.billed(byGroup))
	mux.Handle("GET /api/settings/metrics/live", a.billed(a.live(liveMetrics)))
}

// billed finds out whose bill is asked for and whether the caller may see it.
func (a *Area) billed(show func(w http.ResponseWriter, r *http.Request, payer *account.Entity) error) http.Handler {
	return answer.Handler(func(w http.ResponseWriter, r *http.Request) error {
		c := account.From(r.Context())
		if c == nil {
			return answer.Login("")
		}
		payer := c.User
		if r.PathValue("name") != "" {
			var err error
			if payer, err = a.find(r, "org", "This organization does not exist"); err != nil {
				return err
			}
			if c.Role(payer.Name) != "admin" {
				return answer.Refuse(http.StatusForbidden, "You don't have the rights to see the billing of this organization")
			}
		}
		if !c.May(account.BillingRead, payer.Name) {
			return answer.Refuse(http.StatusForbidden, "This token lacks the permission user.billing.read")
		}
		return show(w, r, payer)
	})
}

// between lists the charges of a product that began in [from, to).
func (a *Area) between(payer *account.Entity, product string, from, to time.Time) []account.Charge {
	var some []account.Charge
	for _, c := range a.o.Accounts.Charges(payer.Name) {
		if c.Product == product && !c.StartedAt.Before(from) && c.StartedAt.Before(to) {
			some = append(some, c)
		}
	}
	return some
}

func sum(charges []account.Charge) (nano, minutes, requests int64) {
	for _, c := range charges {
		nano += c.NanoUSD
		minutes += c.Minutes
		requests += c.Requests
	}
	return nano, minutes, requests
}

// microUSD rounds to the nearest millionth of a dollar.
func microUSD(nano int64) int64 { return (nano + 500) / 1000 }

// included is the inference credit of a month.
func included(e *account.Entity) int64 {
	switch {
	case e.Type == "org" && e.Plan != "":
		return paidCredit * int64(len(e.Members))
	case e.Plan == "pro":
		return paidCredit
	case e.Type == "user":
		return freeCredit
	}
	return 0
}

// products is the usage of a time, product by product.
func (a *Area) products(payer *account.Entity, from, to time.Time) map[string]any {
	used, _, requests := sum(a.between(payer, "inference", from, to))
	jobs, minutes, _ := sum(a.between(payer, "jobs", from, to))
	usage := map[string]any{
		"inferenceProviders": map[string]any{
			"usedNanoUsd": used, "includedNanoUsd": included(payer), "limitNanoUsd": 0, "numRequests": requests,
			"periodStart": clock.Format(from), "periodEnd": clock.Format(to),
		},
		"jobs": map[string]any{"usedMicroUsd": microUSD(jobs), "totalMinutes": minutes},
	}
	if spaces := a.between(payer, "spaces", from, to); len(spaces) > 0 {
		nano, minutes, _ := sum(spaces)
		usage["spaces"] = map[string]any{"usedMicroUsd": microUSD(nano), "totalMinutes": minutes}
	}
	return usage
}

func (a *Area) usageV2(w http.ResponseWriter, r *http.Request, payer *account.Entity) error {
	from, to, err := dates(r, func(s string) (time.Time, error) {
		n, err := strconv.ParseInt(s, 10, 64)
		return time.Unix(n, 0), err
	}, "Unix seconds")
	if err != nil {
		return err
	}
	answer.JSON(w, http.StatusOK, map[string]any{"usage": a.products(payer, from, to)})
	return nil
}

// dates reads startDate and endDate, both of which are needed.
func dates(r *http.Request, parse func(string) (time.Time, error), form string) (from, to time.Time, err error) {
	var at [2]time.Time
	for i, name := range []string{"startDate", "endDate"} {
		if at[i], err = parse(r.URL.Query().Get(name)); err != nil {
			return from, to, answer.Refuse(http.StatusBadRequest, fmt.Sprintf("%q must be given in %s", name, form))
		}
	}
	if at[1].Before(at[0]) {
		return from, to, answer.Refuse(http.StatusBadRequest, `"endDate" must not be before "startDate"`)
	}
	return at[0].UTC(), at[1].UTC(), nil
}

func (a *Area) bySession(w http.ResponseWriter, r *http.Request, payer *account.Entity) error {
	from, to, err := dates(r, func(s string) (time.Time, error) { return time.Parse(time.RFC3339, s) }, "ISO 8601")
	if err != nil {
		return err
	}
	type session struct {
		ID           string  `json:"id"`
		RequestCount int64   `json:"requestCount"`
		CostCents    float64 `json:"costCents"`
		nano         int64
	}
	sessions, at := []*session{}, map[string]*session{}
	for _, c := range a.between(payer, "inference", from, to) {
		s := at[c.Ref]
		if s == nil {
			s = &session{ID: c.Ref}
			at[c.Ref] = s
			sessions = append(sessions, s)
		}
		s.RequestCount += c.Requests
		s.nano += c.NanoUSD
		s.CostCents = float64(s.nano) / 1e7
	}
	periods := []any{}
	if len(sessions) > 0 {
		periods = append(periods, map[string]any{"period": clock.Format(from), "sessions": sessions})
	}
	answer.JSON(w, http.StatusOK, map[string]any{"currency": "usd", "periods": periods})
	return nil
}

func (a *Area) jobs(w http.ResponseWriter, _ *http.Request, payer *account.Entity) error {
	from, to := a.period()
	charges := a.between(payer, "jobs", from, to)
	nano, minutes, _ := sum(charges)
	details := []map[string]any{}
	for _, c := range charges {
		d := map[string]any{
			"jobId": c.Ref, "hardwareFlavor": c.Flavor, "totalMinutes": c.Minutes,
			"totalCostMicroUsd": microUSD(c.NanoUSD), "startedAt": clock.Format(c.StartedAt),
		}
		if !c.EndedAt.IsZero() {
			d["completedAt"] = clock.Format(c.EndedAt)
		}
		details = append(details, d)
	}
	answer.JSON(w, http.StatusOK, map[string]any{
		"usage": map[string]any{
			"usedMicroUsd": microUSD(nano), "totalMinutes": minutes, "periodStart": clock.Format(from),
			"periodEnd": clock.Format(to), "jobDetails": details,
		},
		"hasAccess": payer.CanPay || payer.Paying() || payer.CreditMicroUSD > 0,
	})
	return nil
}

// usage is the bill line by line.
func (a *Area) usage(w http.ResponseWriter, r *http.Request, payer *account.Entity) error {
	from, to := a.period()
	id := from.Format("2006-01")
	if asked := r.URL.Query().Get("periodId"); asked != "" && asked != id {
		start, err := time.Parse("2006-01", asked)
		if err != nil {
			return answer.Refuse(http.StatusNotFound, "This billing period does not exist")
		}
		id, from, to = asked, start, start.AddDate(0, 1, 0)
	}
	usage := map[string]any{}
	for _, product := range []string{"jobs", "spaces", "inference"} {
		lines := []map[string]any{}
		for _, c := range a.between(payer, product, from, to) {
			lines = append(lines, line(payer, c))
		}
		if len(lines) > 0 {
			usage[product] = lines
		}
	}
	answer.JSON(w, http.StatusOK, map[string]any{
		"period": map[string]any{"id": id, "periodStart": clock.Format(from), "periodEnd": clock.Format(to)}, "usage": usage,
	})
	return nil
}

func line(payer *account.Entity, c account.Charge) map[string]any {
	quantity := max(cmp.Or(c.Minutes, c.Requests), 1)
	l := map[string]any{
		"entityId": payer.ID, "label": cmp.Or(c.Flavor, c.Ref), "product": c.Product, "quantity": quantity,
		"unitCostMicroUSD": microUSD(c.NanoUSD / quantity), "totalCostMicroUSD": microUSD(c.NanoUSD),
		"startedAt": clock.Format(c.StartedAt), "active": c.EndedAt.IsZero(), "freeGrant": false,
	}
	if !c.EndedAt.IsZero() {
		l["stoppedAt"] = clock.Format(c.EndedAt)
	}
	return l
}

func byGroup(w http.ResponseWriter, _ *http.Request, _ *account.Entity) error {
	answer.JSON(w, http.StatusOK, map[string]any{"resourceGroups": []any{}})
	return nil
}

func liveUsage(a *Area, payer *account.Entity) any {
	from, to := a.period()
	return map[string]any{"usage": a.products(payer, from, to)}
}

func liveMetrics(a *Area, payer *account.Entity) any {
	from, to := a.period()
	_, _, requests := sum(a.between(payer, "inference", from, to))
	return map[string]any{"inferenceProviders": map[string]any{"numRequests": requests}}
}

// live streams what frame says now and after every charge.
func (a *Area) live(frame func(*Area, *account.Entity) any) func(http.ResponseWriter, *http.Request, *account.Entity) error {
	return func(w http.ResponseWriter, r *http.Request, payer *account.Entity) error {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-cache")
		w.WriteHeader(http.StatusOK)
		flush := http.NewResponseController(w)
		for {
			news := a.o.Accounts.Charged()
			raw, err := json.Marshal(frame(a, payer))
			if err != nil {
				return nil // cannot be: numbers and texts
			}
			if _, err := fmt.Fprintf(w, "data: %s\n\n", raw); err != nil {
				return nil // the client has gone
			}
			for waiting := true; waiting; {
				_ = flush.Flush()
				switch a.wait(r.Context(), news) {
				case ended:
					return nil
				case charged:
					waiting = false
				case quiet:
					if _, err := fmt.Fprint(w, ": keep-alive\n\n"); err != nil {
						return nil
					}
				}
			}
		}
	}
}

// What wait ends with.
const (
	ended = iota
	charged
	quiet
)

// wait holds until there is news, the client goes or it was quiet for long.
func (a *Area) wait(ctx context.Context, news <-chan struct{}) int {
	silence := make(chan struct{})
	simulated := a.o.Clock.AfterFunc(keepAlive, func() { close(silence) })
	defer simulated.Stop()
	real := time.NewTimer(keepAlive)
	defer real.Stop()
	select {
	case <-ctx.Done():
		return ended
	case <-a.over:
		return ended
	case <-news:
		return charged
	case <-silence:
		return quiet
	case <-real.C:
		return quiet
	}
}

package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// Money is an amount in billionths of a US dollar.
type Money int64

// The units the Hub counts in.
const (
	NanoUSD  Money = 1
	MicroUSD Money = 1000
	Cent     Money = 10_000_000
	USD      Money = 1_000_000_000
)

// Dollars is the amount as a number.
func (m Money) Dollars() float64 { return float64(m) / float64(USD) }

// String is the amount in dollars: with two digits where that is exact, else
// with four.
func (m Money) String() string {
	digits := 4
	if m%Cent == 0 {
		digits = 2
	}
	sign := ""
	if m < 0 {
		sign = "-"
	}
	return sign + "$" + strconv.FormatFloat(math.Abs(m.Dollars()), 'f', digits, 64)
}

// amount reads a number of some unit; nil where there is none.
func amount(n json.Number, unit Money) *Money {
	if n == "" {
		return nil
	}
	if whole, err := n.Int64(); err == nil && whole < math.MaxInt64/int64(unit) && whole > math.MinInt64/int64(unit) {
		return new(Money(whole) * unit)
	}
	f, err := n.Float64()
	if err != nil || math.Abs(f)*float64(unit) > math.MaxInt64/2 {
		return nil
	}
	return new(Money(math.Round(f * float64(unit))))
}

// Product is what one product was used for. Every field may be missing.
type Product struct {
	Used, Included, Limit  *Money
	Requests               *int64
	Minutes                *float64
	PeriodStart, PeriodEnd time.Time
	Raw                    json.RawMessage // the whole object as it came
}

// UnmarshalJSON reads a product in any of the Hub's units.
func (p *Product) UnmarshalJSON(data []byte) error {
	var in struct {
		UsedNano      json.Number `json:"usedNanoUsd"`
		UsedMicro     json.Number `json:"usedMicroUsd"`
		UsedCents     json.Number `json:"usedCents"`
		IncludedNano  json.Number `json:"includedNanoUsd"`
		IncludedMicro json.Number `json:"includedMicroUsd"`
		LimitNano     json.Number `json:"limitNanoUsd"`
		LimitMicro    json.Number `json:"limitMicroUsd"`
		Requests      *int64      `json:"numRequests"`
		Minutes       *float64    `json:"totalMinutes"`
		Start         moment      `json:"periodStart"`
		End           moment      `json:"periodEnd"`
	}
	*p = Product{Raw: append(json.RawMessage(nil), data...)}
	if err := json.Unmarshal(data, &in); err != nil {
		return nil // a product of another shape is kept as it is
	}
	p.Used = first(amount(in.UsedNano, NanoUSD), amount(in.UsedMicro, MicroUSD), amount(in.UsedCents, Cent))
	p.Included = first(amount(in.IncludedNano, NanoUSD), amount(in.IncludedMicro, MicroUSD))
	p.Limit = first(amount(in.LimitNano, NanoUSD), amount(in.LimitMicro, MicroUSD))
	p.Requests, p.Minutes, p.PeriodStart, p.PeriodEnd = in.Requests, in.Minutes, in.Start.Time, in.End.Time
	return nil
}

// moment is a time in words or in Unix seconds; anything else is no time.
type moment struct{ time.Time }

// UnmarshalJSON never fails.
func (m *moment) UnmarshalJSON(data []byte) error {
	var seconds int64
	if json.Unmarshal(data, &seconds) == nil && seconds > 0 {
		m.Time = time.Unix(seconds, 0).UTC()
		return nil
	}
	if json.Unmarshal(data, &m.Time) != nil {
		m.Time = time.Time{}
	}
	return nil
}

func first(some ...*Money) *Money {
	for _, m := range some {
		if m != nil {
			return m
		}
	}
	return nil
}

// Usage is what was used, by product: inferenceProviders, jobs, ….
type Usage map[string]Product

// Payer is whose bill is meant: an organisation, or the user himself for "".
type Payer string

func (p Payer) path(more ...string) (string, error) {
	if p == "" {
		return wire.Path(append([]string{"api", "settings", "billing"}, more...)...), nil
	}
	if err := wire.CheckNamespace("organisation", string(p)); err != nil {
		return "", err
	}
	return wire.Path(append([]string{"api", "organizations", string(p), "billing"}, more...)...), nil
}

func (p Payer) op() string {
	if p == "" {
		return "read your billing"
	}
	return "read the billing of " + string(p)
}

// bill reads one table of a bill.
func (a *API) bill(ctx context.Context, p Payer, q url.Values, into any, more ...string) error {
	path, err := p.path(more...)
	if err != nil {
		return err
	}
	_, err = a.conn.JSON(ctx, wire.Request{Op: p.op(), Path: path, Query: q}, into)
	var e *wire.Error
	if errors.As(err, &e) && e.Kind == wire.Forbidden {
		explained := *e
		explained.Remedy = "the token needs the permission " + ReadBilling + " (OAuth: read-billing), an organisation's bill also a billing role"
		return &explained
	}
	return err
}

// Usage reads what was used between two times.
func (a *API) Usage(ctx context.Context, p Payer, from, to time.Time) (Usage, error) {
	var out struct {
		Usage Usage `json:"usage"`
	}
	seconds := func(t time.Time) []string { return []string{strconv.FormatInt(t.Unix(), 10)} }
	err := a.bill(ctx, p, url.Values{"startDate": seconds(from), "endDate": seconds(to)}, &out, "usage-v2")
	return out.Usage, err
}

// SessionCost is what requests of one session cost, which the client has named
// with X-HF-Session-Id.
type SessionCost struct {
	ID       string
	Period   time.Time // its beginning
	Requests int64
	Cost     *Money
}

// Sessions reads what the sessions between two times cost.
func (a *API) Sessions(ctx context.Context, p Payer, from, to time.Time) ([]SessionCost, error) {
	var out struct {
		Currency string `json:"currency"`
		Periods  []struct {
			Period   time.Time `json:"period"`
			Sessions []struct {
				ID       string      `json:"id"`
				Requests int64       `json:"requestCount"`
				Cents    json.Number `json:"costCents"`
			} `json:"sessions"`
		} `json:"periods"`
	}
	iso := func(t time.Time) []string { return []string{t.UTC().Format("2006-01-02T15:04:05.000Z")} }
	err := a.bill(ctx, p, url.Values{"startDate": iso(from), "endDate": iso(to)}, &out, "usage-by-inference-session")
	if err != nil {
		return nil, err
	}
	if out.Currency != "" && out.Currency != "usd" {
		return nil, &wire.Error{Kind: wire.Unexpected, Op: p.op(), Message: fmt.Sprintf("the amounts are in %q, not in usd", out.Currency)}
	}
	var all []SessionCost
	for _, period := range out.Periods {
		for _, s := range period.Sessions {
			all = append(all, SessionCost{s.ID, period.Period, s.Requests, amount(s.Cents, Cent)})
		}
	}
	return all, nil
}

// Jobs is what jobs of the current period cost.
type Jobs struct {
	Product
	Jobs []JobCost
	// HasAccess says that the payer may run jobs at all; nil is not said.
	HasAccess *bool
}

// JobCost is what one job cost.
type JobCost struct {
	ID, Flavor         string
	Minutes            *float64
	Cost               *Money
	StartedAt, EndedAt time.Time // EndedAt is zero while it runs
}

// JobsUsage reads what jobs cost.
func (a *API) JobsUsage(ctx context.Context, p Payer) (*Jobs, error) {
	var out struct {
		Usage     json.RawMessage `json:"usage"`
		HasAccess *bool           `json:"hasAccess"`
	}
	if err := a.bill(ctx, p, nil, &out, "usage", "jobs"); err != nil {
		return nil, err
	}
	jobs := &Jobs{HasAccess: out.HasAccess}
	if len(out.Usage) == 0 {
		return jobs, nil
	}
	var details struct {
		Jobs []struct {
			ID      string      `json:"jobId"`
			Flavor  string      `json:"hardwareFlavor"`
			Minutes *float64    `json:"totalMinutes"`
			Micro   json.Number `json:"totalCostMicroUsd"`
			Start   time.Time   `json:"startedAt"`
			End     time.Time   `json:"completedAt"`
		} `json:"jobDetails"`
	}
	err := errors.Join(json.Unmarshal(out.Usage, &jobs.Product), json.Unmarshal(out.Usage, &details))
	if err != nil {
		return nil, &wire.Error{Kind: wire.Unexpected, Op: p.op(), Message: "the answer is not the JSON expected", Err: err}
	}
	for _, j := range details.Jobs {
		jobs.Jobs = append(jobs.Jobs, JobCost{j.ID, j.Flavor, j.Minutes, amount(j.Micro, MicroUSD), j.Start, j.End})
	}
	return jobs, nil
}

// Lines reads the bill line by line, as it came; period "" is the current one.
func (a *API) Lines(ctx context.Context, p Payer, period string) (json.RawMessage, error) {
	q := url.Values{}
	if period != "" {
		q.Set("periodId", period)
	}
	var out json.RawMessage
	err := a.bill(ctx, p, q, &out, "usage")
	return out, err
}

// Live yields the usage now and whenever it changes. The numbers can fall: a
// request under way is booked with a placeholder.
func (a *API) Live(ctx context.Context, p Payer) iter.Seq2[Usage, error] {
	return func(yield func(Usage, error) bool) {
		path, err := p.path("usage", "live")
		if err != nil {
			yield(nil, err)
			return
		}
		for e, err := range a.conn.Events(ctx, wire.Request{Op: p.op(), Path: path}) {
			if err != nil {
				yield(nil, err)
				return
			}
			var in struct {
				Usage Usage `json:"usage"`
			}
			if e.Cut || json.Unmarshal(e.Data, &in) != nil || in.Usage == nil {
				continue // the first frame may be a part
			}
			if !yield(in.Usage, nil) {
				return
			}
		}
	}
}

// Billing reports whether a failure is about money: what helps is credit or a
// plan, not another try.
func Billing(err error) bool {
	if errors.Is(err, wire.Payment) {
		return true
	}
	var e *wire.Error
	words := regexp.MustCompile(`(?i)\b(insufficient|out of|no|add|requires) credits?\b|\bpayment required\b|\bbilling\b|\bcredits? (are |is |were )?(exhausted|used up|limit)`)
	return errors.As(err, &e) && e.Status >= 400 && e.Status < 500 && words.MatchString(e.Message)
}

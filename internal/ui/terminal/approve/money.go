package approve

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/approve/call"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/approve/sheet"
)

// money is a request that is about money alone: the spending cap is reached, or
// a threshold is passed. Amounts are in US dollars; nil is unknown, or none.
type money struct {
	atCap  bool // otherwise at a threshold
	reason string
	Cap    *float64 `json:"cap_usd"`
	Spent  *float64 `json:"current_spend_usd"`
	Left   *float64 `json:"remaining_cap_usd"`
	Next   *float64 `json:"estimated_next_usd"`
	Passed *float64 `json:"threshold_usd"`
	Later  *float64 `json:"next_threshold_usd"`
}

// newMoney returns nil for a request about a tool.
func newMoney(gate event.ApprovalRequired, c event.GatedCall) *money {
	atCap := gate.YoloBudget || c.Tool == "yolo_budget"
	if !atCap && !gate.UsageThreshold && c.Tool != "usage_threshold" {
		return nil
	}
	var said struct {
		money
		Reason string `json:"reason"`
	}
	_ = json.Unmarshal(c.Arguments, &said) // what is missing is unknown
	m := said.money
	m.atCap, m.reason = atCap, call.Clean(said.Reason)
	return &m
}

// affordable reports whether going on needs no higher cap.
func (m *money) affordable() bool {
	if !m.atCap || m.Cap == nil || *m.Cap <= 0 {
		return true
	}
	left := m.Left
	if left == nil && m.Spent != nil {
		l := *m.Cap - *m.Spent
		left = &l
	}
	return left != nil && *left > 0 && (m.Next == nil || *left >= *m.Next)
}

// needed is what a new cap must exceed: what is spent and what comes next.
func (m *money) needed() float64 {
	sum := 0.0
	for _, p := range []*float64{m.Spent, m.Next} {
		if p != nil {
			sum += *p
		}
	}
	return sum
}

// newCap reads a cap: a number of dollars, or unlimited, which is 0.
func newCap(text string) (usd float64, ok bool) {
	text = strings.ToLower(strings.TrimSpace(text))
	if text == "unlimited" {
		return 0, true
	}
	text = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(text, "$"), "usd"))
	if strings.Trim(text, "0123456789.") != "" {
		return 0, false
	}
	usd, err := strconv.ParseFloat(text, 64)
	return usd, err == nil && usd > 0 && usd <= mostCap
}

// mostCap is the highest cap there can be, in dollars.
const mostCap = 1_000_000

// read takes an answer: what is decided, the new cap or nil, and why it is no
// answer, empty when it is one.
func (m *money) read(text string) (ap event.Approval, limit *float64, refuse string) {
	higher := "a higher cap, such as " + strconv.FormatFloat(m.example(), 'f', -1, 64)
	switch parse(text).kind {
	case empty:
		return ap, nil, "an empty line decides nothing: " + m.answers()
	case no:
		return event.Approval{}, nil, ""
	case yes:
		if !m.affordable() {
			return ap, nil, "the cap leaves nothing to go on with: type " + higher + ", or n to stop"
		}
		return event.Approval{Approved: true}, nil, ""
	case help:
		return ap, nil, m.answers()
	}
	usd, ok := newCap(text)
	switch {
	case strings.TrimSpace(text) == "0":
		return ap, nil, "a cap of 0 would be no cap: type unlimited if that is meant, or n to stop"
	case !ok:
		return ap, nil, "this is about money alone: " + m.answers()
	case usd > 0 && usd <= m.needed():
		return ap, nil, sheet.Dollars(m.needed()) + " are spent or needed next: type " + higher + ", or n to stop"
	}
	return event.Approval{Approved: true}, &usd, ""
}

// example is a round cap that would do.
func (m *money) example() float64 {
	at := m.needed()
	if m.Cap != nil {
		at = max(at, *m.Cap)
	}
	step := math.Pow(10, math.Floor(math.Log10(max(at, 1))))
	return (math.Floor(at/step) + 1) * step
}

// answers says what can be answered.
func (m *money) answers() string {
	text := "n stops here, a number of dollars is the new cap"
	if m.affordable() {
		text = "y goes on, " + text
	}
	return text
}

// Ways says of a request about money whether it can go on as things are, and
// which round cap would do where the spending cap is reached, 0 where there is
// none to raise. Ok is false for a request about calls.
func Ways(gate event.ApprovalRequired) (goesOn bool, limit float64, ok bool) {
	if len(gate.Tools) != 1 {
		return false, 0, false
	}
	m := newMoney(gate, gate.Tools[0])
	if m == nil {
		return false, 0, false
	}
	if m.atCap {
		limit = m.example()
	}
	return m.affordable(), limit, true
}

func (r *Review) answerMoney(text string) Step {
	ap, limit, refuse := r.money.read(text)
	if refuse != "" {
		return r.again(refuse)
	}
	ap.ToolCallID = r.items[0].call.ToolCallID
	r.limit = limit
	return r.decide(ap)
}

func (r *Review) hintMoney(text string) string {
	switch parse(text).kind {
	case empty:
		return "type an answer, ? explains"
	case help:
		return "Enter: explain the answers"
	}
	ap, limit, refuse := r.money.read(text)
	switch {
	case refuse != "":
		return refuse
	case limit != nil && *limit == 0:
		return "Enter: go on without a cap"
	case limit != nil:
		return "Enter: go on, with a cap of " + sheet.Dollars(*limit)
	case ap.Approved:
		return "Enter: go on"
	}
	return "Enter: stop here"
}

// told says what was decided.
func (m *money) told(goesOn bool, limit *float64) string {
	at := "the spending check"
	if m.atCap {
		at = "the spending cap"
	}
	switch {
	case !goesOn:
		return "stopped at " + at
	case limit == nil:
		return "going on behind " + at
	case *limit == 0:
		return "going on without a cap"
	}
	return "going on with a cap of " + sheet.Dollars(*limit)
}

// title is what the request is called.
func (m *money) title() string {
	if m.atCap {
		return "Spending cap reached"
	}
	return "Spending check"
}

// facts tells the amounts.
func (m *money) facts() []sheet.Fact {
	var facts []sheet.Fact
	add := func(label, text string) { facts = append(facts, sheet.Fact{Label: label, Value: text}) }
	if m.reason != "" {
		add("Why", m.reason)
	}
	switch {
	case m.atCap && m.Cap != nil:
		add("Spent", sheet.Known(m.Spent)+" of "+sheet.Dollars(*m.Cap))
		if m.Next != nil {
			add("Next", "at most "+sheet.Dollars(*m.Next))
		} else {
			add("Next", "unknown")
		}
	case m.atCap:
		add("Spent", sheet.Known(m.Spent))
	default:
		add("Spent", sheet.Known(m.Spent)+", more than "+sheet.Known(m.Passed))
		add("Next check", "at "+sheet.Known(m.Later))
	}
	return facts
}

// Package fault makes the simulated Hub misbehave on demand: rules say which
// requests meet which trouble, and a middleware brings it about. It knows HTTP
// and event streams, but no route: the few faults that only an area can play
// are looked up there with From.
package fault

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// Hosts a rule may name.
const (
	Hub = "hub"
	CDN = "cdn"
)

// Rule is one fault: the first rule that matches a request is played.
type Rule struct {
	Match Match `json:"match"`
	Do    Do    `json:"do"`
}

// Match says which requests meet a fault; empty members match everything.
type Match struct {
	Host   string `json:"host,omitempty"` // hub or cdn
	Method string `json:"method,omitempty"`
	// Path and Query are regular expressions over the escaped path and the raw
	// query.
	Path  string `json:"path,omitempty"`
	Query string `json:"query,omitempty"`
	// Token is the name of the user the request's token belongs to.
	Token string `json:"token,omitempty"`
	// Skip lets the first matching requests pass; Count is how many meet the
	// fault after that, 0 is all.
	Skip  int `json:"skip,omitempty"`
	Count int `json:"count,omitempty"`
}

// Do is what happens. Numbers that count bytes or events are pointers, because
// 0 is a place like any other: &0 cuts before the first.
type Do struct {
	// LatencyMs delays the answer, StallMs interrupts its body after
	// StallAfterBytes. Both are real time: they happen on the wire.
	LatencyMs       int64  `json:"latencyMs,omitempty"`
	StallAfterBytes *int64 `json:"stallAfterBytes,omitempty"`
	StallMs         int64  `json:"stallMs,omitempty"`

	// Status answers instead of the route, which is not asked. A Body that is
	// a JSON string is sent as it is, any other value as JSON.
	Status  int               `json:"status,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`

	// ApplyThenFail lets the route do its work and loses the answer: true drops
	// the connection, a number is the status sent instead.
	ApplyThenFail Switch `json:"applyThenFail,omitzero"`

	// DropAfterBytes cuts the body: the connection ends in its midst, with
	// Reset by a reset. Truncate ends it early as if it were complete, with a
	// Content-Length to match.
	DropAfterBytes *int64 `json:"dropAfterBytes,omitempty"`
	Reset          bool   `json:"reset,omitempty"`
	Truncate       *int64 `json:"truncate,omitempty"`
	// CorruptByteAt flips the byte at this offset of the object, in ranges too.
	CorruptByteAt *int64 `json:"corruptByteAt,omitempty"`
	IgnoreRange   bool   `json:"ignoreRange,omitempty"` // 200 with everything
	WrongRange    bool   `json:"wrongRange,omitempty"`  // Content-Range off by one

	// ExpireToken and RevokeToken end the token the request carries, for good.
	ExpireToken bool `json:"expireToken,omitempty"`
	RevokeToken bool `json:"revokeToken,omitempty"`
	// ExpireSignedURLs answers 403 on the content host, again and again for the
	// same address until a new one was asked for. With DropAfterBytes this
	// request is still answered up to the cut.
	ExpireSignedURLs bool `json:"expireSignedUrls,omitempty"`

	// LosePart is the number of a part whose upload is acknowledged and
	// forgotten. ETagMissing leaves the ETag out. CompleteFails refuses the
	// completion of a multipart upload.
	LosePart      int  `json:"losePart,omitempty"`
	ETagMissing   bool `json:"etagMissing,omitempty"`
	CompleteFails bool `json:"completeFails,omitempty"`

	// Event streams: cut after so many events, silent after so many events, or
	// a data line that is no JSON after so many events.
	SSECloseAfter *int `json:"sseCloseAfter,omitempty"`
	SSEStall      *int `json:"sseStall,omitempty"`
	SSEGarbage    *int `json:"sseGarbage,omitempty"`

	// StickStage keeps the job or Space which the request starts (create,
	// commit, restart, duplicate) in this stage; FailStage lets it end in this
	// one. The areas play them: they ask From.
	StickStage string `json:"stickStage,omitempty"`
	FailStage  string `json:"failStage,omitempty"`

	// HideForMs of simulated time: what the request creates answers 404.
	HideForMs int64 `json:"hideForMs,omitempty"`

	// ReorderPages turns the items of a page around. ForeignLink lets the next
	// page lie on another host: true is the content host, a string an origin.
	// EmptyPage answers no items and a link to the same page.
	ReorderPages bool   `json:"reorderPages,omitempty"`
	ForeignLink  Switch `json:"foreignLink,omitzero"`
	EmptyPage    bool   `json:"emptyPage,omitempty"`

	// HeadMoves lets another commit land just before this one: true touches a
	// file of its own, a string names the path it writes.
	HeadMoves Switch `json:"headMoves,omitzero"`

	// DNSFail and Refuse end the connection before anything is read. A rule
	// that names no more than a host refuses new connections. To a client that
	// dials with Set.Dial they are what they are called.
	DNSFail bool `json:"dnsFail,omitempty"`
	Refuse  bool `json:"refuse,omitempty"`
}

// Switch is a fault that is on or off, or on with a number or a text.
type Switch struct {
	On     bool
	Number int
	Text   string
}

// UnmarshalJSON reads true, a number or a text.
func (s *Switch) UnmarshalJSON(raw []byte) error {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	switch v := v.(type) {
	case bool:
		*s = Switch{On: v}
	case float64:
		*s = Switch{On: v != 0, Number: int(v)}
	case string:
		*s = Switch{On: v != "", Text: v}
	case nil:
		*s = Switch{}
	default:
		return fmt.Errorf("%s is neither true nor a number nor a text", raw)
	}
	return nil
}

// MarshalJSON writes what UnmarshalJSON reads.
func (s Switch) MarshalJSON() ([]byte, error) {
	switch {
	case s.Text != "":
		return json.Marshal(s.Text)
	case s.Number != 0:
		return json.Marshal(s.Number)
	}
	return json.Marshal(s.On)
}

// Parse reads rules: one rule or an array of them. Unknown keys are refused, so
// that a misspelled fault is not a silent one.
func Parse(raw []byte) ([]Rule, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) > 0 && raw[0] == '{' {
		raw = append(append([]byte{'['}, raw...), ']')
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	var rules []Rule
	if err := dec.Decode(&rules); err != nil {
		return nil, fmt.Errorf("read fault rules: %w", err)
	}
	for i, r := range rules {
		if _, err := compile(r); err != nil {
			return nil, fmt.Errorf("fault rule %d: %w", i, err)
		}
	}
	return rules, nil
}

// active is a rule with what it has done so far.
type active struct {
	Rule
	path, query *regexp.Regexp
	seen, hits  int
}

func compile(r Rule) (*active, error) {
	a := &active{Rule: r}
	switch {
	case r.Match.Host != "" && r.Match.Host != Hub && r.Match.Host != CDN:
		return nil, fmt.Errorf("match.host is %q: it must be hub or cdn", r.Match.Host)
	case r.Match.Skip < 0 || r.Match.Count < 0:
		return nil, fmt.Errorf("match.skip and match.count must not be negative")
	case r.Do.Status != 0 && (r.Do.Status < 200 || r.Do.Status > 599):
		return nil, fmt.Errorf("do.status is %d: it must be from 200 to 599", r.Do.Status)
	}
	var err error
	if a.path, err = regexp.Compile(r.Match.Path); err != nil {
		return nil, fmt.Errorf("match.path: %w", err)
	}
	if a.query, err = regexp.Compile(r.Match.Query); err != nil {
		return nil, fmt.Errorf("match.query: %w", err)
	}
	return a, nil
}

// onConnect reports whether the rule meets connections, not requests.
func (a *active) onConnect() bool {
	m := a.Match
	return (a.Do.Refuse || a.Do.DNSFail) && m.Method == "" && m.Path == "" && m.Query == "" && m.Token == ""
}

func (a *active) matches(host, owner string, r *http.Request) bool {
	m := a.Match
	return !a.onConnect() &&
		(m.Host == "" || m.Host == host) &&
		(m.Method == "" || strings.EqualFold(m.Method, r.Method)) &&
		(m.Token == "" || strings.EqualFold(m.Token, owner)) &&
		a.path.MatchString(r.URL.EscapedPath()) && a.query.MatchString(r.URL.RawQuery) &&
		(a.Do.LosePart == 0 || r.Method == http.MethodPut && partNumber(r.URL) == a.Do.LosePart)
}

// due counts a match and reports whether the fault is played this time.
func (a *active) due() bool {
	if a.Match.Count > 0 && a.hits >= a.Match.Count {
		return false
	}
	a.seen++
	if a.seen <= a.Match.Skip {
		return false
	}
	a.hits++
	return true
}

package guard

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// How much repetition is too much, in rounds and hits.
const (
	sameRounds = 3 // equal neighbours
	pollRounds = 6 // the same for calls that only wait
	maxCycle   = 5 // the longest cycle looked for, seen twice
	refuseFrom = 3 // the hit from which on the repeated call is refused
	endAt      = 5 // the hit that ends the turn
)

// Action is what a hit asks of the turn.
type Action int

// The actions.
const (
	// Pass: nothing is wrong.
	Pass Action = iota
	// Warn adds Hit.Text to the history.
	Warn
	// Refuse answers the calls in question with [Refusal] instead of running them.
	Refuse
	// End ends the turn with [DoomLoop].
	End
)

// Hit is a repetition that was found.
type Hit struct {
	Action Action
	// Pattern names what repeats: 'read' for one tool, "a → b" for a cycle.
	Pattern string
	// Count is the number of hits in this turn, this one included.
	Count int
	// Text is the message for the model; empty for Refuse.
	Text string
}

// Repetition watches one turn for rounds of calls that repeat with the same
// arguments and results. Its zero value is ready to use; Reset begins the next
// turn. It belongs to one goroutine.
type Repetition struct {
	// Poll tells calls that only wait; nil means [PureWait].
	Poll func(llm.ToolCall) bool

	seen hashes
	hits int
	// newest identifies the last round judged, so that a round counts once.
	newest string
	// cycle is the repetition that stands: its rounds, the one expected next
	// first. Empty when the last round was something else.
	cycle   []round
	pattern string
}

// Reset forgets the hits of the turn before.
func (r *Repetition) Reset() {
	r.hits, r.newest, r.cycle, r.pattern = 0, "", nil, ""
}

// forget drops the repetition that stands: a person has spoken since.
func (r *Repetition) forget() {
	r.cycle = nil
	if r.newest == refusedMark {
		r.newest = ""
	}
}

// Check judges the newest rounds before a model call. A repetition is reported
// once for every round that adds to it: with Warn, at the fifth hit with End.
func (r *Repetition) Check(msgs []llm.Message) (Hit, bool) {
	id := newestRound(msgs)
	if id == "" {
		r.forget()
		return Hit{}, false
	}
	if id == r.newest {
		return Hit{}, false
	}
	refused := r.newest == refusedMark
	r.newest = id
	if refused { // that round was judged when it was refused
		return Hit{}, false
	}
	cycle := tail(r.seen.rounds(msgs, r.poll()))
	r.cycle = cycle
	if len(cycle) == 0 {
		return Hit{}, false
	}
	r.pattern = patternOf(cycle)
	r.hits++
	if r.hits >= endAt {
		return Hit{Action: End, Pattern: r.pattern, Count: r.hits, Text: DoomLoop(r.pattern, r.hits)}, true
	}
	return Hit{Action: Warn, Pattern: r.pattern, Count: r.hits, Text: warning(r.pattern, r.hits)}, true
}

// refusedMark stands for a round whose calls were refused.
const refusedMark = "\x00refused"

// Judge looks at the calls of a new answer before they run. After two hits a
// round that goes on with the repetition is refused, and in the end ends the
// turn; every other round passes. A round is judged once.
func (r *Repetition) Judge(calls []llm.ToolCall) Hit {
	if r.hits < refuseFrom-1 || len(r.cycle) == 0 || !r.repeats(calls) {
		return Hit{}
	}
	r.hits++
	r.newest = refusedMark
	r.cycle = append(r.cycle[1:len(r.cycle):len(r.cycle)], r.cycle[0])
	hit := Hit{Action: Refuse, Pattern: r.pattern, Count: r.hits}
	if r.hits >= endAt {
		hit.Action, hit.Text = End, DoomLoop(r.pattern, r.hits)
	}
	return hit
}

// repeats reports whether calls are those of the round that is expected next.
func (r *Repetition) repeats(calls []llm.ToolCall) bool {
	var asked []signature
	for _, c := range calls {
		s := signature{name: c.Name, args: Hash(c.Arguments)}
		if !slices.Contains(asked, s) {
			asked = append(asked, s)
		}
	}
	return slices.Equal(asked, withoutResults(r.cycle[0]))
}

func withoutResults(r round) []signature {
	var out []signature
	for _, s := range r.calls {
		s.result = ""
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func (r *Repetition) poll() func(llm.ToolCall) bool {
	if r.Poll != nil {
		return r.Poll
	}
	return PureWait
}

// newestRound identifies the newest answer with calls in the window by the ids
// of its calls, which are unique in a history. What came before the last
// message of a person is over.
func newestRound(msgs []llm.Message) string {
	for i := len(msgs) - 1; i >= max(0, len(msgs)-window); i-- {
		if msgs[i].Role == llm.User && !msgs[i].Synthetic {
			return ""
		}
		if calls := msgs[i].ToolCalls; len(calls) > 0 {
			return calls[0].ID + "\x00" + calls[len(calls)-1].ID
		}
	}
	return ""
}

// tail finds the repetition that the newest round belongs to: equal neighbours
// first, then cycles by length. Calls that only wait may repeat longer. The
// rounds of one cycle are returned, the one expected next first.
func tail(rounds []round) []round {
	if len(rounds) < sameRounds {
		return nil
	}
	for length := 1; length <= maxCycle; length++ {
		need := 2 * length
		if length == 1 {
			need = sameRounds
		}
		if len(rounds) < need {
			break
		}
		cycle := rounds[len(rounds)-length:]
		if !slices.ContainsFunc(cycle, func(r round) bool { return !r.poll }) {
			need = max(need, (pollRounds+length-1)/length*length)
		}
		if periodic(rounds, length, need) {
			return slices.Clone(cycle)
		}
	}
	return nil
}

// periodic reports whether the last need rounds repeat with this length.
func periodic(rounds []round, length, need int) bool {
	if len(rounds) < need {
		return false
	}
	last := rounds[len(rounds)-need:]
	for i := length; i < need; i++ {
		if !last[i].equal(last[i-length]) {
			return false
		}
	}
	return true
}

func patternOf(cycle []round) string {
	if len(cycle) == 1 {
		return "'" + cycle[0].label() + "'"
	}
	names := make([]string, len(cycle))
	for i, r := range cycle {
		names[i] = r.label()
	}
	return strings.Join(names, " → ")
}

func warning(pattern string, hits int) string {
	what := "calling " + pattern + " with the same arguments"
	if !strings.HasPrefix(pattern, "'") {
		what = "going through the same calls in a circle (" + pattern + ")"
	}
	text := fmt.Sprintf("[SYSTEM: REPETITION GUARD] You are %s and get the same results each time. Stop doing that. "+
		"Read the last result again and change the approach: other arguments, another tool, a smaller step. "+
		"If nothing else is left, tell the user what is in the way and what you need.", what)
	if hits >= refuseFrom-1 {
		text += " The next repetition will not be run."
	}
	return text
}

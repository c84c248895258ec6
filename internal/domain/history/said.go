package history

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Begun is a turn that has begun, with the plan of that moment.
type Begun struct {
	TurnID string
	Plan   []event.PlanItem
}

// TurnIDs names turns by their ids.
func TurnIDs(turns []Begun) []string {
	ids := make([]string, len(turns))
	for i, t := range turns {
		ids[i] = t.TurnID
	}
	return ids
}

// Undone is an undo, a rewind or a truncate that can still be taken back.
type Undone struct {
	// Messages are what was removed from the end of the history, with what is
	// known of the people's messages among them; none for one of files alone.
	Messages []llm.Message
	Said     []event.Said
	// Begun are the turns that were taken back, Turns how many that were said to
	// be.
	Begun []Begun
	Turns int
	// Plan is the one that was in force before.
	Plan []event.PlanItem
	// Files says that files were put back, or would have been.
	Files bool
}

// Reasons of history_rewritten that the fold knows.
const (
	ReasonUndo     = "undo"
	ReasonTruncate = "truncate"
	ReasonRedo     = "redo"
)

// told keeps what is known of a person's message that has entered the history.
func (s *State) told(turnID, shown string, m llm.Message) {
	s.Said = append(s.Said, event.Said{TurnID: turnID, Shown: shown})
	if len(s.Said) == 1 {
		s.Opening = opening(shown, m)
	}
}

// retold takes over what a rewritten history says of the people's messages, and
// keeps what was removed from its end by an undo.
func (s *State) retold(in event.HistoryRewritten) {
	removed := Undone{Plan: s.Plan}
	before, said := s.Messages, s.Said
	people := 0
	s.Opening = ""
	for _, m := range in.Messages {
		if FromPerson(m) {
			people++
		}
	}
	s.Said = make([]event.Said, people)
	if len(in.Said) == people {
		copy(s.Said, in.Said)
	}
	if at := slices.IndexFunc(in.Messages, FromPerson); at >= 0 {
		s.Opening = opening(s.Said[0].Shown, in.Messages[at])
	}
	switch in.Reason {
	case ReasonUndo, ReasonTruncate:
		if len(in.Messages) > len(before) || people > len(said) {
			return // it does not go on from what we know
		}
		removed.Messages, removed.Said = before[len(in.Messages):], said[people:]
		s.InForce, removed.Begun = CutTurns(s.InForce, said, people)
		s.undoing = &removed
	case ReasonRedo:
		if n := len(s.Undone); n > 0 {
			s.InForce = slices.Concat(s.InForce, s.Undone[n-1].Begun)
			s.Undone = s.Undone[: n-1 : n-1]
		}
	}
}

// CutTurns divides the turns in force where a history ends of which the first
// left messages of people stay. A turn of which a message stays does so too.
func CutTurns(inForce []Begun, said []event.Said, left int) (kept, cut []Begun) {
	at := len(inForce)
	if left == 0 {
		at = 0
	}
	for _, removed := range said[left:] {
		place := slices.IndexFunc(inForce, func(b Begun) bool { return b.TurnID == removed.TurnID })
		if place >= 0 && left > 0 && said[left-1].TurnID == removed.TurnID {
			place++
		}
		if place >= 0 {
			at = min(at, place)
		}
	}
	return inForce[:at:at], inForce[at:]
}

// undid notes that an undo is complete: from now on it can be taken back.
func (s *State) undid(removed, turns int, files bool) {
	undone := s.undoing
	s.undoing = nil
	switch {
	case removed > 0 && undone != nil:
	case removed == 0 && files:
		undone = &Undone{Begun: s.InForce[max(0, len(s.InForce)-turns):]}
	default:
		return
	}
	undone.Turns, undone.Files = turns, files
	s.Undone = append(s.Undone[:len(s.Undone):len(s.Undone)], *undone)
}

// redid notes that an undo of files alone was taken back; one of messages has
// been noted with the rewritten history.
func (s *State) redid(in event.RedoComplete) {
	if n := len(s.Undone); in.Added == 0 && n > 0 {
		s.Undone = s.Undone[: n-1 : n-1]
	}
}

// Lengths of names, in characters.
const (
	// MaxTitle is the most that a person's title has, maxName the most of one
	// that was made from the first message, openingLength what is kept of that.
	MaxTitle      = 120
	maxName       = 60
	openingLength = 200
)

// Name is what the session is called: the title a person gave it, else the
// beginning of the first thing that was said, at most 60 characters on one
// line. It is empty where nothing was said.
func (s *State) Name() string {
	if s.Title != "" {
		return s.Title
	}
	return Cut(s.First(), maxName)
}

// First is the beginning of the first thing a person typed, on one line, at
// most 200 characters; a text that still waits for its turn counts.
func (s *State) First() string {
	switch {
	case len(s.Said) > 0:
		return s.Opening
	case s.Turn != nil && s.Turn.Input != nil:
		return opening(s.Turn.Input.Shown, llm.Message{Text: s.Turn.Input.Text})
	case len(s.Queue) > 0:
		return opening(s.Queue[0].Shown, llm.Message{Text: s.Queue[0].Text})
	}
	return ""
}

func opening(shown string, m llm.Message) string {
	if shown == "" {
		shown = m.PlainText()
	}
	return Cut(Line(shown), openingLength)
}

// Line is text on one line: blanks and line ends become single blanks, other
// control characters are gone.
func Line(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !unicode.IsSpace(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// Cut returns the first n characters of a line at most; a longer one ends
// behind a word, and then in an ellipsis.
func Cut(line string, n int) string {
	if utf8.RuneCountInString(line) <= n {
		return line
	}
	head := strings.TrimRight(excerpt.Head(line, n-1), " ")
	if head == "" { // one long word
		head = string([]rune(line)[:n-1])
	}
	return head + "…"
}

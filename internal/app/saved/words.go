package saved

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

// Age says how long ago something was, as people say it; a month and more is a
// date, and an unknown time is said to be that.
func Age(at, now time.Time) string {
	ago := now.Sub(at)
	switch {
	case at.IsZero():
		return "unknown time"
	case ago < time.Minute:
		return "just now"
	case ago < time.Hour:
		return fmt.Sprintf("%d min ago", int(ago.Minutes()))
	case ago < 24*time.Hour:
		return fmt.Sprintf("%d h ago", int(ago.Hours()))
	case ago < 48*time.Hour:
		return "1 day ago"
	case ago < 30*24*time.Hour:
		return fmt.Sprintf("%d days ago", int(ago.Hours()/24))
	}
	return at.Local().Format("2006-01-02")
}

// Cost is what a session has cost, $0.42; with +? there is more that is not
// known. Nothing known is empty.
func Cost(e sessions.Entry) string {
	switch {
	case e.CostUSD == nil:
		return ""
	case e.Incomplete:
		return fmt.Sprintf("$%.2f+?", *e.CostUSD)
	}
	return fmt.Sprintf("$%.2f", *e.CostUSD)
}

// Facts are a session's turns, money, age and whether it runs, in a few words.
func Facts(e sessions.Entry, now time.Time) []string {
	turns := fmt.Sprintf("%d turns", e.Turns)
	if e.Turns == 1 {
		turns = "1 turn"
	}
	facts := []string{Age(e.UpdatedAt, now), turns}
	if cost := Cost(e); cost != "" {
		facts = append(facts, cost)
	}
	if e.Running {
		facts = append(facts, "running")
	}
	return facts
}

// Line is a foreign text for one line of a screen.
func Line(text string) string { return history.Line(plain.ForTerminal(text)) }

// Headline is what a list says of a session.
func Headline(e sessions.Entry) string {
	return cmp.Or(Line(cmp.Or(e.Problem, e.Line())), "(no message of a person)")
}

// ShortID is the beginning of a session's id, enough to name it.
func ShortID(e sessions.Entry) string {
	id := []rune(strings.ReplaceAll(Line(e.Name()), " ", "_"))
	return string(id[:min(8, len(id))])
}

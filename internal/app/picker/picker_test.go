package picker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
	"github.com/ml-intern/ml-intern/internal/app/picker"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

var now = time.Date(2026, 5, 20, 12, 0, 0, 0, time.UTC)

type shelf []sessions.Entry

func (s shelf) List(context.Context) ([]sessions.Entry, error) { return append(shelf{}, s...), nil }

type broken struct{}

func (broken) List(context.Context) ([]sessions.Entry, error) { return nil, errors.New("no disk") }

func TestSessions(t *testing.T) {
	half := 0.42
	all := shelf{
		{SessionID: "a", Title: "Tides", Preview: "what is a tide?", Cwd: "/w", Model: "m/x", UpdatedAt: now.Add(-2 * time.Hour), Messages: 12, Turns: 3, CostUSD: &half, Journal: true, First: "what is a tide?", Last: strings.Repeat("It goes up and down. ", 40), Running: true},
		{SessionID: "open", Title: "this one", Cwd: "/w", Journal: true},
		{SessionID: "b", Title: "elsewhere", Preview: "elsewhere", Cwd: "/other", UpdatedAt: now, Journal: true},
		{SessionID: "c", Problem: "line 2 is damaged", Cwd: "/w", Journal: true},
		{SessionID: "d", Title: "went on", Next: "e", Cwd: "/w", Journal: true},
		{Path: "/w/session_logs/x.json", Title: "\x1b]0;evil\x07 title\u202e", Preview: "\x1b]0;evil\x07 title\u202e", Cwd: "/w"},
	}
	entries, menu, err := picker.Sessions(t.Context(), picker.Options{Library: all, Current: "open", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	want := []dialog.Option{
		{Value: "a", Label: "Tides", Hint: "2 h ago · 3 turns · $0.42 · running"},
		{Value: "b", Label: "elsewhere", Hint: "just now · 0 turns"},
		{Value: "/w/session_logs/x.json", Label: "title", Hint: "unknown time · 0 turns"},
	}
	if diff := cmp.Diff(want, menu.Items); diff != "" || len(entries) != 3 || entries[1].SessionID != "b" || !menu.Filter {
		t.Errorf("(-want +got):\n%s", diff)
	}
	here, menu, err := picker.Sessions(t.Context(), picker.Options{Library: all, Dir: "/w", Now: now})
	if err != nil || len(here) != 3 || here[1].SessionID != "open" || len(menu.Items) != 3 {
		t.Errorf("%v, %v", here, err)
	}
	for _, width := range []int{0, 20, 40, 80, 160} {
		for i := range here {
			lines := menu.Preview(i, width)
			for _, line := range lines {
				if n := ansi.StringWidth(line); n > max(width, 20) || strings.ContainsAny(line, "\x1b\u202e\n\a") {
					t.Errorf("%d columns at width %d: %q", n, width, line)
				}
			}
			if len(lines) > 16 {
				t.Errorf("%d lines", len(lines))
			}
		}
	}
	text := strings.Join(menu.Preview(0, 80), "\n")
	for _, part := range []string{"Tides", "2 h ago · 3 turns · $0.42 · running · 12 messages", "Model   m/x", "Folder  /w", "Session a", "First: what is a tide?", "Last: It goes up", "…"} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
	if menu.Preview(-1, 80) != nil || menu.Preview(3, 80) != nil {
		t.Error("a session that is not there is shown")
	}
	if _, _, err := picker.Sessions(t.Context(), picker.Options{Library: broken{}}); err == nil {
		t.Error("a failure was hidden")
	}
}

func BenchmarkThousand(b *testing.B) {
	var all shelf
	for i := range 1000 {
		all = append(all, sessions.Entry{SessionID: fmt.Sprint(i), Title: "title", Preview: "first", Cwd: "/w", UpdatedAt: now, Journal: true})
	}
	for b.Loop() {
		if _, _, err := picker.Sessions(b.Context(), picker.Options{Library: all, Dir: "/w", Now: now}); err != nil {
			b.Fatal(err)
		}
	}
}

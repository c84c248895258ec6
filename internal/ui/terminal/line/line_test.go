package line_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/line"
)

func TestAConversationOverAPipe(t *testing.T) {
	s := newSession(t)
	p := sit(t, s, false, nil)
	p.types("hello", "tool please", "", "   ", "gate this", "y", "rather not, Please", `two \`, `lines`, "/Choose", "2", "quit")
	if r := p.leaves(terminal.Quit); r.Err != nil || r.Opened == nil || s.quit != 1 {
		t.Errorf("%v, opened %v, quit %d", r.Err, r.Opened, s.quit)
	}
	got := p.out.String()
	// The review has screens of its own.
	at, to := strings.Index(got, "  approval required"), strings.Index(got, "  ✓ approved")
	if at < 0 || to < at || !strings.Contains(got[at:to], "git push") || !strings.Contains(got[at:to], "/etc/x") {
		t.Fatalf("the review is missing:\n%s", got)
	}
	want := `  a note

❯ hello

  working

  you said hello

  0 s

❯ tool please

  working
  tool bash started: ls
  ✓ bash  ls  0 s · 1 B

  you said tool please

  0 s · 1 call

❯ gate this

  working
  ✓ approved: bash  git push
  ✗ rejected: write  /etc/x (1 line)
    rather not, Please
  0 s

❯ two
  lines

  working

  you said two lines

  0 s
  Which?
   1. red  warm
   2. Blue  (now)
   3. green
  ? and a number shows more about one
  chosen: blue
`
	if diff := cmp.Diff(want, got[:at]+got[to:]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	var texts []string
	for _, op := range s.asked() {
		switch op := op.(type) {
		case event.UserInput:
			texts = append(texts, op.Text)
		case event.ExecApproval:
			if len(op.Approvals) != 2 || !op.Approvals[0].Approved || op.Approvals[1].Approved || op.Approvals[1].Feedback != "rather not, Please" {
				t.Errorf("answers %+v", op.Approvals)
			}
		}
	}
	if diff := cmp.Diff([]string{"hello", "tool please", "gate this", "two \nlines"}, texts); diff != "" {
		t.Error(diff)
	}
}

func TestATerminalHasPromptsAndTypesAhead(t *testing.T) {
	s := newSession(t)
	p := sit(t, s, true, nil)
	p.sees("a note", "> ")
	p.types("hello")
	p.sees("hello\n", "working", "you said hello", "> ")
	if strings.Contains(p.out.String(), "❯ hello") {
		t.Error("what was typed is shown twice")
	}
	p.types("slow one")
	p.sees("tool bash started: sleep")
	p.types("and then this")
	p.sees("queued: and then this")
	p.presses()
	p.sees("ctrl + c again to quit", "interrupted", "❯ and then this", "you said and then this", "> ")
	p.types("/ask Ann")
	p.sees("Name? [Ann]: ")
	p.types("")
	p.sees("it is Ann", "> ")
	p.types("/exit")
	p.leaves(terminal.Quit)
	if strings.ContainsAny(p.out.String(), "\x1b") {
		t.Errorf("an escape sequence in %q", p.out)
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	p := sit(t, newSession(t), true, nil)
	p.sees("> ")
	p.types("/secret")
	p.sees("Token?: ")
	p.types("hf_nobodyseesX\x7fme")
	p.sees("it has 15 characters", "> ")
	p.types("/secret")
	p.sees("Token?: ")
	if _, err := p.keys.Write([]byte("half\x03")); err != nil {
		t.Fatal(err)
	}
	p.sees("ctrl + c again", "nothing was changed", "> ")
	p.types("seen again")
	p.sees("seen again\n", "you said seen again", "> ")
	p.types("/quit")
	p.leaves(terminal.Quit)
	if got := p.out.String(); strings.Contains(got, "nobody") || strings.Contains(got, "half") {
		t.Errorf("the secret is shown: %q", got)
	}
}

func TestMenus(t *testing.T) {
	p := sit(t, newSession(t), false, nil)
	p.types("/choose", "?2", "?9", "e", "purple", "0", "9", "GREEN")
	p.sees("? and a number shows more", "    more about blue", "? needs a number from 1 to 3", "1. red", "2. Blue", "3. green", "nothing is called purple", "nothing is called 0", "nothing is called 9", "chosen: green")
	p.types("/choose", "")
	p.sees("Which?", "nothing was changed")
	p.types("/choose")
	p.sees("Which?")
	p.keys.Close() // nobody answers
	p.sees("nothing was changed")
	p.leaves(terminal.Quit)
}

func TestCommandsThatFail(t *testing.T) {
	p := sit(t, newSession(t), false, nil)
	p.types("/fail", "/panic", "/nonsense", "/undo", "/redo", "/copy", "/edit", "/page", "/status", "still there", "/status", "exit")
	p.sees("the backend is down", "the command failed inside: inside", "there is no command /nonsense; /help lists them", "undone: 1 turn",
		"Error: there is nothing to take back\n    /undo first", "no clipboard", "an editor needs a terminal", "Title", "a\n", "b\n",
		`1111 acme/large false 0 turns "" 0 tools 80 columns`, "you said still there", `1 turns "you said still there"`)
	p.leaves(terminal.Quit)
}

func TestCtrlC(t *testing.T) {
	s := newSession(t)
	var clock atomic.Int64
	p := sit(t, s, false, func(o *line.Options) {
		o.Now = func() time.Time { return time.Unix(0, clock.Load()) }
	})
	p.types("/hang")
	p.sees("hanging")
	p.presses()
	p.sees("ctrl + c again to quit", "nothing was changed")
	clock.Add(int64(1500 * time.Millisecond))
	p.types("/ask")
	p.sees("Name?")
	p.presses()
	p.sees("nothing was changed")
	clock.Add(int64(1500 * time.Millisecond))
	p.types("slow")
	p.sees("tool bash started")
	p.presses()
	p.sees("ctrl + c again to quit", "interrupted")
	clock.Add(int64(1500 * time.Millisecond))
	p.types("gate")
	p.sees("approval required", "git push")
	p.presses()
	p.sees("rejected", "User cancelled approval", "rejected")
	clock.Add(int64(1500 * time.Millisecond))
	p.types("/never")
	p.sees("renaming")
	p.presses()
	p.sees("not waited for any longer")
	clock.Add(int64(1500 * time.Millisecond)) // too late for a second
	p.presses()
	p.sees("ctrl + c again to quit")
	clock.Add(int64(900 * time.Millisecond))
	p.presses()
	p.leaves(terminal.Quit)
	if s.quit != 1 {
		t.Errorf("quit %d times", s.quit)
	}
}

func TestTheEndOfTheInput(t *testing.T) {
	t.Run("waits for the turns", func(t *testing.T) {
		s := newSession(t)
		p := sit(t, s, false, nil)
		p.types("one", "two")
		p.keys.Close()
		p.leaves(terminal.Quit)
		if got := p.out.String(); !strings.Contains(got, "you said one") || !strings.Contains(got, "you said two") {
			t.Errorf("got %s", got)
		}
	})
	t.Run("a last line without an end counts", func(t *testing.T) {
		p := sit(t, newSession(t), false, nil)
		if _, err := p.keys.Write([]byte("no end")); err != nil {
			t.Fatal(err)
		}
		p.keys.Close()
		p.sees("you said no end")
		p.leaves(terminal.Quit)
	})
	t.Run("answers an approval with no", func(t *testing.T) {
		p := sit(t, newSession(t), false, nil)
		p.types("gate")
		p.keys.Close()
		p.sees("rejected", "rejected")
		p.leaves(terminal.Quit)
	})
	t.Run("ends a terminal after the turn", func(t *testing.T) {
		p := sit(t, newSession(t), true, nil)
		p.sees("> ")
		p.types("slow")
		p.sees("started")
		if _, err := p.keys.Write([]byte{4}); err != nil {
			t.Fatal(err)
		}
		p.sees("leaving when this is over")
		p.presses()
		p.leaves(terminal.Quit)
	})
	t.Run("answers a later approval with no", func(t *testing.T) {
		p := sit(t, newSession(t), true, nil)
		p.sees("> ")
		p.types("slow")
		p.sees("started")
		p.types("gate")
		p.sees("queued: gate")
		if _, err := p.keys.Write([]byte{4}); err != nil {
			t.Fatal(err)
		}
		p.sees("leaving when this is over")
		p.presses()
		p.sees("interrupted", "approval required", "rejected", "User cancelled approval")
		p.leaves(terminal.Quit)
	})
	t.Run("does not wait for what is refused", func(t *testing.T) {
		p := sit(t, newSession(t), false, nil)
		p.types("refuse", "fail")
		p.keys.Close()
		p.sees("the session does not take this", "Error: no key\n    /login")
		p.leaves(terminal.Quit)
	})
}

func TestASessionThatEndsByItself(t *testing.T) {
	first := newSession(t)
	second := newSession(t)
	opened := 0
	p := sit(t, first, false, func(o *line.Options) {
		o.Open = func(_ context.Context, again string, talk dialog.Talk) (*terminal.Opened, error) {
			if opened++; opened == 1 {
				return &terminal.Opened{Session: first}, nil
			}
			if again != first.journal.SessionID() {
				return nil, errors.New("not that one")
			}
			if ok, err := talk.Ask(context.Background(), dialog.Question{Text: "Again?"}); err != nil || ok != "yes" {
				return nil, errors.Join(errors.New("turned away"), err)
			}
			return &terminal.Opened{Session: second}, nil
		}
	})
	p.types("die")
	p.sees("last words", "the session has ended: the disk is full", "nothing is lost")
	p.types("/undo", "no")
	p.sees("Again?", "turned away")
	p.types("go on", "no")
	p.sees("Again?", "turned away")
	p.types("/undo", "yes")
	p.sees("Again?", "undone: 1 turn")
	p.types("go on")
	p.sees("you said go on")
	p.types("/detach")
	p.sees("cannot go on without this terminal")
	p.types("die")
	p.sees("the session has ended")
	p.keys.Close()
	p.leaves(terminal.Quit)
}

func TestASessionThatEndsWithTheInput(t *testing.T) {
	p := sit(t, newSession(t), true, nil)
	p.sees("> ")
	p.types("slow")
	p.sees("started")
	if _, err := p.keys.Write([]byte{4}); err != nil {
		t.Fatal(err)
	}
	p.sees("leaving when this is over")
	p.session.end(errors.New("the disk is full"))
	if r := p.leaves(terminal.Failed); r.Err == nil || !strings.Contains(r.Err.Error(), "the disk is full") {
		t.Errorf("got %v", r.Err)
	}
}

func TestACommandWhoseSessionEnds(t *testing.T) {
	p := sit(t, newSession(t), false, nil)
	p.types("/never")
	p.sees("renaming")
	p.session.end(errors.New("the disk is full"))
	p.sees("the session has ended: the disk is full")
	p.types("/copy") // the other is over
	p.sees("no clipboard")
	p.keys.Close()
	p.leaves(terminal.Quit)
}

func TestASessionThatCannotBeOpened(t *testing.T) {
	p := sit(t, newSession(t), false, func(o *line.Options) {
		o.Open = func(context.Context, string, dialog.Talk) (*terminal.Opened, error) {
			return nil, errors.New("no model")
		}
	})
	if r := p.leaves(terminal.Failed); r.Err == nil || r.Err.Error() != "no model" {
		t.Errorf("got %v", r.Err)
	}
	p = sit(t, newSession(t), false, func(o *line.Options) {
		o.Open = func(ctx context.Context, _ string, talk dialog.Talk) (*terminal.Opened, error) {
			talk.Print("opening")
			<-ctx.Done()
			return nil, ctx.Err()
		}
	})
	p.sees("opening")
	p.presses()
	if r := p.leaves(terminal.Failed); !errors.Is(r.Err, context.Canceled) {
		t.Errorf("got %v", r.Err)
	}
}

func TestHowItIsLeft(t *testing.T) {
	hangup, terminate := make(chan struct{}), make(chan struct{})
	s := newSession(t)
	p := sit(t, s, false, func(o *line.Options) { o.Hangup = hangup })
	p.types("slow")
	p.sees("started")
	close(hangup)
	p.leaves(terminal.HungUp)
	if s.closed != 1 || s.quit != 0 {
		t.Errorf("closed %d, quit %d", s.closed, s.quit)
	}
	s = newSession(t)
	p = sit(t, s, true, func(o *line.Options) { o.Terminate = terminate })
	p.sees("> ")
	p.types("/secret")
	p.sees("Token?")
	close(terminate)
	p.leaves(terminal.Terminated)
	if s.quit != 1 {
		t.Errorf("quit %d", s.quit)
	}
	s = newSession(t)
	p = sit(t, s, false, nil)
	p.types("/detach")
	p.leaves(terminal.Detached)
	if s.left != 1 || s.quit != 0 {
		t.Errorf("left %d, quit %d", s.left, s.quit)
	}
	s = newSession(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	p = sit(t, s, false, func(o *line.Options) { o.Out = w })
	if got := p.leaves(terminal.HungUp); got.Err == nil {
		t.Error("nobody reads, and there is no error")
	}
	w.Close()
}

func TestTextsBesideMessages(t *testing.T) {
	s := newSession(t)
	p := sit(t, s, false, func(o *line.Options) {
		o.Expand = func(_ context.Context, text string) (event.UserInput, []string, error) {
			if text == "@missing" {
				return event.UserInput{}, nil, errors.New("there is no file missing")
			}
			return event.UserInput{Text: text + " (and a file)", Shown: text}, []string{"read a file"}, nil
		}
	})
	p.types("!make", "@missing", "look at @x", "# remember this", "/fill", ".", "exit")
	p.sees("output of make", "there is no file missing", "read a file", "❯ look at @x", "remembered: remember this", "a line with a single dot sends this:", "filled text", "❯ filled text")
	p.leaves(terminal.Quit)
	in := s.asked()[0].(event.UserInput)
	if in.Shown != "look at @x" || in.Text != "I ran make\n\nlook at @x (and a file)" {
		t.Errorf("got %+v", in)
	}
}

// The line of a command that is a message goes to the session, and brings along
// what any message does; while an approval waits it does not.
func TestCommandsThatAreMessages(t *testing.T) {
	s := newSession(t)
	p := sit(t, s, false, func(o *line.Options) {
		o.Commands = append(o.Commands, dialog.Command{Name: "greet", Args: "[name]", Help: "greet", Message: true})
		o.Expand = func(_ context.Context, text string) (event.UserInput, []string, error) {
			if text != "/Greet you" {
				return event.UserInput{Text: text}, nil, nil
			}
			return event.UserInput{Text: "Hello, you.", Shown: text, Terms: &event.Terms{Model: "m/x"}}, []string{"command greet"}, nil
		}
	})
	p.types("!make", "/Greet you", "gate", "/greet me", "n", "n", "exit")
	p.sees("command greet", "❯ /Greet you", "approval required", "/greet begins a turn: answer the approval first", "rejected")
	p.leaves(terminal.Quit)
	in := s.asked()[0].(event.UserInput)
	if in.Shown != "/Greet you" || in.Text != "I ran make\n\nHello, you." || in.Terms == nil || in.Terms.Model != "m/x" {
		t.Errorf("got %+v", in)
	}
}

func TestRulesAndSettingsOfAnApproval(t *testing.T) {
	s := newSession(t)
	var rules []string
	p := sit(t, s, false, func(o *line.Options) {
		o.Rule = func(rule string) error { rules = append(rules, rule); return nil }
	})
	p.types("gate", "", "?", "v", "A", "y", "exit")
	p.sees("an empty line decides nothing", "rule for this project: bash(git push)", "approved", "approved")
	p.leaves(terminal.Quit)
	if len(rules) != 1 || rules[0] != "bash(git push)" {
		t.Errorf("rules %v", rules)
	}
	ops := s.asked()
	c, ok := ops[1].(event.Configure)
	if !ok || len(c.Allow) != 1 {
		t.Errorf("got %+v", ops)
	}
	if a, ok := ops[2].(event.ExecApproval); !ok || !a.Approvals[0].Approved || !a.Approvals[1].Approved {
		t.Errorf("got %+v", ops)
	}
}

func TestScreenReaders(t *testing.T) {
	p := sit(t, newSession(t), false, func(o *line.Options) { o.ScreenReader = true })
	p.types("tool", "exit")
	p.sees("you: tool", "working", "tool bash started: ls", "done: bash  ls  0 s, 1 B")
	p.leaves(terminal.Quit)
	if strings.ContainsAny(p.out.String(), "✓❯·\x1b") {
		t.Errorf("signs are left: %s", p.out)
	}
}

func TestAResumedSessionShowsItsLastTurns(t *testing.T) {
	s := newSession(t)
	for i := 1; i <= 4; i++ {
		turn, id := "turn_"+string(rune('0'+i)), "sub_"+string(rune('0'+i))
		s.tell(turn, event.InputAccepted{SubmissionID: id, Text: "question " + turn}, event.TurnStarted{TurnID: turn, SubmissionID: id}, event.TurnComplete{})
	}
	s.past = s.journal.LastSeq()
	s.turns = 4
	p := sit(t, s, false, nil)
	p.types("next", "exit")
	p.sees("… 2 earlier turns", "question turn_3", "question turn_4", "❯ next", "you said next")
	p.leaves(terminal.Quit)
	if strings.Contains(p.out.String(), "question turn_2") {
		t.Error("an earlier turn is shown")
	}
}

func TestLongLinesAreRefused(t *testing.T) {
	p := sit(t, newSession(t), false, nil)
	p.types(strings.Repeat("x", 2<<20), "short", "exit")
	p.sees("the line is longer than 1048576 bytes", "you said short")
	p.leaves(terminal.Quit)
}

func TestWhatRunsForLongIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, newSession(t), false, nil)
		p.types("slow")
		p.sees("tool bash started: sleep")
		time.Sleep(2*time.Minute + time.Second)
		p.sees("● bash  sleep  1m 0s", "● bash  sleep  2m 0s")
		p.presses()
		p.sees("interrupted")
		time.Sleep(5 * time.Minute)
		p.types("/live")
		p.sees("always the same", "step 1")
		time.Sleep(11 * time.Second)
		p.sees("step 2", "step 3")
		p.types("", "exit")
		p.leaves(terminal.Quit)
		if got := p.out.String(); strings.Count(got, "always the same") != 1 || strings.Count(got, "●") != 2 {
			t.Errorf("got %s", got)
		}
	})
}

func TestAnEditorHasTheTerminal(t *testing.T) {
	p := sit(t, newSession(t), true, func(o *line.Options) {
		o.Editor = func(path string) ([]string, error) {
			if strings.HasSuffix(path, "x.txt") {
				return []string{"sh", "-c", `read answer; printf "$answer" >> "$0"`, path}, nil
			}
			return []string{"sh", "-c", `printf '#' >> "$0"`, path}, nil
		}
	})
	p.sees("> ")
	p.types("/edit")
	p.types("typed into it")
	p.sees("edited: before typed into it", "> ")
	p.types("/live")
	p.sees("always the same", "step 1", "Enter ends this: ")
	p.types("")
	p.sees("> ")
	p.types("gate")
	p.sees("git push", "answer: ")
	p.types("e")
	p.sees("git push#", "answer: ")
	p.types("y")
	p.sees("/etc/x", "answer: ")
	p.types("n")
	p.sees("rejected", "> ")
	p.types("exit")
	p.leaves(terminal.Quit)
	for _, op := range p.session.asked() {
		if a, ok := op.(event.ExecApproval); ok && !strings.Contains(string(a.Approvals[0].EditedArguments), "git push#") {
			t.Errorf("answers %+v", a.Approvals)
		}
	}
}

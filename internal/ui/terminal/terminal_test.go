package terminal_test

import (
	"strings"
	"testing"
)

func TestTalk(t *testing.T) {
	x := start(t, 80, 24)
	x.See("ml-intern on a stage", "test/model")
	x.Type("hello")
	x.See("hello")
	x.Press("enter")
	x.See("You said: hello", "$0.01")
	x.Press("ctrl+d")
	if code := x.Exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if all := x.All(); strings.Count(all, "You said: hello") != 1 || !strings.Contains(all, `ended: reason 0, error <nil>, draft ""`) {
		t.Errorf("the screen is\n%s", all)
	}
}

func TestStreamingAndInterrupt(t *testing.T) {
	x := start(t, 80, 24)
	x.See("test/model")
	x.Type("stream 100000")
	x.Press("enter")
	x.See("word20")
	x.Type("typed meanwhile")
	x.See("typed meanwhile")
	x.Press("esc")
	x.See("interrupted")
	x.Press("ctrl+c") // clears the text
	x.Gone("typed meanwhile")
	x.Type("and on")
	x.Press("enter")
	x.See("You said: and on")
}

func TestQuitByTwoInterrupts(t *testing.T) {
	x := start(t, 80, 24)
	x.See("test/model")
	x.Type("hang")
	x.Press("enter")
	x.See("Esc interrupts")
	x.Press("ctrl+c")
	x.See("interrupted", "ctrl + c again to quit")
	x.Press("ctrl+c")
	x.Exit()
}

// In ASCII no character of ours is above 0x7e, not even where a line is cut.
func TestNarrowASCII(t *testing.T) {
	x := start(t, 40, 24, "STAGE_ASCII=1")
	x.See("test/model", "for help, / for")
	for _, r := range x.All() {
		if r > 0x7e {
			t.Fatalf("there is a %q in\n%s", r, x.All())
		}
	}
	x.Press("ctrl+d")
	x.Exit()
}

// Two presses of Esc that arrive in one piece are two presses.
func TestEscapesAtOnce(t *testing.T) {
	x := start(t, 80, 24)
	x.See("test/model")
	x.Type("\x1b\x1b")
	x.See("no command /rewind") // which is what two of them ask for
}

// Ctrl-L empties the whole screen; what is typed then stands on it once.
func TestClearScreen(t *testing.T) {
	x := start(t, 80, 24)
	x.See("test/model")
	for _, text := range []string{"one", "two", "three"} {
		x.Type(text)
		x.Press("enter")
		x.See("You said: " + text)
	}
	x.Press("ctrl+l")
	x.Gone("You said: three")
	x.Gone("ml-intern on a stage")
	x.See("test/model")
	x.Type("four")
	x.Press("enter")
	x.See("You said: four")
	x.Gone("You said: three")
}

// The line of a command that is a message goes to the session, and stands in the
// conversation as it was typed, once; while an approval waits it does not.
func TestCommandsThatAreMessages(t *testing.T) {
	x := start(t, 80, 24)
	x.See("test/model")
	x.Type("/greet you")
	x.Press("enter")
	x.See("the command greet", "You said: Hello, you")
	x.Until("the line to stand there once", func(string) bool { return strings.Count(x.All(), "/greet you") == 1 })
	x.Type("gate")
	x.Press("enter")
	x.See("Approval required")
	x.Type("/greet me")
	x.Press("enter")
	x.See("/greet begins a turn: answer the approval first")
}

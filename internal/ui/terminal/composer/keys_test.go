package composer_test

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	uv "github.com/charmbracelet/ultraviolet"
	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer"
)

func TestKeysLeadToActions(t *testing.T) {
	for _, test := range []struct {
		script string
		busy   bool
		want   composer.Action
		left   string
	}{
		{script: "hello<enter>", want: composer.Action{Kind: composer.Submit, Text: "hello", Shown: "hello"}},
		{script: "hello<kpenter>", want: composer.Action{Kind: composer.Submit, Text: "hello", Shown: "hello"}},
		{script: "<enter>"},
		{script: "  <enter>", left: "  "},
		{script: "a<alt+enter>b<ctrl+j>c<shift+enter>d<enter>", want: composer.Action{Kind: composer.Submit, Text: "a\nb\nc\nd", Shown: "a\nb\nc\nd"}},
		{script: `a\<enter>b`, left: "a\nb"},
		{script: `C:\\<enter>`, want: composer.Action{Kind: composer.Submit, Text: `C:\\`, Shown: `C:\\`}},
		{script: `a\b<left><enter>`, want: composer.Action{Kind: composer.Submit, Text: `a\b`, Shown: `a\b`}},
		{script: "hello<ctrl+s>", want: composer.Action{Kind: composer.Submit, Text: "hello", Shown: "hello"}},
		{script: "hello<enter>", busy: true, want: composer.Action{Kind: composer.Submit, Text: "hello", Shown: "hello"}},
		{script: "hello<ctrl+s>", busy: true, want: composer.Action{Kind: composer.Steer, Text: "hello", Shown: "hello"}},
		{script: `hello\<ctrl+enter>`, busy: true, want: composer.Action{Kind: composer.Steer, Text: `hello\`, Shown: `hello\`}},
		{script: "/cost<ctrl+s>", busy: true, want: composer.Action{Kind: composer.Submit, Text: "/cost", Shown: "/cost"}},
		{script: "<ctrl+s>", busy: true},
		{script: "! ls -l<enter>", want: composer.Action{Kind: composer.Shell, Text: "ls -l", Shown: "ls -l"}},
		{script: "!ls<ctrl+s>", busy: true, want: composer.Action{Kind: composer.Shell, Text: "ls", Shown: "ls"}},
		{script: "! <enter>", left: "! "},
		{script: "#use bf16<enter>", want: composer.Action{Kind: composer.Remember, Text: "use bf16", Shown: "use bf16"}},
		{script: "#<enter>", left: "#"},
		{script: "# Plan<ctrl+j>text<enter>", want: composer.Action{Kind: composer.Submit, Text: "# Plan\ntext", Shown: "# Plan\ntext"}},
		{script: " #5 fails<enter>", want: composer.Action{Kind: composer.Submit, Text: " #5 fails", Shown: " #5 fails"}},
		{script: "<esc>", want: composer.Action{Kind: composer.Escape}},
		{script: "a<esc>", want: composer.Action{Kind: composer.Escape}, left: "a"},
		{script: "<ctrl+c>", want: composer.Action{Kind: composer.Interrupt}},
		{script: "abc<ctrl+c>"},
		{script: "abc<ctrl+c>x<ctrl+y>", left: "xabc"},
		{script: "abc<ctrl+c><ctrl+z>", left: "abc"},
		{script: "<ctrl+d>", want: composer.Action{Kind: composer.EOF}},
		{script: "ab<ctrl+a><ctrl+d>", left: "b"},
		{script: "ab<ctrl+g>", want: composer.Action{Kind: composer.Editor, Text: "ab"}, left: "ab"},
		{script: "ab<ctrl+x><ctrl+e>", want: composer.Action{Kind: composer.Editor, Text: "ab"}, left: "ab"},
		{script: "ab<ctrl+x><left><ctrl+e>c", left: "abc"},
		{script: "ab<ctrl+x>c<ctrl+e>", left: "abc"},
		{script: "ab<ctrl+v>", want: composer.Action{Kind: composer.Image}, left: "ab"},
		{script: "one two<ctrl+w>x", left: "one x"},
		{script: "one two<alt+b><ctrl+k>x", left: "one x"},
		{script: "one two<ctrl+left><ctrl+u>", left: "two"},
		{script: "one two<alt+backspace>", left: "one "},
		{script: "one two<ctrl+a><alt+d>", left: " two"},
		{script: "one two<home><alt+f>x<ctrl+f><ctrl+b><ctrl+b>y", left: "oneyx two"},
		{script: "ab<left><delete>c<backspace>", left: "a"},
		{script: "one two<ctrl+_><ctrl+z>", left: ""},
		{script: "one two<ctrl+z><alt+z>", left: "one two"},
		{script: "one two<ctrl+z><ctrl+z><ctrl+shift+z>", left: "one "},
		{script: "ab<ctrl+t><ctrl+o>c", left: "abc"},
		{script: "one<ctrl+j>two<up>x<down>y<ctrl+home>z<ctrl+end>!", left: "zonex\ntwoy!"},
		{script: "日本👍🏽<left><backspace>", left: "日👍🏽"},
	} {
		t.Run(test.script, func(t *testing.T) {
			s := newStage(t, composer.Options{})
			s.c.Busy(test.busy)
			got := s.keys(test.script)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("action (-want +got):\n%s", diff)
			}
			s.text(test.left)
		})
	}
}

// The bytes that terminals send for the keys that matter, in the old way and
// with the keyboard protocol of kitty.
func TestBytesOfTerminals(t *testing.T) {
	for bytes, want := range map[string]string{
		"\x1b\r": "new line", "\n": "new line", "\x1b[13;2u": "new line", "\x1b[27;2;13~": "new line", "\x1b[13;3u": "new line",
		"\r": "sent", "\x1b[13u": "sent", "\x1b[57414u": "sent",
		"\x13": "steered", "\x1b[13;5u": "steered", "\x1b[27;5;13~": "steered",
		"\x1f": "undone", "\x1b[47;5u": "undone", "\x1a": "undone",
		"\x1bb\x0b": "cut", "\x1b[1;5D\x0b": "cut", "\x1b[1;3D\x0b": "cut", "\x1b\x7f": "cut", "\x17": "cut",
		"\x07": "editor", "\x18\x05": "editor", "\x1b[101;5u": "",
	} {
		s := newStage(t, composer.Options{})
		s.c.Busy(true)
		s.keys("hello")
		s.did = composer.Action{}
		var d uv.EventDecoder
		for raw := []byte(bytes); len(raw) > 0; {
			n, ev := d.Decode(raw)
			k, ok := ev.(uv.KeyPressEvent)
			if !ok {
				t.Fatalf("%q is no key but %T", raw, ev)
			}
			s.send(tea.KeyPressMsg(k))
			raw = raw[n:]
		}
		got := ""
		switch {
		case s.c.Text() == "hello\n":
			got = "new line"
		case s.did.Kind == composer.Submit:
			got = "sent"
		case s.did.Kind == composer.Steer:
			got = "steered"
		case s.did.Kind == composer.Editor:
			got = "editor"
		case s.c.Text() == "":
			s.keys("<ctrl+y>")
			if got = "undone"; s.c.Text() != "" {
				got = "cut"
			}
		}
		if got != want {
			t.Errorf("%q: %q, want %q", bytes, got, want)
		}
	}
}

// Input methods and keyboards write whole words with one key, whatever they
// look like.
func TestTextOfAKeyIsTyped(t *testing.T) {
	s := newStage(t, composer.Options{})
	s.send(tea.KeyPressMsg{Code: tea.KeyExtended, Text: "enter"})
	s.send(tea.KeyPressMsg{Code: 'q', Mod: tea.ModCtrl | tea.ModAlt, Text: "@"})
	s.send(tea.KeyPressMsg{Code: tea.KeySpace, Text: " ", Mod: tea.ModShift})
	s.send(tea.KeyReleaseMsg{Code: 'x', Text: "x"})
	s.text("enter@ ")
}

func TestPaste(t *testing.T) {
	s := newStage(t, composer.Options{})
	s.paste("one\r\ntwo\rthree\x1b[31m\x07")
	s.text("one\ntwo\nthree")
	s.keys("<ctrl+c>")
	long := strings.Repeat("data\n", 119) + "data"
	s.keys("look: ")
	s.paste(long)
	if got := s.screen(); !strings.Contains(got, "look: [pasted 120 lines #1]") {
		t.Errorf("a long paste is folded:\n%s", got)
	}
	if got := s.c.Draft(); got != "look: "+long {
		t.Errorf("the draft has %d characters", len(got))
	}
	want := composer.Action{Kind: composer.Submit, Text: "look: " + long, Shown: "look: [pasted 120 lines #1]"}
	if diff := cmp.Diff(want, s.keys("<enter>")); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	s.did = composer.Action{}
	s.paste("")
	if s.did.Kind != composer.Image {
		t.Errorf("a paste of nothing: %+v", s.did)
	}
}

func TestPastedPictures(t *testing.T) {
	disk := map[string]bool{
		"/work/plots/loss curve.png": true, "/work/a.jpg": true, "/tmp/Bild (1).PNG": true, "/work/notes.txt": true, `/work/odd\name.png`: true,
	}
	for _, test := range []struct{ paste, want string }{
		{"/work/a.jpg", "@a.jpg "},
		{" /work/a.jpg\n", "@a.jpg "},
		{"a.jpg", "@a.jpg "},
		{"'/work/plots/loss curve.png'", `@"plots/loss curve.png" `},
		{`"/work/plots/loss curve.png"`, `@"plots/loss curve.png" `},
		{`/work/plots/loss\ curve.png`, `@"plots/loss curve.png" `},
		{"/work/plots/loss curve.png", `@"plots/loss curve.png" `},
		{"file:///work/plots/loss%20curve.png", `@"plots/loss curve.png" `},
		{"file://localhost/work/a.jpg", "@a.jpg "},
		{`/tmp/Bild\ \(1\).PNG`, `@"/tmp/Bild (1).PNG" `},
		{`/work/odd\name.png`, `@odd\name.png `},
		{"file://elsewhere/work/a.jpg", "file://elsewhere/work/a.jpg"},
		{"/work/notes.txt", "/work/notes.txt"},
		{"/work/missing.png", "/work/missing.png"},
		{"/work/a.jpg\n/work/a.jpg", "/work/a.jpg\n/work/a.jpg"},
		{"look at a.jpg", "look at a.jpg"},
	} {
		s := newStage(t, composer.Options{Dir: "/work", IsFile: func(path string) bool { return disk[path] }})
		s.paste(test.paste)
		if got := s.c.Text(); got != test.want {
			t.Errorf("%q became %q, want %q", test.paste, got, test.want)
		}
	}
	s := newStage(t, composer.Options{Dir: "/work", IsFile: func(path string) bool { return disk[path] }})
	s.keys("see")
	s.paste("/work/a.jpg")
	s.keys("and")
	s.text("see @a.jpg and")
}

func TestSetTextAndInsert(t *testing.T) {
	s := newStage(t, composer.Options{})
	s.keys("mine")
	s.c.SetText("from the editor\x1b[0m")
	s.text("from the editor")
	s.c.Insert(" and more")
	s.text("from the editor and more")
	s.keys("<ctrl+z><ctrl+z>")
	s.text("mine")
}

// Whatever a terminal says was pasted stays text.
func FuzzPaste(f *testing.F) {
	for _, seed := range []string{"", "a\r\nb", "'/x y.png'", "file:///%zz.png", "file://x/%41.png", `\`, `/a\ b.jpg`, "~/x.gif", "\"", "\x1b[200~x", "\x011\x02.png"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := newStage(t, composer.Options{Width: 40, Dir: "/work", IsFile: func(path string) bool { return !strings.Contains(path, "0") }})
		s.paste(text)
		check(t, s, 40, false)
		written := s.c.Text()
		s.keys("<ctrl+z><alt+z>")
		s.text(written)
		s.keys("<ctrl+c>")
		s.text("")
	})
}

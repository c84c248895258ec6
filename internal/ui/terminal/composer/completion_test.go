package composer_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer/complete"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

func commands() []dialog.Command {
	return []dialog.Command{
		{Name: "help", Help: "the commands"},
		{Name: "model", Args: "[id]", Help: "show or switch the model", Complete: func(context.Context, string) []dialog.Option {
			return []dialog.Option{{Value: "openai/gpt-5.5", Hint: "$2 / $8"}, {Value: "zai-org/GLM-5", Hint: "router"}, {Value: "ollama/qwen3"}}
		}},
		{Name: "models", Help: "list the models"},
		{Name: "memory", Help: "show and edit the memory"},
		{Name: "quit", Aliases: []string{"exit"}, Help: "leave"},
		{Name: "demo", Hidden: true},
	}
}

// files is a source that offers fixed names behind an "@".
func files(names ...string) complete.Source {
	return func(line string, _ bool) (complete.Request, bool) {
		at := strings.LastIndexByte(line, '@')
		if at < 0 || strings.Contains(line[at:], " ") {
			return complete.Request{}, false
		}
		return complete.Request{
			Part: line[at:], Query: line[at+1:], Auto: true,
			Options: func(context.Context) []dialog.Option {
				var out []dialog.Option
				for _, n := range names {
					out = append(out, dialog.Option{Value: n})
				}
				return out
			},
			Insert: func(o dialog.Option) (string, bool) {
				if strings.HasSuffix(o.Value, "/") {
					return "@" + o.Value, true
				}
				return "@" + o.Value + " ", false
			},
		}, true
	}
}

func completing(t *testing.T) *stage {
	return newStage(t, composer.Options{
		History: past("old"),
		Sources: []complete.Source{complete.Slash(commands()), files("README.md", "src/", "src/main.py", "src/model.py", "train.py")},
	})
}

// offered lists the labels in the menu, the chosen one marked.
func (s *stage) offered() []string {
	lines, _, y := s.c.View()
	return lines[y+1:]
}

func TestCompletion(t *testing.T) {
	for _, test := range []struct {
		script, want string
		sent         string
	}{
		{script: "/he<tab>", want: "/help "},
		{script: "/he<enter>", want: "/help "},
		{script: "/he<enter><enter>", sent: "/help "},
		{script: "/help<enter>", sent: "/help"},
		{script: "/HELP<enter>", sent: "/HELP"},
		{script: "/model<enter>", sent: "/model"},
		{script: "/model<down><enter>", want: "/models "},
		{script: "/mod<down><enter>", want: "/models "},
		{script: "/mod<up><enter>", want: "/models "},
		{script: "/exit<enter>", sent: "/exit"},
		{script: "/ex<tab>", want: "/exit "},
		{script: "/dem<enter>", sent: "/dem"},
		{script: "/nothing<enter>", sent: "/nothing"},
		{script: "/tmp/x is full<enter>", sent: "/tmp/x is full"},
		{script: "x /he<enter>", sent: "x /he"},
		{script: "/he<esc><enter>", sent: "/he"},
		{script: "/he<esc>l<enter>", sent: "/hel"},
		{script: "/he<esc><tab><enter>", sent: "/help "},
		{script: "<esc>/he<enter>", want: "/help "},
		{script: "see <esc>@readme.md<enter>", want: "see @README.md "},
		{script: "/he<esc><ctrl+c>/he<enter>", want: "/help "},
		{script: "/nothing<esc><enter>/he<enter>", sent: "/nothing", want: "/help "},
		{script: "@readme.md<enter>", want: "@README.md "},
		{script: "/model gpt<enter>", sent: "/model gpt"},
		{script: "/model gpt<tab>", want: "/model openai/gpt-5.5"},
		{script: "/model gpt<tab><enter>", sent: "/model openai/gpt-5.5"},
		{script: "/model <down><down><enter>", want: "/model zai-org/GLM-5"},
		{script: "/model<esc> <down><enter>", want: "/model openai/gpt-5.5"},
		{script: "/model <up><enter>", want: "/model ollama/qwen3"},
		{script: "/mod<tab>q<tab><enter>", sent: "/model ollama/qwen3"},
		{script: "read @READ<enter> and<enter>", sent: "read @README.md  and"},
		{script: "@README.md<enter>", sent: "@README.md"},
		{script: "@sr<enter>", want: "@src/"},
		{script: "@sr<enter>mo<tab>", want: "@src/model.py "},
		{script: "@nothing<enter>", sent: "@nothing"},
		{script: "@tr<esc><up>", want: "old"},
		{script: "@train.py<left><left><up>", want: "@train.py"},
		{script: "a @tr<ctrl+a><up>", want: "old"},
		{script: "@zzz<tab><enter>", sent: "@zzz"},
		{script: "x<tab>y", want: "xy"},
		{script: "/he<ctrl+c>", want: ""},
	} {
		t.Run(test.script, func(t *testing.T) {
			s := completing(t)
			got := s.keys(test.script)
			if got.Text != test.sent {
				t.Errorf("sent %q, want %q", got.Text, test.sent)
			}
			s.text(test.want)
		})
	}
}

func TestEscapeClosesTheMenuFirst(t *testing.T) {
	s := completing(t)
	if got := s.keys("/he<esc>"); got.Kind != composer.None {
		t.Errorf("the first Esc: %+v", got)
	}
	if got := s.keys("<esc>"); got.Kind != composer.Escape {
		t.Errorf("the second Esc: %+v", got)
	}
}

func TestMenuOpensOnlyWhereSomethingIsWritten(t *testing.T) {
	s := completing(t)
	s.keys("@tr")
	if len(s.offered()) != 1 {
		t.Errorf("offered %q", s.offered())
	}
	s.keys(" and<ctrl+left><left>")
	if len(s.offered()) != 0 {
		t.Errorf("walking back opened the menu: %q", s.offered())
	}
	s.c.SetText("/he")
	if len(s.offered()) != 0 {
		t.Errorf("a text of the program's opened the menu: %q", s.offered())
	}
}

// What was taken lately comes first among equals.
func TestRecentOptionsComeFirst(t *testing.T) {
	s := completing(t)
	s.keys("/memory<tab><ctrl+c>/")
	if got := s.offered()[0]; !strings.Contains(got, "/memory") {
		t.Errorf("first is %q", got)
	}
	s.keys("mod")
	if got := s.offered()[0]; !strings.Contains(got, "/model") {
		t.Errorf("what fits better comes first nevertheless: %q", got)
	}
}

// slow is a source whose answers come when the test lets them.
type slow struct {
	asked []string
	ctx   []context.Context
}

func (w *slow) source(line string, _ bool) (complete.Request, bool) {
	at := strings.LastIndexByte(line, '@')
	if at < 0 {
		return complete.Request{}, false
	}
	query := line[at+1:]
	return complete.Request{Part: line[at:], Query: query, Auto: true, Options: func(ctx context.Context) []dialog.Option {
		w.asked = append(w.asked, query)
		w.ctx = append(w.ctx, ctx)
		return []dialog.Option{{Value: query + "-one"}, {Value: query + "-two"}}
	}}, true
}

func TestStaleAnswersAreDropped(t *testing.T) {
	var w slow
	s := newStage(t, composer.Options{Sources: []complete.Source{w.source}})
	s.hold = true
	s.keys("@ab")
	if len(s.held) != 3 || len(s.offered()) != 0 {
		t.Fatalf("%d questions are open, offered %q", len(s.held), s.offered())
	}
	cmds := s.held
	s.held, s.hold = nil, false
	if msg := cmds[1](); msg != nil {
		t.Errorf("a question that nobody waits for answered %v", msg)
	}
	latest := cmds[2]()
	s.hold = true
	s.keys("c")
	s.send(latest)
	if len(s.offered()) != 0 {
		t.Errorf("a stale answer is shown: %q", s.offered())
	}
	s.hold = false
	s.start(s.held[0])
	if got := strings.Join(s.offered(), "|"); !strings.Contains(got, "abc-one") {
		t.Errorf("offered %q", got)
	}
	// While the next answer is on its way, what still fits is shown.
	s.hold = true
	s.keys("-t")
	if got := strings.Join(s.offered(), "|"); !strings.Contains(got, "abc-two") || strings.Contains(got, "one") {
		t.Errorf("meanwhile %q", got)
	}
	if diff := cmp.Diff([]string{"a", "ab", "abc"}, w.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestSourcesAreToldToEnd(t *testing.T) {
	for _, leave := range []string{"x", "<esc>", "<ctrl+c>", "<enter>", "<left>", "close", "set"} {
		synctest.Test(t, func(t *testing.T) {
			s := newStage(t, composer.Options{Sources: []complete.Source{func(line string, _ bool) (complete.Request, bool) {
				return complete.Request{Part: line, Query: line, Auto: true, Options: func(ctx context.Context) []dialog.Option {
					if line == "@" {
						<-ctx.Done()
					}
					return []dialog.Option{{Value: line}}
				}}, strings.HasPrefix(line, "@")
			}}})
			s.hold = true
			s.keys("@")
			ended := false
			var answer any
			go func() {
				answer = s.held[0]()
				ended = true
			}()
			synctest.Wait()
			if ended {
				t.Fatal("the source does not run")
			}
			switch leave {
			case "close":
				s.c.Close()
			case "set":
				s.c.SetText("another")
			default:
				s.keys(leave)
			}
			synctest.Wait()
			if !ended || answer != nil {
				t.Fatalf("%s leaves the source running: ended %v, answer %v", leave, ended, answer)
			}
		})
	}
}

func TestTabTakesTheOnlyOption(t *testing.T) {
	words := func(line string, _ bool) (complete.Request, bool) {
		part := line[strings.LastIndexByte(line, ' ')+1:]
		return complete.Request{Part: part, Query: part, Options: func(context.Context) []dialog.Option {
			return []dialog.Option{{Value: "alpha"}, {Value: "alto"}, {Value: "beta"}}
		}}, true
	}
	for _, quick := range []bool{false, true} {
		s := newStage(t, composer.Options{Sources: []complete.Source{func(line string, start bool) (complete.Request, bool) {
			r, ok := words(line, start)
			r.Quick = quick
			return r, ok
		}}})
		s.keys("see be<tab>al<tab>")
		s.text("see beta al")
		if got := s.offered(); len(got) != 2 {
			t.Errorf("quick %v: offered %q", quick, got)
		}
		s.keys("p")
		if got := s.offered(); len(got) != 1 {
			t.Errorf("quick %v: offered %q after one more character", quick, got)
		}
		s.keys("<tab>")
		s.text("see beta alpha ")
	}
}

// What is to come later takes the place of what was there at once, and is not waited
// for.
func TestLaterOptions(t *testing.T) {
	s := newStage(t, composer.Options{Sources: []complete.Source{func(line string, _ bool) (complete.Request, bool) {
		list := func(names ...string) func(context.Context) []dialog.Option {
			return func(context.Context) []dialog.Option {
				var out []dialog.Option
				for _, n := range names {
					out = append(out, dialog.Option{Value: n})
				}
				return out
			}
		}
		return complete.Request{Part: line, Query: line[1:], Auto: true, Quick: true, Options: list("near", "next"), Later: list("near", "next", "needed")},
			strings.HasPrefix(line, "/")
	}}})
	s.hold = true
	s.keys("/n<down>")
	if got := strings.Join(s.offered(), "|"); !strings.Contains(got, "▸ next") || strings.Contains(got, "needed") {
		t.Errorf("at once: %q", got)
	}
	later := s.held[len(s.held)-1]
	s.held, s.hold = nil, false
	s.start(later)
	if got := strings.Join(s.offered(), "|"); !strings.Contains(got, "▸ next") || !strings.Contains(got, "needed") {
		t.Errorf("later: %q", got)
	}
}

func TestLongMenusScroll(t *testing.T) {
	var names []string
	for i := range 30 {
		names = append(names, "file"+string(rune('a'+i%26))+strings.Repeat("x", i/26))
	}
	slices.Sort(names)
	s := newStage(t, composer.Options{Sources: []complete.Source{files(names...)}})
	s.keys("@file")
	if got := len(s.offered()); got != 8 {
		t.Errorf("%d rows", got)
	}
	s.keys("<up>")
	if got := s.offered(); !strings.Contains(got[7], "▸ file") {
		t.Errorf("the last is chosen and shown: %q", got)
	}
	s.c.Resize(80, 6)
	if got, _, _ := s.c.View(); len(got) > 6 {
		t.Errorf("%d rows where 6 are free", len(got))
	}
}

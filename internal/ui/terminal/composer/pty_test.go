package composer_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer/complete"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/screentest"
)

// program is the smallest one around a composer.
type program struct{ input *composer.Composer }

func (p program) Init() tea.Cmd { return nil }

func (p program) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if size, ok := msg.(tea.WindowSizeMsg); ok {
		p.input.Resize(size.Width, size.Height-1)
	}
	a, cmd := p.input.Update(msg)
	switch a.Kind {
	case composer.Submit:
		return p, tea.Batch(cmd, tea.Println(fmt.Sprintf("sent %q", a.Text)))
	case composer.EOF:
		return p, tea.Quit
	}
	return p, cmd
}

func (p program) View() tea.View {
	lines, x, y := p.input.View()
	v := tea.NewView(strings.Join(lines, "\n"))
	v.Cursor = tea.NewCursor(x, y)
	return v
}

// In a real terminal the cursor stands where the next character will appear, and
// keys arrive as the bytes they are.
func TestInATerminal(t *testing.T) {
	const name = "COMPOSER_TEST_DIR"
	if dir := os.Getenv(name); dir != "" {
		input := composer.New(composer.Options{
			Width: 40, Placeholder: "ask", History: past("an older one"), Dir: dir,
			Sources: []complete.Source{complete.Slash(commands()), complete.Paths(dir)},
		})
		if _, err := tea.NewProgram(program{input}).Run(); err != nil {
			t.Fatal(err)
		}
		return
	}
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/loss curve.png", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestInATerminal$")
	cmd.Env = append(os.Environ(), name+"="+dir, "TERM=xterm-256color")
	x := screentest.Start(t, cmd, 40, 12)
	// at waits until the cursor stands right behind a text on the screen, gap
	// columns away.
	at := func(text string, gap int) {
		t.Helper()
		x.Until(fmt.Sprintf("the cursor behind %q", text), func(screen string) bool {
			column, row, shown := x.Cursor()
			lines := strings.Split(screen, "\n")
			if !shown || row >= len(lines) || !strings.HasSuffix(lines[row], text) {
				return false
			}
			wide := strings.Count(lines[row], "日") + strings.Count(lines[row], "👍")
			return column == len([]rune(lines[row]))+wide+gap
		})
	}
	x.See("❯ ask")
	x.Type("日日 👍a")
	at("❯ 日日 👍a", 0)
	x.Press("alt+enter")
	x.Type("second ")
	at("  second", 1)
	x.Paste("one\rtwo")
	at("  two", 0)
	x.Press("enter")
	x.See(`sent "日日 👍a\nsecond one\ntwo"`)
	x.Type("@lo")
	x.See("▸ loss curve.png")
	x.Press("tab")
	at(`❯ @"loss curve.png"`, 1)
	x.Press("ctrl+c")
	x.Paste(dir + `/loss\ curve.png`)
	at(`❯ @"loss curve.png"`, 1)
	x.Press("ctrl+c", "up", "up")
	at("❯ an older one", 0)
	x.Press("ctrl+c")
	x.Paste(strings.Repeat("data\r", 50))
	at("❯ [pasted 50 lines #1]", 0)
	x.Resize(24, 12)
	x.Type(" and more of it")
	at("  and more of it", 0)
	x.Press("ctrl+c")
	x.See("❯ ask")
	x.Press("ctrl+d")
	if code := x.Exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

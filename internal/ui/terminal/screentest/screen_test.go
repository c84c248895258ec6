package screentest_test

import (
	"os/exec"
	"testing"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/screentest"
)

func TestTerminal(t *testing.T) {
	x := screentest.Start(t, exec.Command("sh", "-c", `printf 'one\r\n\033[31mtwo\033[0m 日本\r\n'; stty -echo; read a; stty size; printf 'got %s\a' "$a"; exit 3`), 40, 5)
	x.See("one", "two 日本")
	x.Resize(30, 6)
	x.Type("hello")
	x.Press("enter")
	x.See("got hello", "6 30")
	if code := x.Exit(); code != 3 {
		t.Errorf("exit code %d", code)
	}
	if x.Bells() != 1 {
		t.Errorf("%d bells", x.Bells())
	}
}

func TestScrollback(t *testing.T) {
	s := screentest.NewScreen(20, 3)
	if _, err := s.Write([]byte("a\r\nb\r\nc\r\nd\r\ne")); err != nil {
		t.Fatal(err)
	}
	if got := s.Text(); got != "c\nd\ne" {
		t.Errorf("%q", got)
	}
	if got := s.All(); got != "a\nb\nc\nd\ne" {
		t.Errorf("%q", got)
	}
}

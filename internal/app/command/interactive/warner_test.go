package interactive

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is warned of stands in the conversation while it is on the screen, and is
// printed before and after; nothing waits for a screen that takes no more.
func TestWarner(t *testing.T) {
	var printed []string
	w := &warner{print: func(line string) { printed = append(printed, line) }, lines: make(chan string, mostWarnings)}
	w.warn("before")
	lines := w.show()
	for i := range mostWarnings + 5 {
		w.warn(fmt.Sprint(i))
	}
	if got := <-lines; got != "warning: 0" {
		t.Error(got)
	}
	for range mostWarnings - 2 {
		<-lines
	}
	w.hide()
	w.warn("after")
	if diff := cmp.Diff([]string{"before", fmt.Sprint(mostWarnings - 1), "after"}, printed); diff != "" {
		t.Error(diff)
	}
	silent := &warner{lines: make(chan string, 1)}
	silent.warn("x")
	silent.show()
	silent.warn("y")
	silent.hide()
}

// What was printed before the conversation began is not said again in it.
func TestNews(t *testing.T) {
	w := &warner{print: func(string) {}, lines: make(chan string, mostWarnings)}
	w.warn("a")
	if got := w.news([]string{"a", "b"}); len(got) != 1 || got[0] != "b" {
		t.Errorf("%q", got)
	}
}

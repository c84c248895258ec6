package composer_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer"
)

func past(texts ...string) *memory {
	m := memory(texts)
	return &m
}

func TestWalkThroughTheHistory(t *testing.T) {
	for _, test := range []struct{ script, want string }{
		{"<up>", "three\nlines\nlong"},
		{"<up><up>", "two"},
		{"<up><up><up><up><up>", "one"},
		{"draft<up><up><down><down><down>", "draft"},
		{"draft<up><down>", "three\nlines\nlong"},
		{"draft<up><down><down><down>", "draft"},
		{"a<ctrl+j>b<up>x<up>", "three\nlines\nlong"},
		{"a<ctrl+j>b<up>x<down>y", "ax\nby"},
		{"<ctrl+p><ctrl+p><ctrl+n>", "three\nlines\nlong"},
		{"<up><up>!<up><down>", "two!"},
		{"<up><up>!<up><down><down>", "three\nlines\nlong"},
		{"dr<ctrl+z><up>", "three\nlines\nlong"},
		{"<down>", ""},
		{"draft<up><ctrl+c><up>", "three\nlines\nlong"},
		{"draft<up><ctrl+c>", "draft"},
		{"draft<up><enter>", "draft"},
		{"<up><enter>", ""},
		{"draft<up><down><down><down>s<enter>", ""},
		{"draft<up><down><down><down>s<ctrl+c>", ""},
	} {
		s := newStage(t, composer.Options{History: past("one", "two", "three\nlines\nlong")})
		s.keys(test.script)
		if got := s.c.Text(); got != test.want {
			t.Errorf("%s: %q, want %q", test.script, got, test.want)
		}
	}
}

func TestDraftIsNeverLost(t *testing.T) {
	for _, test := range []struct{ script, want string }{
		{"draft", "draft"},
		{"draft<up>", "draft"},
		{"draft<up><up>", "draft"},
		{"draft<up>er", "draft\n\ntwoer"},
		{"<up>er", "twoer"},
		{"<up>", ""},
		{"draft<ctrl+r>on", "draft"},
		{"draft<ctrl+r>on<enter>", "draft"},
		{"draft<ctrl+r>on<enter>!", "draft\n\none!"},
		{"draft<enter>", ""},
		{"draft<up><enter>", "draft"},
		{"draft<up><ctrl+c>", "draft"},
		{"draft<up><ctrl+c><ctrl+c>", ""},
		{"<up><ctrl+c>", ""},
	} {
		s := newStage(t, composer.Options{History: past("one", "two")})
		s.keys(test.script)
		if got := s.c.Draft(); got != test.want {
			t.Errorf("%s: %q, want %q", test.script, got, test.want)
		}
	}
	s := newStage(t, composer.Options{History: past("one")})
	long := strings.Repeat("x\n", 200)
	s.paste(long)
	s.keys("<up>")
	if got := s.c.Draft(); got != long {
		t.Errorf("a fold that waits is %d characters long", len(got))
	}
	s.keys("<enter>")
	if got := s.keys("<enter>"); got.Text != long || got.Shown != "[pasted 200 lines #1]" {
		t.Errorf("a fold that waited: %q", got.Shown)
	}
}

func TestEverythingThatIsSentIsRemembered(t *testing.T) {
	h := past()
	s := newStage(t, composer.Options{History: h})
	s.keys("one<enter>!ls<enter>#note<enter>/cost<enter>  <enter>")
	s.c.SetText("")
	long := strings.Repeat("x\n", 200)
	s.paste(long)
	s.keys("<enter>gone<ctrl+c>")
	if diff := cmp.Diff([]string{"one", "!ls", "#note", "/cost", long}, []string(*h)); diff != "" {
		t.Errorf("remembered (-want +got):\n%s", diff)
	}
}

type full struct{ memory }

func (*full) Add(string) error { return errors.New("the disk is full") }

func TestHistoryThatCannotBeWritten(t *testing.T) {
	s := newStage(t, composer.Options{History: &full{}})
	if got := s.keys("one<enter>"); got.Text != "one" {
		t.Errorf("sent %+v", got)
	}
	if got := s.c.Hint(); got != "the disk is full" {
		t.Errorf("hint %q", got)
	}
}

func TestSearch(t *testing.T) {
	for _, test := range []struct{ script, want string }{
		{"<ctrl+r>TRAIN<enter>", "train a bigger model\non 8 GPUs"},
		{"<ctrl+r>train<ctrl+r><enter>", "train a model"},
		{"<ctrl+r>train<down><tab>", "train a model"},
		{"<ctrl+r>model train<up><enter>", "train a model"},
		{"<ctrl+r>gpus tr<enter>", "train a bigger model\non 8 GPUs"},
		{"<ctrl+r>gpux<enter>", ""},
		{"<ctrl+r>gpux<backspace><enter>", "train a bigger model\non 8 GPUs"},
		{"mine<ctrl+r>train<esc>", "mine"},
		{"mine<ctrl+r>train<ctrl+c>", "mine"},
		{"mine<ctrl+r>x<backspace><backspace>y", "miney"},
		{"mine<ctrl+r>push<left>x", "push to the huxb"},
		{"mine<ctrl+r>push<ctrl+a>x", "xpush to the hub"},
		{"mine<ctrl+r>nothing like it<enter>", "mine"},
		{"mine<ctrl+r>push<ctrl+u>bigger<enter>", "train a bigger model\non 8 GPUs"},
		{"mine<ctrl+r>push<enter><ctrl+z>", "mine"},
		{"mine<ctrl+r>push<enter><up>", "train a model"},
		{"mine<ctrl+r>push<enter><down><down><down>", "mine"},
		{"<up><up><ctrl+r>bigger<enter><down>", ""},
	} {
		s := newStage(t, composer.Options{History: past("train a model", "push to the hub", "train a bigger model\non 8 GPUs")})
		if got := s.keys(test.script); got.Kind != composer.None {
			t.Errorf("%s led to %+v", test.script, got)
		}
		if got := s.c.Text(); got != test.want {
			t.Errorf("%s: %q, want %q", test.script, got, test.want)
		}
	}
	s := newStage(t, composer.Options{History: past("one", "two\nlines")})
	s.keys("<ctrl+r>")
	s.paste("  two\nmore")
	s.keys("<enter>")
	s.text("two\nlines")
}

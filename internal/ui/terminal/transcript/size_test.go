package transcript_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript"
)

// day is a session of about 20,000 events that prints megabytes: turns of ten
// calls, an answer in many pieces, now and then a sub-agent.
func day(t testing.TB) *film {
	f := newFilm(t)
	big := strings.Repeat("epoch 1 step 20 loss 0.1234 lr 2e-5\n", 1500)
	for turn := 1; len(f.events) < 20_000; turn++ {
		f.says(turn, fmt.Sprintf("question %d", turn))
		for i := range 10 {
			f.runs(fmt.Sprintf("c%d_%d", turn, i), "bash", `{"command":"python train.py --lr 2e-5"}`, time.Second, i%5 != 0, fmt.Sprintf("%d\n%s", i, big[:len(big)/(1+i)]))
			f.tell(mainCall(10_000, 100, 0.01), event.StreamEnd{})
		}
		pieces := make([]string, 60)
		for i := range pieces {
			pieces[i] = fmt.Sprintf("some words of an answer %d\n", i)
		}
		f.streams(pieces...).completes(strings.Join(pieces, ""))
	}
	return f
}

func heap() int64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestADayStaysSmall(t *testing.T) {
	if raced {
		t.Skip("sizes and times are those of the program itself")
	}
	f := day(t)
	outputs := 0
	for _, ev := range f.events {
		outputs += len(ev.Data)
	}
	if outputs < 25<<20 {
		t.Fatalf("the day prints only %d bytes", outputs)
	}
	before := heap()
	s := newScreen(transcript.Options{})
	for _, ev := range f.events {
		s.now = ev.Time
		s.Apply(ev)
		s.Take()
	}
	if used := heap() - before; used > 30<<20 {
		t.Errorf("%d bytes are held", used)
	}
	tools := s.Tools()
	kept := 0
	for _, x := range tools {
		kept += len(x.Output)
	}
	if len(tools) != 500 || kept > 16<<20 {
		t.Errorf("%d results with %d bytes", len(tools), kept)
	}
	if last := tools[499]; last.Cut || last.Size != len(last.Output) || !strings.HasPrefix(last.Output, "9\n") {
		t.Errorf("the newest: number %d, cut %v, %d of %d bytes", last.Number, last.Cut, len(last.Output), last.Size)
	}
	if first := tools[0]; first.Number != tools[499].Number-499 {
		t.Errorf("numbers %d to %d", first.Number, tools[499].Number)
	}
	runtime.KeepAlive(f)
}

func TestBigOutputsAreCutWhenTheShelfIsFull(t *testing.T) {
	f := newFilm(t).says(1, "go")
	for i := range 520 {
		f.runs(fmt.Sprint(i), "bash", `{}`, 0, true, strings.Repeat(string(rune('a'+i%26)), 50_000))
	}
	f.runs("huge", "bash", `{}`, 0, true, strings.Repeat("日", 3<<20))
	s := newScreen(transcript.Options{})
	s.play(f)
	kept := 0
	for i, x := range s.Tools() {
		kept += len(x.Output)
		if x.Cut != strings.Contains(x.Output, "of this output are no longer kept here") || x.Cut != (len(x.Output) != x.Size) || i > 0 && x.ID != "huge" && s.Tools()[i-1].Cut == false && x.Cut {
			t.Fatalf("result %d: cut %v, %d of %d bytes", x.Number, x.Cut, len(x.Output), x.Size)
		}
	}
	if kept > 16<<20 || kept < 15<<20 {
		t.Errorf("%d bytes are kept", kept)
	}
	if huge := s.Tools()[499]; !huge.Cut || huge.Size != 9<<20 || !strings.HasSuffix(huge.Output, "日") {
		t.Errorf("huge: cut %v, %d of %d bytes", huge.Cut, len(huge.Output), huge.Size)
	}
}

func TestAReplayShowsTheLastTurns(t *testing.T) {
	if raced {
		t.Skip("sizes and times are those of the program itself")
	}
	f := day(t)
	var s *screen
	took := time.Hour
	for range 3 { // other work on the machine may slow one down
		s = newScreen(transcript.Options{})
		s.now = f.now
		began := time.Now()
		s.Replay(f.events)
		took = min(took, time.Since(began))
	}
	got := strings.Join(s.Take(), "\n")
	turns := strings.Count(got, "❯ question")
	if turns != 2 || !strings.HasPrefix(got, fmt.Sprintf("  … %d earlier turns (/export writes all to a file)\n\n❯ question", s.turns(f)-2)) {
		t.Errorf("%d turns:\n%.300s", turns, got)
	}
	if took > 2*time.Second { // 0.1 s on an idle machine without the race detector
		t.Errorf("it took %s", took)
	}
	if tools := s.Tools(); len(tools) != 500 || tools[499].Number != 10*s.turns(f) {
		t.Errorf("%d results, the last has number %d", len(tools), tools[len(tools)-1].Number)
	}
}

// turns counts the turns of a film.
func (s *screen) turns(f *film) (n int) {
	for _, ev := range f.events {
		if ev.Type == event.TypeTurnStarted {
			n++
		}
	}
	return n
}

func TestAReplayOfOneLongTurnIsCut(t *testing.T) {
	f := newFilm(t).says(1, "go")
	for i := range 1000 {
		f.runs(fmt.Sprint(i), "bash", `{"command":"ls"}`, 0, true, "x")
	}
	s := newScreen(transcript.Options{})
	s.now = f.now
	s.Replay(f.events)
	got := s.Take()
	if len(got) != 402 || got[0] != "  … 602 earlier lines (/export writes all to a file)" || got[1] != "" || got[401] != "  ✓ bash  ls  0 s · 1 B" {
		t.Errorf("%d lines: %q, %q", len(got), got[0], got[len(got)-1])
	}
	if !s.Busy() {
		t.Error("the turn is over")
	}
}

func BenchmarkReplay(b *testing.B) {
	f := day(b)
	for b.Loop() {
		s := newScreen(transcript.Options{})
		s.Replay(f.events)
	}
}

func BenchmarkApply(b *testing.B) {
	f := day(b)
	s := newScreen(transcript.Options{})
	i := 0
	for b.Loop() {
		s.Apply(f.events[i%len(f.events)])
		i++
		if i%100 == 0 {
			s.Take()
		}
	}
}

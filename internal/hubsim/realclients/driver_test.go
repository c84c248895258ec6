package realclients_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// rowTime bounds a row.
const rowTime = 90 * time.Second

// driver is a program that plays rows on demand. It is told a row's name in a
// line and answers in lines of JSON: {"mark":true}, which waits for a line, and
// at last {"row":"P1","error":""}; whatever else it says is shown to the reader
// of the test.
type driver struct {
	stdin io.WriteCloser
	lines chan string
}

// drive starts a program that speaks to the simulator and to nothing else.
func drive(t *testing.T, s *sim, program []string, env ...string) *driver {
	t.Helper()
	ctx, kill := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program[0], program[1:]...)
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "SYSTEMROOT=" + os.Getenv("SYSTEMROOT"), "HF_ENDPOINT=" + s.url, "HF_TOKEN=" + bob,
		"HF_HUB_DISABLE_XET=1", "HF_HUB_DISABLE_TELEMETRY=1", "HF_HUB_DISABLE_PROGRESS_BARS=1", "DO_NOT_TRACK=1",
		"HF_HOME=" + t.TempDir(), "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir(), "NO_PROXY=*",
	}, env...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d := &driver{stdin: stdin, lines: make(chan string, 1000)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		in := bufio.NewScanner(stdout)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			d.lines <- in.Text()
		}
		close(d.lines)
	}()
	t.Cleanup(func() {
		defer kill()
		_ = stdin.Close() // now it has nothing left to do
		time.AfterFunc(10*time.Second, kill)
		for range d.lines { // until it has ended
		}
		<-ended
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", program[0], err)
		}
	})
	return d
}

// outcome is what became of a row.
type outcome struct {
	failure string
	said    []string
	saw     []seen
}

// play plays a row and tells what came of it.
func (d *driver) play(s *sim, row string) (o outcome) {
	s.begin()
	fmt.Fprintln(d.stdin, row)
	late := time.After(rowTime)
	for {
		select {
		case line, open := <-d.lines:
			if !open {
				o.failure = "the program has ended:\n" + strings.Join(o.said, "\n")
				return o
			}
			var a struct {
				Row, Error string
				Mark       bool
			}
			switch err := json.Unmarshal([]byte(line), &a); {
			case err == nil && a.Mark:
				s.here()
				fmt.Fprintln(d.stdin)
			case err == nil && a.Row == row:
				o.failure, o.saw = a.Error, s.saw()
				return o
			default:
				o.said = append(o.said, line)
			}
		case <-late:
			o.failure, o.saw = "no result in "+rowTime.String(), s.saw()
			return o
		}
	}
}

// row is one line of the proof: what the simulator must have seen of it.
type row struct {
	name  string
	order order
	saw   func(t *testing.T, all []seen)
}

// suite plays all rows and reports each as a test of its own.
func suite(t *testing.T, s *sim, client string, rows []row, play func(row string) outcome) {
	t.Helper()
	recorded := script(t, client)
	for _, r := range rows {
		o := play(r.name) // whether or not the row was chosen: the next ones need it
		t.Run(r.name, func(t *testing.T) {
			if o.failure != "" {
				for _, line := range o.said {
					t.Log(line)
				}
				t.Errorf("%s\nrequests:\n%s", o.failure, strings.Join(asSent.lines(o.saw), "\n"))
				return
			}
			if r.saw != nil {
				r.saw(t, o.saw)
			}
			for _, request := range s.Unserved() {
				t.Errorf("no route serves %s", request)
			}
			recorded.row(t, r.name, r.order, o.saw)
		})
	}
	recorded.close(t)
}

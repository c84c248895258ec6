package jobs_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/tools/jobs"
	"github.com/ml-intern/ml-intern/internal/tools/stagetest"
)

// Who gives jobs a token that may write everywhere is told once; a narrower one
// is not worth a word.
func TestBroadTokenIsToldOnce(t *testing.T) {
	for _, broad := range []bool{true, false} {
		bubble(t, func(o *jobs.Options) { o.TokenBroad = func() bool { return broad } }, func(t *testing.T, d *desk) {
			told := 0
			for _, call := range []string{"a", "b", "c"} {
				env := d.env(call)
				wantText(t, d.call(t.Context(), env, `{"operation":"run","command":["true"]}`), true, "completed")
				told += strings.Count(strings.Join(env.Logs(), "\n"), "may write everywhere")
			}
			if want := map[bool]int{true: 1, false: 0}[broad]; told != want {
				t.Errorf("broad %v: told %d times, want %d", broad, told, want)
			}
		})
	}
}

// A script's address is the job's to fetch: this program, which may reach more
// than the job, does not ask it, neither for the question nor for the run.
func TestScriptAddressIsNotFetched(t *testing.T) {
	var asked atomic.Int64
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer inner.Close()
	d := newDesk(t, stagetest.Sockets(t, false), nil)
	env := &tooltest.Env{Session: d.session.SessionID, Call: "c"}
	wantText(t, d.call(t.Context(), env, `{"operation":"run","script":"`+inner.URL+`/latest/meta-data.py"}`), true, "completed")
	if command := d.posted("bob").Command; !slices.Contains(command, inner.URL+"/latest/meta-data.py") {
		t.Errorf("posted %q", command)
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the address was asked %d times", n)
	}
}

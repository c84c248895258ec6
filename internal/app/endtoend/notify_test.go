//go:build linux

package endtoend_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/screentest"
)

// Check 38, of messages: the terminal tells the process of the session that the
// reply stands on the screen, and whether somebody looks; only then is a person
// elsewhere told.
func TestCheck38_MessagesWaitForTheScreen(t *testing.T) {
	type post struct{ text, raw string } // and what the terminal had got when it came
	var screen atomic.Pointer[screentest.Terminal]
	posts := make(chan post, 10)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Text string }
		_ = json.NewDecoder(r.Body).Decode(&body)
		posts <- post{body.Text, screen.Load().Raw()}
		_, _ = io.WriteString(w, `{"ok":true,"ts":"1.1"}`)
	}))
	t.Cleanup(api.Close)
	y := newYard(t)
	y.configure(t, `{"notify_min_seconds":3600}`)
	y.follow("messages")
	y.site.env = append(slices.Clone(y.site.env), "SLACK_BOT_TOKEN=xoxb-1", "SLACK_CHANNEL_ID=C1", "ML_INTERN_SLACK_API_URL="+api.URL)
	x := y.converse(t)
	screen.Store(x)
	say(x, "hello")
	x.SeeAll("Goodbye.")
	x.Press("blur") // the person may have looked away while the first reply was drawn
	say(x, "once more")
	late := time.After(30 * time.Second)
	for {
		select {
		case p := <-posts:
			if !strings.Contains(p.text, "prompt: once more\n") {
				continue
			}
			if !strings.Contains(p.text, "completed.\nGoodbye.") {
				t.Errorf("told %q", p.text)
			}
			if asked := strings.LastIndex(p.raw, "once more"); asked < 0 || !strings.Contains(p.raw[asked:], "Goodbye.") {
				t.Error("the message came before the reply was on the screen")
			}
			return
		case <-late:
			t.Fatal("nobody was told")
		}
	}
}

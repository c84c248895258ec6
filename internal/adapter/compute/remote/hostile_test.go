package remote_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/remote"
	"github.com/ml-intern/ml-intern/internal/adapter/compute/remote/wire"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
)

// steering is what a hostile text tries on a terminal.
const steering = "\x1b]52;c;ZXZpbA==\a\x1b[2J\u009b31m\x00"

// impostor is a server in the place of the tool server, which somebody in the
// sandbox has put there.
func impostor(t *testing.T, answer http.HandlerFunc) *remote.Client {
	t.Helper()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(wire.BootID, "boot")
		if r.URL.Path == wire.Health {
			fmt.Fprint(w, `{"status":"ok","boot_id":"boot"}`)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(front.Close)
	c, err := remote.New(remote.Options{URL: front.URL, Token: strings.Repeat("t", 43), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	c.Hurry(200 * time.Millisecond)
	return c
}

func steers(text string) bool { return strings.ContainsAny(text, "\x1b\a\x00\u009b") }

// Whatever a hostile sandbox says of a command, the program neither ends nor
// passes on what steers a terminal.
func TestHostileCommands(t *testing.T) {
	quoted := strings.NewReplacer("\x1b", `\u001b`, "\a", `\u0007`, "\x00", `\u0000`).Replace(steering)
	exit := `{"event":"exit","exit_code":-7,"signal":"` + quoted + `","duration_ms":-5,"output":{"bytes":-1,"chars":-1,"first":"` + quoted + `x","last":"` + quoted + `","file":"` + quoted + `"}}`
	for name, lines := range map[string][]string{
		"started twice without a process": {`{"event":"start","status":{}}`, `{"event":"start","status":{}}`, exit},
		"never started":                   {exit},
		"no status":                       {`{"event":"start"}`, exit},
		"numbers that are none":           {`{"event":"start","status":{"pid":-1}}`, `{"event":"output","total":-9,"skipped":9223372036854775807,"data":"` + quoted + `"}`, exit},
		"unknown events":                  {`{"event":"start","status":{"pid":1}}`, `{"event":"format-disk"}`, `{}`, `null`, exit},
	} {
		t.Run(name, func(t *testing.T) {
			c := impostor(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.ReadAll(r.Body) // what it wants is all the same
				_, _ = io.WriteString(w, strings.Join(lines, "\n")+"\n")
			})
			var shown strings.Builder
			p, err := c.Start(t.Context(), workspace.Command{Session: "s", Line: "true", Limit: time.Second, Output: func(b []byte) { shown.Write(b) }})
			if err != nil {
				return // it may be refused
			}
			out, err := p.Wait(t.Context())
			texts := []string{out.Output.First, out.Output.Last, out.Output.File, out.Exit.Signal, shown.String(), p.Ref()}
			if err != nil {
				texts = append(texts, err.Error())
			}
			for _, text := range texts {
				if steers(text) {
					t.Errorf("%q steers a terminal", text)
				}
			}
			if strings.HasPrefix(p.Ref(), "pgid") || strings.HasPrefix(p.Ref(), "pid") {
				t.Errorf("%s names a process of this machine", p.Ref())
			}
		})
	}
}

// Refusals are short and steer nothing; endless and enormous answers end.
func TestHostileAnswers(t *testing.T) {
	long := strings.Repeat("long ", 1<<20)
	for name, body := range map[string]string{
		"fault":  `{"detail":"x","fault":{"kind":"missing","path":"\u001b[2J` + long + `","reason":"\u001b]0;x\u0007` + long + `"}}`,
		"detail": `{"detail":"\u001b[2J` + long + `"}`,
	} {
		c := impostor(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, body)
		})
		if _, err := c.Stat(t.Context(), "x", workspace.StatOptions{}); err == nil || len(err.Error()) > 20_000 || steers(err.Error()) {
			t.Errorf("%s: %.200q", name, fmt.Sprint(err))
		}
	}
	c := impostor(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"output":[`)
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, strings.Repeat(" ", 1<<20)); err != nil {
				return
			}
		}
	})
	if _, err := c.Python(t.Context(), "", nil, time.Minute); err == nil {
		t.Error("an endless answer was taken")
	}
	c = impostor(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"text":"\u001b[2Jtail","status":{"id":"x"}}`)
	})
	if text, _, err := c.Tail(t.Context(), "s", "id", 10); err != nil || text != "tail" {
		t.Errorf("%q, %v", text, err)
	}
	for _, id := range []string{"../../v2/files", "a/b", "", "a%2fb", strings.Repeat("a", 200), "a\n"} {
		if _, err := c.Kill(t.Context(), "s", id); workspace.KindOf(err) != workspace.Invalid {
			t.Errorf("%q: %v", id, err)
		}
	}
}

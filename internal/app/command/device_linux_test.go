package command_test

import (
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim/identity"
)

// On a terminal the code is offered first: Enter takes it, what is pasted is a
// token, and Ctrl-C leaves at any time with nothing done.
func TestDeviceLoginOnATerminal(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`http://\S+/oauth/device\?user_code=\S+`)
	for name, c := range map[string]struct {
		typed string // at the offer
		then  string // while the code is waited for; empty opens its page
		code  int
		shows string
	}{
		"the code":        {"\r", "", 0, "logged in as bob"},
		"given up":        {"\r", "\x03", 130, "nobody was logged in"},
		"a token":         {"hf_bob_write\r", "-", 0, "logged in as bob"},
		"given up at all": {"\x03", "-", 130, "nobody was logged in"},
	} {
		t.Run(name, func(t *testing.T) {
			person, program := terminal(t)
			l := newLobby(t, t.TempDir())
			l.hub.Identity().SetConsent(identity.Consent{Wait: true})
			cmd := exec.Command(os.Args[0], "login")
			cmd.Env = append(l.environment(), asProgram+"=1")
			shown := onTerminal(t, cmd, person, program)
			say := func(text string) {
				t.Helper()
				if _, err := person.WriteString(text); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, "the offer", func() bool { return strings.Contains(shown.String(), "Press Enter to log in with a code") })
			say(c.typed)
			if c.then != "-" {
				eventually(t, "the wait", func() bool { return strings.Contains(shown.String(), "Waiting for your consent, 1") })
				if c.then != "" {
					say(c.then)
				} else if resp, err := http.Get(link.FindString(shown.String())); err != nil {
					t.Error(err)
				} else {
					_ = resp.Body.Close()
				}
			}
			_ = cmd.Wait()
			eventually(t, c.shows, func() bool { return strings.Contains(shown.String(), c.shows) })
			if code := cmd.ProcessState.ExitCode(); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if strings.Contains(shown.String(), "hf_") {
				t.Errorf("the token was shown: %q", shown)
			}
			if _, err := os.Stat(l.private()); (err == nil) != (name == "the code") {
				t.Errorf("the private file: %v", err)
			}
		})
	}
}

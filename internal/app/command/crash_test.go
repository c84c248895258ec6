package command_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/app/command"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
)

// broken panics with what it is asked to write to.
type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { panic(b.err) }

// What a panic says is printed without secrets, by their shape or by the
// environment.
func TestPanicIsPrintedWithoutSecrets(t *testing.T) {
	token, held := "hf_"+strings.Repeat("aB3", 12), "correct horse 17 battery"
	var errs strings.Builder
	code := command.Main(t.Context(), console.Streams{
		Args: []string{"version"}, Environ: []string{"HOME=" + t.TempDir(), "TEAM_DEPLOY_TOKEN=" + held},
		Dir: t.TempDir(), In: os.Stdin, Out: broken{errors.New("no room for " + token + " and " + held)}, Err: &errs,
	})
	want := "ml-intern failed inside: no room for [REDACTED_HF_TOKEN] and [REDACTED] (details: "
	if code != 1 || !strings.HasPrefix(errs.String(), want) {
		t.Errorf("exit %d, said %q, want %q", code, errs.String(), want)
	}
}

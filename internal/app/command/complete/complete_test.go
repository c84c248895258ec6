package complete

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app/command/console"
)

func offered(t *testing.T, find source, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	t.Helper()
	k := &known{streams: &console.Streams{Dir: t.TempDir(), Environ: []string{"HOME=" + t.TempDir()}}}
	cmd := &cobra.Command{}
	cmd.SetContext(t.Context())
	return k.asked(find)(cmd, args, typed)
}

// Values are foreign words: what could steer a terminal, or be taken for several
// words, is not offered.
func TestOffered(t *testing.T) {
	got, directive := offered(t, fixed("one\tthe first\x1b[31m\nof all", "two words", "other", "", "once\t"+strings.Repeat("long ", 50), "on\t"), nil, "on")
	if diff := cmp.Diff([]string{"one\tthe first of all", "once\t" + strings.Repeat("long ", 11) + "long…", "on"}, got); diff != "" {
		t.Error(diff)
	}
	if directive != cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveKeepOrder {
		t.Error(directive)
	}
	var many []string
	for range 1000 {
		many = append(many, "x")
	}
	if got, _ := offered(t, fixed(many...), nil, ""); len(got) != most {
		t.Errorf("%d values", len(got))
	}
	if _, directive := offered(t, files, nil, ""); directive != cobra.ShellCompDirectiveDefault {
		t.Error(directive)
	}
	if _, directive := offered(t, dirs, nil, ""); directive != cobra.ShellCompDirectiveFilterDirs {
		t.Error(directive)
	}
	if got, _ := offered(t, first(fixed("a")), []string{"x"}, ""); got != nil {
		t.Error(got)
	}
}

// What takes too long is not waited for.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		slow := func(context.Context, *known, []string) offer {
			<-ctx.Done()
			return offer{values: []string{"late"}}
		}
		begun := time.Now()
		got, _ := offered(t, slow, nil, "")
		if took := time.Since(begun); got != nil || took > 100*time.Millisecond {
			t.Errorf("%v after %s", got, took)
		}
		cancel()
	})
}

// Settings that cannot be read offer nothing, and break nothing.
func TestFaultySettings(t *testing.T) {
	k := &known{streams: &console.Streams{Dir: t.TempDir(), Environ: []string{"ML_INTERN_CLI_CONFIG=/missing"}}}
	for _, find := range []source{models, sessionIDs, running, called, tools, servers, destinations, skillNames} {
		_ = find(t.Context(), k, nil)
	}
	if got := keyValues(t.Context(), k, []string{"nonsense"}); got.values != nil {
		t.Error(got)
	}
	if got := keyValues(t.Context(), k, []string{"save_sessions"}); !slices.Equal(got.values, []string{"true", "false"}) {
		t.Error(got)
	}
	if got := keyValues(t.Context(), k, []string{"session_log_dir"}); !got.files {
		t.Error(got)
	}
}

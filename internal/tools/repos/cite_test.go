package repos_test

import (
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/tools/stagetest"
)

// What others wrote is text from outside: a read file and a discussion leave
// evidence, a listing does not.
func TestWhatOthersWroteLeavesEvidence(t *testing.T) {
	d := newDesk(t, stagetest.Sockets(t, false))
	d.must(d.git, `{"operation":"create_pr","repo_id":"bob/m1","title":"Better weights","description":"because"}`)
	for _, c := range []struct {
		tool    tool.Tool
		args    string
		object  string
		sources int
	}{
		{d.files, `{"operation":"read","repo_id":"acme/toy-chat","repo_type":"dataset","path":"README.md"}`, "acme/toy-chat/README.md", 1},
		{d.git, `{"operation":"get_pr","repo_id":"bob/m1","pr_num":1}`, "bob/m1#1", 1},
		{d.files, `{"operation":"list","repo_id":"acme/toy-chat","repo_type":"dataset"}`, "", 0},
	} {
		r, env := d.callEnv(c.tool, c.args)
		sources := env.Sources()
		if !r.OK || len(sources) != c.sources {
			t.Fatalf("%s: ok %v, %d sources", c.args, r.OK, len(sources))
		}
		if c.sources == 0 {
			continue
		}
		s := sources[0]
		if s.Object != c.object || len(s.SHA256) != 64 || s.FetchedAt.IsZero() {
			t.Errorf("%s: the evidence is %+v", c.args, s)
		}
		lines := strings.Split(r.Output, "\n")
		if last := lines[len(lines)-1]; !strings.HasPrefix(last, "[S1] "+s.URL+" (fetched ") {
			t.Errorf("%s: the last line is %q", c.args, last)
		}
	}
}

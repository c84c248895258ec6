package lookups

import (
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/tools/research"
)

// Research makes the tool that gives questions to sub-agents, for one session.
// all gives the session's tools; bash is a shell without credentials, nil for
// none; folders are those that sub-agents may read files of.
func (d *Door) Research(all func() []tool.Tool, bash tool.Tool, folders ...string) (*research.Tool, error) {
	c := d.Loaded.Config
	return research.New(research.Options{
		Tools: all, Bash: bash, Workspace: folders, Model: c.ResearchModel,
		Rounds: c.ResearchMaxIterations, Time: time.Duration(c.ResearchTimeoutMinutes) * time.Minute,
	})
}

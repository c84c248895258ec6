package doctor

import (
	"context"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/skills"
	"github.com/ml-intern/ml-intern/internal/app/skillset"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

// skills tells which skills and commands count, and what is left out.
func (o Options) skills(context.Context) []Finding {
	const name = "skills"
	set := skillset.Load(o.Loaded)
	counts := map[string]int{}
	for _, e := range set.Entries {
		counts[string(e.Origin)+" "+string(e.Kind)]++
	}
	var parts []string
	for _, origin := range []skills.Origin{skills.BuiltIn, skills.User, skills.Project} {
		for _, kind := range []skills.Kind{skills.Skill, skills.Command} {
			if n := counts[string(origin)+" "+string(kind)]; n > 0 {
				parts = append(parts, amount.Count(n, string(origin)+" "+string(kind)))
			}
		}
	}
	out := one(name, OK, strings.Join(parts, ", "))
	for _, p := range set.Problems {
		if !p.Remark {
			out = append(out, Finding{name, Warning, p.String(), "ml-intern skills check tells of all of them"})
		}
	}
	if len(set.Passed) > 0 {
		out = append(out, Finding{
			name, OK, plain.ForTerminal(strings.Join(set.Passed, ", ")) + ": not read, because this folder is not trusted", "ml-intern trust",
		})
	}
	return out
}

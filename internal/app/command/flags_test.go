package command

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/ml-intern/ml-intern/internal/config/schema"
)

// The documentation of settings and flags is written from tables; this holds
// the command line against them, both ways.
func TestEveryFlagIsDocumented(t *testing.T) {
	var documented []string
	for _, k := range schema.Keys {
		if k.Flag != "" {
			documented = append(documented, strings.TrimPrefix(k.Flag, "--"))
		}
	}
	for _, f := range schema.Flags {
		name, _, _ := strings.Cut(strings.TrimPrefix(f.Name, "--"), " ")
		name, _, _ = strings.Cut(name, "[")
		documented = append(documented, strings.TrimSuffix(name, ","))
	}
	var real []string
	o := &rootOptions{settings: map[string][]string{}}
	flags := pflag.NewFlagSet("run", pflag.ContinueOnError)
	o.flags(flags)
	flags.VisitAll(func(f *pflag.Flag) { real = append(real, f.Name) })
	slices.Sort(documented)
	slices.Sort(real)
	if !slices.Equal(documented, real) {
		t.Errorf("documented flags %v\nreal flags       %v", documented, real)
	}
}

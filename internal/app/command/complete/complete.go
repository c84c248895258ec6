// Package complete offers the values of arguments and flags to shells that
// complete what is typed. It knows the commands by their names alone, asks no
// network, and is in a hurry: what cannot be said in time is not said.
package complete

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ml-intern/ml-intern/internal/app/command/console"
)

// patience is how long values are looked for: a person waits at a key.
const patience = 80 * time.Millisecond

// source finds values. Args are those in front of the one that is typed.
type source func(ctx context.Context, k *known, args []string) offer

// offer is what there is to choose from: values, each with what it means behind a
// tab, or files, or folders.
type offer struct {
	values []string
	files  bool
	dirs   bool
}

// Attach makes the commands below root offer values.
func Attach(root *cobra.Command, s *console.Streams) {
	k := &known{streams: s}
	for _, cmd := range root.Commands() {
		attach(cmd, k)
	}
	flags(root, k)
	root.ValidArgsFunction = k.asked(called)
}

func attach(cmd *cobra.Command, k *known) {
	flags(cmd, k)
	if find := arguments()[path(cmd)]; find != nil {
		cmd.ValidArgsFunction = k.asked(find)
	} else if cmd.Runnable() && cmd.ValidArgsFunction == nil && !cmd.HasSubCommands() && cmd.Name() != "help" {
		cmd.ValidArgsFunction = k.asked(nothing)
	}
	for _, below := range cmd.Commands() {
		attach(below, k)
	}
}

// path is a command's name below the program, such as "sessions show".
func path(cmd *cobra.Command) string {
	_, below, _ := strings.Cut(cmd.CommandPath(), " ")
	return below
}

func flags(cmd *cobra.Command, k *known) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		find := values()[path(cmd)+" --"+f.Name]
		if find == nil {
			find = values()["--"+f.Name]
		}
		if find == nil && f.Value.Type() != "bool" && f.NoOptDefVal == "" {
			find = byKind(f)
		}
		if find != nil {
			_ = cmd.RegisterFlagCompletionFunc(f.Name, k.asked(find)) // one that has values already keeps them
		}
	})
}

// byKind finds values by what a flag's help calls its value.
func byKind(f *pflag.Flag) source {
	switch kind, _ := pflag.UnquoteUsage(f); kind {
	case "FILE", "FILES", "PATH":
		return files
	case "DIR":
		return dirs
	}
	return nothing
}

// asked is a source as the command line asks it: cut off in time, in one line
// each, and only what begins as typed.
func (k *known) asked(find source) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		ctx := cmd.Context()
		if ctx == nil {
			ctx = context.Background()
		}
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		found := make(chan offer, 1)
		go func() { found <- find(ctx, k, args) }() // one that is late ends with the process
		var o offer
		select {
		case o = <-found:
		case <-ctx.Done():
		}
		switch {
		case o.files:
			return nil, cobra.ShellCompDirectiveDefault
		case o.dirs:
			return nil, cobra.ShellCompDirectiveFilterDirs
		}
		var fit []cobra.Completion
		for _, value := range o.values {
			name, about, _ := strings.Cut(value, "\t")
			if name == "" || strings.ContainsAny(name, " \n") || !strings.HasPrefix(name, typed) {
				continue
			}
			fit = append(fit, strings.TrimSuffix(name+"\t"+short(about), "\t"))
			if len(fit) == most {
				break
			}
		}
		return fit, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

const (
	// most is how many values are offered, aboutMost how many characters are said
	// about one.
	most      = 200
	aboutMost = 60
)

// short is what is said about a value.
func short(about string) string {
	line := []rune(console.OneLine(about))
	if len(line) > aboutMost {
		return string(line[:aboutMost-1]) + "…"
	}
	return string(line)
}

// fixed offers the same values always.
func fixed(list ...string) source {
	return func(context.Context, *known, []string) offer { return offer{values: list} }
}

// first offers values for the first argument alone.
func first(find source) source { return at(find) }

// at offers values for each argument in turn; nothing behind the last.
func at(finds ...source) source {
	return func(ctx context.Context, k *known, args []string) offer {
		if len(args) >= len(finds) {
			return offer{}
		}
		return finds[len(args)](ctx, k, args)
	}
}

func nothing(context.Context, *known, []string) offer { return offer{} }
func files(context.Context, *known, []string) offer   { return offer{files: true} }
func dirs(context.Context, *known, []string) offer    { return offer{dirs: true} }

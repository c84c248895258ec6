// Package skills is the command about skills and the commands that people have
// written: it lists, shows and checks them, and begins a new skill.
package skills

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/adapter/skills"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/skillset"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

// New makes the command.
func New(s *console.Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "skills",
		Short: "List, show, begin and check skills and commands",
		Long: `Skills are folders with a SKILL.md: procedures that the agent loads when it needs
them, and that you begin with /NAME. Commands are Markdown files: prompts that
/NAME sends. They are read from .ml-intern/skills and .ml-intern/commands of a
trusted project, from skills and commands beside your settings, and some skills
are built in.`,
	}
	list := newList(s)
	cmd.AddCommand(list, newShow(s), newNew(s), newCheck(s))
	return console.WithDefault(cmd, list)
}

// load reads what counts in the working directory.
func load(ctx context.Context, s *console.Streams) (*config.Loaded, *skillset.Set, error) {
	l, err := s.Config(ctx)
	if l == nil {
		return nil, nil, err
	}
	return l, skillset.Load(l), nil
}

// entry is one in the JSON form.
type entry struct {
	Name        string      `json:"name"`
	Kind        skills.Kind `json:"kind"`
	Origin      string      `json:"origin"`
	Description string      `json:"description"`
	Hint        string      `json:"argument_hint,omitempty"`
	Path        string      `json:"path,omitempty"`
	Model       string      `json:"model,omitempty"`
	Allow       []string    `json:"allowed_tools,omitempty"`
	Hidden      bool        `json:"hidden,omitempty"`
}

func newList(s *console.Streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the skills and commands that count here",
		Args:  cobra.NoArgs,
		RunE: console.Do(func(ctx context.Context, _ []string) error {
			_, set, err := load(ctx, s)
			if err != nil {
				return err
			}
			if asJSON {
				all := []entry{}
				for _, e := range set.Entries {
					all = append(all, entry{
						e.Name, e.Kind, string(e.Origin), e.Description, e.Hint, e.Path, e.Model, e.Allow, set.Hidden(e),
					})
				}
				return s.PrintJSON(all)
			}
			table(s, set)
			for _, line := range set.Warnings() {
				fmt.Fprintln(s.Err, "warning: "+line)
			}
			return nil
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

// lineWidth is how wide a line of the table is, in columns.
const lineWidth = 80

// table prints a line for each entry.
func table(s *console.Streams, set *skillset.Set) {
	rows := [][3]string{}
	widths := [2]int{}
	for _, e := range set.Entries {
		what := e.Description
		if set.Hidden(e) {
			what = "(hidden: its name is taken)"
		}
		row := [3]string{"/" + e.Name, string(e.Origin) + " " + string(e.Kind), what}
		for i := range widths {
			widths[i] = max(widths[i], len(row[i]))
		}
		rows = append(rows, row)
	}
	for _, row := range rows {
		left := max(lineWidth-widths[0]-widths[1]-4, 20)
		what := []rune(console.OneLine(row[2]))
		if len(what) > left {
			what = append(what[:left-1], '…')
		}
		fmt.Fprintf(s.Out, "%-*s  %-*s  %s\n", widths[0], row[0], widths[1], row[1], string(what))
	}
}

func newShow(s *console.Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME [FILE]",
		Short: "Print a skill or a command, or a file of a skill",
		Args:  cobra.RangeArgs(1, 2),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			_, set, err := load(ctx, s)
			if err != nil {
				return err
			}
			name := strings.TrimPrefix(args[0], "/")
			at := slices.IndexFunc(set.Entries, func(e skills.Entry) bool { return e.Name == name })
			if at < 0 {
				return console.Usage("there is no skill or command %s here (ml-intern skills list shows them)", name)
			}
			if len(args) == 2 {
				raw, err := set.Entries[at].Read(args[1])
				if err != nil {
					return console.Usage("%s of %s: %w", args[1], name, err)
				}
				_, err = fmt.Fprint(s.Out, plain.ForTerminal(string(raw)))
				return err
			}
			return show(s, set.Entries[at])
		}),
	}
}

// show prints what an entry says of itself, its files and its text.
func show(s *console.Streams, e skills.Entry) error {
	body, err := e.Body()
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "%s\n%s, %s\n", strings.TrimSpace("/"+e.Name+" "+e.Hint), e.Description, cmp.Or(plain.ForTerminal(e.Path), string(e.Origin)))
	for _, line := range [][2]string{{"needs", e.Compatibility}, {"licence", e.License}, {"model", e.Model}, {"allowed in its turn", strings.Join(e.Allow, ", ")}} {
		if line[1] != "" {
			fmt.Fprintf(s.Out, "%s: %s\n", line[0], line[1])
		}
	}
	if e.Kind == skills.Skill {
		files, _, err := e.Files()
		if err != nil {
			return err
		}
		for _, f := range files {
			fmt.Fprintf(s.Out, "file: %s\n", plain.ForTerminal(f.Name))
		}
	}
	_, err = fmt.Fprintf(s.Out, "\n%s\n", plain.ForTerminal(body))
	return err
}

//go:embed template.md
var template string

func newNew(s *console.Streams) *cobra.Command {
	var mine bool
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Begin a skill in this project",
		Long: `Begin the skill NAME in .ml-intern/skills of this project, or beside your
settings with --user: a SKILL.md to be filled in. Nothing is written over.`,
		Args: cobra.ExactArgs(1),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			l, set, err := load(ctx, s)
			if err != nil {
				return err
			}
			name := args[0]
			if err := skills.CheckName(name); err != nil {
				return console.Usage("no skill was begun: %w", err)
			}
			if skillset.Reserved(name) {
				return console.Usage("no skill was begun: /%s is a command of the program, so it needs another name", name)
			}
			parent := skillset.ProjectSkills(l)
			if mine {
				parent = skillset.UserSkills(l)
			}
			path := filepath.Join(parent, name, "SKILL.md")
			if err := create(path, strings.ReplaceAll(template, "NAME", name)); err != nil {
				return err
			}
			fmt.Fprintf(s.Out, "%s\n", path)
			if old, ok := set.Skill(name); ok {
				fmt.Fprintf(s.Err, "it counts instead of the %s skill %s\n", old.Origin, name)
			}
			if !mine && !l.Trusted {
				fmt.Fprintln(s.Err, "it is read once this folder is trusted (ml-intern trust)")
			}
			return nil
		}),
	}
	cmd.Flags().BoolVar(&mine, "user", false, "begin it beside your settings, for all projects")
	return cmd
}

// create writes a file that is not there yet, with its folders.
func create(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("begin the skill: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return console.Usage("%s is there already and was left as it is", path)
	}
	if err != nil {
		return fmt.Errorf("begin the skill: %w", err)
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func newCheck(s *console.Streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check [DIR]",
		Short: "Check skills and commands",
		Long: `Check the skills and commands that count here, or those in DIR: a skill's own
folder, or a folder of skills. DIR is read whether it is trusted or not; nothing
in it runs. The exit code is 1 where something is left out.`,
		Args: cobra.MaximumNArgs(1),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			var lib *skills.Library
			var passed []string
			if len(args) == 0 {
				_, set, err := load(ctx, s)
				if err != nil {
					return err
				}
				lib, passed = set.Library, set.Passed
			} else {
				var err error
				if lib, err = at(app.Absolute(args[0], s.Dir)); err != nil {
					return err
				}
			}
			return report(s, lib, passed, asJSON)
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// at reads a skill's folder, or a folder of skills.
func at(dir string) (*skills.Library, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, console.Usage("%s is not a directory", dir)
	}
	only := ""
	if _, err := os.Lstat(filepath.Join(dir, "SKILL.md")); err == nil {
		dir, only = filepath.Dir(dir), filepath.Base(dir)
	}
	lib := skills.Load(skillset.Options([]skills.Place{{Dir: dir, Origin: skills.Project, Within: dir}}))
	if only != "" {
		lib.Entries = slices.DeleteFunc(lib.Entries, func(e skills.Entry) bool { return e.Name != only })
		inside := filepath.Join(dir, only)
		lib.Problems = slices.DeleteFunc(lib.Problems, func(p skills.Problem) bool {
			return p.Path != inside && !strings.HasPrefix(p.Path, inside+string(filepath.Separator))
		})
	}
	return lib, nil
}

// report tells what was found.
func report(s *console.Streams, lib *skills.Library, passed []string, asJSON bool) error {
	bad := slices.ContainsFunc(lib.Problems, func(p skills.Problem) bool { return !p.Remark })
	code := 0
	if bad {
		code = 1
	}
	if asJSON {
		names := []string{}
		for _, e := range lib.Entries {
			names = append(names, e.Name)
		}
		problems := append([]skills.Problem{}, lib.Problems...)
		return errors.Join(s.PrintJSON(map[string]any{"names": names, "problems": problems, "not_trusted": append([]string{}, passed...)}), console.Silent(code))
	}
	for _, p := range lib.Problems {
		mark := "problem"
		if p.Remark {
			mark = "remark"
		}
		fmt.Fprintf(s.Out, "%s: %s\n", mark, p)
	}
	for _, dir := range passed {
		fmt.Fprintf(s.Out, "remark: %s: not read, because this folder is not trusted (ml-intern skills check DIR looks at it)\n", plain.ForTerminal(dir))
	}
	kinds := map[skills.Kind]int{}
	for _, e := range lib.Entries {
		kinds[e.Kind]++
	}
	fmt.Fprintf(s.Out, "%d skills and %d commands are sound\n", kinds[skills.Skill], kinds[skills.Command])
	return console.Silent(code)
}

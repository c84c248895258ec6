package turns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/checkpoint"
	"github.com/ml-intern/ml-intern/internal/app/changes"
	"github.com/ml-intern/ml-intern/internal/app/saved"
	"github.com/ml-intern/ml-intern/internal/app/slash/desk"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// inPlace is how many lines of a difference are printed; longer ones are paged.
const inPlace = 60

// Diff shows what the session's calls have changed in the workspace.
func Diff(d *desk.Desk) dialog.Command {
	return dialog.Command{
		Name: "diff", Args: "[turn]", Help: "what the session, or one turn, has changed in files",
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			all, err := chosenChanges(talk.Conversation(), args)
			if err != nil {
				return err
			}
			if len(all) == 0 {
				talk.Print("No call has changed a file" + map[bool]string{true: ".", false: " in that turn."}[args == ""])
				return nil
			}
			columns, _ := talk.Size()
			talk.Print(desk.Table(fileRows(all), columns))
			text, err := difference(ctx, d, talk.Conversation(), all)
			switch {
			case err != nil:
				return fmt.Errorf("the difference cannot be shown: %w", err)
			case text == "":
				talk.Print("Nothing of it is left: every change was taken back.")
				return nil
			case strings.Count(text, "\n") <= inPlace:
				talk.Diff(text)
				return nil
			}
			return talk.Page(ctx, "Changes of "+amount.Count(len(fileRows(all)), "file"), text)
		},
	}
}

// chosenChanges are the changes of a turn, or of all that were not taken back.
// A turn is named by its number, or as "last".
func chosenChanges(c dialog.Conversation, turn string) ([]dialog.Change, error) {
	standing := map[string]bool{}
	turns := c.Turns()
	for _, t := range turns {
		standing[t.ID] = true
	}
	all := slices.DeleteFunc(c.Changes(), func(ch dialog.Change) bool { return !standing[ch.TurnID] })
	if turn == "" {
		return all, nil
	}
	id := "turn_" + strings.TrimPrefix(turn, "turn_")
	if turn == "last" && len(turns) > 0 {
		id = turns[len(turns)-1].ID
	}
	if !standing[id] {
		var ids []string
		for _, t := range turns {
			ids = append(ids, strings.TrimPrefix(t.ID, "turn_"))
		}
		if len(ids) == 0 {
			return nil, errors.New("/diff: there is no turn yet")
		}
		return nil, fmt.Errorf("/diff %s: there is no such turn; the turns are %s", turn, strings.Join(ids, ", "))
	}
	return slices.DeleteFunc(all, func(ch dialog.Change) bool { return ch.TurnID != id }), nil
}

// fileRows are the files that were changed, with the lines of all calls.
func fileRows(all []dialog.Change) [][2]string {
	var files []event.FileChanged
	for _, ch := range all {
		for _, f := range ch.Files {
			i := slices.IndexFunc(files, func(other event.FileChanged) bool { return other.Path == f.Path })
			if i < 0 {
				files = append(files, f)
				continue
			}
			was := &files[i]
			was.Added, was.Removed = was.Added+f.Added, was.Removed+f.Removed
			if was.Change != "added" || f.Change == "deleted" {
				was.Change = f.Change
			}
		}
	}
	slices.SortFunc(files, func(a, b event.FileChanged) int { return strings.Compare(a.Path, b.Path) })
	var rows [][2]string
	for _, f := range files {
		rows = append(rows, [2]string{saved.Line(f.Path), fmt.Sprintf("%s, +%s -%s", f.Change, amount.Grouped(f.Added), amount.Grouped(f.Removed))})
	}
	return rows
}

// difference is what changes come to as one unified text. Where one began with
// what the one before had left they are shown together; what others have
// changed in between is left out.
func difference(ctx context.Context, d *desk.Desk, c dialog.Conversation, all []dialog.Change) (string, error) {
	points, err := checkpoints(ctx, d, c)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].Before == all[n-1].After {
			n++
		}
		text, err := points.Diff(ctx, all[0].Before, all[n-1].After)
		if err != nil {
			return "", err
		}
		out.WriteString(onlyFiles(text, all[:n]))
		all = all[n:]
	}
	return out.String(), nil
}

// onlyFiles keeps of a difference in git's form the files of some changes.
func onlyFiles(text string, all []dialog.Change) string {
	mine := map[string]bool{}
	for _, ch := range all {
		for _, f := range ch.Files {
			mine[f.Path] = true
		}
	}
	const head = "diff --git "
	var out strings.Builder
	keep := true
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, head); ok {
			keep = namesOne(strings.TrimRight(rest, "\n"), mine)
		}
		if keep {
			out.WriteString(line)
		}
	}
	return out.String()
}

// namesOne reports whether "a/X b/X" is about one of the files. What git has put
// in quotes cannot be told and is kept.
func namesOne(names string, files map[string]bool) bool {
	if strings.HasPrefix(names, `"`) {
		return true
	}
	half := (len(names) - 1) / 2 // both names are the same: nothing counts as renamed
	return half > 2 && files[names[2:half]]
}

// checkpoints are those of the session, in the folder that it works in.
func checkpoints(ctx context.Context, d *desk.Desk, c dialog.Conversation) (*checkpoint.Checkpoints, error) {
	loaded := d.App.Loaded
	if cwd := c.Settings().Cwd; cwd != "" && cwd != loaded.Dir {
		var err error
		if loaded, err = config.Load(ctx, config.Options{Dir: cwd, Environ: loaded.Environ()}); loaded == nil {
			return nil, err
		}
	}
	points := changes.Remembered(loaded, c.ID(), true, func(string) {}, d.App.Debug)
	if points == nil {
		return nil, errors.New("changes are not remembered here (checkpoints is off, or the tools run in a sandbox)")
	}
	return points, nil
}

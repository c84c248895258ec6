package project

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ml-intern/ml-intern/internal/app/draft"
	"github.com/ml-intern/ml-intern/internal/app/slash/desk"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// Init drafts the project's instructions from what is really there. Nothing is
// overwritten.
func Init(d *desk.Desk) dialog.Command {
	return dialog.Command{
		Name: "init", Help: "draft AGENTS.md from what is in this project",
		Run: func(ctx context.Context, talk dialog.Talk, _ string) error {
			path, exists := d.App.Loaded.GuidanceFile()
			if exists {
				return fmt.Errorf("/init: %s is there already; /memory edit changes it", path)
			}
			talk.Print("Looking at " + filepath.Dir(path) + " …")
			facts := draft.Look(ctx, filepath.Dir(path))
			if ctx.Err() != nil {
				return dialog.ErrCancelled
			}
			push, err := pushRule(ctx, d, talk)
			if err != nil {
				return err
			}
			text, err := review(ctx, talk, filepath.Base(path), facts.Markdown(push))
			if err != nil {
				return err
			}
			yes, err := talk.Choose(ctx, dialog.Menu{
				Title: fmt.Sprintf("Write these %s to %s?", amount.Count(strings.Count(text, "\n"), "line"), path), Items: desk.Options("write it", "leave it"),
			})
			if err != nil || yes != 0 {
				return dialog.ErrCancelled
			}
			if err := create(path, text); err != nil {
				return err
			}
			talk.Print("Written to " + path + ". " + nextTime)
			return nil
		},
	}
}

// pushRule asks what may be pushed to the Hub.
func pushRule(ctx context.Context, d *desk.Desk, talk dialog.Talk) (string, error) {
	whose := "my"
	if who := d.App.User(ctx, false); who != nil {
		whose = *who + "'s"
	}
	rules := []string{
		"Ask before anything is pushed to the Hub.",
		"Models and datasets may be pushed to " + whose + " private repositories; ask before anything becomes public.",
		"Models and datasets may be pushed to " + whose + " repositories.",
		"Push nothing to the Hub.",
	}
	i, err := talk.Choose(ctx, dialog.Menu{Title: "What may be pushed to the Hub?", Items: desk.Options(rules...)})
	if err != nil {
		return "", err
	}
	return rules[i], nil
}

// review lets the person change the draft; where there is no editor it is shown.
func review(ctx context.Context, talk dialog.Talk, name, text string) (string, error) {
	changed, err := talk.Edit(ctx, name, text)
	switch {
	case errors.Is(err, dialog.ErrCancelled):
		return "", err
	case err != nil:
		talk.Warn(err.Error())
		return text, talk.Page(ctx, "The draft", text)
	case strings.TrimSpace(changed) == "":
		return "", errors.New("/init: the draft is empty now, nothing was written")
	}
	if !strings.HasSuffix(changed, "\n") {
		changed += "\n"
	}
	return changed, nil
}

// create writes a file that is not there yet.
func create(path, text string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("/init: %s has come up meanwhile and was left as it is", path)
	}
	if err != nil {
		return fmt.Errorf("/init: %w", err)
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

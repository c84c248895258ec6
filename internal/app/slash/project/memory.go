package project

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ml-intern/ml-intern/internal/app/slash/desk"
	"github.com/ml-intern/ml-intern/internal/config/place"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// nextTime is when what was written counts: instructions are read once a
// conversation.
const nextTime = "It counts from the next conversation on (/new)."

// Memory shows the instructions that are read, or changes one of their files.
func Memory(d *desk.Desk) dialog.Command {
	return dialog.Command{
		Name: "memory", Args: "[edit]", Help: "show or edit the instructions that the agent reads",
		Complete: desk.Offers("edit"),
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			switch strings.ToLower(args) {
			case "":
				return showMemory(ctx, d, talk)
			case "edit":
				return editMemory(ctx, d, talk)
			}
			return fmt.Errorf("/memory %s: there is only /memory edit", args)
		},
	}
}

// showMemory lists the files and shows what the agent is given of them.
func showMemory(ctx context.Context, d *desk.Desk, talk dialog.Talk) error {
	text, files, err := d.App.Loaded.Guidance()
	if err != nil {
		talk.Warn("warning: " + err.Error())
	}
	if len(files) == 0 {
		talk.Print("There are no instructions yet. /init drafts them, #text adds a line, /memory edit writes them. The files would be:\n  " +
			strings.Join(d.App.Loaded.GuidanceFiles(), "\n  "))
		return nil
	}
	used := map[string]bool{}
	var rows [][2]string
	for _, path := range files {
		used[path] = true
	}
	for _, path := range d.App.Loaded.GuidanceFiles() {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			continue
		case used[path]:
			rows = append(rows, [2]string{d.Short(path), amount.Bytes(info.Size())})
		default:
			rows = append(rows, [2]string{d.Short(path), fmt.Sprintf("%s, left out: together they may have %s", amount.Bytes(info.Size()), amount.Bytes(int64(place.GuidanceLimit)))})
		}
	}
	columns, _ := talk.Size()
	talk.Print(desk.Table(rows, columns))
	return talk.Page(ctx, "What the agent is given, the nearest last", text)
}

// editMemory changes one of the files, or makes it.
func editMemory(ctx context.Context, d *desk.Desk, talk dialog.Talk) error {
	files := d.App.Loaded.GuidanceFiles()
	menu := dialog.Menu{Title: "Which instructions?"}
	for i, path := range files {
		hint := "this folder"
		switch {
		case i == 0:
			hint = "yours, for all projects"
		case i == 1:
			hint = "the project's"
		}
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			hint += ", not there yet"
		}
		menu.Items = append(menu.Items, dialog.Option{Value: d.Short(path), Hint: hint})
	}
	menu.At = min(1, len(files)-1)
	i, err := talk.Choose(ctx, menu)
	if err != nil {
		return err
	}
	path := files[i]
	old, err := readWhole(path)
	if err != nil {
		return err
	}
	text, err := talk.Edit(ctx, filepath.Base(path), old)
	switch {
	case err != nil:
		return err
	case text == old:
		talk.Print("Nothing was changed.")
		return nil
	}
	if err := writeMemory(path, text, i == 0); err != nil {
		return err
	}
	talk.Print("Written to " + path + ". " + nextTime)
	return nil
}

// largest is the largest file that is put into the editor, in bytes.
const largest = 1 << 20

// readWhole is what stands in a file; nothing where there is none.
func readWhole(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("read the instructions: %w", err)
	case !info.Mode().IsRegular() || info.Size() > largest:
		return "", fmt.Errorf("%s is no text file of up to %s", path, amount.Bytes(int64(largest)))
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the instructions: %w", err)
	}
	return string(raw), nil
}

func writeMemory(path, text string, private bool) error {
	if private {
		return place.WritePrivate(path, []byte(text))
	}
	return place.WriteShared(path, []byte(text))
}

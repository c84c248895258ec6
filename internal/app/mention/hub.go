package mention

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

const (
	// hubWait bounds the questions about one repository.
	hubWait = 15 * time.Second
	// mostCard is how much of a card is read, in bytes.
	mostCard = 20 << 10
	// mostListed is how many files of a repository are named.
	mostListed = 40
)

// repository reads the card of a repository and what the Hub says of it.
func (w *reading) repository(kind, id string) {
	name := "hf:" + id
	if kind != "models" {
		name = "hf:" + kind + "/" + id
	}
	if w.done[name] {
		return
	}
	w.done[name] = true
	ref := repo.Ref{Type: map[string]wire.RepoType{"models": wire.Model, "datasets": wire.Dataset, "spaces": wire.Space}[kind], ID: id}
	if err := wire.CheckRepoID("the name", id); err != nil {
		w.note("@%s is no name of a repository: it stays a text", name)
		return
	}
	if w.o.Hub == nil {
		return
	}
	client, err := w.o.Hub()
	if err != nil {
		w.note("@%s was not read: %v", name, err)
		return
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(w.ctx, hubWait)
	defer cancel()
	info, err := client.Repos.Info(ctx, ref, repo.InfoOptions{Blobs: true})
	switch {
	case errors.Is(err, wire.RepoNotFound) && kind == "models":
		w.note("@%s was not read: there is no such model; data sets are @hf:datasets/%s", name, id)
		return
	case err != nil:
		w.note("@%s was not read: %v", name, err)
		return
	}
	text := facts(info)
	switch card, err := client.Repos.ReadRange(ctx, ref, "main", "README.md", 0, mostCard); {
	case errors.Is(err, wire.EntryNotFound):
		text += "\nIt has no card."
	case err != nil:
		text += "\nIts card could not be read."
		w.note("@%s: its card was not read: %v", name, err)
	default:
		text += "\nIts card:\n\n" + strings.TrimSpace(plain.String(string(card.Data)))
		if card.Size > int64(len(card.Data)) {
			text += fmt.Sprintf("\n… %s of the card left out …", amount.Bytes(card.Size-int64(len(card.Data))))
		}
	}
	w.add(name, "from the Hub, written by its author", "", text)
	w.o.Seen.Add(strings.TrimPrefix(name, "hf:"))
}

// facts are what the Hub says of a repository.
func facts(info repo.Info) string {
	var b strings.Builder
	fact := func(name, value string) {
		if value = line(value); value != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	fact("id", info.ID)
	fact("commit", info.SHA)
	if !info.Modified.IsZero() {
		fact("changed", info.Modified.UTC().Format(time.DateOnly))
	}
	fact("task", info.Task)
	fact("library", info.Library)
	fact("sdk", info.SDK)
	fact("downloads last month", amount.Grouped(info.Downloads))
	fact("likes", amount.Grouped(info.Likes))
	switch {
	case info.Private:
		fact("access", "private")
	case info.Gated != "":
		fact("access", "gated, "+string(info.Gated)+" approval")
	}
	fact("tags", strings.Join(info.Tags[:min(len(info.Tags), mostListed)], ", "))
	total := int64(0)
	for _, f := range info.Siblings {
		total += f.Size
	}
	if len(info.Siblings) > 0 {
		fact("files", fmt.Sprintf("%s, %s", amount.Count(len(info.Siblings), "file"), amount.Bytes(total)))
		for i, f := range info.Siblings {
			if i == mostListed {
				fmt.Fprintf(&b, "- … %d more\n", len(info.Siblings)-mostListed)
				break
			}
			fmt.Fprintf(&b, "- %s (%s)\n", line(f.Path), amount.Bytes(f.Size))
		}
	}
	return b.String()
}

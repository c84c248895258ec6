package ledger

import (
	"os"
	"slices"
	"time"
)

// Store is where sessions lie.
type Store interface {
	Sessions() ([]string, error)
	JournalPath(id string) (string, error)
}

// Since reads the sessions of a store that were written to since a time, newest
// first. Those that cannot be read are told to skipped and left out.
func Since(store Store, since time.Time, skipped func(text string)) ([]Session, error) {
	ids, err := store.Sessions()
	if err != nil {
		return nil, err
	}
	var all []Session
	for _, id := range ids {
		path, err := store.JournalPath(id)
		if err != nil {
			continue
		}
		if info, err := os.Stat(path); err != nil || info.ModTime().Before(since) {
			continue
		}
		s, err := Read(id, path)
		if err != nil {
			skipped(err.Error())
			continue
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(x, y Session) int { return y.Updated.Compare(x.Updated) })
	return all, nil
}

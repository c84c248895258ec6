package app

import (
	"os"
	"slices"
	"time"

	"github.com/ml-intern/ml-intern/internal/app/ledger"
)

// Ledgers are what the sessions on this machine have spent that were written to
// since a time, newest first. Sessions that cannot be read are told of in the
// debug log and left out.
func (a *App) Ledgers(since time.Time) ([]ledger.Session, error) {
	ids, err := a.store.Sessions()
	if err != nil {
		return nil, err
	}
	var all []ledger.Session
	for _, id := range ids {
		path, err := a.store.JournalPath(id)
		if err != nil {
			continue
		}
		if info, err := os.Stat(path); err != nil || info.ModTime().Before(since) {
			continue
		}
		s, err := ledger.Read(id, path)
		if err != nil {
			a.Debug(err.Error())
			continue
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(x, y ledger.Session) int { return y.Updated.Compare(x.Updated) })
	return all, nil
}

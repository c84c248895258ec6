package repo

import "github.com/ml-intern/ml-intern/internal/hubsim/repo/card"

// cachedCard is the front matter last read.
type cachedCard struct {
	blob string
	data map[string]any
}

// Card is the front matter of the README of a commit, nil when there is none.
// It must not be changed.
func (r *Repo) Card(oid string) map[string]any {
	e, err := r.Stat(oid, "README.md")
	if err != nil || e.Dir || e.LFS != nil {
		return nil
	}
	r.mu.Lock()
	known := r.card
	r.mu.Unlock()
	if known.blob == e.OID {
		return known.data
	}
	body, err := r.Objects().Blob(e.OID)
	if err != nil {
		return nil
	}
	data, _ := card.Parse(string(body)) // a broken card counts as none
	r.mu.Lock()
	r.card = cachedCard{blob: e.OID, data: data}
	r.mu.Unlock()
	return data
}

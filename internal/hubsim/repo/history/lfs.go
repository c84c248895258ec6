package history

import (
	"maps"
	"slices"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
)

// LFSRecord is a large file this repository may name.
type LFSRecord struct {
	Size     int64     `json:"size"`
	Filename string    `json:"filename,omitempty"` // empty: announced, not committed
	Ref      string    `json:"ref,omitempty"`
	PushedAt time.Time `json:"pushedAt,omitzero"`
}

// ExpectLFS notes that a content of this repository is on its way; a commit may
// name it once it is stored.
func (h *History) ExpectLFS(sha string, size int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.lfs[sha]; !ok {
		h.lfs[sha] = LFSRecord{Size: size}
	}
}

// HasLFS reports whether this repository may name a stored content.
func (h *History) HasLFS(sha string) bool { return h.NamesLFS(sha) && h.o.Content.Has(sha) }

// NamesLFS reports whether this repository names a content, stored or not.
func (h *History) NamesLFS(sha string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.lfs[sha]
	return ok
}

// LFSFile is a large file that was committed once.
type LFSFile struct {
	SHA256   string
	Filename string
	Ref      string
	Size     int64
	PushedAt time.Time
}

// LFSFiles lists the large files of all commits, by sha256.
func (h *History) LFSFiles() []LFSFile {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []LFSFile
	for _, sha := range slices.Sorted(maps.Keys(h.lfs)) {
		if rec := h.lfs[sha]; rec.Filename != "" {
			all = append(all, LFSFile{SHA256: sha, Filename: rec.Filename, Ref: rec.Ref, Size: rec.Size, PushedAt: rec.PushedAt})
		}
	}
	return all
}

// ForgetLFS lets go of large files, and with rewrite of the pointers to them in
// all commits. It deletes no content.
func (h *History) ForgetLFS(sums []string, rewrite bool, by string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, sha := range sums {
		if h.lfs[sha].Filename == "" {
			return answer.NotFound(answer.EntryNotFound, "LFS file "+sha+" does not exist")
		}
	}
	if rewrite {
		if err := h.rewrite(sums, by); err != nil {
			return err
		}
	}
	for _, sha := range sums {
		delete(h.lfs, sha)
	}
	return nil
}

// rewrite moves all refs to commits without the files. The caller holds the
// lock.
func (h *History) rewrite(sums []string, by string) error {
	names := slices.Sorted(maps.Keys(h.refs.Names))
	heads := make([]string, len(names))
	for i, ref := range names {
		heads[i] = h.refs.Names[ref]
	}
	renamed, err := h.objects.Without(sums, heads...)
	if err != nil {
		return err
	}
	at := h.o.Clock.Stamp()
	for i, ref := range names {
		if to, ok := renamed[heads[i]]; ok {
			h.refs.Set(ref, to, by, at)
		}
	}
	return nil
}

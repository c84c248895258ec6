package cache

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// version changes when the form of the files does.
	version = 1
	// headLimit bounds the first line of a file and entryLimit a whole one, in
	// bytes: whatever is longer is not ours.
	headLimit  = 256 << 10
	entryLimit = 64 << 20
	// recount is after how many writes the directory is counted anew, because
	// other processes write to it too.
	recount = 256
	// unfinished files are left alone for so long.
	unfinished = time.Hour
	// coarse is how exactly the last use of a file is known.
	coarse = time.Minute
)

// disk keeps one file an answer: a line of JSON that describes it, then its
// body. A file appears whole under its name, and its hash tells whether it
// still is. The time of a file is that of its last use.
type disk struct {
	dir   string
	limit int64

	mu     sync.Mutex
	bytes  int64 // about what is there
	writes int   // since the last count; counted is whether there was one
	count  bool
}

type head struct {
	Version int         `json:"v"`
	Key     string      `json:"key"`
	URL     string      `json:"url"`
	Status  int         `json:"status"`
	Header  http.Header `json:"header"`
	Fetched time.Time   `json:"fetched"`
	Checked time.Time   `json:"checked"`
	SHA256  string      `json:"sha256"`
	Size    int64       `json:"size"`
}

func (d *disk) path(key string) string { return filepath.Join(d.dir, key[:2], key[2:]) }

// read returns an entry; a file that is torn or foreign is removed.
func (d *disk) read(key string) (Entry, bool) {
	if d == nil {
		return Entry{}, false
	}
	data, err := readFile(d.path(key))
	if err != nil {
		return Entry{}, false
	}
	e, ok := decode(key, data)
	if !ok {
		_ = os.Remove(d.path(key))
		return Entry{}, false
	}
	d.touch(key)
	return e, true
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, cmp.Or(err, fs.ErrInvalid)
	}
	return io.ReadAll(io.LimitReader(f, entryLimit+headLimit))
}

func decode(key string, data []byte) (Entry, bool) {
	line, body, ok := bytes.Cut(data, []byte("\n"))
	var h head
	if !ok || len(line) > headLimit || json.Unmarshal(line, &h) != nil {
		return Entry{}, false
	}
	sum := sha256.Sum256(body)
	if h.Version != version || h.Key != key || h.Size != int64(len(body)) || h.SHA256 != hex.EncodeToString(sum[:]) {
		return Entry{}, false
	}
	return Entry{
		URL: h.URL, Status: h.Status, Header: h.Header, Body: body,
		FetchedAt: h.Fetched, CheckedAt: h.Checked, SHA256: h.SHA256,
	}, true
}

// touch notes the use of a file.
func (d *disk) touch(key string) {
	if d == nil {
		return
	}
	if info, err := os.Stat(d.path(key)); err == nil && time.Since(info.ModTime()) > coarse {
		_ = os.Chtimes(d.path(key), time.Time{}, time.Now())
	}
}

// write keeps an entry and makes room for it.
func (d *disk) write(key string, e Entry) {
	if d == nil || int64(len(e.Body)) > min(entryLimit, d.limit/4) {
		return
	}
	line, err := json.Marshal(head{
		version, key, e.URL, e.Status, e.Header, e.FetchedAt.UTC(), e.CheckedAt.UTC(), e.SHA256, int64(len(e.Body)),
	})
	if err != nil || len(line) > headLimit {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	old := int64(0)
	if info, err := os.Stat(d.path(key)); err == nil {
		old = info.Size()
	}
	size := int64(len(line)) + 1 + int64(len(e.Body))
	if d.place(d.path(key), append(line, '\n'), e.Body) != nil {
		return
	}
	d.bytes += size - old
	d.writes++
	if !d.count || d.writes >= recount || d.bytes > d.limit {
		d.sweep()
	}
}

// place makes a whole file appear under its name, or nothing.
func (d *disk) place(path string, parts ...[]byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".new-*") // 0600
	if err != nil {
		return err
	}
	for _, p := range parts {
		if err == nil {
			_, err = f.Write(p)
		}
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// sweep counts what is there and removes what was not used for longest until
// nine tenths of the limit are left.
func (d *disk) sweep() {
	type file struct {
		path string
		size int64
		used time.Time
	}
	var files []file
	total := int64(0)
	_ = filepath.WalkDir(d.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil // gone meanwhile, or not ours to read
		}
		if entry.IsDir() {
			if path != d.dir && !isHex(entry.Name(), 2) {
				return fs.SkipDir
			}
			return nil
		}
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || filepath.Dir(path) == d.dir {
			return nil
		}
		if !strings.HasPrefix(entry.Name(), ".new-") && !isHex(entry.Name(), 62) {
			return nil // whoever put it here wants it
		}
		if strings.HasPrefix(entry.Name(), ".new-") {
			if time.Since(info.ModTime()) > unfinished {
				_ = os.Remove(path)
			}
			return nil
		}
		files = append(files, file{path, info.Size(), info.ModTime()})
		total += info.Size()
		return nil
	})
	if total > d.limit {
		slices.SortFunc(files, func(a, b file) int { return a.used.Compare(b.used) })
		for _, f := range files {
			if total <= d.limit/10*9 {
				break
			}
			if os.Remove(f.path) == nil {
				total -= f.size
			}
		}
	}
	d.bytes, d.writes, d.count = total, 0, true
}

func isHex(s string, length int) bool {
	return len(s) == length && strings.Trim(s, "0123456789abcdef") == ""
}

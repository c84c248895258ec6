// Package cache keeps answers of web servers: the newest in memory, and more of
// them on disk, where other processes may use the same directory. It knows
// neither how long an answer is good nor what is asked.
package cache

import (
	"container/list"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Default limits in bytes.
const (
	DefaultMemory = 256 << 20
	DefaultDisk   = 1 << 30
)

// Entry is an answer. Nobody may change what it holds.
type Entry struct {
	// URL is where the answer came from.
	URL    string
	Status int
	Header http.Header
	Body   []byte
	// FetchedAt is when the bytes came, CheckedAt when they were last known to
	// be those of the server.
	FetchedAt, CheckedAt time.Time
	SHA256               string // of Body, in hex
}

// size is about what an entry takes.
func (e Entry) size() int64 {
	n := int64(len(e.Body)) + int64(len(e.URL)) + 2<<10
	for name, values := range e.Header {
		n += int64(len(name))
		for _, v := range values {
			n += int64(len(v))
		}
	}
	return n
}

// Options make a Cache.
type Options struct {
	// Dir keeps answers on disk; empty keeps them in memory only.
	Dir string
	// Memory and Disk bound what is kept, in bytes; 0 are the defaults, less
	// than 0 is nothing.
	Memory, Disk int64
}

// Cache is safe for concurrent use.
type Cache struct {
	limit int64
	disk  *disk

	mu    sync.Mutex
	items map[string]*list.Element // of *item
	order *list.List               // the newest use first
	bytes int64
}

type item struct {
	key   string
	entry Entry
}

// New returns a Cache. Directories are made when the first answer is kept.
func New(o Options) *Cache {
	if o.Memory == 0 {
		o.Memory = DefaultMemory
	}
	if o.Disk == 0 {
		o.Disk = DefaultDisk
	}
	c := &Cache{limit: o.Memory, items: map[string]*list.Element{}, order: list.New()}
	if o.Dir != "" && o.Disk > 0 {
		c.disk = &disk{dir: o.Dir, limit: o.Disk}
	}
	return c
}

// Entry returns what is kept under key, which is a hash in hex.
func (c *Cache) Entry(key string) (Entry, bool) {
	c.mu.Lock()
	if el, ok := c.items[key]; ok {
		c.order.MoveToFront(el)
		e := el.Value.(*item).entry
		c.mu.Unlock()
		c.disk.touch(key)
		return e, true
	}
	c.mu.Unlock()
	e, ok := c.disk.read(key)
	if ok {
		c.remember(key, e)
	}
	return e, ok
}

// Keep keeps an answer. A disk that is full or closed is no failure: the answer
// is then asked for again some day.
func (c *Cache) Keep(key string, e Entry) {
	e.Header = keptHeader(e.Header)
	c.remember(key, e)
	c.disk.write(key, e)
}

func (c *Cache) remember(key string, e Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.items[key]; ok {
		c.drop(el)
	}
	if e.size() > c.limit/4 {
		return // one answer must not push out all others
	}
	c.items[key] = c.order.PushFront(&item{key, e})
	c.bytes += e.size()
	for c.bytes > c.limit {
		c.drop(c.order.Back())
	}
}

// drop forgets an entry; the caller holds the lock.
func (c *Cache) drop(el *list.Element) {
	it := c.order.Remove(el).(*item)
	delete(c.items, it.key)
	c.bytes -= it.entry.size()
}

// keptHeader leaves out what belongs to one exchange, such as cookies and what
// was left of a quota.
func keptHeader(h http.Header) http.Header {
	h = maps.Clone(h)
	maps.DeleteFunc(h, func(name string, _ []string) bool {
		return slices.Contains([]string{
			"Set-Cookie", "Connection", "Keep-Alive", "Transfer-Encoding", "Ratelimit", "Ratelimit-Policy",
			"Www-Authenticate", "Report-To", "Nel", "Content-Security-Policy", "Strict-Transport-Security",
		}, http.CanonicalHeaderKey(name))
	})
	return h
}

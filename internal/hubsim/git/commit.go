package git

import (
	"container/heap"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Commit is a state of all files with its history.
type Commit struct {
	OID     string // its name; not read by PutCommit
	Tree    string
	Parents []string
	Author  string
	Email   string
	When    time.Time // whole seconds
	Message string

	depth int // commits on the longest way to the beginning
}

// Title is the first line of the message.
func (c *Commit) Title() string {
	title, _, _ := strings.Cut(c.Message, "\n")
	return title
}

// Body is the message without its title.
func (c *Commit) Body() string {
	_, body, _ := strings.Cut(c.Message, "\n")
	return strings.Trim(body, "\n")
}

// plainName drops what would end a name in a commit.
func plainName(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == '<' || r == '>' || r < ' ' {
			return -1
		}
		return r
	}, s))
	if s == "" {
		return "unknown"
	}
	return s
}

// PutCommit stores a commit and returns its name.
func (o *Objects) PutCommit(c Commit) (string, error) {
	var b strings.Builder
	b.WriteString("tree " + c.Tree + "\n")
	for _, p := range c.Parents {
		b.WriteString("parent " + p + "\n")
	}
	who := fmt.Sprintf("%s <%s> %d +0000\n", plainName(c.Author), plainName(c.Email), c.When.Unix())
	b.WriteString("author " + who + "committer " + who)
	b.WriteString("\n" + strings.ReplaceAll(c.Message, "\x00", ""))
	return o.Put(CommitKind, []byte(b.String()))
}

// Commit reads a commit.
func (o *Objects) Commit(oid string) (*Commit, error) {
	o.mu.Lock()
	c, ok := o.commits[oid]
	o.mu.Unlock()
	if ok {
		return c, nil
	}
	body, err := o.read(CommitKind, oid)
	if err != nil {
		return nil, err
	}
	if c, err = decodeCommit(body); err != nil {
		return nil, fmt.Errorf("read commit %s: %w", oid, err)
	}
	c.OID = oid
	if err := o.measure(c); err != nil {
		return nil, err
	}
	o.mu.Lock()
	o.commits[oid] = c
	o.mu.Unlock()
	return c, nil
}

// measure finds the depth of c. It goes down the first parents in a loop,
// because histories are longer than stacks should be deep.
func (o *Objects) measure(c *Commit) error {
	chain := []*Commit{c}
	for {
		last := chain[len(chain)-1]
		if len(last.Parents) == 0 {
			break
		}
		o.mu.Lock()
		_, known := o.commits[last.Parents[0]]
		o.mu.Unlock()
		if known {
			break
		}
		body, err := o.read(CommitKind, last.Parents[0])
		if err != nil {
			return err
		}
		next, err := decodeCommit(body)
		if err != nil {
			return fmt.Errorf("read commit %s: %w", last.Parents[0], err)
		}
		next.OID = last.Parents[0]
		chain = append(chain, next)
	}
	for _, c := range slices.Backward(chain) {
		c.depth = 1
		for _, p := range c.Parents {
			parent, err := o.Commit(p)
			if err != nil {
				return err
			}
			c.depth = max(c.depth, parent.depth+1)
		}
		o.mu.Lock()
		o.commits[c.OID] = c
		o.mu.Unlock()
	}
	return nil
}

func decodeCommit(body []byte) (*Commit, error) {
	head, message, ok := strings.Cut(string(body), "\n\n")
	if !ok {
		return nil, errors.New("it has no message")
	}
	c := &Commit{Message: message}
	for line := range strings.SplitSeq(head, "\n") {
		key, value, _ := strings.Cut(line, " ")
		switch key {
		case "tree":
			c.Tree = value
		case "parent":
			c.Parents = append(c.Parents, value)
		case "author":
			name, rest, _ := strings.Cut(value, " <")
			email, at, _ := strings.Cut(rest, "> ")
			seconds, err := strconv.ParseInt(strings.TrimSuffix(at, " +0000"), 10, 64)
			if err != nil {
				return nil, fmt.Errorf("its time is %q", at)
			}
			c.Author, c.Email, c.When = name, email, time.Unix(seconds, 0).UTC()
		}
	}
	return c, nil
}

// Log lists the history of commits, newest first and no commit before its
// children.
func (o *Objects) Log(heads ...string) ([]*Commit, error) {
	var waiting byDepth
	seen := map[string]bool{}
	push := func(oid string) error {
		if seen[oid] {
			return nil
		}
		seen[oid] = true
		c, err := o.Commit(oid)
		if err != nil {
			return err
		}
		heap.Push(&waiting, c)
		return nil
	}
	for _, h := range heads {
		if err := push(h); err != nil {
			return nil, err
		}
	}
	var log []*Commit
	for waiting.Len() > 0 {
		c := heap.Pop(&waiting).(*Commit)
		log = append(log, c)
		for _, p := range c.Parents {
			if err := push(p); err != nil {
				return nil, err
			}
		}
	}
	return log, nil
}

// byDepth is a heap of commits: those farthest from the beginning first, which
// puts children before parents whatever the clock said.
type byDepth []*Commit

func (h byDepth) Len() int { return len(h) }
func (h byDepth) Less(i, j int) bool {
	if h[i].depth != h[j].depth {
		return h[i].depth > h[j].depth
	}
	if !h[i].When.Equal(h[j].When) {
		return h[i].When.After(h[j].When)
	}
	return h[i].OID < h[j].OID
}
func (h byDepth) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *byDepth) Push(x any)   { *h = append(*h, x.(*Commit)) }
func (h *byDepth) Pop() any {
	old := *h
	c := old[len(old)-1]
	*h = old[:len(old)-1]
	return c
}

// Base finds the newest commit both histories share, empty when there is none.
func (o *Objects) Base(a, b string) (string, error) {
	mine, err := o.Log(a)
	if err != nil {
		return "", err
	}
	theirs, err := o.Log(b)
	if err != nil {
		return "", err
	}
	in := map[string]bool{}
	for _, c := range mine {
		in[c.OID] = true
	}
	for _, c := range theirs {
		if in[c.OID] {
			return c.OID, nil
		}
	}
	return "", nil
}

package transcript

import (
	"slices"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Format is how a provider's wire writes the messages that [Thread.Update]
// returned last.
type Format interface {
	// Size is about how many bytes a message takes.
	Size(m llm.Message) int
	// Next returns where the group ends that begins at a message. A group is
	// the messages whose text cannot be written apart; where it ends depends
	// on them and on the message after them.
	Next(from int) (to int)
	// Shape sets the form of every group.
	Shape(groups []Group)
	// Append appends the text of a group, each of its elements with a comma in
	// front. It depends on the group's messages and form and on the thread's
	// key, on nothing else.
	Append(dst []byte, g Group) []byte
}

// Group is a run of messages that are written together.
type Group struct {
	From, To int
	// Form holds what else the text depends on, as bits to which a Format
	// gives a meaning: a cache marker, say.
	Form uint8
}

// loose is how many groups at the end are not kept: they are the ones that
// cache markers are on, and that more messages may join.
const loose = 3

// Thread is one conversation on its way to a provider. It is kept from one
// request to the next, so that of a conversation that grew only the new
// messages are prepared and encoded. Where a message has changed or is gone,
// all are. The result never depends on earlier updates. A Thread serves one
// request at a time; its zero value is an empty conversation.
type Thread struct {
	key  key
	fold fold
	seen []stamp       // of the messages given so far
	out  []llm.Message // what Update returned
	// valid is for how many of the prepared messages sizes, groups and pieces
	// hold.
	valid  int
	sizes  []int // sizes[i] is the size of the messages up to and with i
	groups []Group
	pieces []piece
	// text is that of the pieces. It is only ever appended to, as requests
	// that are still being sent read from it.
	text []byte
}

// piece is a group whose text is kept.
type piece struct {
	group Group
	end   int // in Thread.text
}

// Update returns what [Prepare] returns. The options must be the same for all
// updates of a thread, but for KeepLast. The messages are valid until the next
// update and must not be modified.
func (t *Thread) Update(msgs []llm.Message, opts Options) []llm.Message {
	if !t.continues(msgs) {
		*t = Thread{key: t.key}
	}
	for _, m := range msgs[len(t.seen):] {
		t.seen = append(t.seen, stampOf(m))
		t.fold.add(m, opts)
	}
	t.valid = min(t.valid, t.fold.shrink(opts))
	t.out = t.fold.closed(opts)
	return t.out
}

// continues reports whether msgs begin with those of the last update.
func (t *Thread) continues(msgs []llm.Message) bool {
	if len(msgs) < len(t.seen) {
		return false
	}
	for i := range t.seen {
		if !t.seen[i].fits(&msgs[i]) {
			return false
		}
	}
	return true
}

// Encode returns the text of the messages in two parts, without the comma at
// the start. The first part is shared with later requests: both may be read at
// any time, and only the second may be appended to.
func (t *Thread) Encode(f Format) (kept, fresh []byte) {
	t.measure(f)
	t.group(f)
	same := t.agreed()
	t.cut(same)
	firm := max(same, len(t.groups)-loose)
	t.text = slices.Grow(t.text, t.room(same, firm))
	for _, g := range t.groups[same:firm] {
		t.text = f.Append(t.text, g)
		t.pieces = append(t.pieces, piece{g, len(t.text)})
	}
	fresh = make([]byte, 0, t.room(firm, len(t.groups)))
	for _, g := range t.groups[firm:] {
		fresh = f.Append(fresh, g)
	}
	t.valid = len(t.fold.msgs)
	kept = t.text[:len(t.text):len(t.text)]
	switch {
	case len(kept) > 0:
		kept = kept[1:]
	case len(fresh) > 0:
		fresh = fresh[1:]
	}
	return kept, fresh
}

// Size is the sum of the sizes of the messages encoded last.
func (t *Thread) Size() int { return t.before(len(t.out)) }

// before is the size of the first n messages.
func (t *Thread) before(n int) int {
	if n == 0 {
		return 0
	}
	return t.sizes[n-1]
}

func (t *Thread) measure(f Format) {
	t.sizes = t.sizes[:t.valid]
	sum := t.before(t.valid)
	for _, m := range t.out[t.valid:] {
		sum += f.Size(m)
		t.sizes = append(t.sizes, sum)
	}
}

// group divides the messages anew where they are. The last of the groups that
// are still valid may go on.
func (t *Thread) group(f Format) {
	n := len(t.groups)
	for n > 0 && t.groups[n-1].To > t.valid {
		n--
	}
	t.groups = t.groups[:max(0, n-1)]
	from := 0
	if n > 1 {
		from = t.groups[n-2].To
	}
	for from < len(t.out) {
		to := f.Next(from)
		t.groups = append(t.groups, Group{From: from, To: to})
		from = to
	}
	f.Shape(t.groups)
}

// agreed is how many pieces at the start are still right.
func (t *Thread) agreed() int {
	for i, p := range t.pieces {
		if i == len(t.groups) || p.group != t.groups[i] || p.group.To > t.valid {
			return i
		}
	}
	return len(t.pieces)
}

// cut gives up all pieces but the first n. The text keeps no capacity that
// others may be reading: what is appended next moves it.
func (t *Thread) cut(n int) {
	if n == len(t.pieces) {
		return
	}
	end := 0
	if n > 0 {
		end = t.pieces[n-1].end
	}
	t.pieces, t.text = t.pieces[:n], t.text[:end:end]
}

// room is about how many bytes groups take. Escapes make text longer.
func (t *Thread) room(from, to int) int {
	if from >= to {
		return 0
	}
	n := t.before(t.groups[to-1].To) - t.before(t.groups[from].From)
	return n + n/16 + 64
}

// weight is about how many bytes of memory a thread takes.
func (t *Thread) weight() int {
	const each = 600 // a stamp, a prepared message, a group and their elements
	return cap(t.text) + t.before(len(t.sizes)) + each*len(t.seen)
}

package editor

import "slices"

// How much can be undone.
const (
	undoSteps = 1000
	undoBytes = 8 << 20
)

// kind is what an edit belongs to: some go on with the one before, so that one
// undo takes back a word and not a character.
type kind uint8

const (
	other kind = iota
	letters
	blank
	erase
	eraseAhead
)

// edit is one change: at at, del was replaced by ins.
type edit struct {
	at       int
	del, ins string
	before   int // the cursor
	kind     kind
}

// change replaces what stands between from and to. The cursor is behind it
// afterwards.
func (e *Editor) change(from, to int, ins string, k kind) {
	if string(e.text[from:to]) == ins {
		e.move(to)
		return
	}
	next := edit{at: from, del: string(e.text[from:to]), ins: ins, before: e.cursor, kind: k}
	if !e.continues(next) {
		e.undo = append(e.undo, next)
		e.trim()
	}
	e.redo = nil
	e.apply(from, to, ins, from+len(ins))
	e.typing = k
}

// continues adds an edit to the last one where they belong together.
func (e *Editor) continues(next edit) bool {
	if len(e.undo) == 0 || e.typing == other {
		return false
	}
	last := &e.undo[len(e.undo)-1]
	switch {
	case (next.kind == letters && e.typing == letters || next.kind == blank && e.typing != erase && e.typing != eraseAhead) &&
		next.del == "" && next.at == last.at+len(last.ins):
		last.ins += next.ins
	case next.kind == erase && e.typing == erase && next.at+len(next.del) == last.at:
		last.at, last.del = next.at, next.del+last.del
	case next.kind == eraseAhead && e.typing == eraseAhead && next.at == last.at:
		last.del += next.del
	default:
		return false
	}
	return true
}

// trim forgets the oldest steps that are too many. The newest stays whatever
// its size.
func (e *Editor) trim() {
	size, from := 0, len(e.undo)
	for from > 0 && len(e.undo)-from < undoSteps {
		size += len(e.undo[from-1].del) + len(e.undo[from-1].ins)
		if size > undoBytes && from < len(e.undo) {
			break
		}
		from--
	}
	e.undo = slices.Delete(e.undo, 0, from)
}

// apply changes the text, and nothing that can be undone.
func (e *Editor) apply(from, to int, ins string, cursor int) {
	e.text = slices.Replace(e.text, from, to, []byte(ins)...)
	if e.top > from {
		e.top = max(from, e.top+len(ins)-(to-from))
	}
	e.rows.forget()
	e.version++
	e.move(e.boundaryAfter(cursor)) // what met may have become one character
}

// Undo takes the last change back and reports whether there was one.
func (e *Editor) Undo() bool {
	if len(e.undo) == 0 {
		return false
	}
	last := e.undo[len(e.undo)-1]
	e.undo = e.undo[:len(e.undo)-1]
	e.redo = append(e.redo, last)
	e.apply(last.at, last.at+len(last.ins), last.del, last.before)
	return true
}

// Redo makes the change that was taken back last again.
func (e *Editor) Redo() bool {
	if len(e.redo) == 0 {
		return false
	}
	last := e.redo[len(e.redo)-1]
	e.redo = e.redo[:len(e.redo)-1]
	e.undo = append(e.undo, last)
	e.apply(last.at, last.at+len(last.del), last.ins, last.at+len(last.ins))
	return true
}

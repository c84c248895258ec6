// Package editor is a text that is being written: characters as people see
// them (grapheme clusters), a cursor between them, words, lines, a kill slot,
// undo and redo, and long pasted pieces that are folded into one unit. It knows
// no keys, no colours and no terminal; how wide a row may be is told to it.
package editor

import (
	"bytes"
	"slices"
	"strings"
)

// Editor is a text and a place in it. Its zero value is empty and ready.
//
// The text is one slice of bytes: moving the end of a megabyte by one byte
// takes some microseconds, and every position is one number. It holds no
// control characters but newline, tab, and the marks around a fold's number.
type Editor struct {
	text   []byte
	cursor int // a boundary between characters

	folds folds
	kill  string // what was cut last, folds as marks
	// killed: the last action cut something, so the next cut adds to it.
	killed bool

	undo, redo []edit
	// typing: the last action typed or erased a character, which the next one
	// of its kind continues.
	typing kind
	// goal is one more than the column that moving up and down aims at; 0 is none.
	goal int

	rows layout
	top  int // where the first row that is shown begins

	version int
}

// Text is the whole text, folds unfolded.
func (e *Editor) Text() string { return e.folds.expand(string(e.text)) }

// Shown is the text as it is seen: a fold is its label.
func (e *Editor) Shown() string { return e.folds.label(string(e.text)) }

// Empty reports whether there is no text.
func (e *Editor) Empty() bool { return len(e.text) == 0 }

// Begins reports whether the text begins with c.
func (e *Editor) Begins(c byte) bool { return len(e.text) > 0 && e.text[0] == c }

// OneLine reports whether the text is a single line that holds no fold.
func (e *Editor) OneLine() bool {
	return bytes.IndexByte(e.text, '\n') < 0 && bytes.IndexByte(e.text, foldStart) < 0
}

// AtLineEnd reports whether nothing of the line stands behind the cursor.
func (e *Editor) AtLineEnd() bool { return e.lineEnd(e.cursor) == e.cursor }

// State changes whenever the text or the place in it does.
type State struct{ version, cursor int }

// State is how things are now.
func (e *Editor) State() State { return State{e.version, e.cursor} }

// Edited reports whether the text is another one than in before.
func (s State) Edited(before State) bool { return s.version != before.version }

// Saved is a text that has been put aside, with its folds and its cursor. It is
// good until the next Reset.
type Saved struct {
	text   string
	cursor int
}

// Save puts the text aside; it stays as well.
func (e *Editor) Save() Saved { return Saved{string(e.text), e.cursor} }

// Restore replaces the text by one that was put aside.
func (e *Editor) Restore(s Saved) {
	e.change(0, len(e.text), s.text, other)
	e.move(s.cursor)
}

// Line is the part of the cursor's line that stands in front of it and whether
// that line is the first, as it is seen. At most limit bytes are looked at; of
// a longer one the end is returned, and first is false.
func (e *Editor) Line(limit int) (before string, first bool) {
	from := e.lineStart(e.cursor)
	first = from == 0
	if e.cursor-from > limit {
		from, first = e.boundaryAfter(e.cursor-limit), false
	}
	return e.folds.label(string(e.text[from:e.cursor])), first
}

// Set replaces the text; the cursor is behind it. It can be undone.
func (e *Editor) Set(text string) {
	e.change(0, len(e.text), Clean(text), other)
}

// Reset forgets everything but what was cut last; what was put aside becomes the
// text, the zero value an empty one.
func (e *Editor) Reset(to Saved) {
	*e = Editor{
		text: []byte(to.text), cursor: to.cursor, kill: e.kill, folds: e.folds.keep(e.kill + to.text),
		rows: layout{width: e.rows.width, method: e.rows.method}, version: e.version + 1,
	}
}

// Type inserts what a key wrote.
func (e *Editor) Type(text string) {
	text = Clean(text)
	k := other
	switch {
	case text == " ":
		k = blank
	case text != "" && !strings.Contains(text, "\n"):
		k = letters
	}
	e.change(e.cursor, e.cursor, text, k)
}

// Insert puts a text at the cursor, as one step of undo.
func (e *Editor) Insert(text string) { e.change(e.cursor, e.cursor, Clean(text), other) }

// Paste inserts a text; a long one is folded.
func (e *Editor) Paste(text string) {
	text = Clean(text)
	if long(text) {
		text = e.folds.add(text)
	}
	e.change(e.cursor, e.cursor, text, other)
}

// Replace puts a text in the place of the n bytes of visible text in front of
// the cursor. Bytes of a fold's label are not taken.
func (e *Editor) Replace(n int, text string) {
	from := max(e.lineStart(e.cursor), e.cursor-n)
	if i := slices.Index(e.text[from:e.cursor], foldEnd); i >= 0 {
		from += i + 1
	}
	e.change(from, e.cursor, Clean(text), other)
}

// Left moves by a character.
func (e *Editor) Left() { e.move(e.prev(e.cursor)) }

// Right moves by a character.
func (e *Editor) Right() { e.move(e.next(e.cursor)) }

// WordLeft moves to the start of the word.
func (e *Editor) WordLeft() { e.move(e.wordLeft(e.cursor)) }

// WordRight moves to the end of the word.
func (e *Editor) WordRight() { e.move(e.wordRight(e.cursor)) }

// Home moves to the start of the line.
func (e *Editor) Home() { e.move(e.lineStart(e.cursor)) }

// End moves to the end of the line.
func (e *Editor) End() { e.move(e.lineEnd(e.cursor)) }

// Top moves to the start of the text.
func (e *Editor) Top() { e.move(0) }

// Bottom moves to the end of the text.
func (e *Editor) Bottom() { e.move(len(e.text)) }

func (e *Editor) move(to int) {
	e.cursor, e.goal = to, 0
	e.typing, e.killed = other, false
}

// Backspace erases the character in front of the cursor.
func (e *Editor) Backspace() { e.change(e.prev(e.cursor), e.cursor, "", erase) }

// Delete erases the character behind the cursor.
func (e *Editor) Delete() { e.change(e.cursor, e.next(e.cursor), "", eraseAhead) }

// CutLine cuts the rest of the line, at its end the line break.
func (e *Editor) CutLine() {
	end := e.lineEnd(e.cursor)
	if end == e.cursor {
		end = e.next(end)
	}
	e.cut(e.cursor, end)
}

// CutLineBack cuts the line up to the cursor, at its start the line break.
func (e *Editor) CutLineBack() {
	from := e.lineStart(e.cursor)
	if from == e.cursor {
		from = e.prev(from)
	}
	e.cut(from, e.cursor)
}

// CutWord cuts to the end of the word.
func (e *Editor) CutWord() { e.cut(e.cursor, e.wordRight(e.cursor)) }

// CutWordBack cuts to the start of the word.
func (e *Editor) CutWordBack() { e.cut(e.wordLeft(e.cursor), e.cursor) }

// CutBlankBack cuts back to the blank in front of the word.
func (e *Editor) CutBlankBack() { e.cut(e.blankLeft(e.cursor), e.cursor) }

// CutAll cuts everything.
func (e *Editor) CutAll() {
	e.killed = false
	e.cut(0, len(e.text))
	e.killed = false
}

// cut takes a piece out and keeps it; cuts that follow each other are kept
// together, in the order of the text.
func (e *Editor) cut(from, to int) {
	if from == to {
		return
	}
	piece, more, back := string(e.text[from:to]), e.killed, to == e.cursor
	e.change(from, to, "", other)
	switch {
	case more && back:
		e.kill = piece + e.kill
	case more:
		e.kill += piece
	default:
		e.kill = piece
	}
	e.killed = true
}

// Yank inserts what was cut last.
func (e *Editor) Yank() { e.change(e.cursor, e.cursor, e.kill, other) }

// AfterBlank reports whether the cursor stands behind a blank or at the start of
// a line.
func (e *Editor) AfterBlank() bool { return e.cursor == 0 || e.class(e.prev(e.cursor)) == space }

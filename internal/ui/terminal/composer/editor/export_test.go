package editor

// Before is the text in front of the cursor.
func (e *Editor) Before() string { return e.folds.label(string(e.text[:e.cursor])) }

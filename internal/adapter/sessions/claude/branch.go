package claude

// inForce returns the rows that the last message goes back to, in the order of
// the file. Calls that were made at once have rows beside that line, and so
// have their results. A file without ids is in force as a whole; where the line
// breaks off, everything before is.
func (f *file) inForce() []*said {
	last := len(f.rows) - 1
	for last >= 0 && f.rows[last].UUID == "" {
		last--
	}
	if last < 0 {
		return f.rows
	}
	kept, root := f.line(f.rows[last].UUID)
	for _, s := range f.rows[last+1:] { // rows without an id behind it
		kept[s] = true
	}
	f.beside(kept)
	var out []*said
	begun := false
	for _, s := range f.rows {
		switch {
		case kept[s], s.UUID == "":
			begun = true
			out = append(out, s)
		case !begun && root == broken:
			out = append(out, s)
		case !begun && root == compacted:
			f.earlier++
		default:
			f.abandoned++
		}
	}
	return out
}

// root is where a line of messages ends.
type root int

const (
	beginning root = iota
	broken         // a row that is not in the file
	compacted      // a summary of what was before
)

// line walks from a row back to the first.
func (f *file) line(id string) (kept map[*said]bool, end root) {
	rows := make(map[string]*said, len(f.rows))
	for _, s := range f.rows {
		if s.UUID != "" {
			rows[s.UUID] = s
		}
	}
	kept = map[*said]bool{}
	walked := map[string]bool{}
	for !walked[id] {
		walked[id] = true
		s := rows[id]
		if s != nil {
			kept[s] = true
		}
		parent, known := f.parents[id]
		if !known {
			return kept, broken
		}
		if parent == nil || *parent == "" {
			break
		}
		id = *parent
	}
	for s := range kept {
		if s.Compact {
			return kept, compacted
		}
	}
	return kept, beginning
}

// beside keeps the rows of the same answers, and the results of their calls.
func (f *file) beside(kept map[*said]bool) {
	answers, calls := map[string]bool{}, map[string]bool{}
	for s := range kept {
		if s.Type == "assistant" && s.ID != "" {
			answers[s.ID] = true
		}
	}
	for _, s := range f.rows {
		if s.Type != "assistant" || !kept[s] && !answers[s.ID] {
			continue
		}
		kept[s] = true
		for _, b := range s.blocks {
			if b.Type == "tool_use" && b.ID != "" {
				calls[b.ID] = true
			}
		}
	}
	for _, s := range f.rows {
		for _, b := range s.blocks {
			if b.Type == "tool_result" && calls[b.ToolUseID] {
				kept[s] = true
			}
		}
	}
}

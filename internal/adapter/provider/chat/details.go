package chat

import (
	"encoding/json"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/transcript"
)

// details collects OpenRouter's reasoning_details. In a stream an entry comes
// in pieces, which are joined: the array goes back as if it had come whole.
type details struct{ entries []map[string]json.RawMessage }

// grows are the members that continue over pieces.
func grows(member string) bool {
	return member == "text" || member == "summary" || member == "data"
}

// add takes a piece and returns the readable text in it.
func (d *details) add(raw json.RawMessage) (text string) {
	var piece map[string]json.RawMessage
	if json.Unmarshal(raw, &piece) != nil || len(piece) == 0 {
		return ""
	}
	for _, member := range []string{"text", "summary"} {
		var s string
		if json.Unmarshal(piece[member], &s) == nil {
			text += s
		}
	}
	if n := len(d.entries); n > 0 && samePiece(d.entries[n-1], piece) {
		join(d.entries[n-1], piece)
		return text
	}
	d.entries = append(d.entries, piece)
	return text
}

// samePiece reports whether b continues a.
func samePiece(a, b map[string]json.RawMessage) bool {
	for _, member := range []string{"type", "index"} {
		if string(a[member]) != string(b[member]) {
			return false
		}
	}
	return !present(a["id"]) || !present(b["id"]) || string(a["id"]) == string(b["id"])
}

func join(into, piece map[string]json.RawMessage) {
	for member, value := range piece {
		var old, more string
		switch {
		case !present(value):
			if into[member] == nil {
				into[member] = value
			}
		case grows(member) && json.Unmarshal(into[member], &old) == nil && json.Unmarshal(value, &more) == nil:
			into[member] = transcript.AppendString(nil, old+more)
		default:
			into[member] = value
		}
	}
}

// json returns the array, nil when there is none.
func (d *details) json() json.RawMessage {
	if len(d.entries) == 0 {
		return nil
	}
	raw, err := json.Marshal(d.entries)
	if err != nil { // members of decoded objects always marshal
		return nil
	}
	return raw
}

package approve

import (
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/approve/call"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/approve/sheet"
)

// item is one call under review.
type item struct {
	asked call.Call // as the model wants it
	call  call.Call // as it would run now
	// changed is what the person has changed, nil for nothing.
	changed  *sheet.Change
	decision *event.Approval
	kept     string       // where rules for its like are kept; empty for nowhere
	sheet    *sheet.Sheet // what is shown; nil until it is needed
}

func newItem(c event.GatedCall) *item {
	asked := call.New(c)
	return &item{asked: asked, call: asked}
}

func (it *item) approve() event.Approval {
	ap := event.Approval{ToolCallID: it.call.ToolCallID, Approved: true}
	switch {
	case it.changed == nil:
	case it.changed.Script:
		ap.EditedScript = it.call.Args.Text("script")
	default:
		if raw, err := event.Encode(it.call.Args); err == nil { // it was read as JSON
			ap.EditedArguments = raw
		}
	}
	return ap
}

func (it *item) reject(feedback string) event.Approval {
	return event.Approval{ToolCallID: it.call.ToolCallID, Feedback: feedback}
}

func (it *item) put(args call.Arguments, changed *sheet.Change) {
	it.call.Args, it.changed, it.sheet = args, changed, nil
}

// describe says what is shown of an item.
func (r *Review) describe(it *item) *sheet.Sheet {
	switch {
	case it.sheet != nil:
	case r.money != nil:
		it.sheet = &sheet.Sheet{Facts: r.money.facts()}
	default:
		it.sheet = sheet.Write(it.call, it.changed, r.o.Options)
	}
	return it.sheet
}

// edit hands a part of the call to the editor.
func (r *Review) edit(it *item) Step {
	if it.call.Args == nil {
		return r.again("its arguments cannot be read, so there is nothing to edit")
	}
	s := it.call.Subject()
	if s.Whole && strings.Contains(s.Text, call.HiddenMark) {
		return r.again("what looks like a secret was taken out of its arguments, and would be lost: reject it and say what to change")
	}
	return Step{Kind: Edit, Name: s.Name, Text: s.Text}
}

// Edited takes the text that was handed out for editing, as the person has left
// it, and asks again with the difference.
func (r *Review) Edited(text string) Step {
	r.note = ""
	if r.Done() {
		return Step{Kind: Done}
	}
	it := r.items[r.at]
	if it.call.Args == nil || r.money != nil {
		return r.again("there is nothing to edit")
	}
	now, before, from := it.call.Subject(), it.asked.Subject(), it.asked.Args
	same := now.What == before.What
	if !same { // an edit of the arguments has made it another call
		before, from, now.Script = now, it.call.Args, false
	}
	text = call.AsWritten(text, before.Text)
	if text == before.Text {
		if same {
			it.put(from, nil)
		}
		return r.again("nothing is changed")
	}
	args, why := now.Put(from, text)
	if why != "" {
		return r.again(why)
	}
	diff := call.Compare(before.Text, text)
	it.put(args, &sheet.Change{Diff: diff, Script: now.Script})
	note := now.What + " is changed (" + diff.Counts() + "): y runs it so, n does not run it"
	if strings.Contains(text, call.HiddenMark) {
		note += "; the secret that was taken out of it does not come back"
	}
	return r.again(note)
}

// told says what was decided.
func (it *item) told() string {
	ap, text := it.decision, it.call.Title()
	switch {
	case ap.Approved && it.changed != nil:
		text = "approved with your changes: " + text
	case ap.Approved:
		text = "approved: " + text
	default:
		text = "rejected: " + text
	}
	if ap.Namespace != "" {
		text += ", paid by " + ap.Namespace
	}
	if it.kept != "" {
		text += "; " + it.kept + " this is not asked about: " + call.Clean(strings.Join(it.call.Rules, ", "))
	}
	if ap.Feedback != "" {
		text += " (" + call.Clean(ap.Feedback) + ")"
	}
	return text
}

package theme

// Glyph is a character with a meaning.
type Glyph uint8

// The glyphs; the comments show them in Unicode and in ASCII. Each is one
// column wide but Arrow and Ellipsis, which take two and three in ASCII.
const (
	Done      Glyph = iota // ✓ +  went well
	Failed                 // ✗ !  went wrong
	Stopped                // ■ #  was ended before its end
	Running                // ● *  goes on
	Current                // ▸ >  the one that is worked on, or chosen
	Pending                // ○ -  not begun
	Prompt                 // ❯ >  in front of what the person types
	Bullet                 // • -  an item of a list
	Bar                    // │ |  beside quoted text, and between columns
	Gutter                 // ▎ |  beside what the person has said
	Branch                 // └ `  a detail of the line above
	Arrow                  // → ->
	Up                     // ↑ ^  sent
	Down                   // ↓ v  received
	Ellipsis               // … ...
	Separator              // · |  between parts of a line
	Dash                   // – -
	Times                  // × x
	Filled                 // █ #  the done part of a bar
	Shade                  // ░ .  the rest of it
	Cursor                 // ▌ _  where text still grows

	Horizontal  // ─ -  frames and rules
	Vertical    // │ |
	TopLeft     // ╭ +
	TopRight    // ╮ +
	BottomLeft  // ╰ +
	BottomRight // ╯ +
	TeeRight    // ├ +  a frame's left side, open to the right
	TeeLeft     // ┤ +
	TeeDown     // ┬ +
	TeeUp       // ┴ +
	Cross       // ┼ +

	glyphCount
)

// glyphs holds each in Unicode and in ASCII.
var glyphs = [glyphCount][2]string{
	Done:        {"✓", "+"},
	Failed:      {"✗", "!"},
	Stopped:     {"■", "#"},
	Running:     {"●", "*"},
	Current:     {"▸", ">"},
	Pending:     {"○", "-"},
	Prompt:      {"❯", ">"},
	Bullet:      {"•", "-"},
	Bar:         {"│", "|"},
	Gutter:      {"▎", "|"},
	Branch:      {"└", "`"},
	Arrow:       {"→", "->"},
	Up:          {"↑", "^"},
	Down:        {"↓", "v"},
	Ellipsis:    {"…", "..."},
	Separator:   {"·", "|"},
	Dash:        {"–", "-"},
	Times:       {"×", "x"},
	Filled:      {"█", "#"},
	Shade:       {"░", "."},
	Cursor:      {"▌", "_"},
	Horizontal:  {"─", "-"},
	Vertical:    {"│", "|"},
	TopLeft:     {"╭", "+"},
	TopRight:    {"╮", "+"},
	BottomLeft:  {"╰", "+"},
	BottomRight: {"╯", "+"},
	TeeRight:    {"├", "+"},
	TeeLeft:     {"┤", "+"},
	TeeDown:     {"┬", "+"},
	TeeUp:       {"┴", "+"},
	Cross:       {"┼", "+"},
}

// Glyph returns the character, unpainted.
func (t *Theme) Glyph(g Glyph) string {
	if t.options.ASCII {
		return glyphs[g][1]
	}
	return glyphs[g][0]
}

// spinners turn in Unicode and in ASCII.
var spinners = [2][]string{
	{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"},
	{"|", "/", "-", "\\"},
}

// Spinner returns picture n of something that turns, over and over; n is not
// negative.
func (t *Theme) Spinner(n int) string {
	frames := spinners[0]
	if t.options.ASCII {
		frames = spinners[1]
	}
	return frames[n%len(frames)]
}

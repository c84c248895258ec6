package compact

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

type askFunc = func(ctx context.Context, msgs []llm.Message, maxTokens int) (string, error)

// instruction asks for the summary. Its headings are those of [heading].
const instruction = `[SYSTEM: SUMMARY] The conversation above no longer fits and will be replaced by what you write now. ` +
	`Call no tools. Write for a capable newcomer who takes over in the middle and sees nothing else but the first request ` +
	`and the newest messages. Be concise and concrete: exact paths, ids, URLs, commands, numbers and settings; ` +
	`no greeting, no praise, no secrets. Use exactly these headings, and write "none" where there is nothing:

## Goal
What is wanted, with every condition and later wish of the user.
## Decisions
What was decided and why, what was found out, which problems came up and how they were solved, what was tried and failed.
## Plan
How far each step of the plan is, with the evidence for what is done.
## Artifacts
Files, repositories, data sets, models and URLs that were made, changed or are needed.
## Running jobs and sandbox
What still runs and how to check on it.
## Next step
The very next thing to do, and what to watch out for.`

// wishesLength is the most that a person's wishes about a summary have, in
// characters.
const wishesLength = 4000

// instruction asks for the summary, with what a person wants it to keep.
func (c *Compactor) instruction() string {
	wishes := strings.TrimSpace(excerpt.Head(c.o.Wishes, wishesLength))
	if wishes == "" {
		return instruction
	}
	return instruction + "\n\nThe user asked for this summary with these words; heed them in what you keep, under the same headings:\n\n" + wishes
}

// bridge stands between the summary and what follows it.
const bridge = "[SYSTEM: CONTEXT CONDENSED] Older messages were condensed into the summary above. " +
	"Whatever follows is the newest part of the conversation. Carry on with the next step."

// summaryTitle opens every stored summary.
const summaryTitle = "# Summary of the conversation so far"

// section is one fixed part of a summary.
type section int

const (
	goal section = iota
	decisions
	plan
	artifacts
	running
	next
	sections
)

func (s section) heading() string {
	return [sections]string{
		"## Goal", "## Decisions", "## Plan", "## Artifacts", "## Running jobs and sandbox", "## Next step",
	}[s]
}

// summariser asks a model for the summary of a work's middle.
type summariser struct {
	w         *work
	ask       askFunc
	maxTokens int
}

// run returns the model's text. The summary of the whole middle is asked for
// in one request that repeats the conversation byte for byte, so that the
// provider's prompt cache serves most of it. A middle too long for that loses
// the inside of its tool outputs, and then is summarised in parts. On an error
// the text is what the parts before it said.
func (s *summariser) run(ctx context.Context) (string, Step, error) {
	room := s.w.target - s.maxTokens - s.w.c.o.Overhead - s.cost(s.w.c.instruction())
	if total(s.w.head)+total(s.w.middle) <= room {
		text, err := s.request(ctx, flat(s.w.head, s.w.middle))
		if err == nil || !tooLong(err) {
			return text, StepSummary, err
		}
		room /= 2 // the estimate was far off
	}
	middle := s.pruned()
	if total(s.w.head)+total(middle) <= room {
		text, err := s.request(ctx, flat(s.w.head, middle))
		if err == nil || !tooLong(err) {
			return text, StepSummary, err
		}
		room /= 2
	}
	text, err := s.parts(ctx, middle, room)
	return text, StepParts, err
}

// cost is the estimate of a message of ours.
func (s *summariser) cost(text string) int {
	return s.w.c.o.Estimate(llm.Message{Role: llm.User, Text: text})
}

// pruned is the middle without the inside of tool outputs.
func (s *summariser) pruned() []unit {
	scratch := work{c: s.w.c} // its steps are not those of the history
	out := slices.Clone(s.w.middle)
	for i := range out {
		scratch.shorten(&out[i], elide, StepElide)
	}
	return out
}

// parts summarises the middle piece by piece; each request carries the summary
// of the pieces before.
func (s *summariser) parts(ctx context.Context, middle []unit, room int) (string, error) {
	opening := flat(s.w.head[:s.w.leading()])
	room -= total(s.w.head[:s.w.leading()]) + s.cost(partIntro(maxParts, maxParts, "")) + s.maxTokens
	if room < 1000 {
		return "", errors.New("summarise in parts: the window leaves no room for a part")
	}
	pieces := s.pack(append(slices.Clone(s.w.head[s.w.leading():]), middle...), room)
	if len(pieces) > maxParts {
		return "", fmt.Errorf("summarise in parts: %d parts, want at most %d", len(pieces), maxParts)
	}
	soFar := ""
	for i, piece := range pieces {
		intro := llm.Message{Role: llm.User, Text: partIntro(i+1, len(pieces), soFar), Synthetic: true}
		msgs := append(append(slices.Clone(opening), intro), flat(piece)...)
		text, err := s.request(ctx, msgs)
		if err != nil {
			return soFar, err
		}
		soFar = cutTo(text, s.maxTokens)
	}
	return soFar, nil
}

func partIntro(i, n int, soFar string) string {
	text := fmt.Sprintf("[SYSTEM: SUMMARY] A long conversation is summarised in %d parts; this is part %d.", n, i)
	if soFar == "" {
		return text
	}
	return text + " The summary must also cover the parts before, of which this is known:\n\n" + soFar
}

// pack groups units into pieces of at most room tokens. A unit that is longer
// by itself is cut down to it.
func (s *summariser) pack(units []unit, room int) [][]unit {
	scratch := work{c: s.w.c}
	var pieces [][]unit
	used := 0
	for _, u := range units {
		if each := room / len(u.msgs); u.tokens > room {
			scratch.shorten(&u, func(m llm.Message, tokens int) (llm.Message, bool) {
				if tokens <= each {
					return m, false
				}
				out := scratch.placeholder(m, tokens)
				out.Text = cutTo(out.PlainText(), each/2)
				return out, true
			}, StepOversize)
		}
		if used += u.tokens; len(pieces) == 0 || used > room {
			pieces, used = append(pieces, nil), u.tokens
		}
		last := len(pieces) - 1
		pieces[last] = append(pieces[last], u)
	}
	return pieces
}

// request asks for one summary; an empty one is an error.
func (s *summariser) request(ctx context.Context, msgs []llm.Message) (string, error) {
	msgs = append(msgs[:len(msgs):len(msgs)], llm.Message{Role: llm.User, Text: s.w.c.instruction(), Synthetic: true})
	text, err := s.ask(ctx, msgs, s.maxTokens)
	if err != nil {
		return "", fmt.Errorf("summarise %d messages: %w", len(msgs)-1, err)
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if text = strings.TrimSpace(text); text == "" {
		return "", errors.New("summarise: the model answered with nothing")
	}
	return text, nil
}

// compose makes the stored summary of what a model wrote and what is known.
func compose(text string, f Facts) string {
	said := sectionsOf(text)
	said[plan] = joinBlocks(planLines(f.Plan), said[plan])
	said[artifacts] = joinBlocks(said[artifacts], artifactLines(f))
	if lines := runningLines(f); lines != "" {
		said[running] = lines
	}
	return render(said)
}

func render(said [sections]string) string {
	var b strings.Builder
	b.WriteString(summaryTitle)
	for s := range sections {
		b.WriteString("\n\n" + s.heading() + "\n")
		if said[s] == "" {
			b.WriteString("none")
			continue
		}
		b.WriteString(said[s])
	}
	return b.String()
}

// sectionsOf sorts a model's text into the fixed parts. Text before the first
// known heading counts as findings.
func sectionsOf(text string) [sections]string {
	var out [sections][]string
	current := decisions
	for line := range strings.Lines(text) {
		if s, ok := headed(line); ok {
			current = s
			continue
		}
		if strings.HasPrefix(line, summaryTitle) {
			continue
		}
		out[current] = append(out[current], line)
	}
	var said [sections]string
	for s, lines := range out {
		said[s] = strings.TrimSpace(strings.Join(lines, ""))
		if strings.EqualFold(strings.Trim(said[s], ".*_ "), "none") {
			said[s] = ""
		}
	}
	return said
}

// headed recognises a heading by its word, however deep or bold it is.
func headed(line string) (section, bool) {
	if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "**") {
		return 0, false
	}
	name := strings.ToLower(strings.Trim(line, "#*: \r\n\t0123456789."))
	for s, word := range [sections]string{"goal", "decisions", "plan", "artifacts", "running jobs", "next step"} {
		if strings.HasPrefix(name, word) {
			return section(s), true
		}
	}
	return 0, false
}

func planLines(items []event.PlanItem) string {
	var lines []string
	for _, it := range items {
		lines = append(lines, fmt.Sprintf("- [%s] %s. %s", it.Status, it.ID, it.Content))
	}
	return strings.Join(lines, "\n")
}

func artifactLines(f Facts) string {
	var lines []string
	if len(f.Files) > 0 {
		lines = append(lines, "Files written in this session: "+strings.Join(f.Files, ", "))
	}
	if len(f.Repos) > 0 {
		lines = append(lines, "Repositories changed in this session: "+strings.Join(f.Repos, ", "))
	}
	return strings.Join(lines, "\n")
}

func runningLines(f Facts) string {
	var lines []string
	for _, job := range f.Jobs {
		lines = append(lines, "- job "+job)
	}
	if f.Sandbox != "" {
		lines = append(lines, "- sandbox "+f.Sandbox)
	}
	return strings.Join(lines, "\n")
}

func joinBlocks(blocks ...string) string {
	return strings.Join(slices.DeleteFunc(blocks, func(s string) bool { return s == "" }), "\n")
}

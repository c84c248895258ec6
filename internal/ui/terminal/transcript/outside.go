package transcript

import (
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// Settings takes over the values that a session runs with when it is opened;
// later ones come as events.
func (t *Transcript) Settings(in event.Settings) {
	quiet := t.quiet
	t.quiet = true
	t.settings(in)
	t.quiet = quiet
}

// SetTheme changes how later lines look.
func (t *Transcript) SetTheme(th *theme.Theme) { t.theme, t.opts.Theme = th, th }

// TogglePlan shows the plan in the live region, or hides it.
func (t *Transcript) TogglePlan() { t.plan.shown = !t.plan.shown }

// Stop ends what is live: no event will tell its end any more.
func (t *Transcript) Stop() {
	t.closeText()
	t.calls, t.waiting, t.gate, t.agents = nil, nil, nil, agents{}
	t.turn, t.thought = turn{}, thought{}
}

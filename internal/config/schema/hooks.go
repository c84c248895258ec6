package schema

import (
	"regexp"
	"slices"
	"strconv"

	"github.com/ml-intern/ml-intern/internal/config/layer"
)

// hookEvents are the moments a hook can run beside.
var hookEvents = []string{
	"PreToolUse", "PostToolUse", "UserPromptSubmit", "SessionStart", "SessionEnd", "Stop", "Notification", "PreCompact", "JobFinished",
}

// hookTimeout is how long a hook may run unless it says otherwise, in seconds.
const hookTimeout = 30

func readHooks(r *Reader, pointer string, value any) {
	object, ok := value.(map[string]any)
	if !ok {
		r.Fail(pointer, "must be an object, not %s", typeName(value))
		return
	}
	hooks := map[string][]Hook{}
	for _, event := range layer.Sorted(object) {
		at := layer.Join(pointer, event)
		if !slices.Contains(hookEvents, event) {
			r.Fail(at, "unknown event; must be one of %s", quoteAll(hookEvents))
			continue
		}
		r.hooks(at, object[event], func(f *fields) {
			matcher := f.text("matcher")
			if _, err := regexp.Compile("^(?:" + matcher + ")$"); err != nil && matcher != "*" {
				f.fail("matcher", "must be \"*\" or a regular expression: %v", err)
			}
			inner, grouped := f.take("hooks")
			if !grouped {
				hooks[event] = append(hooks[event], f.hook(matcher))
				return
			}
			// One matcher for several, as Claude Code writes it.
			r.hooks(layer.Join(f.pointer, "hooks"), inner, func(f *fields) {
				hooks[event] = append(hooks[event], f.hook(matcher))
			})
		})
	}
	r.Config.Hooks = hooks
}

// hooks reads a list of objects.
func (r *Reader) hooks(pointer string, value any, read func(f *fields)) {
	list, ok := value.([]any)
	if !ok && value != nil {
		r.Fail(pointer, "must be a list of objects, not %s", typeName(value))
	}
	for i, member := range list {
		r.each(pointer, map[string]any{strconv.Itoa(i): member}, func(_ string, f *fields) { read(f) })
	}
}

func (f *fields) hook(matcher string) Hook {
	h := Hook{
		Matcher: matcher, Command: f.text("command"), Timeout: f.seconds("timeout", hookTimeout), Async: f.flag("async"),
		Layer: f.r.Tree.Source(f.pointer).Layer,
	}
	if kind := f.text("type"); kind != "" && kind != "command" {
		f.fail("type", `must be "command"`)
	}
	if h.Command == "" {
		f.fail("command", "is required and must not be empty")
	}
	return h
}

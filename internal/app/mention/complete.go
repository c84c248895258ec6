package mention

import (
	"context"
	"strings"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer/complete"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// sign is how a repository of the Hub is mentioned.
const sign = "@hf:"

// Completed completes repositories of the Hub behind "@hf:" with those that were
// read lately and those that lie in a cache folder; nothing is asked.
func Completed(seen *Seen, cache string) complete.Source {
	return func(text string, _ bool) (complete.Request, bool) {
		at := strings.LastIndex(text, sign)
		if at < 0 || !begins(text[:at]) || strings.ContainsAny(text[at:], " \t") {
			return complete.Request{}, false
		}
		return complete.Request{
			Part: text[at:], Query: text[at+len(sign):], Auto: true, Free: true,
			Options: func(context.Context) []dialog.Option {
				var out []dialog.Option
				known := map[string]bool{}
				add := func(names []string, hint string) {
					for _, name := range names {
						if !known[name] {
							known[name] = true
							out = append(out, dialog.Option{Value: name, Hint: hint})
						}
					}
				}
				add(seen.Names(), "read before")
				add(Cached(cache), "in the cache")
				return out
			},
			Insert: func(o dialog.Option) (string, bool) { return sign + o.Value + " ", false },
		}, true
	}
}

// Package crash writes down what a panic left, without secrets. It needs
// nothing that the program may not have got to.
package crash

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/ml-intern/ml-intern/internal/app/debuglog"
	"github.com/ml-intern/ml-intern/internal/app/login"
	"github.com/ml-intern/ml-intern/internal/config/environ"
	"github.com/ml-intern/ml-intern/internal/config/place"
	"github.com/ml-intern/ml-intern/internal/platform/redact"
)

// Save writes the stack trace of a panic to the debug log and returns the
// log's path and, without secrets, what the panic says.
func Save(environment []string, what string, stack []byte) (path, said string) {
	held := environ.New(environment, runtime.GOOS == "windows").Secrets()
	scrubber := redact.New(redact.Options{Held: held})
	scrub := func(s string) string { out, _ := scrubber.String(s); return out }
	lookup := func(name string) (string, bool) {
		for _, entry := range environment {
			if value, ok := strings.CutPrefix(entry, name+"="); ok {
				return value, true
			}
		}
		return "", false
	}
	places, err := place.Find(lookup, runtime.GOOS, ".")
	if err != nil {
		return "unavailable: " + err.Error(), scrub(what)
	}
	saved := place.Login{Lookup: lookup, Home: places.Home, Dir: "."}
	scrubber = scrubber.With(login.Secrets(saved, places.OAuth())...)
	log := debuglog.New(places.DebugLog(), scrub)
	log.Add(fmt.Sprintf("panic: %s\n%s", what, stack))
	return log.Path(), scrub(what)
}

package app

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

// Debug writes what only an operator should see to the debug log.
func (a *App) Debug(text string) { a.debugLog.Add(text) }

// SaveCrash writes the stack trace of a panic to the debug log and returns the
// log's path and, without secrets, what the panic says.
func SaveCrash(environment []string, what string, stack []byte) (path, said string) {
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

// scrub removes secrets from an event before it is written.
func (a *App) scrub(raw []byte) ([]byte, error) {
	out, _, err := a.secrets.Scrubber().JSON(raw)
	return out, err
}

// Scrub removes secrets from a text for people.
func (a *App) Scrub(text string) string {
	out, _ := a.secrets.Scrubber().String(text)
	return out
}

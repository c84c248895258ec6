// Package words turns what goes over the wire into texts for people: what a
// server says about a failure, how long to wait, what a body is made of. It
// keeps nothing.
package words

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

// limit bounds one text, in characters.
const limit = 400

// RetryAfter reads the header of that name: seconds or a date.
func RetryAfter(value string, now time.Time) time.Duration {
	if value == "" {
		return 0
	}
	if n, err := strconv.Atoi(strings.TrimSpace(value)); err == nil {
		return time.Duration(min(max(n, 0), 7*24*3600)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0).Round(time.Second)
	}
	return 0
}

// Message joins all that the answer says about the failure, each text once.
// Pages of HTML have no message for people.
func Message(h http.Header, body []byte) string {
	var texts []string
	add := func(text string) {
		text = strings.Join(strings.Fields(harmless(text)), " ")
		if text != "" && !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	add(h.Get("X-Error-Message"))
	for _, text := range bodyTexts(h.Get("Content-Type"), body) {
		add(text)
	}
	return Clip(strings.Join(texts, "; "))
}

func bodyTexts(contentType string, body []byte) []string {
	body = bytes.TrimSpace(body)
	var in struct {
		Error       json.RawMessage `json:"error"`
		Description string          `json:"error_description"`
		Message     string          `json:"message"`
		Errors      []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	switch {
	case len(body) == 0:
		return nil
	case body[0] == '{':
		_ = json.Unmarshal(body, &in) // whatever of it fits
	case body[0] == '<' || strings.Contains(contentType, "html"), body[0] == '[':
		return nil
	default:
		return []string{string(body)}
	}
	texts := append(errorTexts(in.Error), in.Description, in.Message)
	for _, e := range in.Errors {
		texts = append(texts, e.Message)
	}
	return texts
}

// errorTexts reads the member "error": a text, several, or an object.
func errorTexts(raw json.RawMessage) []string {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	var many []string
	if json.Unmarshal(raw, &many) == nil {
		return many
	}
	var object struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(raw, &object)
	return []string{object.Message}
}

// harmless removes what could steer a terminal or turn the order of characters
// around.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || r == '\ufffd' || plain.Reorders(r) {
			return ' '
		}
		return r
	}, text)
}

// Clip is a text on one screen: without what could steer a terminal, and not
// longer than a few lines.
func Clip(text string) string {
	text = strings.TrimSpace(harmless(text))
	if short := excerpt.Head(text, limit); len(short) < len(text) {
		return short + "…"
	}
	return text
}

// Package anonymous takes out of a session what tells who and where somebody is, for
// data that others will read: e-mail addresses, telephone numbers, public IP addresses,
// names of users and of machines. Secrets are not its business, and it gives no promise:
// a name that nothing marks as one stays.
//
// What is taken out leaves a mark: [REDACTED_EMAIL], [REDACTED_PHONE], [REDACTED_IP],
// [REDACTED_KEY], [REDACTED_USER] or [REDACTED_HOST].
package anonymous

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/lab/pii"
)

// Names are what is known of a person without looking into the texts.
type Names struct {
	// Users are names of accounts: on this machine and on the Hub.
	Users []string
	// Hosts are names of machines.
	Hosts []string
}

// Session removes from the texts of one session. Beside the names it is given it
// knows those of the home folders that the session names.
type Session struct{ users, hosts *regexp.Regexp }

// The marks.
const (
	userMark = "[REDACTED_USER]"
	hostMark = "[REDACTED_HOST]"
)

// New looks through the texts of a session, JSON or plain, for the names of home
// folders.
func New(known Names, texts ...[]byte) *Session {
	users := slices.Clone(known.Users)
	for _, text := range texts {
		for _, pattern := range []*regexp.Regexp{windowsHomes(), homes()} {
			for _, m := range pattern.FindAllSubmatch(text, mostNames) {
				users = append(users, string(m[2]))
			}
		}
	}
	hosts := slices.Clone(known.Hosts)
	for _, host := range known.Hosts {
		short, _, _ := strings.Cut(host, ".")
		hosts = append(hosts, short)
	}
	return &Session{words(users), words(hosts)}
}

// mostNames bounds how many home folders of a session are looked at.
const mostNames = 1000

// shortest is the length from which a name is looked for where nothing marks it as one.
const shortest = 3

// common are names that are not somebody's: of images, services and roles, and words
// that would be found everywhere.
func common(name string) bool {
	switch strings.ToLower(name) {
	case "root", "user", "users", "home", "admin", "administrator", "ubuntu", "debian", "ec2-user", "runner", "app", "node", "jovyan", "work",
		"worker", "guest", "test", "tests", "default", "public", "shared", "data", "model", "models", "dataset", "datasets", "train", "training",
		"python", "code", "src", "workspace", "project", "projects", "local", "localhost", "sandbox", "agent", "assistant", "system", "tool",
		"hub", "huggingface", "ml-intern", "intern", "the", "and", "for", "you":
		return true
	}
	return false
}

// words is a pattern for whole words, nil for none.
func words(names []string) *regexp.Regexp {
	var parts []string
	for _, name := range names {
		if name = strings.TrimSpace(name); len(name) >= shortest && utf8.ValidString(name) && !common(name) {
			parts = append(parts, regexp.QuoteMeta(name))
		}
	}
	if parts == nil {
		return nil
	}
	// The longest first: one name may begin like another.
	slices.SortFunc(parts, func(a, b string) int { return len(b) - len(a) })
	return regexp.MustCompile(`(?i)` + strings.Join(slices.Compact(parts), "|"))
}

// homes are the folders of people on Linux and macOS; windowsHomes are those on Windows,
// where a backslash may be written twice or four times, as code and JSON do, and a name
// may have blanks.
var (
	homes = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)((?:/home|/Users|[a-z]:/Users)/)([^\s/\\"'` + "`" + `<>:;,|()\[\]{}$*?]+)`)
	})
	windowsHomes = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)(\b[a-z]:\\{1,4}Users\\{1,4})([^\\/:*?"'<>|\r\n]{1,40})`)
	})
)

// prompts are a user and a machine in the prompt of a shell, or in the place of a copy
// over the network.
var prompts = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`([A-Za-z_][A-Za-z0-9._-]*)@([A-Za-z0-9][A-Za-z0-9.-]*)(:[~/])`)
})

// inner are names of machines that only a network at home or at work knows. Two of their
// endings are words of code too: they need an address before them.
var inner = sync.OnceValue(func() *regexp.Regexp {
	const name = `[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9-]+)*`
	return regexp.MustCompile(`(?i)(\b)` + name + `\.(?:lan|intranet|corp|localdomain|home\.arpa)\b|(//|@)` + name + `\.(?:local|internal)\b`)
})

// Text is a text without what tells who somebody is.
func (s *Session) Text(text string) string {
	for _, pattern := range []*regexp.Regexp{windowsHomes(), homes()} {
		text = pattern.ReplaceAllStringFunc(text, func(path string) string {
			m := pattern.FindStringSubmatch(path)
			if strings.EqualFold(m[2], "shared") || strings.EqualFold(m[2], "public") || m[2] == userMark {
				return path
			}
			return m[1] + userMark
		})
	}
	text = prompts().ReplaceAllStringFunc(text, func(prompt string) string {
		m := prompts().FindStringSubmatch(prompt)
		if m[1] == "git" {
			return prompt
		}
		return userMark + "@" + hostMark + m[3]
	})
	text = personal(text)
	text = inner().ReplaceAllString(text, "${1}${2}"+hostMark)
	text = whole(text, s.hosts, hostMark)
	return whole(text, s.users, userMark)
}

// personal removes what is known by its form.
func personal(text string) string {
	var b strings.Builder
	for {
		found := pii.Find(text)
		last := 0
		for _, m := range found {
			b.WriteString(text[last:m.Start])
			b.WriteString("[REDACTED_" + strings.ToUpper(string(m.Kind)) + "]")
			last = m.End
		}
		text = text[last:]
		if len(found) < pii.MaxMatches {
			break
		}
	}
	b.WriteString(text)
	return b.String()
}

// whole replaces a name where it is a whole word.
func whole(text string, names *regexp.Regexp, mark string) string {
	if names == nil {
		return text
	}
	var b strings.Builder
	last := 0
	for _, m := range names.FindAllStringIndex(text, -1) {
		if m[0] < last || !begins(text, m[0]) || !ends(text, m[1]) {
			continue
		}
		b.WriteString(text[last:m[0]])
		b.WriteString(mark)
		last = m[1]
	}
	if last == 0 {
		return text
	}
	b.WriteString(text[last:])
	return b.String()
}

// begins reports whether a word may begin at i; behind the escape of a line's end in
// code, such as \n, it may.
func begins(text string, i int) bool {
	if i == 0 || !inWord(text[i-1]) {
		return true
	}
	return i > 1 && text[i-2] == '\\' && strings.IndexByte("nrt", text[i-1]) >= 0
}

func ends(text string, i int) bool { return i == len(text) || !inWord(text[i]) }

func inWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80
}

// mostNested is how many texts that hold JSON may lie inside each other; deeper ones
// are taken as texts.
const mostNested = 8

// JSON is a JSON value with every text in it as Text gives it. A text that holds JSON
// is read as JSON. Keys, order and numbers stay.
func (s *Session) JSON(raw []byte) []byte { return s.value(raw, 0) }

func (s *Session) value(raw []byte, depth int) []byte {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		if raw[i] != '"' {
			out = append(out, raw[i])
			i++
			continue
		}
		end := stringEnd(raw, i)
		if key(raw, end) {
			out = append(out, raw[i:end]...)
		} else {
			out = append(out, s.text(raw[i:end], depth)...)
		}
		i = end
	}
	return out
}

// text is a JSON text without names; what needs no change stays byte for byte.
func (s *Session) text(raw []byte, depth int) []byte {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return raw
	}
	var clean string
	if inside := strings.TrimSpace(text); depth < mostNested && inside != "" && (inside[0] == '{' || inside[0] == '[') && json.Valid([]byte(text)) {
		clean = string(s.value([]byte(text), depth+1))
	} else {
		clean = s.Text(text)
	}
	if clean == text {
		return raw
	}
	out, err := event.Encode(clean)
	if err != nil { // a string always encodes
		return []byte(`""`)
	}
	return out
}

// key reports whether the text that ends before i is a key.
func key(raw []byte, i int) bool {
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\n' || raw[i] == '\t' || raw[i] == '\r') {
		i++
	}
	return i < len(raw) && raw[i] == ':'
}

// stringEnd is the offset behind the JSON text that begins at i.
func stringEnd(raw []byte, i int) int {
	for i++; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(raw)
}

package place

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Login is the Hub login that all Hugging Face programs of this user share.
// Variables and files are read at each call, so that a new login counts at once.
type Login struct {
	Lookup Lookup
	Home   string // the user's home folder, may be empty
	Dir    string // what a relative path is relative to
}

// CleanToken removes line ends and blanks around a token.
func CleanToken(text string) string {
	return strings.TrimSpace(strings.NewReplacer("\r", "", "\n", "").Replace(text))
}

// Token gives the Hub token and where it came from: HF_TOKEN, then
// HUGGING_FACE_HUB_TOKEN, then the token file. Without any, or with a file that
// cannot be read, both are empty.
func (l Login) Token() (token, source string) {
	for _, name := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"} {
		if t := CleanToken(l.value(name)); t != "" {
			return t, name
		}
	}
	if t := l.saved(); t != "" {
		return t, l.Path()
	}
	return "", ""
}

// maxToken is the largest token file that is read, in bytes.
const maxToken = 64 << 10

func (l Login) saved() string {
	path := l.Path()
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxToken {
		return ""
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return CleanToken(string(data))
}

// Path is the token file: HF_TOKEN_PATH, else "token" in HF_HOME, which is
// "huggingface" in XDG_CACHE_HOME or in ~/.cache.
func (l Login) Path() string {
	if path := l.value("HF_TOKEN_PATH"); path != "" {
		return Absolute(path, l.Dir, l.Home)
	}
	home := l.value("HF_HOME")
	if home == "" {
		cache := l.value("XDG_CACHE_HOME")
		if cache == "" {
			cache = filepath.Join(l.Home, ".cache")
		}
		home = filepath.Join(cache, "huggingface")
	}
	return Absolute(filepath.Join(home, "token"), l.Dir, l.Home)
}

func (l Login) value(name string) string {
	v, _ := l.Lookup(name)
	return strings.TrimSpace(v)
}

// Save keeps a token as the active one and, under the name it has on the Hub, in
// the list of stored tokens beside it. Errors never hold the token.
func (l Login) Save(token, displayName string) error {
	token = CleanToken(token)
	switch {
	case token == "":
		return errors.New("save the Hub token: it is empty")
	case strings.HasPrefix(token, "api_org"):
		return errors.New("save the Hub token: a token that starts with api_org belongs to an organisation and is not accepted; use a user access token")
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return errors.New("save the Hub token: it holds blanks or control characters")
	}
	path := l.Path()
	list := filepath.Join(filepath.Dir(path), "stored_tokens")
	old, err := os.ReadFile(list)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if displayName = sectionName(displayName); displayName != "" {
		if err := WritePrivate(list, storeToken(old, displayName, token)); err != nil {
			return err
		}
	}
	return WritePrivate(path, []byte(token))
}

// Remove ends the login: the token file goes, the stored tokens stay.
func (l Login) Remove() error {
	if err := os.Remove(l.Path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// sectionName makes a name fit for one line in brackets.
func sectionName(name string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '[' || r == ']' {
			return -1
		}
		return r
	}, name))
}

// storeToken sets one section of the INI file and leaves the others as they are.
func storeToken(old []byte, name, token string) []byte {
	var out strings.Builder
	inside := false
	for line := range strings.Lines(string(old)) {
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "[") {
			inside = trimmed == "["+name+"]"
		}
		if !inside {
			out.WriteString(strings.TrimRight(line, "\r\n") + "\n")
		}
	}
	kept := strings.TrimRight(out.String(), "\n")
	if kept != "" {
		kept += "\n\n"
	}
	return []byte(kept + "[" + name + "]\nhf_token = " + token + "\n\n")
}

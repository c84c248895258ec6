package interactive

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
)

// editor is the person's editor: VISUAL, EDITOR, or the first of the usual
// ones.
func editor(env func(string) string) func(path string) ([]string, error) {
	return func(path string) ([]string, error) {
		for _, name := range []string{"VISUAL", "EDITOR"} {
			if words := strings.Fields(env(name)); len(words) > 0 {
				if _, err := exec.LookPath(words[0]); err != nil {
					return nil, fmt.Errorf("%s names %s, which cannot be run: %w", name, words[0], err)
				}
				return append(words, path), nil
			}
		}
		usual := []string{"nano", "vim", "vi"}
		if runtime.GOOS == "windows" {
			usual = []string{"notepad.exe"}
		}
		for _, name := range usual {
			if _, err := exec.LookPath(name); err == nil {
				return []string{name, path}, nil
			}
		}
		return nil, errors.New("there is no editor: set VISUAL or EDITOR")
	}
}

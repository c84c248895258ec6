package clipboard_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/platform/clipboard"
)

const png = "\x89PNG\r\n\x1a\npicture"

func TestPicture(t *testing.T) {
	powershell := func(out string) func([]string) (string, error) {
		return func(argv []string) (string, error) {
			if argv[0] != "powershell.exe" || !slices.Contains(argv, "-STA") {
				return "", errors.New("not this one")
			}
			return out, nil
		}
	}
	types := func(list, out string) func([]string) (string, error) {
		return func(argv []string) (string, error) {
			if slices.Contains(argv, "--list-types") || slices.Contains(argv, "TARGETS") {
				return list, nil
			}
			return out + argv[slices.IndexFunc(argv, func(a string) bool { return strings.HasPrefix(a, "image/") })], nil
		}
	}
	fails := func([]string) (string, error) { return "", errors.New("exit status 1") }
	for name, test := range map[string]struct {
		goos   string
		env    map[string]string
		has    []string
		run    func(argv []string) (string, error)
		want   string
		ending string
		fault  string
	}{
		"wayland":           {"linux", map[string]string{"WAYLAND_DISPLAY": "w", "DISPLAY": ":0"}, []string{"wl-paste", "xclip"}, types("text/plain\nimage/jpeg\nimage/png\n", "got "), "got image/png", ".png", ""},
		"wayland, jpeg":     {"linux", map[string]string{"WAYLAND_DISPLAY": "w"}, []string{"wl-paste"}, types("image/jpeg", ""), "image/jpeg", ".jpg", ""},
		"wayland, text":     {"linux", map[string]string{"WAYLAND_DISPLAY": "w"}, []string{"wl-paste"}, types("text/plain", ""), "", "", "there is no picture on the clipboard"},
		"wayland, empty":    {"linux", map[string]string{"WAYLAND_DISPLAY": "w"}, []string{"wl-paste"}, fails, "", "", "there is no picture on the clipboard"},
		"wayland through x": {"linux", map[string]string{"WAYLAND_DISPLAY": "w", "DISPLAY": ":0"}, []string{"xclip"}, types("image/webp", ""), "image/webp", ".webp", ""},
		"x":                 {"linux", map[string]string{"DISPLAY": ":0"}, []string{"xclip"}, types("TARGETS image/gif", ""), "image/gif", ".gif", ""},
		"x without":         {"linux", map[string]string{"DISPLAY": ":0"}, nil, fails, "", "", "xclip is not installed"},
		"wayland without":   {"linux", map[string]string{"WAYLAND_DISPLAY": "w"}, nil, fails, "", "", "wl-paste is not installed"},
		"ssh":               {"linux", nil, []string{"xclip", "wl-paste"}, fails, "", "", "there is no clipboard here"},
		"wsl":               {"linux", map[string]string{"WSL_DISTRO_NAME": "U"}, []string{"powershell.exe"}, powershell(base64.StdEncoding.EncodeToString([]byte(png)) + "\r\n"), png, ".png", ""},
		"windows":           {"windows", nil, nil, powershell(base64.StdEncoding.EncodeToString([]byte(png)) + "\r\n"), png, ".png", ""},
		"windows, none":     {"windows", nil, nil, powershell(""), "", "", "there is no picture on the clipboard"},
		"windows, nonsense": {"windows", nil, nil, powershell("<oops>"), "", "", "gave no picture"},
		"mac": {"darwin", nil, nil, func(argv []string) (string, error) {
			if argv[0] != "osascript" {
				return "", errors.New("not this one")
			}
			return "«data PNGf" + strings.ToUpper(hex.EncodeToString([]byte(png))) + "»\n", nil
		}, png, ".png", ""},
		"mac, text":     {"darwin", nil, nil, fails, "", "", "there is no picture on the clipboard"},
		"mac, nonsense": {"darwin", nil, nil, func([]string) (string, error) { return "«data PNGfzz»", nil }, "", "", "there is no picture on the clipboard"},
		"mac, pngpaste": {"darwin", nil, []string{"pngpaste"}, func(argv []string) (string, error) {
			return png, map[bool]error{true: nil, false: errors.New("no")}[argv[0] == "pngpaste"]
		}, png, ".png", ""},
	} {
		raw, ending, err := clipboard.Picture(t.Context(), clipboard.Options{
			GOOS: test.goos, Env: func(name string) string { return test.env[name] },
			Has: func(program string) bool { return slices.Contains(test.has, program) },
			Run: func(_ context.Context, argv []string) ([]byte, error) {
				out, err := test.run(argv)
				return []byte(out), err
			},
		})
		fault := ""
		if err != nil {
			fault = err.Error()
		}
		if string(raw) != test.want || ending != test.ending || !strings.Contains(fault, test.fault) || test.fault == "" && fault != "" {
			t.Errorf("%s: %q, %q, %q", name, raw, ending, fault)
		}
	}
}

// The programs are really run, without a shell.
func TestRun(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the programs are scripts here")
	}
	dir := t.TempDir()
	script := "#!/bin/sh\ncase \"$*\" in *TARGETS*) echo image/png;; *image/png*) printf picture;; esac\n"
	if err := os.WriteFile(filepath.Join(dir, "xclip"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	o := clipboard.Options{GOOS: "linux", Env: func(name string) string { return map[string]string{"DISPLAY": ":0"}[name] }}
	if raw, _, err := clipboard.Picture(t.Context(), o); err != nil || string(raw) != "picture" {
		t.Errorf("%q, %v", raw, err)
	}
	large := "#!/bin/sh\ncase \"$*\" in *TARGETS*) echo image/png;; *) head -c 30000000 /dev/zero;; esac\n"
	if err := os.WriteFile(filepath.Join(dir, "xclip"), []byte(large), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, _, err := clipboard.Picture(t.Context(), o); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("got %v", err)
	}
}

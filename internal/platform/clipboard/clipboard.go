// Package clipboard takes the picture that lies on the clipboard of the desktop,
// with the programs that are there for it. It runs no shell, knows nothing of
// terminals, and puts nothing onto the clipboard.
package clipboard

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// Limits of a picture.
const (
	most = 20 << 20 // bytes that a program may print: base64 and hex are longer than the picture
	wait = 10 * time.Second
)

// ErrNone says that no picture lies on the clipboard.
var ErrNone = errors.New("there is no picture on the clipboard")

// Options say where the clipboard is looked for.
type Options struct {
	GOOS string
	// Env gives a variable.
	Env func(name string) string
	// Run runs a program and returns what it prints; nil runs it.
	Run func(ctx context.Context, argv []string) ([]byte, error)
	// Has reports whether a program is there; nil looks.
	Has func(program string) bool
}

// Picture returns the picture and its ending, such as ".png".
func Picture(ctx context.Context, o Options) (picture []byte, ending string, err error) {
	if o.Run == nil {
		o.Run = run
	}
	if o.Has == nil {
		o.Has = func(program string) bool { _, err := exec.LookPath(program); return err == nil }
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	windows := "powershell.exe"
	switch {
	case o.GOOS == "windows":
		return o.windows(ctx, windows)
	case o.GOOS == "darwin":
		return o.mac(ctx)
	case o.Env("WAYLAND_DISPLAY") != "" && o.Has("wl-paste"):
		return o.typed(ctx, []string{"wl-paste", "--list-types"}, func(kind string) []string { return []string{"wl-paste", "--no-newline", "--type", kind} })
	case o.Env("DISPLAY") != "" && o.Has("xclip"):
		return o.typed(ctx, []string{"xclip", "-selection", "clipboard", "-t", "TARGETS", "-o"}, func(kind string) []string {
			return []string{"xclip", "-selection", "clipboard", "-t", kind, "-o"}
		})
	case o.Env("WSL_DISTRO_NAME") != "" && o.Has(windows):
		return o.windows(ctx, windows)
	case o.Env("WAYLAND_DISPLAY") != "":
		return nil, "", errors.New("wl-paste is not installed (package wl-clipboard): put the picture into a file and mention it with @")
	case o.Env("DISPLAY") != "":
		return nil, "", errors.New("xclip is not installed: put the picture into a file and mention it with @")
	}
	return nil, "", errors.New("there is no clipboard here: put the picture into a file and mention it with @")
}

// kinds are those that models take, the preferred first, and their endings.
func kinds() [][2]string {
	return [][2]string{{"image/png", ".png"}, {"image/jpeg", ".jpg"}, {"image/webp", ".webp"}, {"image/gif", ".gif"}}
}

// typed asks which types the clipboard has, and takes the first that is wanted.
func (o Options) typed(ctx context.Context, list []string, get func(kind string) []string) ([]byte, string, error) {
	offered, err := o.Run(ctx, list)
	if err != nil {
		if ctx.Err() == nil { // an empty clipboard is a failure for these programs
			err = ErrNone
		}
		return nil, "", err
	}
	has := strings.Fields(string(offered))
	for _, k := range kinds() {
		if slices.Contains(has, k[0]) {
			raw, err := o.Run(ctx, get(k[0]))
			return some(raw, k[1], err)
		}
	}
	return nil, "", ErrNone
}

// some is a picture that is not empty.
func some(raw []byte, ending string, err error) ([]byte, string, error) {
	if err == nil && len(raw) == 0 {
		err = ErrNone
	}
	if err != nil {
		return nil, "", err
	}
	return raw, ending, nil
}

func (o Options) mac(ctx context.Context) ([]byte, string, error) {
	if o.Has("pngpaste") {
		raw, err := o.Run(ctx, []string{"pngpaste", "-"})
		if err != nil && ctx.Err() == nil {
			err = ErrNone
		}
		return some(raw, ".png", err)
	}
	// It prints «data PNGf89504E47…».
	out, err := o.Run(ctx, []string{"osascript", "-e", "the clipboard as «class PNGf»"})
	if err != nil {
		if ctx.Err() == nil {
			err = ErrNone
		}
		return nil, "", err
	}
	_, text, ok := bytes.Cut(out, []byte("PNGf"))
	text, _, _ = bytes.Cut(text, []byte("»"))
	raw, err := hex.DecodeString(string(bytes.TrimSpace(text)))
	if !ok || err != nil {
		return nil, "", ErrNone
	}
	return some(raw, ".png", nil)
}

// script has Windows print the picture in base64, nothing where there is none.
const script = `Add-Type -AssemblyName System.Windows.Forms,System.Drawing;` +
	`$i=[System.Windows.Forms.Clipboard]::GetImage();` +
	`if($i -ne $null){$m=New-Object System.IO.MemoryStream;$i.Save($m,[System.Drawing.Imaging.ImageFormat]::Png);[Convert]::ToBase64String($m.ToArray())}`

func (o Options) windows(ctx context.Context, program string) ([]byte, string, error) {
	out, err := o.Run(ctx, []string{program, "-NoProfile", "-NonInteractive", "-STA", "-Command", script})
	if err != nil {
		return nil, "", err
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(out)))
	if err != nil {
		err = fmt.Errorf("%s gave no picture: %w", program, err)
	}
	return some(raw, ".png", err)
}

// run runs a program.
func run(ctx context.Context, argv []string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.WaitDelay = time.Second
	out := &limited{}
	cmd.Stdout = out
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s does not answer", argv[0])
	case out.over:
		return nil, errors.New("the picture on the clipboard is too large")
	case err != nil:
		return nil, fmt.Errorf("%s fails: %w", argv[0], err)
	}
	return out.buf.Bytes(), nil
}

// limited keeps so many bytes.
type limited struct {
	buf  bytes.Buffer
	over bool
}

// Write refuses what is too much, which ends the program.
func (l *limited) Write(p []byte) (int, error) {
	if l.buf.Len()+len(p) > most {
		l.over = true
		return 0, io.ErrShortBuffer
	}
	return l.buf.Write(p)
}

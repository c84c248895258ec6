// Package desktop knows the programs that show a notification on the desktops of
// this world. It runs none of them.
package desktop

import (
	"encoding/base64"
	"unicode/utf16"
)

// Notification is the program that shows a notification on a desktop, with its
// arguments; nil where none is known. The texts are arguments, or data inside of
// one, and never program text.
func Notification(goos, title, text string) []string {
	switch goos {
	case "darwin":
		return []string{
			"osascript", "-e", "on run argv", "-e", "display notification (item 2 of argv) with title (item 1 of argv)", "-e", "end run", title, text,
		}
	case "windows":
		return []string{"powershell", "-NoProfile", "-NonInteractive", "-EncodedCommand", encoded(toast(title, text))}
	case "linux", "freebsd", "openbsd", "netbsd", "dragonfly":
		return []string{"notify-send", "--app-name", title, "--", title, text}
	}
	return nil
}

// toast is a PowerShell program. Its texts are base64: nothing in them can end a
// string.
func toast(title, text string) string {
	data := func(s string) string {
		return "[Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('" + base64.StdEncoding.EncodeToString([]byte(s)) + "'))"
	}
	return `$ErrorActionPreference = 'Stop'
[Windows.UI.Notifications.ToastNotificationManager, Windows.UI.Notifications, ContentType = WindowsRuntime] > $null
$xml = [Windows.UI.Notifications.ToastNotificationManager]::GetTemplateContent([Windows.UI.Notifications.ToastTemplateType]::ToastText02)
$texts = $xml.GetElementsByTagName('text')
$texts.Item(0).AppendChild($xml.CreateTextNode(` + data(title) + `)) > $null
$texts.Item(1).AppendChild($xml.CreateTextNode(` + data(text) + `)) > $null
$app = '{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}\WindowsPowerShell\v1.0\powershell.exe'
[Windows.UI.Notifications.ToastNotificationManager]::CreateToastNotifier($app).Show([Windows.UI.Notifications.ToastNotification]::new($xml))
`
}

// encoded is how PowerShell takes a program as one argument: base64 of UTF-16,
// the low byte first.
func encoded(script string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(script)) {
		b = append(b, byte(unit), byte(unit>>8))
	}
	return base64.StdEncoding.EncodeToString(b)
}

package document_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

func TestUploadsAreNoted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.json")
	d := example()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	// What looks like the members may stand anywhere.
	d.Messages = append(d.Messages, llm.Message{Role: llm.User, Text: ",\n  \"upload_status\": \"x\"\n}\n"})
	if err := d.Save(path, now); err != nil {
		t.Fatal(err)
	}
	read := func() string {
		t.Helper()
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	first := read()
	if strings.Contains(first, "personal_upload") || !strings.Contains(first, "\n  \"upload_status\": \"pending\",\n  \"upload_url\": null,\n  \"last_save_time\":") {
		t.Errorf("%s", first)
	}
	for _, u := range []document.Uploads{
		{Personal: &document.Upload{Status: "pending"}},
		{Personal: &document.Upload{Status: "success", URL: "https://hub/datasets/é/x"}},
		{Shared: &document.Upload{Status: "failed"}, Personal: &document.Upload{Status: "success", URL: "https://hub/x"}},
		{Shared: &document.Upload{Status: "success", URL: "https://hub/y"}},
		{},
	} {
		if err := document.SetUploads(path, u); err != nil {
			t.Fatal(err)
		}
		noted := read()
		d.Uploads = u
		if err := d.Save(path, now); err != nil {
			t.Fatal(err)
		}
		if want := read(); noted != want {
			t.Fatalf("noted:\n%s\nwant:\n%s", noted[len(noted)-400:], want[len(want)-400:])
		}
	}
	if read() != first {
		t.Error("the file is another than at first")
	}
	if _, err := os.Stat(path + ".tmp"); err == nil {
		t.Error("a temporary file is left")
	}
}

func TestFilesOfAnotherMakeStay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.json")
	for _, text := range []string{"", "{}", `{"upload_status":"pending"}`, "{\n  \"a\": 1,\n  \"upload_status\": \"x\"", "[\n  1\n]\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := document.SetUploads(path, document.Uploads{Personal: &document.Upload{Status: "success"}}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if raw, err := os.ReadFile(path); err != nil || string(raw) != text {
			t.Errorf("%q became %q: %v", text, raw, err)
		}
	}
	if err := document.SetUploads(path+"x", document.Uploads{}); err == nil {
		t.Error("a file that is not there was changed")
	}
}

func TestNotedFilesAreReadAsBefore(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		path := filepath.Join(t.TempDir(), "s.json")
		d := example()
		d.Messages[1].Text = strings.ToValidUTF8(rapid.String().Draw(rt, "text"), "")
		if err := d.Save(path, time.Now()); err != nil {
			rt.Fatal(err)
		}
		u := document.Uploads{Personal: &document.Upload{Status: "success", URL: rapid.String().Draw(rt, "url")}}
		if err := document.SetUploads(path, u); err != nil {
			rt.Fatal(err)
		}
		got, err := document.Read(path)
		if err != nil || len(got.Messages) != len(d.Messages) || got.Messages[1].Text != d.Messages[1].Text || got.SessionID != d.SessionID {
			rt.Fatalf("%+v %v", got, err)
		}
	})
}

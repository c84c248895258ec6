package upload_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo/upload"
)

const head = `{"key":"header","value":{"summary":"s","description":"d","parentCommit":"p"}}` + "\n"

func TestReadCommit(t *testing.T) {
	h, changes, err := upload.ReadCommit(strings.NewReader(head + "\r\n" + `{"key":"file","value":{"path":"a","content":"aGk=","encoding":"base64"}}` + "\n\n" + `{"key":"deletedFolder","value":{"path":"b/"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if h.Summary != "s" || h.Description != "d" || h.ParentCommit != "p" {
		t.Errorf("header %+v", h)
	}
	if len(changes) != 2 || string(changes[0].Content) != "hi" || changes[1].Op != repo.DeleteFolder || changes[1].Path != "b/" {
		t.Errorf("changes %+v", changes)
	}
}

// Lines longer than any buffer are read.
func TestReadLongLine(t *testing.T) {
	_, changes, err := upload.ReadCommit(strings.NewReader(head + `{"key":"file","value":{"path":"a","content":"` + strings.Repeat("YWFh", 1<<20) + `","encoding":"base64"}}`))
	if err != nil || len(changes[0].Content) != 3<<20 {
		t.Errorf("%v", err)
	}
}

// Whatever comes, the reader answers operations or the Hub's refusal.
func FuzzReadCommit(f *testing.F) {
	f.Add(head + `{"key":"file","value":{"path":"a","content":"aGk=","encoding":"base64"}}`)
	f.Add(head + `{"key":"lfsFile","value":{"path":"a","algo":"sha256","oid":"` + strings.Repeat("a", 64) + `","oldPath":"b"}}` + "\n")
	f.Add(head + head)
	f.Add(head + `{"key":"deletedEntry","value":null}`)
	f.Add(`{"key":"copyFile"}`)
	f.Add("\xff\n[]\n")
	f.Fuzz(func(t *testing.T, body string) {
		h, changes, err := upload.ReadCommit(strings.NewReader(body))
		var refused *answer.Error
		switch {
		case err == nil && (h.Summary == "" || len(changes) == 0):
			t.Errorf("accepted without header or operations: %q", body)
		case err != nil && (!errors.As(err, &refused) || refused.Status < 400 || refused.Status > 499):
			t.Errorf("%q: %v", body, err)
		}
	})
}

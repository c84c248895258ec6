package show_test

import (
	"strings"
	"testing"
	"time"

	api "github.com/ml-intern/ml-intern/internal/adapter/github"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/tools/github/show"
)

func TestPageKeepsWhatFits(t *testing.T) {
	p := show.NewPage(&tooltest.Env{Chars: 1000})
	row := strings.Repeat("ü", 100) + "\n"
	for range 20 {
		p.Add(row)
	}
	text := p.Text()
	if n := strings.Count(text, row); n < 3 || n > 9 || !strings.Contains(text, "more are left out") || p.Left() < 0 {
		t.Errorf("%d rows: %s", n, text)
	}
}

func TestRowsOfWhatIsAbsent(t *testing.T) {
	if got := show.Repo(1, api.Repo{FullName: "o/r"}); !strings.Contains(got, "Language: N/A") || !strings.Contains(got, "License: not stated") {
		t.Error(got)
	}
	if got := show.Commit(1, api.Commit{}); !strings.Contains(got, "| ? |") {
		t.Error(got)
	}
	if got := show.Issue(1, api.Issue{Number: 2, Title: "a\nb\x1b", Repository: "https://api.github.com/repos/o/r"}); !strings.Contains(got, "**a b** (o/r#2)") {
		t.Error(got)
	}
	if show.Login(api.User{}) == "" || show.Date(time.Time{}) != "?" || show.Call(func() {}) != "" || show.Compact([]byte("{")) != "" {
		t.Error("what is absent has no words")
	}
	if got := show.Code(1, api.CodeHit{Path: "a", Matches: []api.Match{{Fragment: "```"}, {Fragment: "\n"}}}); !strings.Contains(got, "````\n```\n````") {
		t.Error(got)
	}
}

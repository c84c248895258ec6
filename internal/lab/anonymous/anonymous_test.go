package anonymous_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/lab/anonymous"
)

func session(texts ...string) *anonymous.Session {
	var raw [][]byte
	for _, t := range texts {
		raw = append(raw, []byte(t))
	}
	return anonymous.New(anonymous.Names{Users: []string{"ada", "ada-hub", "root", "x"}, Hosts: []string{"devbox.example.com"}}, raw...)
}

func TestText(t *testing.T) {
	s := session(`{"a":"/home/grace/work","b":"C:\\Users\\Linus T\\x"}`)
	for in, want := range map[string]string{
		"write to ada.l@example.com":              "write to [REDACTED_EMAIL]",
		"call +49 151 23456789":                   "call [REDACTED_PHONE]",
		"from 93.184.216.34 to 10.0.0.1":          "from [REDACTED_IP] to 10.0.0.1",
		"cd /home/grace/work/train.py":            "cd /home/[REDACTED_USER]/work/train.py",
		"open /Users/Shared/x /Users/tim/y":       "open /Users/Shared/x /Users/[REDACTED_USER]/y",
		`C:\Users\Linus T\models`:                 `C:\Users\[REDACTED_USER]\models`,
		`"C:\\Users\\Linus T\\models"`:            `"C:\\Users\\[REDACTED_USER]\\models"`,
		"d:/Users/tim/x":                          "d:/Users/[REDACTED_USER]/x",
		"Linus T said":                            "[REDACTED_USER] said",
		"pushed to ada/my-model and ada-hub/x":    "pushed to [REDACTED_USER]/my-model and [REDACTED_USER]/x",
		"Ada, grace and ADA":                      "[REDACTED_USER], [REDACTED_USER] and [REDACTED_USER]",
		"adaptive, Canada, ada_boost":             "adaptive, Canada, [REDACTED_USER]_boost",
		`print("a\nada")`:                         `print("a\n[REDACTED_USER]")`,
		"root runs x at 3.14":                     "root runs x at 3.14",
		"on devbox.example.com, devbox":           "on [REDACTED_HOST], [REDACTED_HOST]",
		"eve@lab-3:~/run$ ls; git@github.com:/x":  "[REDACTED_USER]@[REDACTED_HOST]:~/run$ ls; git@github.com:/x",
		"scp bob@10-x.lan:/data .":                "scp [REDACTED_USER]@[REDACTED_HOST]:/data .",
		"http://nas.local/x, gpu7.corp":           "http://[REDACTED_HOST]/x, [REDACTED_HOST]",
		"threading.local() .env.local a.internal": "threading.local() .env.local a.internal",
		"loss 0.0312 at step 1200/5000":           "loss 0.0312 at step 1200/5000",
		"":                                        "",
	} {
		if got := s.Text(in); got != want {
			t.Errorf("%q\n got %q\nwant %q", in, got, want)
		}
	}
}

func TestJSON(t *testing.T) {
	s := session()
	in := `{"role":"assistant","ada":1,"content":null, "n":1.50,"tool_calls":[{"function":{"arguments":"{\"command\":\"cd /home/tim\\nada\",\"ada\":[\"ada\"]}"}}],"t":"a\u00e4b <ada>"}`
	want := `{"role":"assistant","ada":1,"content":null, "n":1.50,"tool_calls":[{"function":{"arguments":"{\"command\":\"cd /home/[REDACTED_USER]\\n[REDACTED_USER]\",\"ada\":[\"[REDACTED_USER]\"]}"}}],"t":"aäb <[REDACTED_USER]>"}`
	if got := string(s.JSON([]byte(in))); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	same := `[1,"nothing \u00e4 here",{"k":"\"{\""}]`
	if got := string(s.JSON([]byte(same))); got != same {
		t.Errorf("%s", got)
	}
}

func TestManyMatches(t *testing.T) {
	text := strings.Repeat("a.b@example.com ", 2500)
	if got := session().Text(text); strings.Contains(got, "@") || strings.Count(got, "[REDACTED_EMAIL]") != 2500 {
		t.Errorf("%d are left", strings.Count(got, "@"))
	}
}

// FuzzJSON holds that JSON stays JSON, that removing twice is removing once, and that
// no known name is left as a word.
func FuzzJSON(f *testing.F) {
	f.Add(`{"a":"/home/tim/x ada@example.com"}`)
	f.Add(`["{\"a\":\"C:\\\\Users\\\\ada\\\\x\"}", "\ud83d", "ada@lab:~"]`)
	f.Add(`"[1,\"[2,\\\"ada\\\"]\"]"`)
	f.Fuzz(func(t *testing.T, in string) {
		s := session(in)
		s.Text(in)
		if !json.Valid([]byte(in)) {
			s.JSON([]byte(in)) // it must only end
			return
		}
		out := s.JSON([]byte(in))
		if !json.Valid(out) {
			t.Fatalf("%q became %q", in, out)
		}
		if again := s.JSON(out); string(again) != string(out) {
			t.Errorf("%q\nonce  %q\ntwice %q", in, out, again)
		}
	})
}

package transcript_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/transcript"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

func call(ids ...string) llm.Message {
	m := llm.Message{Role: llm.Assistant}
	for _, id := range ids {
		m.ToolCalls = append(m.ToolCalls, llm.ToolCall{ID: id, Name: "x"})
	}
	return m
}

func result(id string) llm.Message {
	return llm.Message{Role: llm.ToolRole, ToolCallID: id, Text: "out"}
}

var hi = llm.Message{Role: llm.User, Text: "hi"}

func TestPrepare(t *testing.T) {
	in := []llm.Message{
		hi,
		{Role: llm.Assistant},
		{Role: llm.Assistant, Parts: []json.RawMessage{json.RawMessage(`{"type":"thinking","thinking":"t"}`)}},
		call("a"),
		{Role: llm.ToolRole, ToolCallID: "a"},
		{Role: llm.Assistant, Text: "end"},
	}
	before := fmt.Sprintf("%+v", in)
	want := []llm.Message{
		hi, call("a"),
		{Role: llm.ToolRole, ToolCallID: "a", Text: transcript.NoOutput},
		{Role: llm.Assistant, Text: "end"},
		{Role: llm.User, Text: "Continue.", Synthetic: true},
	}
	if d := cmp.Diff(want, transcript.Prepare(in, transcript.Options{})); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(want[:4], transcript.Prepare(in, transcript.Options{KeepLast: true})); d != "" {
		t.Error(d)
	}
	if after := fmt.Sprintf("%+v", in); after != before {
		t.Errorf("the stored messages were changed: %s", after)
	}
}

var plainID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Acceptance check 22: ids of one provider in a request to a stricter one.
func TestCheck22_IDs(t *testing.T) {
	long := strings.Repeat("y", 65)
	msgs := []llm.Message{
		call("functions.weather:0", "functions_weather_0", "", long), result("functions.weather:0"), result("functions_weather_0"), result(""), result(long),
		call("functions.weather:0", "", ""), result("functions.weather:0"), result(""), result(""),
	}
	out := transcript.Prepare(msgs, transcript.Options{AllowID: transcript.PlainID, MaxID: 64})
	var open []string
	seen := map[string]bool{}
	for _, m := range out {
		for _, c := range m.ToolCalls {
			if !plainID.MatchString(c.ID) || seen[c.ID] {
				t.Errorf("id %q is not allowed or taken", c.ID)
			}
			seen[c.ID] = true
			open = append(open, c.ID)
		}
		if m.Role == llm.ToolRole {
			if len(open) == 0 || open[0] != m.ToolCallID {
				t.Fatalf("result %q, open calls %q", m.ToolCallID, open)
			}
			open = open[1:]
		}
	}
	ids := transcript.IDs(msgs, transcript.PlainID, 64)
	if ids["functions_weather_0"] != "functions_weather_0" || !regexp.MustCompile(`^functions_weather_0_[0-9a-f]{8}$`).MatchString(ids["functions.weather:0"]) {
		t.Errorf("%v", ids)
	}
	if got := ids[long]; !strings.HasPrefix(got, long[:48]+"_") || len(got) != 57 {
		t.Errorf("%q", got)
	}
	if _, empty := ids[""]; empty {
		t.Error("the empty id is mapped")
	}
	if got := transcript.Prepare(msgs, transcript.Options{})[0].ToolCalls[0].ID; got != "functions.weather:0" {
		t.Errorf("changed without need: %q", got)
	}
}

// Whatever the ids: the copies are allowed and unique, results keep to their
// calls, and a longer history begins like the shorter one.
func TestIDsProperties(t *testing.T) {
	id := rapid.OneOf(rapid.SampledFrom([]string{"", "a", "a:b", "a_b", "call_0", "call_1"}), rapid.StringN(0, 80, -1))
	opts := transcript.Options{AllowID: transcript.PlainID, MaxID: 64}
	rapid.Check(t, func(t *rapid.T) {
		var msgs []llm.Message
		for range rapid.IntRange(1, 6).Draw(t, "turns") {
			ids := rapid.SliceOfN(id, 1, 3).Draw(t, "ids")
			msgs = append(msgs, call(ids...))
			for _, id := range ids {
				msgs = append(msgs, result(id))
			}
		}
		out := transcript.Prepare(msgs, opts)
		seen := map[string]bool{}
		var open []string
		for _, m := range out {
			for _, c := range m.ToolCalls {
				if !plainID.MatchString(c.ID) || seen[c.ID] {
					t.Fatalf("id %q", c.ID)
				}
				seen[c.ID] = true
				open = append(open, c.ID)
			}
			if m.Role == llm.ToolRole {
				i := slices.Index(open, m.ToolCallID)
				if i < 0 {
					t.Fatalf("result %q without a call", m.ToolCallID)
				}
				open = slices.Delete(open, i, i+1)
			}
		}
		if len(open) > 0 {
			t.Fatalf("calls without a result: %q", open)
		}
		n := rapid.IntRange(0, len(msgs)).Draw(t, "n")
		short := transcript.Prepare(msgs[:n], transcript.Options{AllowID: opts.AllowID, MaxID: opts.MaxID, KeepLast: true})
		if d := cmp.Diff(short, out[:len(short)]); d != "" {
			t.Fatal(d)
		}
	})
}

func TestNames(t *testing.T) {
	long := strings.Repeat("n", 70)
	var tools []llm.ToolSpec
	for _, name := range []string{"bash", "srv:do it", "srv:do.it", "srv_do_it", long} {
		tools = append(tools, llm.ToolSpec{Name: name})
	}
	names := transcript.NewNames(tools)
	seen := map[string]bool{}
	for _, tool := range tools {
		wire := names.Wire(tool.Name)
		if !plainID.MatchString(wire) || seen[wire] || names.Own(wire) != tool.Name {
			t.Errorf("%q is sent as %q and comes back as %q", tool.Name, wire, names.Own(wire))
		}
		seen[wire] = true
	}
	if names.Wire("bash") != "bash" || !plainID.MatchString(names.Wire("gone:tool")) || !plainID.MatchString(names.Wire("")) || names.Own("invented") != "invented" {
		t.Error("names outside the list")
	}
}

func TestParts(t *testing.T) {
	m := llm.Message{Parts: []json.RawMessage{
		json.RawMessage(`{"type":"text","text":"a"}`),
		json.RawMessage(`{"type":"text","text":""}`),
		json.RawMessage(`{"type":"image_url","image_url":{"url":"data:image/png;charset=x;base64,QUJD","detail":"high"}}`),
		json.RawMessage(`{"type":"image_url","image_url":"https://h/i.png"}`),
		json.RawMessage(`{"type":"image_url","image_url":{"url":"file:///etc/passwd"}}`),
		json.RawMessage(`{"type":"image","source":{"type":"base64","media_type":"image/gif","data":"QQ=="}}`),
		json.RawMessage(`{"type":"redacted_thinking","data":"x"}`),
		json.RawMessage(`7`),
		json.RawMessage(`{"text":"b"}`),
	}}
	want := []transcript.Part{
		{Text: "a"},
		{URL: "data:image/png;charset=x;base64,QUJD", Detail: "high"},
		{URL: "https://h/i.png"},
		{URL: "data:image/gif;base64,QQ=="},
		{Text: "b"},
	}
	got := transcript.Parts(m)
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
	media, data, ok := got[1].Data()
	if media != "image/png" || data != "QUJD" || !ok {
		t.Errorf("%q %q %v", media, data, ok)
	}
	if _, _, ok := got[2].Data(); ok {
		t.Error("an address has no data")
	}
	text, images := transcript.Split(m)
	if text != "a\nb" || len(images) != 3 {
		t.Errorf("%q, %d images", text, len(images))
	}
}

func TestImagesLeftOut(t *testing.T) {
	image := json.RawMessage(`{"type":"image_url","image_url":{"url":"https://h/i.png"}}`)
	msgs := []llm.Message{{Role: llm.User, Parts: []json.RawMessage{json.RawMessage(`{"type":"text","text":"see"}`), image}}}
	out := transcript.Prepare(msgs, transcript.Options{NoImages: true})
	if text, images := transcript.Split(out[0]); len(images) != 0 || text != "see\n[image left out: the model takes no images]" {
		t.Errorf("%q", text)
	}
	if string(msgs[0].Parts[1]) != string(image) {
		t.Error("the stored message was changed")
	}
}

func TestShrink(t *testing.T) {
	image := []json.RawMessage{json.RawMessage(`{"type":"image_url","image_url":{"url":"https://h/i.png"}}`)}
	big := strings.Repeat("ä", 50_000)
	old, last := result("a"), result("b")
	old.Text, last.Text = big, big
	msgs := []llm.Message{
		{Role: llm.User, Parts: image}, call("a"), old, call("c"), result("c"), call("b"), last, {Role: llm.ToolRole, Parts: image},
	}
	out := transcript.Prepare(msgs, transcript.Options{Shrink: true})
	if _, images := transcript.Split(out[0]); len(images) != 0 {
		t.Error("an old image stays")
	}
	if n := len(out[2].Text); n > 2200 || !utf8.ValidString(out[2].Text) || !strings.Contains(out[2].Text, "bytes left out") {
		t.Errorf("old output: %d bytes", n)
	}
	if out[4].Text != "out" || out[6].Text != big {
		t.Error("small or new output was cut")
	}
	if _, images := transcript.Split(out[7]); len(images) != 1 {
		t.Error("a new image is missing")
	}
	if msgs[2].Text != big {
		t.Error("the stored message was changed")
	}
}

func TestAppendString(t *testing.T) {
	for in, want := range map[string]string{
		"":                           `""`,
		"plain text, long enough":    `"plain text, long enough"`,
		"a\"b\\c\nd\te\rf\x01g\x00h": `"a\"b\\c\nd\te\rf\u0001gh"`,
		"<a href='x'>&</a> \u2028":   "\"<a href='x'>&</a> \u2028\"",
		"漢字 und 🙂, 12345678":         `"漢字 und 🙂, 12345678"`,
		"bad \xff\xed\xa0\x80 end":   `"bad  end"`,
		"\x7f kept \ufffd":           "\"\x7f kept \ufffd\"",
	} {
		if got := string(transcript.AppendString(nil, in)); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	if got := transcript.Clean("a\x00b\xed\xa0\x80c\ufffd"); got != "abc\ufffd" {
		t.Errorf("%q", got)
	}
}

// The encoding is that of encoding/json for the cleaned text.
func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "12345678", "1234567\"", "\x00\x1f <\u2028> \xed\xa0\x80", "P\xd0\x00\x00\xa0", strings.Repeat("é\n", 9)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got := transcript.AppendString([]byte("x"), in)
		var back string
		if err := json.Unmarshal(got[1:], &back); err != nil || got[0] != 'x' {
			t.Fatalf("%q: %v", got, err)
		}
		if back != transcript.Clean(in) {
			t.Errorf("%q came back as %q", in, back)
		}
	})
}

package lines_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/headless/lines"
)

func TestParse(t *testing.T) {
	text := func(s string) *string { return &s }
	usd := 5.0
	for raw, want := range map[string]lines.Line{
		`{"type":"user","text":"hi"}`:                      {Operation: event.UserInput{Text: "hi"}},
		`{"type":"user","id":"a","text":"hi","unknown":1}`: {ID: "a", Operation: event.UserInput{Text: "hi"}},
		`{"type":"user","text":"","images":[{"media_type":"image/png","data":"AAAA"}]}`: {
			Operation: event.UserInput{Images: []event.Image{{MediaType: "image/png", Data: "AAAA"}}},
		},
		`{"type":"user","message":{"role":"user","content":"hi"},"session_id":"","parent_tool_use_id":null}`: {Operation: event.UserInput{Text: "hi"}},
		`{"type":"user","message":{"role":"user","content":[{"type":"text","text":"a"},{"type":"image","source":{"type":"base64","media_type":"image/gif","data":"AA=="}},{"type":"text","text":"b"}]}}`: {
			Operation: event.UserInput{Text: "a\nb", Images: []event.Image{{MediaType: "image/gif", Data: "AA=="}}},
		},
		`{"type":"steer","text":"faster"}`: {Operation: event.Steer{Text: "faster"}},
		`{"type":"interrupt"}`:             {Operation: event.Interrupt{}},
		`{"type":"approval","approvals":[{"tool_call_id":"c","approved":true,"edited_arguments":{"x":1}},{"tool_call_id":"d","approved":false,"feedback":"no"}]}`: {
			Operation: event.ExecApproval{Approvals: []event.Approval{
				{ToolCallID: "c", Approved: true, EditedArguments: json.RawMessage(`{"x":1}`)}, {ToolCallID: "d", Feedback: "no"},
			}},
		},
		`{"type":"configure","model":"m","approval_mode":"ask","max_cost_usd":5,"allow":["bash(ls *)"]}`: {
			Operation: event.Configure{Model: text("m"), ApprovalMode: text("ask"), MaxCostUSD: &usd, Allow: []string{"bash(ls *)"}},
		},
	} {
		got, err := lines.Parse([]byte(raw))
		if err != nil {
			t.Errorf("%s: %v", raw, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", raw, diff)
		}
	}
}

func TestBadLines(t *testing.T) {
	big := base64.StdEncoding.EncodeToString(make([]byte, 5_000_010))
	for raw, want := range map[string]string{
		`{`:                "it is no JSON",
		`hello`:            "it is no JSON",
		`[]`:               "it must be a JSON object",
		`"hi"`:             "it must be a JSON object",
		`{}`:               "its type is missing",
		`{"type":"shout"}`: `its type is "shout"`,
		`{"type":7}`:       "type is a number",
		`{"type":"configure","max_cost_usd":"5"}`:                        "it cannot be read: max_cost_usd is a string",
		`{"type":"user"}`:                                                "its text is missing",
		`{"type":"user","text":7}`:                                       "text is a number",
		`{"type":"user","text":" \n"}`:                                   "its text is empty",
		`{"type":"user","text":"a","message":{"content":"b"}}`:           "both text and message",
		`{"type":"user","message":{"role":"assistant","content":"b"}}`:   `the role of its message is "assistant"`,
		`{"type":"user","message":{"content":7}}`:                        "neither a text nor a list",
		`{"type":"user","message":7}`:                                    "its message cannot be read",
		`{"type":"user","message":{"content":[{"type":"tool_result"}]}}`: `block 1 of its message is of type "tool_result"`,
		`{"type":"user","message":{"content":[{"type":"image","source":{"type":"url","url":"http://"}}]}}`: `block 1 of its message is of type "image"`,
		`{"type":"user","text":"a","images":[{"media_type":"image/tiff","data":"AA=="}]}`:                  `picture 1: its media_type is "image/tiff"`,
		`{"type":"user","text":"a","images":[{"media_type":"image/png","data":"?"}]}`:                      "picture 1: its data is not in base64",
		`{"type":"user","text":"a","images":[{"media_type":"image/png"}]}`:                                 "picture 1: its data is not in base64",
		`{"type":"user","text":"a","images":[{"media_type":"image/png","data":"` + big + `"}]}`:            "picture 1: it is larger than 5 MB",
		`{"type":"user","text":"a","images":[` + strings.TrimSuffix(strings.Repeat(`{},`, 21), ",") + `]}`: "a message takes 20 pictures",
		`{"type":"user","text":"a","id":"` + strings.Repeat("x", 201) + `"}`:                               "its id is longer",
		`{"type":"approval"}`: "its approvals are missing",
		`{"type":"approval","approvals":[{"approved":true}]}`:                 "approval 1 has no tool_call_id",
		`{"type":"approval","approvals":[{"tool_call_id":"c"}]}`:              "approval 1 does not say approved",
		`{"type":"approval","approvals":[{"tool_call_id":"c","approved":1}]}`: "is a number",
		`{"type":"configure"}`: "it changes nothing",
	} {
		if _, err := lines.Parse([]byte(raw)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.100s: %v, want %s", raw, err, want)
		}
	}
}

func TestReader(t *testing.T) {
	r := lines.NewReader(io.MultiReader(
		strings.NewReader("\n  \r\n"+`{"type":"user","text":"one"}`+"\r\n"+"nonsense\n"),
		strings.NewReader(strings.Repeat("x", lines.Limit+1)+"\n"),
		strings.NewReader(`{"type":"user","text":"two"}`),
	))
	var got []string
	for {
		l, err := r.Next()
		var bad *lines.Error
		switch {
		case err == io.EOF:
			if diff := cmp.Diff([]string{
				"one", "line 4 of standard input: it is no JSON", "line 5 of standard input: it is longer than 64 MiB", "two",
			}, got); diff != "" {
				t.Error(diff)
			}
			return
		case errors.As(err, &bad):
			got = append(got, err.Error())
		case err != nil:
			t.Fatal(err)
		default:
			got = append(got, l.Operation.(event.UserInput).Text)
		}
	}
}

func TestBrokenInput(t *testing.T) {
	r := lines.NewReader(iotest.ErrReader(errors.New("it broke")))
	if _, err := r.Next(); err == nil || err.Error() != "it broke" {
		t.Error(err)
	}
	long := lines.NewReader(io.MultiReader(strings.NewReader(strings.Repeat("x", lines.Limit+1)), iotest.ErrReader(errors.New("it broke"))))
	if _, err := long.Next(); err == nil || err.Error() != "it broke" {
		t.Error(err)
	}
}

// Whatever stands in a line, it is read or refused in words.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"type":"user","text":"x","images":[{"media_type":"image/png","data":"AAAA"}]}`, `{"type":"approval","approvals":[{"tool_call_id":"c","approved":true}]}`,
		`{"type":"user","message":{"content":[{"type":"text","text":"x"}]}}`, `{"type":"configure","allow":["x"]}`, `{"type":"interrupt","id":"\u0000"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := lines.Parse(raw)
		if (err == nil) != (l.Operation != nil) {
			t.Fatalf("%v %v", l, err)
		}
		if err == nil {
			if _, err := event.Encode(event.Submission{Operation: l.Operation}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

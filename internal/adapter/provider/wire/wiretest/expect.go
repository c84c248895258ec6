package wiretest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// expectation is what a recorded answer must come to.
type expectation struct {
	Text      *textExpectation `json:"text"`
	Thinking  *textExpectation `json:"thinking"`
	Finish    string           `json:"finish"`
	RawFinish string           `json:"raw_finish"`
	Calls     []struct {
		ID   string          `json:"id"`
		Name string          `json:"name"`
		Args json.RawMessage `json:"args"`
	} `json:"tool_calls"`
	Usage *llm.Usage `json:"usage"`
	Model string     `json:"model"`
	Items []string   `json:"items"`
	Error *struct {
		Class     string  `json:"class"`
		Retryable bool    `json:"retryable"`
		Contains  string  `json:"message_contains"`
		Code      string  `json:"code"`
		Used      int     `json:"used_tokens"`
		Limit     int     `json:"max_tokens"`
		Wait      float64 `json:"retry_after_s"`
	} `json:"error"`
}

type textExpectation struct {
	Value          *string `json:"value"`
	Prefix, Suffix string
	Chars          int    `json:"chars"`
	SHA256         string `json:"sha256"`
}

func (e *textExpectation) check(t testing.TB, what, got string) {
	t.Helper()
	if e == nil {
		e = &textExpectation{}
	}
	sum := sha256.Sum256([]byte(got))
	switch {
	case e.Value != nil && got != *e.Value:
		t.Errorf("%s is %q, want %q", what, got, *e.Value)
	case utf8.RuneCountInString(got) != e.Chars:
		t.Errorf("%s has %d characters, want %d", what, utf8.RuneCountInString(got), e.Chars)
	case !strings.HasPrefix(got, e.Prefix) || !strings.HasSuffix(got, e.Suffix):
		t.Errorf("%s is %q, want %q … %q", what, got, e.Prefix, e.Suffix)
	case e.SHA256 != "" && hex.EncodeToString(sum[:]) != e.SHA256:
		t.Errorf("%s has another hash than expected: %q", what, got)
	}
}

// Check compares an answer with what the recording must come to.
func (f Fixture) Check(t testing.TB, a Answer) {
	t.Helper()
	var want expectation
	if err := json.Unmarshal(f.Expect, &want); err != nil {
		t.Fatal(err)
	}
	if want.Model != "" && a.Begun.Model != want.Model {
		t.Errorf("model %q, want %q", a.Begun.Model, want.Model)
	}
	if want.Error != nil && want.Finish != string(llm.FinishLength) {
		f.checkFault(t, a, want)
		return
	}
	if a.Err != nil {
		t.Fatalf("unexpected error: %v", a.Err)
	}
	want.Text.check(t, "text", a.Text)
	want.Thinking.check(t, "thinking", a.Thinking)
	if string(a.Done.Finish) != want.Finish || a.Done.RawFinish != want.RawFinish {
		t.Errorf("finish %q (%q), want %q (%q)", a.Done.Finish, a.Done.RawFinish, want.Finish, want.RawFinish)
	}
	if want.Error != nil && !strings.Contains(a.Done.Explanation, want.Error.Contains) {
		t.Errorf("explanation %q, want %q in it", a.Done.Explanation, want.Error.Contains)
	}
	if d := cmp.Diff(want.Usage, a.Done.Usage); d != "" {
		t.Errorf("usage (-want +got): %s", d)
	}
	f.checkCalls(t, a, want)
}

func (f Fixture) checkCalls(t testing.TB, a Answer, want expectation) {
	t.Helper()
	calls := a.Done.Message.ToolCalls
	if len(calls) != len(want.Calls) {
		t.Fatalf("%d calls, want %d: %+v", len(calls), len(want.Calls), calls)
	}
	for i, c := range calls {
		w := want.Calls[i]
		var got, args any
		if json.Unmarshal([]byte(c.Arguments), &got) != nil || json.Unmarshal(w.Args, &args) != nil || !cmp.Equal(got, args) {
			t.Errorf("arguments of %s: %s, want %s", c.Name, c.Arguments, w.Args)
		}
		if c.ID != w.ID || c.Name != w.Name {
			t.Errorf("call %d is %s %s, want %s %s", i, c.ID, c.Name, w.ID, w.Name)
		}
	}
}

func (f Fixture) checkFault(t testing.TB, a Answer, want expectation) {
	t.Helper()
	var got *llm.Fault
	if !errors.As(a.Err, &got) {
		t.Fatalf("error %v, want a fault", a.Err)
	}
	w := want.Error
	if string(got.Class) != w.Class || got.Retryable() != w.Retryable || got.Code != w.Code && w.Code != "" {
		t.Errorf("class %s, retryable %v, code %q; want %s, %v, %q", got.Class, got.Retryable(), got.Code, w.Class, w.Retryable, w.Code)
	}
	if !strings.Contains(got.Message, w.Contains) {
		t.Errorf("message %q, want %q in it", got.Message, w.Contains)
	}
	if got.Used != w.Used || got.Limit != w.Limit || got.Wait.Seconds() != w.Wait {
		t.Errorf("used %d, limit %d, wait %v; want %d, %d, %v s", got.Used, got.Limit, got.Wait, w.Used, w.Limit, w.Wait)
	}
}

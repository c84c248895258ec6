package value_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/lab/chattemplate/jinja/value"
)

// JSON that is read and written again is the same.
func TestJSONStays(t *testing.T) {
	for _, raw := range []string{`{"b": 1, "a": [true, null, 1.5, "x\"<é>"], "c": {}, "d": []}`, `"x"`, `null`, `[[[]]]`, `-12`} {
		v, err := value.FromJSON([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		got, err := value.JSON(value.NewMeter(t.Context()), v, -1)
		if err != nil || got != raw {
			t.Errorf("%s: %s, %v", raw, got, err)
		}
	}
	for _, bad := range []string{``, `{`, `[1] 2`, `{"a"}`, strings.Repeat("[", 1000) + strings.Repeat("]", 1000)} {
		if _, err := value.FromJSON([]byte(bad)); err == nil {
			t.Errorf("%.20s is read", bad)
		}
	}
}

func TestMeter(t *testing.T) {
	m := value.NewMeter(t.Context())
	if err := m.Step(value.MaxSteps + 1); err == nil {
		t.Error("steps have no end")
	}
	if err := value.NewMeter(t.Context()).Bytes(value.MaxBytes + 1); err == nil {
		t.Error("bytes have no end")
	}
}

// Texts are taken apart and joined again; what is replaced is gone.
func TestTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, sep := rapid.StringN(0, 30, -1).Draw(t, "text"), rapid.StringN(1, 2, -1).Draw(t, "separator")
		m := value.NewMeter(t.Context())
		split, _ := value.Method(s, "split")
		parts, err := split(m, value.Args{Places: []any{sep}})
		if err != nil {
			t.Fatal(err)
		}
		if again, err := value.Join(m, parts, sep); err != nil || again != s {
			t.Fatalf("%q, %v", again, err)
		}
		if same, err := value.Equal(m, s, strings.Clone(s)); err != nil || !same {
			t.Fatal(same, err)
		}
	})
}

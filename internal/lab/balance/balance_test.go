package balance_test

import (
	"fmt"
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/lab/balance"
)

func TestSummary(t *testing.T) {
	var c balance.Counter
	c.AddN("web", 108)
	c.AddN("forum", 3)
	c.AddN("synthetic", 9)
	c.Miss(2)
	s, ok := c.Summary()
	if !ok || s.Rows != 120 || s.Missing != 2 || s.Classes[0] != (balance.Class{Label: "web", Rows: 108, Share: 0.9}) || s.Classes[2].Label != "forum" {
		t.Errorf("%+v", s)
	}
	want := -(0.9*math.Log2(0.9) + 0.075*math.Log2(0.075) + 0.025*math.Log2(0.025))
	if math.Abs(s.Entropy-want) > 1e-12 || math.Abs(s.Even-want/math.Log2(3)) > 1e-12 {
		t.Errorf("entropy %v, evenness %v", s.Entropy, s.Even)
	}
}

func TestTooManyAreNoLabels(t *testing.T) {
	var c balance.Counter
	if _, ok := c.Summary(); ok {
		t.Error("nothing is no column of labels")
	}
	for i := range balance.MaxClasses + 5 {
		c.Add(fmt.Sprint(i))
	}
	if _, ok := c.Summary(); ok {
		t.Error("too many classes")
	}
}

func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 1, 50).Draw(t, "labels")
		var a, b balance.Counter
		for i := range labels {
			a.Add(labels[i])
			b.Add(labels[len(labels)-1-i])
		}
		x, _ := a.Summary()
		y, _ := b.Summary()
		if !reflect.DeepEqual(x, y) || x.Even < 0 || x.Even > 1+1e-9 {
			t.Fatalf("%+v, %+v", x, y)
		}
	})
}

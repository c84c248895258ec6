package delivery_test

import (
	"testing"

	"github.com/ml-intern/ml-intern/internal/tools/jobs/delivery"
)

// A list shows the script and its arguments, not the text that unpacks them.
func TestShown(t *testing.T) {
	plan, err := delivery.New(delivery.Script{
		Source: "print(1)\n", Name: "train", Key: "0123456789abcdef", Dependencies: []string{"torch"}, Args: []string{"--lr", "1e-4"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := delivery.Shown(plan.Command); got != "uv run train.py --lr 1e-4" {
		t.Errorf("%q", got)
	}
	if got := delivery.Shown([]string{"/bin/sh", "-c", "echo 1"}); got != "/bin/sh -c echo 1" {
		t.Errorf("%q", got)
	}
}

package seed_test

import (
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim/seed"
)

func TestSmoke(t *testing.T) {
	s, err := seed.Open(seed.Acme)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(len(s.Repos), len(s.Neighbours.Papers), len(s.Neighbours.Docs), len(s.Neighbours.Code), len(s.Neighbours.Web))
}

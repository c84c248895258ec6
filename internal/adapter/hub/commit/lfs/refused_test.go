package lfs

import (
	"slices"
	"testing"
)

func TestRefused(t *testing.T) {
	for body, want := range map[string][]int{
		`{"error":"x","missingParts":[2,3,2,9]}`:                                      {2, 3},
		`{"error":"part 2 is missing"}`:                                               {2},
		`{"message":"Parts 1, 2 and 4 could not be found"}`:                           {1, 2, 4},
		`One or more of the specified parts could not be found or do not match: [3]`:  {3},
		`{"error":"The sha256 of the content is wrong"}`:                              nil,
		`<Error><Code>InvalidPart</Code><Message>One or more parts</Message></Error>`: nil,
		`{"error":"every part must have 5242880 bytes"}`:                              nil,
		`{"error":["a list"],"missingParts":"none"}`:                                  nil,
		`{"error":"apartment 3 is taken"}`:                                            nil,
	} {
		if got, _ := refused([]byte(body), 5); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", body, got, want)
		}
	}
}

func FuzzRefused(f *testing.F) {
	f.Add([]byte(`{"error":"part 2"}`), 3)
	f.Fuzz(func(t *testing.T, body []byte, n int) {
		missing, why := refused(body, n)
		for _, k := range missing {
			if k < 1 || k > n {
				t.Errorf("part %d of %d", k, n)
			}
		}
		if len([]rune(why)) > 300 {
			t.Errorf("%d characters", len([]rune(why)))
		}
	})
}

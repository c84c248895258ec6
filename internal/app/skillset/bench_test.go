package skillset_test

import (
	"testing"

	"github.com/ml-intern/ml-intern/internal/app/skillset"
	"github.com/ml-intern/ml-intern/internal/config"
)

// Every session reads what counts before its first request.
func BenchmarkLoad(b *testing.B) {
	l, err := config.Load(b.Context(), config.Options{Dir: b.TempDir(), Environ: []string{"HOME=" + b.TempDir()}})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if set := skillset.Load(l); len(set.Skills()) != 5 {
			b.Fatal(len(set.Skills()))
		}
	}
}

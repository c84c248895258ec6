package viewer_test

import (
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup/lookuptest"
	"github.com/ml-intern/ml-intern/internal/adapter/viewer"
)

// While the viewer is down the Hub's own list serves; what the viewer refuses
// stays refused.
func TestParquetFilesOfTheHub(t *testing.T) {
	list := func(s *lookuptest.Server) (*viewer.Parquet, error) {
		v, err := viewer.New(viewer.Options{Fetch: s.Client(), Pauses: []time.Duration{}})
		if err != nil {
			t.Fatal(err)
		}
		return v.Parquet(t.Context(), "ibm/duorc")
	}
	const own = `{"a":{"train":["https://huggingface.co/api/datasets/ibm/duorc/parquet/a/train/0.parquet","https://huggingface.co/api/datasets/ibm/duorc/parquet/a/train/1.parquet"],"test":["https://huggingface.co/x/0.parquet"]}}`
	check := func(s *lookuptest.Server, files int, first, split string) {
		t.Helper()
		p, err := list(s)
		if err != nil || len(p.Files) != files || p.Files[0].Config != first || p.Files[0].Split != split || p.Files[0].Bytes != -1 {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	s := lookuptest.New(t)
	s.Answer("/viewer/parquet", 500, `{"error":"broken"}`)
	s.Answer("/hub/api/datasets/ibm/duorc/parquet", 200, own)
	check(s, 3, "a", "test")

	s = lookuptest.New(t)
	s.Answer("/viewer/parquet", 500, `{"error":"broken"}`)
	if _, err := list(s); err == nil {
		t.Error("neither has a list, and there is no error")
	}
	s = lookuptest.New(t)
	s.Answer("/viewer/parquet", 404, `{"error":"no"}`, "X-Error-Code", "ResponseNotFound")
	s.Answer("/hub/api/datasets/ibm/duorc/parquet", 200, own)
	if _, err := list(s); err == nil || len(s.Requests("/hub")) != 0 {
		t.Errorf("a refusal went to the Hub: %v", err)
	}

	s = lookuptest.New(t)
	s.Answer("/viewer/parquet", 503, "")
	s.File("/hub/api/datasets/ibm/duorc/parquet", 200, "hub-parquet-duorc.json")
	check(s, 6, "ParaphraseRC", "test")
}

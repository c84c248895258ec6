package flavor_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/hubsim/exec/flavor"
	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
)

func TestPriceListIsTheRecordedOne(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(fixturetest.Dir(t, "hub"), "jobs-hardware.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want, got any
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	raw, err = json.Marshal(flavor.Jobs())
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestWhatAMachineSaysOfItself(t *testing.T) {
	f, ok := flavor.Find("a10g-largex2")
	if !ok || f.Cores() != "24" || f.Gigabytes() != 92 || f.GPUs() != 2 || f.VRAM() != 24 {
		t.Errorf("%+v", f)
	}
	if d := cmp.Diff([]string{"GPU 0: Nvidia A10G, 24576 MiB", "GPU 1: Nvidia A10G, 24576 MiB"}, f.Listing()); d != "" {
		t.Error(d)
	}
	if f, ok := flavor.FindSpace("cpu-basic"); !ok || f.MicroUSD != 0 || f.Listing() != nil {
		t.Errorf("%+v", f)
	}
	if _, ok := flavor.FindSpace("h200"); ok {
		t.Error("a Space on a machine for jobs")
	}
}

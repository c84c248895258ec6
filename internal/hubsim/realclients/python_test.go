package realclients_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// pinnedPython is the version the simulator was first proven with.
const pinnedPython = "1.12.0"

// Acceptance checks 39 and 40, Python.
func TestCheck40_Python_Pinned(t *testing.T) {
	t.Parallel()
	playPython(t, pinnedPython)
}

func TestCheck40_Python_Newest(t *testing.T) {
	t.Parallel()
	version := newestPython(t)
	if version == pinnedPython {
		t.Skipf("the newest version is the pinned one, %s", version)
	}
	playPython(t, version)
}

func playPython(t *testing.T, version string) {
	t.Helper()
	t.Logf("huggingface_hub %s", version)
	interpreter := python(t, version)
	s := simulate(t)
	d := drive(t, s, []string{interpreter, "-u", filepath.Join("testdata", "rows.py")}, "PYTHONDONTWRITEBYTECODE=1", "PYTHONNOUSERSITE=1")
	suite(t, s, "python-"+version, pythonRows(), func(row string) outcome { return d.play(s, row) })
}

// pythonRows are P1 to P47. What a call answers is looked at by testdata/rows.py
// itself.
func pythonRows() []row {
	return []row{
		{name: "P1"},
		{name: "P2"},
		{name: "P3", saw: func(t *testing.T, all []seen) {
			exactly(t, all, 1, "POST", "/api/repos/create")
			if body := which(all, "POST", "/api/repos/create")[0].Body; strings.Contains(body, `"type"`) || !strings.Contains(body, `"m1"`) {
				t.Errorf("the body is %s", body)
			}
		}},
		{name: "P4"},
		{name: "P5"},
		{name: "P6", saw: func(t *testing.T, all []seen) { exactly(t, all, 1, "POST", "/commit/main") }},
		{name: "P7", saw: func(t *testing.T, all []seen) {
			upload := after(all, 1)
			only(t, upload, "POST /preupload/main", "GET /api/models/bob/m1")
			exactly(t, upload, 1, "POST", "/preupload/main")
			exactly(t, upload, 1, "GET", "/revision/main")
		}},
		{name: "P8", saw: func(t *testing.T, all []seen) {
			stored(t, all)
			exactly(t, all, 1, "PUT", "/lfs-put/")
		}},
		{name: "P9", saw: func(t *testing.T, all []seen) {
			stored(t, all)
			exactly(t, all, 4, "PUT", "/lfs-part/")
			complete := which(all, "POST", "complete")
			if len(complete) != 1 || complete[0].Authorization != "" || complete[0].Host != "hub" {
				t.Errorf("completed with %v", complete)
			}
		}},
		{name: "P10", saw: func(t *testing.T, all []seen) { exactly(t, all, 0, "POST", "/preupload/") }},
		{name: "P11", saw: func(t *testing.T, all []seen) {
			exactly(t, after(all, 1), 1, "POST", "/commit/main")
			exactly(t, after(all, 1), 0, "PUT", "")
		}},
		{name: "P12", saw: func(t *testing.T, all []seen) {
			if c := which(all, "POST", "/commit/main"); len(c) != 1 || c[0].Status != 412 {
				t.Errorf("committed with %v", c)
			}
		}},
		{name: "P13"},
		{name: "P14", saw: func(t *testing.T, all []seen) { exactly(t, after(all, 1), 1, "POST", "/commit/main") }},
		{name: "P15", saw: func(t *testing.T, all []seen) {
			exactly(t, after(all, 0), 1, "GET", "/q.txt")
			only(t, after(all, 1), "HEAD /bob/m1/resolve/main/q.txt", "HEAD /api/resolve-cache/")
		}},
		{name: "P16", saw: func(t *testing.T, all []seen) { noToken(t, after(all, 1), "GET") }},
		{name: "P17", saw: func(t *testing.T, all []seen) {
			ranges(t, after(all, 0), "", "bytes=1000000-", "bytes=2000000-")
			noToken(t, all, "GET")
		}},
		{name: "P18", saw: func(t *testing.T, all []seen) { ranges(t, all, "", "bytes=1000000-") }},
		{name: "P19"},
		{name: "P20", order: anyOrder, saw: func(t *testing.T, all []seen) {
			for n := range 2 {
				if trees := count(after(all, n+1), "GET", "/tree/"); trees > 1 {
					t.Errorf("the tree was asked for %d times", trees)
				}
			}
		}},
		{name: "P21"},
		{name: "P22"},
		{name: "P23"},
		{name: "P24"},
		{name: "P25"},
		{name: "P26"},
		{name: "P27"},
		{name: "P28", saw: func(t *testing.T, all []seen) {
			if c := which(all, "POST", "/commit/main"); len(c) != 1 || !strings.Contains(c[0].Query, "create_pr=1") {
				t.Errorf("committed with %v", c)
			}
		}},
		{name: "P29"},
		{name: "P30"},
		{name: "P31"},
		{name: "P32", saw: func(t *testing.T, all []seen) {
			if c := which(all, "GET", "/api/models/bob/m"); len(c) != 2 || c[0].Status != 307 || c[1].Path != "/api/models/bob/m2" {
				t.Errorf("asked for %v", c)
			}
		}},
		{name: "P33", saw: func(t *testing.T, all []seen) {
			exactly(t, after(all, 1), 2, "GET", "/api/models")
			exactly(t, after(all, 2), 2, "GET", "/api/models")
		}},
		{name: "P34", order: anyCount},
		{name: "P35", order: anyCount},
		{name: "P36", order: anyCount},
		{name: "P37", order: anyCount},
		{name: "P38", order: anyCount},
		{name: "P39"},
		{name: "P40"},
		{name: "P41"},
		{name: "P42", order: anyCount},
		{name: "P43"},
		{name: "P44"},
		{name: "P45", saw: func(t *testing.T, all []seen) {
			exactly(t, after(all, 0), 3, "POST", "/preupload/")
			exactly(t, after(all, 1), 2, "POST", "/preupload/")
			exactly(t, after(all, 2), 1, "POST", "/commit/")
		}},
		{name: "P46"},
		{name: "P47"},
	}
}

// stored checks what every upload outside git has in common.
func stored(t *testing.T, all []seen) {
	t.Helper()
	exactly(t, all, 1, "POST", "/objects/batch")
	noToken(t, all, "PUT")
	if v := which(all, "POST", "verify"); len(v) != 1 || v[0].User != "bob" {
		t.Errorf("verified with %v", v)
	}
	if c := which(all, "POST", "/commit/main"); len(c) != 1 || !strings.Contains(c[0].Body, `"lfsFile"`) {
		t.Errorf("committed with %v", c)
	}
}

// ranges checks which ranges were asked of the content host.
func ranges(t *testing.T, all []seen, want ...string) {
	t.Helper()
	var got []string
	for _, s := range all {
		if s.Host == "cdn" {
			got = append(got, s.Header["Range"])
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("ranges %q, want %q", got, want)
	}
}

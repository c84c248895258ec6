package realclients_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// pinnedJavaScript is the version the simulator was first proven with.
const pinnedJavaScript = "2.17.5"

// Acceptance checks 39 and 40, JavaScript.
func TestCheck40_JavaScript_Pinned(t *testing.T) {
	t.Parallel()
	playJavaScript(t, pinnedJavaScript)
}

func TestCheck40_JavaScript_Newest(t *testing.T) {
	t.Parallel()
	version := newestNode(t)
	if version == pinnedJavaScript {
		t.Skipf("the newest version is the pinned one, %s", version)
	}
	playJavaScript(t, version)
}

func playJavaScript(t *testing.T, version string) {
	t.Helper()
	t.Logf("@huggingface/hub %s", version)
	interpreter, modules := program(t, "node"), node(t, version)
	s := simulate(t)
	d := drive(t, s, []string{interpreter, filepath.Join("testdata", "rows.mjs")}, "NODE_PATH="+modules)
	suite(t, s, "javascript-"+version, javaScriptRows(), func(row string) outcome { return d.play(s, row) })
}

// javaScriptRows are J1 to J21. What a call answers is looked at by
// testdata/rows.mjs itself.
func javaScriptRows() []row {
	return []row{
		{name: "J1"},
		{name: "J2"},
		{name: "J3"},
		{name: "J4"},
		{name: "J5", order: anyOrder, saw: func(t *testing.T, all []seen) {
			exactly(t, all, 1, "POST", "/objects/batch")
			exactly(t, all, 4, "PUT", "/lfs-part/")
			exactly(t, all, 1, "PUT", "/lfs-put/")
			exactly(t, all, 0, "", "verify")
			exactly(t, all, 1, "POST", "/commit/main")
			noToken(t, all, "PUT")
		}},
		{name: "J6", saw: func(t *testing.T, all []seen) {
			exactly(t, all, 1, "PUT", "/lfs-put/")
			if b := which(all, "POST", "/objects/batch"); len(b) != 1 || !strings.Contains(b[0].Body, `"xet"`) {
				t.Errorf("offered %v", b)
			}
		}},
		{name: "J7", saw: func(t *testing.T, all []seen) { exactly(t, all, 1, "GET", "/revision/HEAD") }},
		{name: "J8"},
		{name: "J9"},
		{name: "J10", saw: func(t *testing.T, all []seen) {
			only(t, all, "HEAD /raw/")
			exactly(t, all, 2, "HEAD", "/raw/main/")
		}},
		{name: "J11"},
		{name: "J12", saw: func(t *testing.T, all []seen) {
			noToken(t, all, "GET")
			part := which(after(all, 1), "GET", "/lfs-get/")
			if len(part) == 0 || part[len(part)-1].Header["Range"] != "bytes=10-13" {
				t.Errorf("the slice was asked for with %v", part)
			}
		}},
		{name: "J13"},
		{name: "J14"},
		{name: "J15", saw: func(t *testing.T, all []seen) {
			c := which(all, "POST", "/commit/main")
			if len(c) != 3 || !strings.Contains(c[1].Query, "create_pr=1") || c[2].Status != 412 {
				t.Errorf("committed with %v", c)
			}
		}},
		{name: "J16"},
		{name: "J17", order: anyOrder},
		{name: "J18", order: anyCount},
		{name: "J19"},
		{name: "J20"},
		{name: "J21"},
	}
}

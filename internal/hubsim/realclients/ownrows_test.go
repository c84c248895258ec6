package realclients_test

import (
	"strings"
	"testing"
)

// ownRows are P1 to P47: what the simulator must have seen is as with the
// official client, or less.
func ownRows() []row {
	rows := pythonRows()
	for i := range rows {
		r := &rows[i]
		switch r.name {
		case "P7":
			r.saw = func(t *testing.T, all []seen) {
				exactly(t, after(all, 1), 0, "POST", "/commit/")
				exactly(t, after(all, 1), 1, "POST", "/preupload/main")
			}
		case "P12": // the branch is looked at: what it has changed is in the way
			r.saw = func(t *testing.T, all []seen) {
				for _, c := range which(all, "POST", "/commit/main") {
					if c.Status == 200 {
						t.Errorf("committed with %v", c)
					}
				}
			}
		case "P17": // goes on as long as something arrives
			r.saw = func(t *testing.T, all []seen) {
				ranges(t, after(all, 0), "", "bytes=1000000-3145744", "bytes=2000000-3145744")
				exactly(t, after(all, 1), 10, "GET", "/lfs-get/")
				noToken(t, all, "GET")
			}
		case "P15":
			r.saw = func(t *testing.T, all []seen) { only(t, after(all, 1), "HEAD /") }
		case "P18":
			r.saw = func(t *testing.T, all []seen) { ranges(t, all, "", "bytes=1000000-3145744") }
		case "P9", "P11", "P14", "P20", "P46":
			r.order = anyOrder // it does several things at once
		case "P34":
			r.saw = func(t *testing.T, all []seen) {
				exactly(t, all, 1, "POST", "/api/jobs/bob")
				if b := which(all, "POST", "/api/jobs/bob")[0].Body; !strings.Contains(b, "ml-intern-req") {
					t.Errorf("submitted without a label to find it by: %s", b)
				}
			}
		case "P45":
			r.saw = func(t *testing.T, all []seen) {
				exactly(t, after(all, 0), 3, "POST", "/preupload/")
				exactly(t, after(all, 1), 2, "POST", "/preupload/")
				exactly(t, after(all, 2), 2, "POST", "/commit/") // nothing was applied: once more
			}
		}
	}
	return rows
}

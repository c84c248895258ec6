package demo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/evidence"
)

// checkEvidence compares what the report cites with what the session has looked
// up, and counts the marks it cites.
func checkEvidence(root string, read []event.Evidence) (cited int, err error) {
	data, err := os.ReadFile(filepath.Join(root, "report.md"))
	if err != nil {
		return 0, err
	}
	report := string(data)
	_, section, ok := strings.Cut(report, "\n## Evidence\n")
	if !ok {
		return 0, errors.New("report.md has no section Evidence")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var wrong []error
	expect := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Errorf("report.md: "+format, args...))
		}
	}
	for _, ref := range evidence.Unverified(report, read) {
		expect(false, "%s is cited, and was not looked up", ref)
	}
	marks := map[string]bool{}
	for _, ref := range evidence.References(section) {
		marks[ref.Text] = true
	}
	for _, e := range read {
		if marks[e.ID] {
			cited++
			expect(marks[e.URL], "the address of %s is not %s", e.ID, e.URL)
		}
	}
	expect(cited > 0, "the section Evidence cites nothing")
	expect(!strings.Contains(section, "unknown"), "something in the section Evidence is unknown")
	return cited, errors.Join(wrong...)
}

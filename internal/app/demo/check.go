package demo

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Summary is what a finished demo has to show.
type Summary struct {
	Dir   string // absolute
	Files []File // the report first
	// HeldOut is the number of messages that Accuracy is measured on.
	HeldOut int
	// Accuracy lies in the 95% confidence interval from Low to High; Baseline
	// is that of always naming the biggest desk. All are shares of 1.
	Accuracy, Low, High, Baseline float64
	// Epochs is how many the training ran, Kept the one whose weights count.
	Epochs, Kept int
	// Read is how many sources the session looked up, Cited how many of them
	// the report cites by their marks.
	Read, Cited int
}

// File is a file the demo left.
type File struct {
	Path  string // absolute
	About string // a few words
}

// left are the files of a finished run.
var left = []struct{ name, about string }{
	{"report.md", "the report"},
	{"curve.svg", "accuracy by epoch"},
	{"evidence.md", "what was looked up, and what it says"},
	{"card.md", "the card of the model's repository"},
	{"metrics.json", "the result, in numbers"},
	{"history.json", "the data and every epoch"},
	{"model.json", "the trained model"},
	{"train.py", "trains the model"},
	{"evaluate.py", "judges it on held-out messages"},
	{"report.py", "writes the report"},
	{"data/messages.csv", "the data"},
}

type metrics struct {
	HeldOut   int                `json:"held_out"`
	Right     int                `json:"right"`
	Accuracy  float64            `json:"accuracy"`
	Interval  [2]float64         `json:"interval"`
	Baseline  float64            `json:"baseline"`
	MacroF1   float64            `json:"macro_f1"`
	Leaked    int                `json:"leaked"`
	Desks     []string           `json:"desks"`
	PerDesk   map[string]quality `json:"per_desk"`
	Confusion [][]int            `json:"confusion"`
	Epoch     int                `json:"epoch"`
}

type quality struct {
	HeldOut   int     `json:"held_out"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
}

type history struct {
	Rows       int            `json:"rows"`
	Kept       int            `json:"kept"`
	Dropped    map[string]int `json:"dropped"`
	Train      int            `json:"train"`
	Validation int            `json:"validation"`
	BestEpoch  int            `json:"best_epoch"`
	Epochs     []struct {
		Epoch       int     `json:"epoch"`
		Loss        float64 `json:"loss"`
		ValLoss     float64 `json:"val_loss"`
		Accuracy    float64 `json:"accuracy"`
		ValAccuracy float64 `json:"val_accuracy"`
	} `json:"epochs"`
}

type trained struct {
	Epoch   int         `json:"epoch"`
	Weights [][]float64 `json:"weights"`
	HeldOut []string    `json:"held_out"`
}

// Check looks at what a run has left in dir: that all files are there, that
// the numbers fit each other and could be true, that the report tells them, and
// that it cites nothing but what the session has read. Its error names
// everything that is wrong.
func Check(dir string, read []event.Evidence) (Summary, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return Summary{}, fmt.Errorf("check the demo folder: %w", err)
	}
	sum := Summary{Dir: root}
	var wrong []error
	for _, f := range left {
		path := filepath.Join(root, filepath.FromSlash(f.name))
		if st, err := os.Stat(path); err != nil {
			wrong = append(wrong, err)
		} else if !st.Mode().IsRegular() || st.Size() == 0 {
			wrong = append(wrong, fmt.Errorf("%s is empty or no file", f.name))
		}
		sum.Files = append(sum.Files, File{path, f.about})
	}
	if len(wrong) > 0 {
		return sum, fmt.Errorf("check the demo's results: %w", errors.Join(wrong...))
	}
	var (
		m   metrics
		h   history
		mod trained
	)
	for name, into := range map[string]any{"metrics.json": &m, "history.json": &h, "model.json": &mod} {
		if err := readJSON(root, name, into); err != nil {
			return sum, fmt.Errorf("check the demo's results: %w", err)
		}
	}
	sum.HeldOut, sum.Accuracy, sum.Baseline = m.HeldOut, m.Accuracy, m.Baseline
	sum.Low, sum.High, sum.Epochs, sum.Kept = m.Interval[0], m.Interval[1], len(h.Epochs), m.Epoch
	sum.Read = len(read)
	sum.Cited, err = checkEvidence(root, read)
	wrong = append(wrong, checkMetrics(m), checkTraining(m, h, mod), checkCurve(root), checkReport(root, m, h), err)
	if err := errors.Join(wrong...); err != nil {
		return sum, fmt.Errorf("check the demo's results: %w", err)
	}
	return sum, nil
}

func readJSON(root, name string, into any) error {
	data, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// same allows for rounding in another language.
func same(a, b float64) bool { return math.Abs(a-b) < 1e-6 }

// checkMetrics counts the confusion matrix again.
func checkMetrics(m metrics) error {
	if m.HeldOut < 1 || len(m.Confusion) != len(m.Desks) || len(m.Desks) < 2 {
		return fmt.Errorf("metrics.json: %d desks, %d rows of the confusion matrix and %d held-out messages do not fit", len(m.Desks), len(m.Confusion), m.HeldOut)
	}
	all, right, biggest, f1 := 0, 0, 0, 0.0
	for i, counts := range m.Confusion {
		if len(counts) != len(m.Desks) {
			return errors.New("metrics.json: the confusion matrix is not square")
		}
		sum := 0
		for _, n := range counts {
			sum += n
		}
		all, right, biggest = all+sum, right+counts[i], max(biggest, sum)
		f1 += m.PerDesk[m.Desks[i]].F1 / float64(len(m.Desks))
	}
	n := float64(m.HeldOut)
	low, high := wilson(m.Right, m.HeldOut)
	var wrong []error
	expect := func(ok bool, what string) {
		if !ok {
			wrong = append(wrong, errors.New("metrics.json: "+what))
		}
	}
	expect(all == m.HeldOut && right == m.Right, "the confusion matrix does not add up to held_out and right")
	expect(same(m.Accuracy, float64(m.Right)/n), "accuracy is not right / held_out")
	expect(same(m.Interval[0], low) && same(m.Interval[1], high), "interval is not the Wilson interval of right and held_out")
	expect(same(m.Baseline, float64(biggest)/n), "baseline is not the share of the biggest desk")
	expect(same(m.MacroF1, f1), "macro_f1 is not the mean of the desks")
	expect(m.Leaked == 0, "held-out texts occur in the training part")
	expect(m.Interval[0] > m.Baseline, "the model is not better than the baseline")
	return errors.Join(wrong...)
}

// wilson is the 95% confidence interval of right out of n.
func wilson(right, n int) (low, high float64) {
	const z = 1.959964
	p, m := float64(right)/float64(n), float64(n)
	middle := p + z*z/(2*m)
	reach := z * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return (middle - reach) / (1 + z*z/m), (middle + reach) / (1 + z*z/m)
}

// checkTraining compares the training's record with the model and the metrics.
func checkTraining(m metrics, h history, mod trained) error {
	var wrong []error
	expect := func(ok bool, what string) {
		if !ok {
			wrong = append(wrong, errors.New("history.json: "+what))
		}
	}
	dropped := 0
	for _, n := range h.Dropped {
		dropped += n
	}
	expect(h.Rows == h.Kept+dropped, "rows are not those kept and those dropped")
	expect(h.Kept == h.Train+h.Validation+m.HeldOut && len(mod.HeldOut) == m.HeldOut, "the parts of the split do not add up")
	expect(h.BestEpoch == m.Epoch && mod.Epoch == m.Epoch, "the epoch kept is not the one that was judged")
	expect(len(mod.Weights) == len(m.Desks), "the model has not one row of weights for each desk")
	if len(h.Epochs) < 2 || h.BestEpoch < 1 || h.BestEpoch > len(h.Epochs) {
		return errors.Join(append(wrong, errors.New("history.json: the epochs are not all there"))...)
	}
	best := h.Epochs[h.BestEpoch-1].ValLoss
	for i, e := range h.Epochs {
		expect(e.Epoch == i+1 && e.Loss > 0 && e.ValLoss >= best && e.Accuracy >= 0 && e.Accuracy <= 1 &&
			e.ValAccuracy >= 0 && e.ValAccuracy <= 1, fmt.Sprintf("epoch %d cannot be true", i+1))
	}
	expect(h.Epochs[len(h.Epochs)-1].Loss < h.Epochs[0].Loss, "the training loss did not fall")
	return errors.Join(wrong...)
}

// checkCurve reads the drawing as XML.
func checkCurve(root string) error {
	f, err := os.Open(filepath.Join(root, "curve.svg"))
	if err != nil {
		return err
	}
	defer f.Close()
	lines := 0
	for dec := xml.NewDecoder(f); ; {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read curve.svg: %w", err)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "polyline" {
			lines++
		}
	}
	if lines != 2 {
		return fmt.Errorf("curve.svg: %d curves, want training and validation", lines)
	}
	return nil
}

// checkReport looks for every number of the metrics in the report.
func checkReport(root string, m metrics, h history) error {
	data, err := os.ReadFile(filepath.Join(root, "report.md"))
	if err != nil {
		return err
	}
	text := strings.Join(strings.Fields(string(data)), " ") // lines are broken anywhere
	percent := func(share float64) string { return fmt.Sprintf("%.1f%%", 100*share) }
	want := []string{
		fmt.Sprintf("| **%s** (%d of %d) |", percent(m.Accuracy), m.Right, m.HeldOut),
		fmt.Sprintf("| %s to %s |", percent(m.Interval[0]), percent(m.Interval[1])),
		fmt.Sprintf("biggest desk | %s |", percent(m.Baseline)),
		fmt.Sprintf("| Macro F1 | %.3f |", m.MacroF1),
		fmt.Sprintf("holds %d messages", h.Rows),
		fmt.Sprintf("%d remain: %d for training, %d for choosing the epoch, %d held out", h.Kept, h.Train, h.Validation, m.HeldOut),
		fmt.Sprintf("Of %d epochs, number %d", len(h.Epochs), m.Epoch),
		"are a script", "(curve.svg)",
	}
	for i, d := range m.Desks {
		q := m.PerDesk[d]
		want = append(want,
			fmt.Sprintf("| %s | %d | %.3f | %.3f | %.3f |", d, q.HeldOut, q.Precision, q.Recall, q.F1),
			"| "+d+" | "+strings.Join(strings.Fields(strings.Trim(fmt.Sprint(m.Confusion[i]), "[]")), " | ")+" |")
	}
	var wrong []error
	for _, w := range want {
		if !strings.Contains(text, w) {
			wrong = append(wrong, fmt.Errorf("report.md does not say %q", w))
		}
	}
	return errors.Join(wrong...)
}

package trainformat

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:embed rules.json
var data []byte

// rules is what TRL's trainers take, as the data file has it.
type rules struct {
	Checked    string       `json:"checked"`
	MaxLength  int          `json:"default_max_length"` // tokens
	Types      []typ        `json:"types"`
	Trainers   []trainer    `json:"trainers"`
	References []string     `json:"references"`
	Conversion []conversion `json:"conversions"`
}

// typ is a type of data set: the columns it needs and the shapes they may have.
type typ struct {
	Name     string            `json:"name"`
	Columns  map[string]string `json:"columns"`
	Optional map[string]string `json:"optional"`
}

type trainer struct {
	ID    string   `json:"id"`
	Name  string   `json:"name"`
	Takes []string `json:"takes"`
	Needs string   `json:"needs"` // in words
	// Rewards: the other columns reach the reward functions. Unpairs: pairs are
	// taken apart on the way. Balance: the numbers of labels matter. Length: a
	// default maximum of tokens cuts rows.
	Rewards bool `json:"rewards"`
	Unpairs bool `json:"unpairs"`
	Balance bool `json:"balance"`
	Length  bool `json:"length"`
	// Implicit and Explicit are said of pairs without and with a prompt.
	Implicit string `json:"implicit"`
	Explicit string `json:"explicit"`
}

// conversion makes other columns of some. One without code renames.
type conversion struct {
	Needs   map[string]string `json:"needs"`
	Without []string          `json:"without"`
	Renames map[string]string `json:"renames"`
	Gives   map[string]string `json:"gives"`
	Code    []string          `json:"code"`
	Note    string            `json:"note"`
	// Only and Except name trainers. Native ones do it by themselves.
	Only       []string `json:"only"`
	Except     []string `json:"except"`
	Native     []string `json:"native"`
	NativeNote string   `json:"native_note"`
}

// known is the table, read once.
var known = sync.OnceValues(func() (*rules, error) {
	var r rules
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("read the rules of training formats: %w", err)
	}
	return &r, nil
})

// Trainers are the names that [Input] takes as Trainer.
func Trainers() ([]string, error) {
	r, err := known()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, t := range r.Trainers {
		names = append(names, t.ID)
	}
	return names, nil
}

func (r *rules) trainer(id string) (trainer, bool) {
	i := slices.IndexFunc(r.Trainers, func(t trainer) bool { return t.ID == id })
	if i < 0 {
		return trainer{}, false
	}
	return r.Trainers[i], true
}

// shapes are the columns by name with what their cells are.
type shapes map[string]string

// have reports whether all wanted columns are there in one of their shapes.
func (s shapes) have(wanted map[string]string) bool {
	for name, allowed := range wanted {
		if !slices.Contains(strings.Fields(allowed), s[name]) {
			return false
		}
	}
	return true
}

// types are those that the columns fit, the most special first.
func (r *rules) types(s shapes) []typ {
	var fit []typ
	for _, t := range r.Types {
		if s.have(t.Columns) {
			fit = append(fit, t)
		}
	}
	return fit
}

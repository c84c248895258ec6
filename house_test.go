// Package house_test keeps the house in order: the table below says which room
// may import which. It is the architecture in one place; docs/architecture.md
// tells the rest.
package house_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/ml-intern/ml-intern"

// rooms lists, for each room, what it may import beside its own children. The
// longest matching row counts.
var rooms = map[string][]string{
	"internal/domain":          {"internal/domain"},
	"internal/platform":        {},
	"internal/platform/fetch":  {"internal/platform/httpx"},
	"internal/platform/markup": {"internal/platform/markup"},
	"internal/lab":             {"internal/domain", "internal/lab"},
	"internal/config":          {"internal/config"},

	"internal/adapter": {"internal/domain", "internal/platform"},
	// The clients share what stands on every wire; nothing else in the tree
	// knows its neighbours.
	"internal/adapter/provider/anthropic": clientMay,
	"internal/adapter/provider/chat":      clientMay,
	"internal/adapter/provider/openai":    clientMay,
	"internal/adapter/provider/wire":      {"internal/domain", "internal/platform", "internal/adapter/provider/fault", "internal/adapter/provider/transcript"},
	"internal/adapter/provider/local":     {"internal/domain", "internal/platform", "internal/adapter/provider/modelid"},
	"internal/adapter/provider/replay":    {"internal/domain", "internal/platform", "internal/adapter/provider/modelid"},

	// The Hub's client: every part stands on one wire.
	"internal/adapter/hub/repo":       {"internal/domain", "internal/platform", "internal/adapter/hub/wire"},
	"internal/adapter/hub/download":   {"internal/domain", "internal/platform", "internal/adapter/hub/wire"},
	"internal/adapter/hub/commit":     {"internal/domain", "internal/platform", "internal/adapter/hub/wire"},
	"internal/adapter/hub/discussion": {"internal/domain", "internal/platform", "internal/adapter/hub/wire"},
	"internal/adapter/hub/collection": {"internal/domain", "internal/platform", "internal/adapter/hub/wire"},
	"internal/adapter/hub/bucket":     {"internal/domain", "internal/platform", "internal/adapter/hub/wire"},
	"internal/adapter/hub/settings":   {"internal/domain", "internal/platform", "internal/adapter/hub/wire"},
	"internal/adapter/hub/account":    {"internal/domain", "internal/platform", "internal/adapter/hub/wire"},
	"internal/adapter/hub/job":        {"internal/domain", "internal/platform", "internal/adapter/hub/wire"},
	// Servers of the model context protocol: one connection stands on its link, its
	// login and what it lists; logins are renewed as that of the Hub is.
	"internal/adapter/mcp": {"internal/domain", "internal/platform", "internal/adapter/mcp", "internal/adapter/hub/account/oauth"},
	// Reading, writing and finding sessions stand on one document.
	"internal/adapter/sessions": {"internal/domain", "internal/platform", "internal/adapter/sessions"},
	// Each gateway stands on the port and on what texts and posts share.
	"internal/adapter/messaging": {"internal/domain", "internal/platform", "internal/adapter/messaging"},
	// The rows it reads are those that the lab works on.
	"internal/adapter/table": {"internal/lab/record"},
	// These stand on the others.
	"internal/adapter/hub/artifact": {"internal/adapter/hub"},
	"internal/adapter/hub/trackio":  {"internal/adapter/hub"},
	"internal/adapter/hub/traceset": {"internal/adapter/hub", "internal/platform"},
	"internal/adapter/compute":      {"internal/domain", "internal/platform", "internal/adapter/hub", "internal/adapter/compute"},
	"internal/adapter/hub/space":    {"internal/domain", "internal/platform", "internal/adapter/hub/wire", "internal/adapter/hub/job"},
	"internal/adapter/hub/price":    {"internal/adapter/hub/job"},

	"internal/engine":           {"internal/domain"},
	"internal/engine/policy":    {"internal/domain", "internal/engine/policy"},
	"internal/engine/window":    {"internal/domain", "internal/engine/window"},
	"internal/engine/inference": {"internal/domain"},
	"internal/engine/agent": {
		"internal/domain", "internal/engine/policy", "internal/engine/inference", "internal/engine/guard",
		"internal/engine/window", "internal/engine/arguments", "internal/engine/agent",
	},

	"internal/tools":       {"internal/domain", "internal/platform", "internal/adapter", "internal/lab"},
	"internal/sink":        {"internal/domain", "internal/platform", "internal/adapter"},
	"internal/ui":          {"internal/domain", "internal/platform"},
	"internal/ui/headless": {"internal/domain", "internal/platform", "internal/ui/agents", "internal/ui/sentence"},
	// The terminal is one product in parts.
	"internal/ui/terminal": {"internal/domain", "internal/platform", "internal/ui/attach", "internal/ui/terminal", "internal/ui/agents", "internal/ui/sentence"},
	// An editor is told in the terminal's words, and asked by its sheets.
	"internal/ui/acp": {
		"internal/domain", "internal/platform", "internal/ui/attach", "internal/ui/acp", "internal/ui/sentence", "internal/ui/terminal/approve",
		"internal/ui/terminal/transcript/meaning", "internal/ui/terminal/transcript/status",
	},
	// The simulator: time, accounts and answers are the ground; repositories
	// stand on git and content, everything that shows or runs them on those.
	"internal/hubsim":            {"internal/platform"},
	"internal/hubsim/account":    {"internal/hubsim/clock"},
	"internal/hubsim/fault":      {"internal/hubsim/clock"},
	"internal/hubsim/git":        {"internal/hubsim/clock"},
	"internal/hubsim/content":    simulatorGround,
	"internal/hubsim/identity":   simulatorGround,
	"internal/hubsim/exec":       {"internal/platform", "internal/hubsim/clock"},
	"internal/hubsim/repo":       simulatorOnRepos,
	"internal/hubsim/catalogue":  simulatorOnRepos,
	"internal/hubsim/discussion": simulatorOnRepos,
	"internal/hubsim/collection": simulatorOnRepos,
	"internal/hubsim/bucket":     simulatorOnRepos,
	"internal/hubsim/webhook":    simulatorOnRepos,
	"internal/hubsim/neighbour":  simulatorOnRepos,
	"internal/hubsim/job":        append([]string{"internal/hubsim/exec"}, simulatorOnRepos...),
	"internal/hubsim/space":      append([]string{"internal/hubsim/exec"}, simulatorOnRepos...),
	"internal/hubsim/seed":       append([]string{"internal/hubsim/neighbour"}, simulatorOnRepos...),

	"internal/app": {"internal"},
	"cmd":          {"internal/app", "internal/platform/proc"},
	"bench":        {"internal"},
}

// simulatorGround is what every part of the simulator may import, and
// simulatorOnRepos what those that stand on its repositories may.
var (
	simulatorGround = []string{
		"internal/platform", "internal/hubsim/clock", "internal/hubsim/answer", "internal/hubsim/account",
		"internal/hubsim/fault",
	}
	simulatorOnRepos = append([]string{
		"internal/hubsim/git", "internal/hubsim/content", "internal/hubsim/repo",
	}, simulatorGround...)
)

// clientMay is what a client of a provider may import.
var clientMay = []string{
	"internal/domain", "internal/platform", "internal/adapter/provider/fault", "internal/adapter/provider/transcript",
	"internal/adapter/provider/wire",
}

// Sizes of files and packages, tests and generated files not counted.
const (
	fileLines    = 500
	packageLines = 1500
)

// pkg is what `go list` tells of a package.
type pkg struct {
	ImportPath string
	Dir        string
	Doc        string
	GoFiles    []string
	Imports    []string
	Deps       []string
}

func list(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,GoFiles,Imports,Deps", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) > 0 {
			all = append(all, p)
		}
	}
}

func local(importPath string) (string, bool) {
	return strings.CutPrefix(importPath, module+"/")
}

// inside reports whether p is room or lies below it.
func inside(p, room string) bool { return p == room || strings.HasPrefix(p, room+"/") }

// family is the family of tools, or the area of the simulator, that a package
// belongs to.
func family(p string) string {
	parts := strings.SplitN(p, "/", 4)
	if len(parts) >= 3 && (parts[1] == "tools" || parts[1] == "hubsim") {
		return path.Join(parts[:3]...)
	}
	return ""
}

func mayImport(from, to string) bool {
	if inside(to, from) || family(from) != "" && family(from) == family(to) {
		return true // parents may import their children, and those of a family each other
	}
	row := ""
	for room := range rooms {
		if inside(from, room) && len(room) > len(row) {
			row = room
		}
	}
	return slices.ContainsFunc(rooms[row], func(room string) bool { return inside(to, room) })
}

func TestImportsFollowTheFloors(t *testing.T) {
	for _, p := range list(t) {
		from, _ := local(p.ImportPath)
		for _, imp := range p.Imports {
			if to, ours := local(imp); ours && !mayImport(from, to) && !strings.HasSuffix(from, "test") {
				t.Errorf("%s imports %s: its row in the table does not allow it", from, to)
			}
		}
	}
}

func TestEngineTouchesNothingOutside(t *testing.T) {
	for _, p := range list(t) {
		from, _ := local(p.ImportPath)
		if !inside(from, "internal/engine") && !inside(from, "internal/domain") || strings.HasSuffix(from, "test") {
			continue
		}
		for _, dep := range p.Deps {
			if dep == "net/http" || dep == "os/exec" || inside(dep, module+"/internal/adapter") || inside(dep, module+"/internal/ui") {
				t.Errorf("%s depends on %s", from, dep)
			}
		}
	}
}

func TestPackagesAreDocumentedAndSmall(t *testing.T) {
	for _, p := range list(t) {
		name, _ := local(p.ImportPath)
		if p.Doc == "" {
			t.Errorf("%s has no package comment", name)
		}
		total := 0
		for _, f := range p.GoFiles {
			src, err := os.ReadFile(filepath.Join(p.Dir, f))
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(src, []byte("// Code generated ")) {
				continue
			}
			n := bytes.Count(src, []byte("\n"))
			if total += n; n > fileLines {
				t.Errorf("%s/%s has %d lines, more than %d", name, f, n, fileLines)
			}
		}
		if total > packageLines {
			t.Errorf("%s has %d lines, more than %d", name, total, packageLines)
		}
	}
}

func TestNoInitAndPlainNames(t *testing.T) {
	banned := []string{"util", "utils", "common", "helper", "helpers", "manager", "misc"}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := path.Base(name); base == "testdata" || base == "node_modules" || (strings.HasPrefix(base, ".") && base != ".") {
				return fs.SkipDir
			}
			if slices.Contains(banned, path.Base(name)) {
				t.Errorf("%s: a package says what it provides", name)
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s has an init function", name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

package audits_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ml-intern/ml-intern/internal/app/command"
	"github.com/ml-intern/ml-intern/internal/app/command/scripttest"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
)

var update = flag.Bool("update", false, "write the golden parts of the scripts anew")

// asProgram makes the test binary the program itself.
const asProgram = "ML_INTERN_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	program := func() { os.Exit(command.Main(context.Background(), command.System())) }
	if os.Getenv(asProgram) != "" {
		program()
	}
	testscript.Main(m, map[string]func(){"ml-intern": program})
}

// TestScripts runs the command as people type it, each script beside a simulated
// Hub of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true, UpdateScripts: *update, Setup: setup,
		Cmds: scripttest.With(scripttest.Words{
			"asked": asked, "pack": pack, "rows": rows, "keys": keys, "odd": odd,
		}),
	})
}

func setup(env *testscript.Env) error {
	hub := hubsimtest.Start(env.T().(testing.TB), hubsim.Options{})
	env.Values["hub"] = hub
	home := filepath.Join(env.WorkDir, "home")
	for _, entry := range hubsim.BaseEnv(hub.URL()) {
		name, value, _ := strings.Cut(entry, "=")
		env.Setenv(name, value)
	}
	for name, value := range map[string]string{
		"HOME": home, "HF_TOKEN": "hf_bob_write", "TZ": "UTC", "LC_ALL": "C.UTF-8", "XDG_STATE_HOME": "", "XDG_CACHE_HOME": "", "XDG_CONFIG_HOME": "",
	} {
		env.Setenv(name, value)
	}
	return os.MkdirAll(home, 0o755)
}

// asked checks whether the Hub was asked for a path that begins so since the
// last look: asked PREFIX
func asked(ts *testscript.TestScript, neg bool, args []string) {
	hub := ts.Value("hub").(*hubsim.Hub)
	found := 0
	var all []string
	for _, r := range hub.Requests() {
		all = append(all, r.Path)
		if strings.HasPrefix(r.Path, args[0]) {
			found++
		}
	}
	hub.ClearRequests()
	if found > 0 == neg {
		ts.Fatalf("asked for %q", all)
	}
}

// row is what the rows of the scripts are made of.
type row struct {
	Prompt     string `json:"prompt" parquet:"prompt"`
	Completion string `json:"completion" parquet:"completion"`
	Label      string `json:"label" parquet:"label"`
}

// rows writes rows that have no part in common: rows N FILE
func rows(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	var out strings.Builder
	for i := range n {
		var words []string
		for k := range 12 {
			words = append(words, fmt.Sprintf("w%d", i*100+k))
		}
		line, err := json.Marshal(row{strings.Join(words[:6], " "), strings.Join(words[6:], " ") + ".", []string{"yes", "no"}[i%2]})
		ts.Check(err)
		out.Write(append(line, '\n'))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(out.String()), 0o600))
}

// pack writes a file of JSON lines in another form: pack FILE OUT
func pack(ts *testscript.TestScript, _ bool, args []string) {
	in := ts.ReadFile(args[0])
	f, err := os.Create(ts.MkAbs(args[1]))
	ts.Check(err)
	defer f.Close()
	var w io.WriteCloser = f
	switch filepath.Ext(args[1]) {
	case ".gz":
		w = gzip.NewWriter(f)
	case ".zst":
		w, err = zstd.NewWriter(f)
		ts.Check(err)
	case ".parquet":
		p := parquet.NewGenericWriter[row](f)
		scan := bufio.NewScanner(strings.NewReader(in))
		for scan.Scan() {
			var one row
			ts.Check(json.Unmarshal(scan.Bytes(), &one))
			_, err = p.Write([]row{one})
			ts.Check(err)
		}
		ts.Check(p.Close())
		return
	}
	_, err = io.WriteString(w, in)
	ts.Check(err)
	ts.Check(w.Close())
}

// keys checks the names of a JSON object: keys FILE PATH NAME...
func keys(ts *testscript.TestScript, _ bool, args []string) {
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &v))
	if args[1] != "." {
		for name := range strings.SplitSeq(args[1], ".") {
			if list, ok := v.([]any); ok {
				v = list[0]
			} else {
				v = v.(map[string]any)[name]
			}
		}
	}
	object, ok := v.(map[string]any)
	if !ok || len(object) != len(args)-2 {
		ts.Fatalf("%s has %v", args[1], v)
	}
	for _, name := range args[2:] {
		if _, ok := object[name]; !ok {
			ts.Fatalf("%s has no %s: %v", args[1], name, v)
		}
	}
}

// odd copies a file to one with a name that would steer a terminal.
func odd(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(filepath.Join(ts.MkAbs(args[1]), "a\x1b]0;x\a b.jsonl"), []byte(ts.ReadFile(args[0])), 0o600))
}

package research

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/secretfile"
)

// confined is read for sub-agents: only below some folders, and no file that
// usually holds a secret. A sub-agent reads pages written by anybody; nothing
// there should be able to have it fetch a key.
type confined struct {
	tool.Tool
	folders []string
}

// Run reads unless the file is none for sub-agents.
func (c confined) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	var p struct {
		Path string `json:"path"`
	}
	if err := tool.Decode(args, &p); err != nil {
		return tool.Failed("read: " + err.Error()), nil
	}
	for _, file := range append(c.named(p.Path), c.Risk(args).Reads...) {
		if why := c.refused(file); why != "" {
			return tool.Failed(fmt.Sprintf("read: %s is not for sub-agents: %s", p.Path, why)), nil
		}
	}
	return c.Tool.Run(ctx, env, args)
}

// audited is hf_dataset_audit for sub-agents: it reads data sets on the Hub and
// files of the workspace, but none that usually holds a secret.
type audited struct{ tool.Tool }

// Run audits unless a file is none for sub-agents.
func (a audited) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	var p struct {
		Dataset    string   `json:"dataset"`
		Benchmarks []string `json:"benchmarks"`
	}
	if err := json.Unmarshal(args, &p); err != nil {
		return tool.Failed("hf_dataset_audit: its arguments cannot be read"), nil
	}
	for _, name := range append(p.Benchmarks, p.Dataset) {
		if why := unfit(name); why != "" {
			return tool.Failed(fmt.Sprintf("hf_dataset_audit: %s is not for sub-agents: %s", name, why)), nil
		}
	}
	return a.Tool.Run(ctx, env, args)
}

// unfit says why a data set that is a file is not for sub-agents, or is empty.
// Data sets of the Hub have no ending, and a name that begins with none of the
// signs of a path.
func unfit(name string) string {
	file := strings.ReplaceAll(strings.TrimSpace(name), `\`, "/")
	if strings.HasPrefix(file, "hf:") || !strings.ContainsAny(file[:min(1, len(file))], "./~") && path.Ext(file) == "" {
		return ""
	}
	file = strings.ToLower(path.Clean(file))
	base := strings.TrimSuffix(strings.TrimSuffix(path.Base(file), ".gz"), ".zst")
	for _, ending := range []string{".tsv", ".jsonl", ".parquet"} { // as much as those of settings
		base = strings.Replace(base, ending, ".json", 1)
	}
	return secretfile.Why(path.Join(path.Dir(file), base))
}

// named is the file that a path means, before links are followed.
func (c confined) named(file string) []string {
	if !absolute(file) && len(c.folders) > 0 {
		file = path.Join(filepath.ToSlash(c.folders[0]), filepath.ToSlash(file))
	}
	return []string{file}
}

// absolute also knows the paths of a sandbox, which begin with a slash wherever
// this program runs.
func absolute(file string) bool { return path.IsAbs(file) || filepath.IsAbs(file) }

// refused says why a file is not for sub-agents, or is empty.
func (c confined) refused(file string) string {
	file = path.Clean(filepath.ToSlash(file))
	inside := slices.ContainsFunc(c.folders, func(dir string) bool {
		dir = path.Clean(filepath.ToSlash(dir))
		return file == dir || strings.HasPrefix(file, strings.TrimSuffix(dir, "/")+"/")
	})
	if !inside {
		return "it is outside the workspace"
	}
	return secretfile.Why(file)
}

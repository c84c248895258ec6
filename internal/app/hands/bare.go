package hands

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/local"
	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/tools/shell"
)

// bareHere is a shell on the user's machine whose commands have no credentials,
// for sub-agents that read what anybody may have written.
func bareHere(o local.Options) (tool.Tool, error) {
	o.ForwardHFToken, o.AllowEnv = false, nil
	here, err := local.New(o)
	if err != nil {
		return nil, fmt.Errorf("open the workspace of sub-agents: %w", err)
	}
	s, err := shell.New(shell.Options{Workspace: here.Open, Dir: o.Dir, Close: here.Close})
	if err != nil {
		return nil, fmt.Errorf("make the tool bash of sub-agents: %w", err)
	}
	bash, _ := s.Tools()
	return bash, nil
}

// bareThere is a sandbox's shell whose commands do not have the sandbox's
// credentials in their environment.
type bareThere struct{ tool.Tool }

// without is what its commands begin with.
const without = "unset HF_TOKEN HUGGING_FACE_HUB_TOKEN HUGGINGFACE_HUB_TOKEN; export HF_HUB_DISABLE_IMPLICIT_TOKEN=1\n"

// Run runs the command without the credentials.
func (b bareThere) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	var p map[string]any
	if err := json.Unmarshal(args, &p); err != nil {
		return tool.Failed("bash: " + err.Error()), nil
	}
	if command, ok := p["command"].(string); ok {
		p["command"] = without + command
	}
	changed, err := json.Marshal(p)
	if err != nil {
		return tool.Result{}, err
	}
	return b.Tool.Run(ctx, env, changed)
}

// Folders are those that hold the session's work: here the given ones, in a
// sandbox its own.
func (h *Hands) Folders(here []string) []string {
	if h.keeper != nil {
		return []string{sandbox.Dir}
	}
	return here
}
